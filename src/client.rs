//! What stands at a service's way out: [`ClientLayer`], and [`PropagateInterceptor`] where a layer
//! cannot be used.
//!
//! Both take the [`UserContext`] from the request's extensions, where a caller may have put one, or
//! else from the running task ([`UserContext::current`]), and write it as metadata. Whatever
//! identity metadata the request carried is dropped, the raw token too: copying the metadata of an
//! incoming request to an outgoing one forwards nothing that it should not.

use http::{Extensions, HeaderMap};
use tonic::Status;

use crate::authenticate::Rejection;
use crate::context::UserContext;
use crate::metadata;
use crate::status;

mod interceptor;
mod layer;

pub use interceptor::PropagateInterceptor;
pub use layer::{ClientLayer, ClientService, ResponseBody, ResponseFuture};

/// What to do with a call without a user.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Anonymous {
    Allow,
    #[default]
    Refuse,
}

/// Puts the context, and no other identity, into an outgoing request.
fn propagate(
    headers: &mut HeaderMap,
    extensions: &Extensions,
    anonymous: Anonymous,
) -> Result<(), Status> {
    metadata::strip(headers, |_| true);
    metadata::strip_connection(headers);
    match extensions.get::<UserContext>().cloned().or_else(UserContext::current) {
        Some(user) => user.append_to(headers).map_err(|error| Rejection::from(error).into()),
        None if anonymous == Anonymous::Allow => Ok(()),
        None => {
            let status = status::not_propagated();
            tracing::error!("{}", status.message());
            Err(status)
        }
    }
}
