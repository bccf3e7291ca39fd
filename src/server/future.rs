use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tonic::Status;

use super::body::ResponseBody;
use super::ending::{Cause, Ending};
use super::running::Running;
use crate::alarm::Alarm;
use crate::deadline::Deadline;
use crate::metadata;

pin_project! {
    /// The answer of a [`ServerService`](super::ServerService): a rejection, or the handler's.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }

    /// What a handler does when it is given up, it does in the scope of its call too.
    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().state.give_up();
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Rejected {
            status: Option<Status>,
        },
        Running {
            // There until it is dropped.
            #[pin]
            future: Option<F>,
            call: Running,
            // At the deadline. When the token expires, it is streams that end.
            alarm: Alarm,
            ending: Ending,
        },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn rejected(status: Status) -> Self {
        Self { state: State::Rejected { status: Some(status) } }
    }

    /// Calls the service, and polls the future that it returns, in the scope of the call.
    pub(super) fn running(mut call: Running, ending: Ending, f: impl FnOnce() -> F) -> Self {
        let future = Some(call.in_scope(f));
        let alarm = Alarm::at(call.context().deadline().map(Deadline::instant));
        Self { state: State::Running { future, call, alarm, ending } }
    }
}

impl<F> State<F> {
    fn give_up(self: Pin<&mut Self>) {
        if let StateProj::Running { mut future, call, .. } = self.project() {
            call.in_scope(|| future.set(None));
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let status = match state.as_mut().project() {
            StateProj::Rejected { status } => status.take(),
            StateProj::Running { mut future, call, alarm, ending } => {
                let answer = call.in_scope(|| {
                    let answer = future.as_mut().as_pin_mut().map(|future| future.poll(cx));
                    if !matches!(answer, Some(Poll::Pending)) {
                        future.set(None);
                    }
                    answer
                });
                match answer {
                    Some(Poll::Ready(Ok(mut response))) => {
                        metadata::strip(response.headers_mut(), |_| true);
                        let (call, ending) = (mem::take(call), *ending);
                        let response = response.map(|body| ResponseBody::new(body, call, ending));
                        return Poll::Ready(Ok(response));
                    }
                    Some(Poll::Ready(Err(error))) => {
                        call.finish();
                        return Poll::Ready(Err(error));
                    }
                    Some(Poll::Pending) if alarm.poll(cx).is_pending() => return Poll::Pending,
                    Some(Poll::Pending) => {
                        call.expire(Cause::Deadline);
                        Some(Cause::Deadline.status())
                    }
                    None => None,
                }
            }
        };
        // What the handler was waiting for is given up. A future is not polled again once it is
        // ready; should it be, an empty answer grants nothing.
        state.as_mut().give_up();
        state.set(State::Rejected { status: None });
        Poll::Ready(Ok(status.map(Status::into_http).unwrap_or_default()))
    }
}
