//! Requests for unit tests of handlers.

use tonic::Request;

use crate::call::{CallContext, CallData, PolicyPermit};
use crate::context::UserContext;

/// Returns a request of a user whom the policy of a [`ServerLayer`](crate::ServerLayer) has
/// authorized, as a handler receives it. Use it to call a handler without a server.
///
/// The request has no metadata, deadline or request id, and the handler does not run in the scope
/// of a call.
///
/// ```
/// use tonic::{Request, Response, Status};
/// use tonic_passport::testing::authorized_request;
/// use tonic_passport::{Authorized, UserContext};
///
/// async fn greet(request: Request<String>) -> Result<Response<String>, Status> {
///     let user = Authorized::from_request(&request)?;
///     Ok(Response::new(format!("{}, {}", request.get_ref(), user.id())))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let alice = UserContext::builder("alice").build()?;
/// let response = greet(authorized_request(alice, "hello".to_owned())).await?;
/// assert_eq!(response.into_inner(), "hello, alice");
/// assert!(greet(Request::new("hello".to_owned())).await.is_err());
/// # Ok(())
/// # }
/// ```
pub fn authorized_request<T>(user: UserContext, message: T) -> Request<T> {
    let data = CallData { user: Some(user), is_authorized: true, ..CallData::default() };
    let mut request = Request::new(message);
    request.extensions_mut().insert(CallContext::new(data));
    request.extensions_mut().insert(PolicyPermit);
    request
}
