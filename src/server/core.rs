//! What layer and interceptor have in common.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::authenticate::{Authenticator, Credentials, Rejection};
use crate::context::UserContext;
use crate::metadata;
use crate::status;

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

/// Tells who is calling, by what was taken out of the request. Writes it into the request's
/// metadata and extensions.
pub(super) fn identify<A: Authenticator>(
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

/// Says in the log why a request was turned away.
pub(super) fn log(rejection: &Rejection, method: Option<&str>) {
    tracing::info!(method, cause = status::describe(rejection), "request rejected");
}
