//! What the tests of a service need: tokens of any kind, an identity provider that misbehaves when
//! it is told to, and a clock to move.
//!
//! It comes with the Cargo feature `test-util`, which belongs among your `[dev-dependencies]`.
//!
//! | to test | take |
//! |---|---|
//! | what an edge or a service makes of a caller | [`TestIssuer`]: one line for a token, good or bad |
//! | what an edge does when its keys change or cannot be fetched | [`IdentityProvider`]: over HTTP, on loopback |
//! | what happens at some time | [`Clock`]: it stands still until it is moved, and a [`Verifier`](crate::jwt::Verifier::clock) reads it |
//! | tokens that are signed in a special way | [`SigningKey`]: of any algorithm |
//! | a handler without a server | [`authorized_request`]: a policy has let its user in |
//!
//! A service behind the edge needs no token: call it through a
//! [`ClientLayer`](crate::ClientLayer) with a [`UserContext`](crate::UserContext) in the request's
//! extensions, as the services in front of it do.
//!
//! # An edge that knows a test's tokens
//!
//! The issuer is nowhere but in the test. Its verifier takes the place of the real one.
//!
//! ```
//! use tonic_passport::jwt::TokenError;
//! use tonic_passport::testing::TestIssuer;
//! use tonic_passport::{JwtAuthenticator, ServerLayer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::new("https://id.example.com");
//! let layer = ServerLayer::new(JwtAuthenticator::new(issuer.verifier()));
//! // Serve with it, and call with `authorization: Bearer …` of such a token:
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
//! # Keys that change, and an issuer that fails
//!
//! ```
//! use tonic_passport::jwt::Verifier;
//! use tonic_passport::testing::{MockResponse, IdentityProvider};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = IdentityProvider::start().await;
//! let verifier = Verifier::new([provider.issuer()])?;
//! verifier.wait_until_ready().await;
//! assert!(verifier.verify(&provider.token("alice").sign()).is_ok());
//!
//! provider.set_keys_response(MockResponse::status(503));
//! // A token that names an unknown key has the keys fetched: the second time, to no avail.
//! let strange = provider.token("alice").header("kid", "strange").sign();
//! assert!(verifier.verify(&strange).is_err());
//! provider.wait_for_fetches(2).await;
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
//!
//! # Panics
//!
//! Nothing here returns an error: what a test cannot go on without ends it, with a message. So the
//! kit has no place outside of tests.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "in a test, a panic is how a failure is told; what a test can cause is documented"
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
