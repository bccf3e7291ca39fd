//! The outbound seam: injection of the call context into a request, independent of the protocol.
//!
//! [`Outbound::inject`] writes the [`CallContext`](crate::CallContext) of the running task into the
//! headers of an outgoing request. It owns the order of the steps:
//!
//! 1. identity that the request carries, the raw token among it, is stripped
//! 2. the context is found: in the request's extensions, or in the scope of the running task
//! 3. a call on behalf of a cancelled one, and one to a destination that is not allowed, is refused;
//!    so is a call without a user
//! 4. the deadline is determined, less a margin, and written as `grpc-timeout`
//! 5. the user is written as `x-user-*`, then the request id, the trace and the propagated fields
//!
//! The result is an [`OutboundError`], or an [`Injected`] that ends the call when its deadline elapses
//! or the call on whose behalf it is made is cancelled.
//!
//! [`ClientLayer`](crate::ClientLayer) is the adapter for tonic. In an adapter for another protocol:
//!
//! ```
//! use http::Request;
//! use tonic_passport::outbound::{CallTarget, Outbound, OutboundError};
//! use tonic_passport::{ContextError, UserContext};
//!
//! fn inject<B>(outbound: &Outbound, request: &mut Request<B>) -> Result<(), OutboundError> {
//!     let uri = request.uri().clone();
//!     let mut extensions = std::mem::take(request.extensions_mut());
//!     let target = CallTarget::new().request_uri(&uri);
//!     let injected = outbound.inject(target, request.headers_mut(), &mut extensions)?;
//!     *request.extensions_mut() = extensions;
//!     // Race `injected.ended()` with the response, to end the call in time.
//!     drop(injected);
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), ContextError> {
//! let mut request = Request::get("http://inventory:8080/items").body(()).unwrap();
//! request.extensions_mut().insert(UserContext::builder("alice").build()?);
//! inject(&Outbound::new(), &mut request).unwrap();
//! assert_eq!(request.headers()["x-user-id"], "alice");
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
