//! The future of a response.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;
use tower::BoxError;

use super::body::{RequestGuard, ResponseBody};
use crate::outbound::{Injected, OutboundError};

pin_project! {
    /// Response future of a [`ClientService`](super::ClientService).
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Failed {
            // `None` once the response was returned.
            error: Option<OutboundError>,
        },
        Sent {
            #[pin]
            future: F,
            injected: Injected,
            // Whether the deadline and the cancellation also end the response's body.
            ends_body: bool,
            request_guard: Option<RequestGuard>,
        },
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(super) fn failed(error: OutboundError) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }

    #[inline]
    pub(super) fn sent(
        future: F,
        injected: Injected,
        ends_body: bool,
        request_guard: RequestGuard,
    ) -> Self {
        let request_guard = Some(request_guard);
        Self { state: State::Sent { future, injected, ends_body, request_guard } }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let error = match state.as_mut().project() {
            StateProj::Failed { error } => error.take(),
            StateProj::Sent { future, injected, ends_body, request_guard } => {
                match future.poll(cx) {
                    Poll::Ready(Ok(response)) => {
                        let mut guarded = Injected::unbounded();
                        if *ends_body {
                            mem::swap(&mut guarded, injected);
                        }
                        let request_guard = request_guard.take();
                        let response = response
                            .map(|body| ResponseBody::new(Body::new(body), guarded, request_guard));
                        return Poll::Ready(Ok(response));
                    }
                    Poll::Ready(Err(error)) => match injected.explain_failure() {
                        None => return Poll::Ready(Err(error)),
                        cause => cause,
                    },
                    Poll::Pending => match injected.poll_ended(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(error) => Some(error),
                    },
                }
            }
        };
        // Dropping the call's future notifies the peer.
        state.set(State::Failed { error: None });
        let status = error.map(Status::from);
        Poll::Ready(Ok(status.map(Status::into_http).unwrap_or_default()))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
