//! What layer and interceptor have in common.

use http::{Extensions, HeaderMap};

use crate::authenticate::{Authenticator, Credentials, Rejection};
use crate::context::UserContext;
use crate::metadata;

/// Strips everything about identity from a request, and tells who is calling.
///
/// Afterwards the headers hold no reserved name but the keys of the returned context, which the
/// extensions hold too. Any context that was there before is gone.
pub(super) fn identify<A: Authenticator>(
    authenticator: &A,
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
) -> Result<Option<UserContext>, Rejection> {
    let taken = metadata::take_reserved(headers);
    extensions.remove::<UserContext>();

    let user = authenticator.authenticate(&Credentials::new(&taken, extensions))?;
    if let Some(user) = &user {
        user.append_to(headers);
        extensions.insert(user.clone());
    }
    Ok(user)
}

/// Says in the log why a request was turned away.
pub(super) fn log(rejection: &Rejection, method: Option<&str>) {
    tracing::info!(method, cause = %rejection, "request rejected");
}
