//! Authentication of callers: the [`Authenticator`] trait and its strategies.
//!
//! | strategy | for | trusts |
//! |---|---|---|
//! | [`JwtAuthenticator`] | the edge | a JWT that a [`Verifier`](crate::jwt::Verifier) accepts |
//! | [`ForwardedContext`] | a service in a private network | the `x-user-*` metadata |
//! | [`LookupAuthenticator`] | API keys in a database, opaque tokens that are introspected | the function that resolves them |
//! | [`first_of`] | entry points that accept several kinds of credentials | the strategy whose credential is present |
//!
//! Rules that hold for every strategy:
//!
//! - A request without a credential is anonymous. The [policy](crate::policy) decides whether an
//!   anonymous caller may call a method.
//! - A credential that is present and invalid is rejected. Its caller is never treated as
//!   anonymous, and no other strategy is tried.
//! - No handler sees a credential: the fields are stripped from every request.
//! - A strategy returns a result, or a future. [`ServerLayer`](crate::ServerLayer) awaits the
//!   future within the call's deadline. [`ServerInterceptor`](crate::ServerInterceptor) is
//!   synchronous and refuses it.

mod authenticator;
mod credential_field;
mod credentials;
mod first_of;
mod forwarded_context;
#[cfg(feature = "jwt")]
mod jwt;
mod lookup;

pub(crate) use authenticator::PendingAuthentication;
pub use authenticator::{Authentication, Authenticator};
pub use credential_field::{CredentialField, CredentialFieldError};
pub use credentials::Credentials;
pub use first_of::{FirstOf, Strategies, first_of};
pub use forwarded_context::ForwardedContext;
#[cfg(feature = "jwt")]
pub use jwt::JwtAuthenticator;
pub use lookup::LookupAuthenticator;
