//! What stands at a service's way out: [`ClientLayer`], and [`PropagateInterceptor`] where a layer
//! is not to be had.
//!
//! Both take the [`UserContext`] from the request's extensions, where a caller may have put one, or
//! else from the running task ([`UserContext::current`]), and write it as metadata. Whatever
//! identity metadata the request carried is dropped, the raw token too: copying the metadata of an
//! incoming request to an outgoing one forwards nothing that it should not.

use http::{Extensions, HeaderMap};
use tonic::Status;

use crate::context::UserContext;
use crate::metadata;

mod interceptor;
mod layer;

pub use interceptor::PropagateInterceptor;
pub use layer::{ClientLayer, ClientService, ResponseBody, ResponseFuture};

/// A call was about to be made on nobody's behalf.
///
/// Nothing was sent. Callers get it as a status with the code `INTERNAL`, for it is a mistake of
/// the service that calls, not of whoever called it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no user context to propagate: make the call in the task of a request that came through a \
     ServerLayer, or within UserContext::scope (a spawned task needs a scope of its own, and so \
     does a handler behind an EdgeInterceptor), put a UserContext into the outgoing request's \
     extensions, or allow anonymous calls"
)]
pub struct NotPropagated;

/// What to do with a call on nobody's behalf.
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
        Some(user) => {
            user.append_to(headers)?;
            Ok(())
        }
        None if anonymous == Anonymous::Allow => Ok(()),
        None => {
            tracing::error!("{NotPropagated}");
            Err(NotPropagated.into())
        }
    }
}
