//! The inbound seam: acceptance of a request, independent of the protocol.
//!
//! [`Inbound::accept`] decides about a request's head: its target, headers and extensions. It owns
//! the order of the steps, so that no protocol adapter can get it wrong:
//!
//! 1. the path must be canonical
//! 2. one pass over the headers sorts them: identity, deadline, ids, trace
//! 3. the rule of the method is looked up
//! 4. the [deadline](crate::Deadline) is determined
//! 5. the [`Authenticator`](crate::Authenticator) identifies the caller, unless the method is public
//! 6. the [`Policy`](crate::Policy) authorizes the call
//! 7. identity is stripped from the headers, and the user context is written as `x-user-*`
//!
//! The result is a [`Rejection`](crate::Rejection), or an [`Accepted`] that owns the rest of the
//! call: its scope, its end by deadline and token, its cancellation, and the stripping of the
//! response.
//!
//! An adapter passes the request's body through [`Accepted::request_body`], the handler's future to
//! [`Accepted::handle`], and the response's body to a [`ResponseBody`] (or polls it itself). It
//! maps rejections to its protocol.
//!
//! [`ServerLayer`](crate::ServerLayer) is the adapter for tonic. An adapter for plain HTTP:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tonic_passport::authenticate::Authenticator;
//! use tonic_passport::inbound::{HandlerError, Inbound, CallTarget};
//! use tonic_passport::{Rejection, UserContext};
//!
//! async fn serve<A: Authenticator>(
//!     inbound: &Inbound<A>,
//!     request: Request<Full<Bytes>>,
//! ) -> Result<Response<Full<Bytes>>, Rejection> {
//!     let (mut parts, _body) = request.into_parts();
//!     let target = CallTarget::method_path(&parts.uri);
//!     let accepted = inbound.accept(target, &mut parts.headers, &mut parts.extensions).await?;
//!     let handler = async {
//!         let user = UserContext::current().map(|user| user.id().to_owned());
//!         Ok::<_, Infallible>(Response::new(Full::from(user.unwrap_or_default())))
//!     };
//!     match accepted.handle(|| handler).await {
//!         // The body is already in memory. A streaming body is wrapped:
//!         // `ResponseBody::new(body, accepted)`.
//!         Ok((response, accepted)) => {
//!             accepted.complete();
//!             Ok(response)
//!         }
//!         Err(HandlerError::Rejected(rejection)) => Err(rejection),
//!         Err(HandlerError::Handler(error)) => match error {},
//!     }
//! }
//!
//! # use tonic_passport::ForwardedContext;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let inbound = Inbound::new(ForwardedContext::trust_private_network());
//! let request = |user: Option<&str>| {
//!     let request = Request::post("/shop.v1.OrderService/ListOrders");
//!     user.into_iter().fold(request, |request, user| request.header("x-user-id", user))
//! };
//! let response = serve(&inbound, request(Some("alice")).body(Full::default()).unwrap()).await;
//! assert_eq!(response.unwrap().status(), StatusCode::OK);
//! let response = serve(&inbound, request(None).body(Full::default()).unwrap()).await;
//! assert_eq!(response.unwrap_err().reason(), "CONTEXT_MISSING");
//! # }
//! ```

mod accept;
mod accepted;
mod body_error;
mod config;
mod expiry;
mod fields;
mod guard;
mod handler;
mod pending;
mod request_body;
mod response_body;
mod rules;
mod steps;
mod strip;
mod target;

pub use accept::{Acceptance, Inbound};
pub use accepted::Accepted;
pub use body_error::BodyError;
pub use handler::{HandlerError, HandlerFuture};
pub use pending::PendingAcceptance;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
pub use target::CallTarget;
