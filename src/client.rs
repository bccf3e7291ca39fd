//! Client-side middleware for tonic: [`ClientLayer`], and [`ClientInterceptor`] where a layer cannot
//! be used.
//!
//! Both take the context from the request's extensions, where the caller may have put a
//! [`UserContext`](crate::UserContext) or a [`CallContext`](crate::CallContext), or from the scope of
//! the running task. They write it as metadata. Other identity metadata of the request, the raw token
//! among it, is stripped: a handler that copies the metadata of its own request forwards no identity
//! by that.
//!
//! | | [`ClientLayer`] | [`ClientInterceptor`] |
//! |---|---|---|
//! | writes the user, the request id, the trace, and propagated fields | yes | yes |
//! | strips all other identity | yes | yes |
//! | writes the remaining time as `grpc-timeout` | yes | yes |
//! | refuses calls without remaining time, or on behalf of a cancelled call | yes | yes |
//! | ends calls and streams by the deadline, with `DEADLINE_EXCEEDED` | yes | no: tonic's channel ends the call, not its stream, with `CANCELLED` |
//! | ends calls and streams when the call on whose behalf they are made is cancelled | yes | no, except by dropping them |
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
