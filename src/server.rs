//! Server-side middleware for tonic: [`ServerLayer`], and [`ServerInterceptor`] where a layer cannot
//! be used.
//!
//! | | [`ServerLayer`] | [`ServerInterceptor`] |
//! |---|---|---|
//! | strips identity metadata and the raw token from requests | yes | yes |
//! | … from request trailers, and from response metadata and trailers | yes | no |
//! | authenticates, writes `x-user-*`, puts the [`CallContext`] into the extensions | yes | yes |
//! | awaits an [authenticator](crate::Authenticator) that returns a future | yes | no: the call ends with `INTERNAL` |
//! | reads or creates `x-request-id`, reads the trace and [listed fields](crate::propagation) | yes | yes |
//! | drops a malformed `traceparent`, `tracestate` or `baggage` | yes | yes |
//! | reads `grpc-timeout`; rejects a malformed or elapsed one | yes | yes |
//! | ends calls with `DEADLINE_EXCEEDED` when the deadline elapses | yes | no: tonic's server responds `CANCELLED` |
//! | ends streams in both directions at the deadline, and with their token | yes | no |
//! | cancels the work that a call started when its client disconnects | yes | no |
//! | [`CallContext::current`] in handlers and their streams | yes | no: a handler opens a [scope](crate::CallContext::from_request) |
//! | opens a tracing span around the handler | yes | no |
//! | enforces a [policy](crate::policy) | yes | no: an interceptor does not see the method |
//! | rejects paths that are not canonical | yes | no |
//!
//! Both are adapters of the [`inbound`](crate::inbound) seam.
//!
//! [`CallContext`]: crate::CallContext
//! [`CallContext::current`]: crate::CallContext::current

mod body;
mod future;
mod interceptor;
mod layer;
mod request;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use interceptor::ServerInterceptor;
pub use layer::ServerLayer;
pub use service::ServerService;
