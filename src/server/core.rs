//! What layer and interceptor have in common.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::authenticate::{Authenticator, Credentials, Rejection};
use crate::context::UserContext;
use crate::metadata;
use crate::status;
use crate::telemetry::{self, Outcome};

/// What a method needs to know of its caller.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Access {
    /// Who it is, if they say so.
    Optional,
    /// Nothing.
    Public,
    /// Who it is.
    #[default]
    Required,
}

/// Takes everything about identity out of a request: all that a client may have forged, and the
/// credentials by which it can be told who is calling.
pub(super) fn strip<A: Authenticator>(
    authenticator: &A,
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
) -> Vec<(HeaderName, HeaderValue)> {
    extensions.remove::<UserContext>();
    metadata::strip_connection(headers);
    metadata::take_reserved(headers, authenticator.credential_names())
}

/// A call, as far as it matters to who may make it.
pub(super) struct Call<'a> {
    /// Its path, where that is known.
    pub(super) method: Option<&'a str>,
    pub(super) access: Access,
    /// Whether the caller's e-mail address goes into the span.
    pub(super) record_email: bool,
}

/// Tells who is calling, by what was taken out of the request. Writes it into the request's
/// metadata and extensions, and the outcome into the log.
pub(super) fn identify<A: Authenticator>(
    authenticator: &A,
    call: &Call<'_>,
    taken: &[(HeaderName, HeaderValue)],
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
) -> Result<Option<UserContext>, Rejection> {
    let span = telemetry::authenticate(call.method);
    let _entered = span.enter();
    let answer = authenticate(authenticator, call.access, taken, headers, extensions);
    match &answer {
        Ok(Some(user)) => {
            telemetry::record_user(&span, user, call.record_email);
            telemetry::record_outcome(&span, Outcome::Accepted);
            tracing::debug!("request accepted");
        }
        Ok(None) => {
            let public = call.access == Access::Public;
            let outcome = if public { Outcome::Public } else { Outcome::Anonymous };
            telemetry::record_outcome(&span, outcome);
            tracing::debug!("request accepted");
        }
        Err(rejection) => {
            telemetry::record_outcome(&span, Outcome::Rejected(rejection.reason()));
            tracing::info!(cause = status::describe(rejection), "request rejected");
        }
    }
    answer
}

fn authenticate<A: Authenticator>(
    authenticator: &A,
    access: Access,
    taken: &[(HeaderName, HeaderValue)],
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
) -> Result<Option<UserContext>, Rejection> {
    if access == Access::Public {
        return Ok(None);
    }
    match authenticator.authenticate(&Credentials::new(
        taken,
        authenticator.credential_names(),
        extensions,
    ))? {
        Some(user) => {
            user.append_to(headers)?;
            extensions.insert(user.clone());
            Ok(Some(user))
        }
        None if access == Access::Optional => Ok(None),
        None => Err(authenticator.challenge()),
    }
}
