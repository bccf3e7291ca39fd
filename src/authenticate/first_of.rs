//! Combination of several strategies.

use std::fmt;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::authenticator::{Authentication, Authenticator};
use super::credentials::Credentials;
use crate::context::UserContext;
use crate::rejection::Rejection;

/// Combines strategies: the one whose [credential is present](Authenticator::has_credential)
/// authenticates the request.
///
/// - Its decision is final. After a rejection, no other strategy is tried.
/// - A request with credentials for two strategies is rejected with `CREDENTIAL_INVALID`.
/// - A request whose credential no strategy recognizes, such as another scheme in `authorization`,
///   is rejected.
/// - A request without any credential is anonymous; the first strategy provides the
///   [challenge](Authenticator::challenge).
///
/// The order matters only for the challenge.
///
/// ```
/// use http::HeaderName;
/// use tonic_passport::authenticate::{CredentialField, LookupAuthenticator, first_of};
/// use tonic_passport::{JwtAuthenticator, Rejection, ServerLayer, UserContext};
/// # use tonic_passport::testing::TestIssuer;
///
/// # let verifier = TestIssuer::new("https://id.example.com").verifier();
/// # async fn find_api_key(_: String) -> Result<UserContext, Rejection> {
/// #     Err(Rejection::CredentialInvalid("unknown api key".into()))
/// # }
/// let api_key = CredentialField::new(HeaderName::from_static("x-api-key"));
/// let authenticator = first_of((
///     JwtAuthenticator::new(verifier),
///     LookupAuthenticator::new(api_key, find_api_key),
/// ));
/// let layer = ServerLayer::new(authenticator);
/// # drop(layer);
/// ```
pub fn first_of(strategies: impl Strategies) -> FirstOf {
    let strategies = strategies.into_boxes();
    let names = strategies.iter().flat_map(Authenticator::credential_names).cloned();
    FirstOf { names: names.collect(), strategies }
}

/// Strategies combined by [`first_of`].
pub struct FirstOf {
    strategies: Vec<Box<dyn Authenticator>>,
    names: Vec<HeaderName>,
}

/// Arguments of [`first_of`]: a tuple of two to eight strategies, or a vector of boxed ones.
///
/// This trait is sealed: it is implemented by this crate only.
pub trait Strategies: sealed::Sealed {
    #[doc(hidden)]
    fn into_boxes(self) -> Vec<Box<dyn Authenticator>>;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Vec<Box<dyn Authenticator>> {}

impl Strategies for Vec<Box<dyn Authenticator>> {
    fn into_boxes(self) -> Vec<Box<dyn Authenticator>> {
        self
    }
}

macro_rules! strategies_of_tuple {
    ($($name:ident)+) => {
        impl<$($name: Authenticator),+> sealed::Sealed for ($($name,)+) {}

        impl<$($name: Authenticator),+> Strategies for ($($name,)+) {
            #[expect(non_snake_case, reason = "each value is named after its type")]
            fn into_boxes(self) -> Vec<Box<dyn Authenticator>> {
                let ($($name,)+) = self;
                vec![$(Box::new($name)),+]
            }
        }
    };
}

strategies_of_tuple!(A B);
strategies_of_tuple!(A B C);
strategies_of_tuple!(A B C D);
strategies_of_tuple!(A B C D E);
strategies_of_tuple!(A B C D E F);
strategies_of_tuple!(A B C D E F G);
strategies_of_tuple!(A B C D E F G H);

impl Authenticator for FirstOf {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Authentication {
        let mut present =
            self.strategies.iter().filter(|strategy| strategy.has_credential(credentials));
        match (present.next(), present.next()) {
            (Some(_), Some(_)) => Rejection::CredentialAmbiguous.into(),
            (Some(strategy), None) => match strategy.authenticate(credentials) {
                Authentication::Ready(result) => result.and_then(require_user).into(),
                Authentication::Pending(future) => {
                    Authentication::pending(async move { future.await.and_then(require_user) })
                }
            },
            (None, _) if self.has_unrecognized(credentials) => unrecognized().into(),
            (None, _) => Authentication::Ready(Ok(None)),
        }
    }

    fn credential_names(&self) -> &[HeaderName] {
        &self.names
    }

    fn has_credential(&self, credentials: &Credentials<'_>) -> bool {
        self.strategies.iter().any(|strategy| strategy.has_credential(credentials))
            || self.has_unrecognized(credentials)
    }

    fn challenge(&self) -> Rejection {
        self.strategies.first().map_or(Rejection::CredentialMissing, Authenticator::challenge)
    }
}

impl FirstOf {
    /// Whether a field for credentials is present that no strategy recognized.
    fn has_unrecognized(&self, credentials: &Credentials<'_>) -> bool {
        self.names.iter().chain([&AUTHORIZATION]).any(|name| credentials.contains(name.as_str()))
    }
}

/// Rejects when the strategy found no user although its credential is present.
fn require_user(user: Option<UserContext>) -> Result<Option<UserContext>, Rejection> {
    if user.is_some() { Ok(user) } else { Err(unrecognized()) }
}

fn unrecognized() -> Rejection {
    Rejection::CredentialInvalid("no authentication strategy recognizes the credential".into())
}

impl fmt::Debug for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstOf")
            .field("strategies", &self.strategies.len())
            .finish_non_exhaustive()
    }
}
