//! From the bytes of a token to a verified [`UserContext`](crate::UserContext).
//!
//! A [`Verifier`] knows one or several [`Issuer`]s. Each has keys of its own, each key has exactly
//! one algorithm, and a token is accepted only when everything about it is as configured:
//!
//! 1. It is a compact JWS (RFC 7515, section 3.1) of at most 8 KiB: three parts, strict base64url.
//! 2. Header and claims are JSON objects in which no name appears twice.
//! 3. The header names no algorithm but the key's, brings no key along (`jwk`, `jku`, `x5c`,
//!    `x5u`), and asks for no extension (`crit`, `b64`, `zip`).
//! 4. `iss` is exactly a configured issuer; it is looked up before any cryptography.
//! 5. The signature is right.
//! 6. `aud` holds an audience of ours, `exp` is ahead, `nbf` and `iat` are not, `sub` is there.
//! 7. It was not [revoked](Verifier::revocation).
//!
//! ```
//! use std::time::Duration;
//! use tonic_passport::jwt::{ClaimMapping, ClaimPath, Issuer, KeySet, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let jwks = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"1",
//! #     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
//! let issuer = Issuer::new("https://id.example.com", KeySet::from_jwks(jwks)?)
//!     .audience("shop")
//!     .leeway(Duration::from_secs(10))
//!     .claims(
//!         ClaimMapping::default()
//!             .roles(["realm_access", "roles"])
//!             .permissions(ClaimPath::from("scope").space_delimited())
//!             .attribute("tenant", "tenant_id"),
//!     );
//! let verifier = Verifier::new([issuer])?;
//!
//! assert!(verifier.verify("not a token").is_err());
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod cache;
mod claims;
mod compact;
mod error;
mod issuer;
mod json;
mod key;
mod key_set;
mod key_source;
mod registered_claims;
#[cfg(feature = "remote-keys")]
mod remote;
mod revocation;
mod telemetry;
mod token;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{ClaimMapping, ClaimPath};
pub use error::{ConfigError, KeyError, Part, TokenError};
pub use issuer::Issuer;
pub use key::VerificationKey;
pub use key_set::KeySet;
pub use key_source::KeySource;
#[cfg(feature = "remote-keys")]
pub use remote::RemoteKeys;
pub use revocation::{Revocation, RevocationList};
pub use token::VerifiedToken;
pub use verifier::{KeysUnavailable, Verifier};
