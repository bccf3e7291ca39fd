use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tower::BoxError;

use super::ending::{Cause, Ending};
use super::running::Running;
use crate::alarm::Alarm;
use crate::body::MaybeBody;
use crate::metadata::{self, Reserved, is_connection_field};
use crate::status;

pin_project! {
    /// The body of a request, without identity metadata in its trailers. It ends with an error when
    /// the call's time is over.
    pub(crate) struct RequestBody<B> {
        #[pin]
        inner: MaybeBody<B>,
        alarm: Alarm,
        cause: Cause,
    }
}

pin_project! {
    /// The body of a response: polled in the scope of its call, without identity metadata in its
    /// trailers. It ends with a status in trailers when the call's time is over.
    pub struct ResponseBody<B> {
        #[pin]
        inner: MaybeBody<B>,
        call: Running,
        alarm: Alarm,
        cause: Cause,
    }

    /// What a body does when it is dropped, it does in the scope of its call too.
    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.call.in_scope(|| this.inner.clear());
        }
    }
}

impl<B> RequestBody<B> {
    pub(crate) fn new(inner: B, ending: Ending) -> Self {
        let (alarm, cause) = ending.alarm();
        Self { inner: MaybeBody::new(inner), alarm, cause }
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn new(inner: B, mut call: Running, ending: Ending) -> Self {
        if inner.is_end_stream() {
            call.finish();
        }
        let (alarm, cause) = ending.of_answer().alarm();
        Self { inner: MaybeBody::new(inner), call, alarm, cause }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        let (alarm, cause) = Ending::at(None).alarm();
        Self { inner: MaybeBody::default(), call: Running::default(), alarm, cause }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Error: Into<BoxError>>,
{
    type Data = B::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Status>>> {
        let mut this = self.project();
        match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if !this.alarm.is_due() {
                    return Poll::Ready(Some(Ok(strip_trailers(frame))));
                }
            }
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(Status::from_error(error.into()))));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                if this.alarm.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        this.inner.clear();
        Poll::Ready(Some(Err(this.cause.status())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = this.call.in_scope(|| this.inner.as_mut().poll_frame(cx));
        match frame {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                if this.inner.is_end_stream() {
                    // Nobody asks for more of it.
                    this.call.finish();
                }
                if !this.alarm.is_due() {
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
            Poll::Ready(end) => {
                this.call.finish();
                return Poll::Ready(end.map(|frame| frame.map(strip_trailers)));
            }
            Poll::Pending => {
                if this.alarm.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
        this.call.in_scope(|| this.inner.as_mut().clear());
        this.call.expire(*this.cause);
        Poll::Ready(Some(Ok(Frame::trailers(status::trailers(&this.cause.status())))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn strip_trailers<D>(mut frame: Frame<D>) -> Frame<D> {
    if let Some(trailers) = frame.trailers_mut() {
        // Over HTTP/1, a client can send fields of its connection too; no peer takes them over
        // HTTP/2.
        metadata::remove(trailers, |name| {
            let name = name.as_str();
            name == "te" || is_connection_field(name) || Reserved::classify(name).is_some()
        });
    }
    frame
}
