//! The future of a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tonic::Status;
use tower_service::Service;

use super::body::ResponseBody;
use crate::inbound::{Accepted, HandlerError, HandlerFuture, PendingAcceptance};
use crate::rejection::Rejection;

pin_project! {
    /// Response future of a [`ServerService`](super::ServerService).
    pub struct ResponseFuture<S, F> {
        #[pin]
        state: State<S, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Rejected {
            // `None` once the response was returned.
            status: Option<Status>,
        },
        Authenticating {
            // `None` once the authenticator decided.
            request: Option<Box<PendingRequest<S>>>,
        },
        Handling {
            #[pin]
            handler: HandlerFuture<F>,
        },
    }
}

/// Request whose authenticator returned a future, and the service that is ready for it.
pub(super) struct PendingRequest<S> {
    pub(super) acceptance: PendingAcceptance,
    pub(super) parts: Parts,
    pub(super) body: tonic::body::Body,
    pub(super) service: S,
}

impl<S, F> ResponseFuture<S, F> {
    pub(super) fn rejected(rejection: Rejection) -> Self {
        Self { state: State::Rejected { status: Some(rejection.into()) } }
    }

    pub(super) fn authenticating(request: PendingRequest<S>) -> Self {
        Self { state: State::Authenticating { request: Some(Box::new(request)) } }
    }

    /// Calls the handler in the scope of the call.
    #[inline]
    pub(super) fn handling(accepted: Accepted, handler: impl FnOnce() -> F) -> Self
    where
        F: Future,
    {
        Self { state: State::Handling { handler: accepted.handle(handler) } }
    }
}

impl<S> PendingRequest<S>
where
    S: Service<Request<tonic::body::Body>>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Accepted, Rejection>> {
        let parts = &mut self.parts;
        self.acceptance.poll_accepted(cx, &mut parts.headers, &mut parts.extensions)
    }

    fn handle(mut self, accepted: Accepted) -> HandlerFuture<S::Future> {
        let body = tonic::body::Body::new(accepted.request_body::<_, Status>(self.body));
        let request = Request::from_parts(self.parts, body);
        accepted.handle(|| self.service.call(request))
    }
}

impl<S, F> fmt::Debug for ResponseFuture<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<S, F, B, E> Future for ResponseFuture<S, F>
where
    S: Service<Request<tonic::body::Body>, Future = F>,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let status = match state.as_mut().project() {
                StateProj::Rejected { status } => status.take(),
                StateProj::Authenticating { request } => {
                    let Some(pending) = request.as_mut() else {
                        return Poll::Pending;
                    };
                    let accepted = ready!(pending.poll(cx));
                    match (accepted, request.take()) {
                        (Ok(accepted), Some(request)) => {
                            state.set(State::Handling { handler: request.handle(accepted) });
                            continue;
                        }
                        (Err(rejection), _) => Some(rejection.into()),
                        (Ok(_), None) => None,
                    }
                }
                StateProj::Handling { handler } => match ready!(handler.poll(cx)) {
                    Ok((response, accepted)) => {
                        let response = response.map(|body| ResponseBody::new(body, accepted));
                        return Poll::Ready(Ok(response));
                    }
                    Err(HandlerError::Handler(error)) => return Poll::Ready(Err(error)),
                    Err(HandlerError::Rejected(rejection)) => Some(rejection.into()),
                },
            };
            state.set(State::Rejected { status: None });
            // A future must not be polled after completion. If it is, it returns an empty response,
            // without calling the handler.
            return Poll::Ready(Ok(status.map(Status::into_http).unwrap_or_default()));
        }
    }
}
