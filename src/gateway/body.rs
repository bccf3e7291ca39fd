//! The bodies of a relayed call.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::{Status, TimeoutExpired};

use crate::inbound::RequestBody;
use crate::rejection::Rejection;
use crate::status;
use crate::util::describe;

pin_project! {
    /// Body of a request to an upstream, without identity in its trailers.
    pub(super) struct UpstreamRequestBody {
        #[pin]
        inner: RequestBody<Body, Status>,
        failed: Option<oneshot::Sender<Status>>,
    }
}

/// Receiver of the status that the request's body failed with, if it did.
pub(super) struct RequestFailure(oneshot::Receiver<Status>);

/// Body of an upstream's response. If it fails, the caller receives a status in trailers instead of a
/// reset.
pub(super) struct UpstreamResponseBody {
    inner: Body,
    path: String,
    request_failure: RequestFailure,
    /// Whether the trailers of a failure were sent.
    has_failed: bool,
}

impl UpstreamRequestBody {
    /// Also returns the receiver of the body's failure.
    pub(super) fn new(body: Body) -> (Self, RequestFailure) {
        let (failed, failure) = oneshot::channel();
        let inner = RequestBody::stripped(body);
        (Self { inner, failed: Some(failed) }, RequestFailure(failure))
    }
}

impl RequestFailure {
    /// Returns the status for a failed upstream. If the request's body failed first, that failure
    /// is the cause and its status is returned.
    pub(super) fn status(&mut self, path: &str, error: &(dyn Error + 'static)) -> Status {
        self.0.try_recv().unwrap_or_else(|_| upstream_failure(path, error).into())
    }
}

/// Logs the failure of an upstream, and returns the rejection.
fn upstream_failure(path: &str, error: &(dyn Error + 'static)) -> Rejection {
    tracing::warn!(path, error = describe(error), "upstream failed");
    if is_timeout(error) { Rejection::DeadlineExceeded } else { Rejection::UpstreamUnavailable }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.is::<TimeoutExpired>() || error.source().is_some_and(is_timeout)
}

impl UpstreamResponseBody {
    pub(super) fn new(inner: Body, path: String, request_failure: RequestFailure) -> Self {
        Self { inner, path, request_failure, has_failed: false }
    }
}

impl http_body::Body for UpstreamRequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Err(status)) = &frame
            && let Some(failed) = this.failed.take()
        {
            // Sending fails if the response is complete.
            drop(failed.send(status.clone()));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl http_body::Body for UpstreamResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_failed {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Err(error)) => {
                self.has_failed = true;
                let this = &mut *self;
                let status = this.request_failure.status(&this.path, &error);
                Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&status)))))
            }
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_failed || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
