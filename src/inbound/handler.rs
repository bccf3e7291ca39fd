//! The future of an accepted call's handler.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::accepted::Accepted;
use super::strip::strip_response;
use crate::rejection::Rejection;

pin_project! {
    /// Future returned by [`Accepted::handle`].
    ///
    /// It completes with the response, whose headers carry no identity, and the [`Accepted`] for its
    /// body. Polling again after completion never completes.
    #[must_use = "futures do nothing unless polled"]
    pub struct HandlerFuture<F> {
        // `None` once it was dropped.
        #[pin]
        future: Option<F>,
        // `None` once the future completed.
        accepted: Option<Accepted>,
    }

    // The handler is dropped in the scope of the call.
    impl<F> PinnedDrop for HandlerFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(accepted) = this.accepted {
                accepted.in_scope(|| this.future.set(None));
            }
        }
    }
}

/// Reason why a handler produced no response.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError<E> {
    /// The handler failed.
    #[error("the handler failed")]
    Handler(#[source] E),
    /// The deadline elapsed.
    #[error("the call was rejected")]
    Rejected(#[source] Rejection),
}

impl Accepted {
    /// Calls the handler and polls its future in the scope of the call. The future ends when the
    /// deadline elapses. Identity is stripped from the response's headers.
    #[inline]
    pub fn handle<F: Future>(mut self, handler: impl FnOnce() -> F) -> HandlerFuture<F> {
        let future = self.in_scope(handler);
        HandlerFuture { future: Some(future), accepted: Some(self) }
    }
}

impl<F, B, E> Future for HandlerFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<(Response<B>, Accepted), HandlerError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(accepted) = this.accepted.as_mut() else {
            // Completed already.
            return Poll::Pending;
        };
        let polled = accepted.in_scope(|| {
            let future = this.future.as_mut().as_pin_mut();
            let polled = future.map_or(Poll::Pending, |future| future.poll(cx));
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(Ok(mut response)) => {
                strip_response(response.headers_mut());
                accepted.begin_response(response.body().is_end_stream());
                let Some(accepted) = this.accepted.take() else { return Poll::Pending };
                Poll::Ready(Ok((response, accepted)))
            }
            Poll::Ready(Err(error)) => {
                accepted.fail();
                *this.accepted = None;
                Poll::Ready(Err(HandlerError::Handler(error)))
            }
            Poll::Pending => {
                if accepted.poll_deadline(cx).is_pending() {
                    return Poll::Pending;
                }
                accepted.in_scope(|| this.future.set(None));
                *this.accepted = None;
                Poll::Ready(Err(HandlerError::Rejected(Rejection::DeadlineExceeded)))
            }
        }
    }
}

impl<F> fmt::Debug for HandlerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFuture").finish_non_exhaustive()
    }
}
