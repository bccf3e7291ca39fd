//! What stands at a service's way out: [`ClientLayer`], and [`ClientInterceptor`] where a layer
//! cannot be used.
//!
//! Both take what goes along with a call from the request's extensions, where a caller may have put a
//! [`UserContext`](crate::UserContext) or a [`CallContext`](crate::CallContext), or else from the
//! running task, and write it as metadata. Whatever identity metadata the request carried is dropped,
//! the raw token too: copying the metadata of an incoming request to an outgoing one forwards nothing
//! that it should not.
//!
//! | | [`ClientLayer`] | [`ClientInterceptor`] |
//! |---|---|---|
//! | writes the user, the request's id, the trace, and further fields | yes | yes |
//! | drops all other identity | yes | yes |
//! | gives the call what time remains (`grpc-timeout`) | yes | yes |
//! | refuses calls for which no time remains, or on behalf of a call that was cancelled | yes | yes |
//! | ends calls and streams by the deadline, `DEADLINE_EXCEEDED` | yes | no: tonic's channel ends the call, not its stream, with `CANCELLED` |
//! | ends calls and streams when the call they are made for is cancelled | yes | no, other than by dropping them |
//! | request streams run in the scope of their call | yes | no |
//! | is bound to destinations | yes | no: an interceptor does not see where a call goes |

mod body;
mod destination;
mod end;
mod interceptor;
mod layer;
mod propagate;
mod settings;

pub use body::ResponseBody;
pub use destination::{Destination, InvalidDestination};
pub use interceptor::ClientInterceptor;
pub use layer::{ClientLayer, ClientService, ResponseFuture};
