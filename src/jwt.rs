//! JWT verification: from an encoded token to a [`UserContext`](crate::UserContext).
//!
//! A [`Verifier`] is configured with one or several [`Issuer`]s. Each issuer has its own keys, and
//! each key is bound to exactly one algorithm. A token is valid if all of these hold:
//!
//! 1. It is a compact JWS (RFC 7515, section 3.1) of at most 8 KiB: three parts in base64url
//!    without padding.
//! 2. Header and claims are JSON objects without duplicate names.
//! 3. `iss` is the name of a configured issuer. It is looked up before any cryptography.
//! 4. The header contains no key (`jwk`, `jku`, `x5c`, `x5u`) and requires no extension (`crit`,
//!    `b64`, `zip`), `typ` is accepted, and `alg` is the algorithm of the key.
//! 5. The signature is valid.
//! 6. `aud` contains an accepted audience, `exp` is in the future, `nbf` and `iat` are not, and
//!    `sub` is present.
//! 7. The claims form a valid user context, by the [`ClaimMapping`] of the issuer.
//! 8. The token was not [revoked](Verifier::revocation).
//!
//! The result of a valid token is cached. Keys are static, or fetched in the background
//! ([`RemoteKeys`], feature `remote-keys`): verification never waits for the network.
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
mod time;
mod token;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{ClaimMapping, ClaimPath};
pub use error::{ConfigError, KeyError, TokenError};
pub use issuer::Issuer;
pub use key::VerificationKey;
pub use key_set::KeySet;
#[cfg(feature = "remote-keys")]
pub use remote::RemoteKeys;
pub use revocation::{Revocation, RevocationList};
pub use token::VerifiedToken;
pub use verifier::{KeysUnavailable, Verifier};
