//! The outbound seam: injection of the call context into a request, independent of the protocol.
//!
//! [`Outbound::inject`] writes the [`CallContext`](crate::CallContext) of the running task into the
//! headers of an outgoing request. It owns the order of the steps:
//!
//! 1. identity, the raw token included, and connection-specific fields are stripped; a malformed
//!    `grpc-timeout` is refused
//! 2. the context is found: in the request's extensions, or in the scope of the running task
//! 3. the call is refused if the incoming call was cancelled, the destination is not allowed, or
//!    there is no user
//! 4. the deadline is determined, less a margin, and written as `grpc-timeout`
//! 5. the user is written as `x-user-*`, then the request id, the trace and the propagated fields
//!
//! The result is an [`OutboundError`], or an [`Injected`]. The adapter must observe it: it ends the
//! outgoing call when its deadline elapses, or when the incoming call is cancelled.
//!
//! [`ClientLayer`](crate::ClientLayer) is the adapter for tonic. In an adapter for another protocol:
//!
//! ```
//! use http::{Request, Response};
//! use tonic_passport::outbound::{CallTarget, Outbound};
//! use tonic_passport::{ContextError, UserContext};
//! use tower::BoxError;
//!
//! # async fn send(request: Request<()>) -> Result<Response<()>, BoxError> {
//! #     assert_eq!(request.headers()["x-user-id"], "alice");
//! #     Ok(Response::new(()))
//! # }
//! async fn call(
//!     outbound: &Outbound,
//!     mut request: Request<()>,
//! ) -> Result<Response<()>, BoxError> {
//!     let uri = request.uri().clone();
//!     let mut extensions = std::mem::take(request.extensions_mut());
//!     let target = CallTarget::new().request_uri(&uri);
//!     let mut injected = outbound.inject(target, request.headers_mut(), &mut extensions)?;
//!     *request.extensions_mut() = extensions;
//!     tokio::select! {
//!         response = send(request) => response,
//!         error = injected.ended() => Err(error.into()),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ContextError> {
//! let mut request = Request::get("http://inventory:8080/items").body(()).unwrap();
//! request.extensions_mut().insert(UserContext::builder("alice").build()?);
//! assert!(call(&Outbound::new(), request).await.is_ok());
//! # Ok(())
//! # }
//! ```

mod config;
mod destination;
mod error;
mod inject;
mod injected;
mod target;

pub use destination::{Destination, InvalidDestination};
pub use error::OutboundError;
pub use inject::Outbound;
pub use injected::Injected;
pub use target::CallTarget;
