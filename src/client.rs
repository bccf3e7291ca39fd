//! Client-side middleware for tonic: [`ClientLayer`], and [`ClientInterceptor`] where a layer cannot
//! be used.
//!
//! Both write the context as metadata. They take it from the request's extensions, into which the
//! caller may insert a [`UserContext`](crate::UserContext) or a
//! [`CallContext`](crate::CallContext), or else from the scope of the running task. Other identity
//! metadata of the request, the raw token included, is stripped. A handler that copies its own
//! request's metadata therefore forwards no identity.
//!
//! | | [`ClientLayer`] | [`ClientInterceptor`] |
//! |---|---|---|
//! | writes the user, the request id, the trace, and propagated fields | yes | yes |
//! | strips all other identity | yes | yes |
//! | writes the remaining time as `grpc-timeout` | yes | yes |
//! | refuses calls without remaining time, and when the incoming call was cancelled | yes | yes |
//! | ends calls and streams at the deadline, with `DEADLINE_EXCEEDED` | yes | no: tonic's channel ends the call with `CANCELLED`, but not its stream |
//! | ends calls and streams when the incoming call is cancelled | yes | only if their future is dropped |
//! | runs request streams in the scope of their call | yes | no |
//! | can be restricted to destinations | yes | no: an interceptor does not see the destination |
//!
//! Both are adapters of the [`outbound`](crate::outbound) seam.

mod body;
mod discard;
mod future;
mod interceptor;
mod layer;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use interceptor::ClientInterceptor;
pub use layer::ClientLayer;
pub use service::ClientService;

pub use crate::outbound::{Destination, InvalidDestination};
