//! Test kit for services that use this crate (Cargo feature `test-util`): tokens, a mock identity
//! provider, and a manually advanced clock.
//!
//! Enable the feature for tests only:
//!
//! ```toml
//! [dev-dependencies]
//! tonic-passport = { path = "../tonic-passport", features = ["test-util"] }
//! ```
//!
//! | to test | use |
//! |---|---|
//! | how an edge or a service treats a caller | [`TestIssuer`]: signs valid and invalid tokens, without a server |
//! | how an edge copes with key rotation, and with keys that cannot be fetched | [`IdentityProvider`]: an HTTP server on loopback |
//! | expiry, and other behaviour that depends on time | [`Clock`]: stands still until it is advanced; a [`Verifier`](crate::jwt::Verifier::clock) reads it |
//! | tokens signed with other algorithms or keys | [`SigningKey`] |
//! | a handler, without a server | [`authorized_request`]: a request whose user a policy has authorized |
//!
//! - Nothing here returns an error. A failure panics with a message, which fails the test, so the
//!   kit must not be used in production code.
//! - A service behind the edge needs no token. Call it through a
//!   [`ClientLayer`](crate::ClientLayer), with a [`UserContext`](crate::UserContext) in the
//!   request's extensions.
//!
//! # An edge that accepts the tokens of a test
//!
//! A [`TestIssuer`] does not listen on the network. Its verifier replaces the one of production.
//!
//! ```
//! use tonic_passport::jwt::TokenError;
//! use tonic_passport::testing::TestIssuer;
//! use tonic_passport::{JwtAuthenticator, ServerLayer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::new("https://id.example.com");
//! let layer = ServerLayer::new(JwtAuthenticator::new(issuer.verifier()));
//! // Serve with this layer, and call with `authorization: Bearer <token>`:
//! let token = issuer.token("alice").permissions(["orders:create"]).sign();
//! # drop(layer);
//!
//! let user = issuer.verifier().verify(&token)?.into_context();
//! assert_eq!(user.id(), "alice");
//! assert!(user.has_permission("orders:create"));
//!
//! let expired = issuer.token("alice").expired().sign();
//! assert_eq!(issuer.verifier().verify(&expired).err(), Some(TokenError::Expired));
//!
//! let foreign = TestIssuer::new("https://id.example.com").token("mallory").sign();
//! assert_eq!(issuer.verifier().verify(&foreign).err(), Some(TokenError::SignatureInvalid));
//! # Ok(())
//! # }
//! ```
//!
//! # Failing key fetches
//!
//! ```
//! use tonic_passport::jwt::Verifier;
//! use tonic_passport::testing::{IdentityProvider, MockResponse};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = IdentityProvider::start().await;
//! let verifier = Verifier::new([provider.issuer()])?;
//! verifier.wait_until_ready().await;
//! assert!(verifier.verify(&provider.token("alice").sign()).is_ok());
//!
//! provider.set_keys_response(MockResponse::status(503));
//! // A token with an unknown key id triggers a second fetch, which fails.
//! let unknown = provider.token("alice").header("kid", "unknown").sign();
//! assert!(verifier.verify(&unknown).is_err());
//! provider.wait_for_fetches(2).await;
//! // The keys of the first fetch remain in use.
//! assert!(verifier.verify(&provider.token("alice").sign()).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! ```
//! use std::time::Duration;
//! use tonic_passport::jwt::TokenError;
//! use tonic_passport::testing::{Clock, TestIssuer};
//!
//! let (issuer, clock) = (TestIssuer::new("https://id.example.com"), Clock::new());
//! let verifier = issuer.verifier().clock(clock.source());
//! let token =
//!     issuer.token("alice").issued_at(clock.now()).expires_in(Duration::from_secs(60)).sign();
//! assert!(verifier.verify(&token).is_ok());
//!
//! clock.advance(Duration::from_secs(120));
//! assert_eq!(verifier.verify(&token).err(), Some(TokenError::Expired));
//! ```

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test fails by panicking; panics that a caller can cause are documented"
)]

mod clock;
mod identity_provider;
mod issuer;
mod mock_response;
mod request;
mod signing_key;
mod token;

pub use clock::Clock;
pub use identity_provider::IdentityProvider;
pub use issuer::TestIssuer;
pub use mock_response::MockResponse;
pub use request::authorized_request;
pub use signing_key::SigningKey;
pub use token::TokenBuilder;
