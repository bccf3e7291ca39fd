use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;
use tonic::Status;

use super::body::ResponseBody;
use crate::context::UserContext;
use crate::context::ambient::{self, Scoped};
use crate::metadata;

pin_project! {
    /// The answer of a [`ServerService`](super::ServerService): a rejection, or the handler's.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Rejected {
            status: Option<Status>,
        },
        Running {
            #[pin]
            future: Scoped<F>,
            user: Option<UserContext>,
        },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn rejected(status: Status) -> Self {
        Self { state: State::Rejected { status: Some(status) } }
    }

    /// Calls the service, and polls the future that it returns, as this user.
    pub(super) fn running(user: Option<UserContext>, call: impl FnOnce() -> F) -> Self
    where
        F: Future,
    {
        let future = ambient::sync_scoped(user.clone(), call);
        let future = ambient::scoped(user.clone(), future);
        Self { state: State::Running { future, user } }
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
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { status } => {
                // A future is not polled again once it is ready; should it be, an empty answer
                // grants nothing.
                let response = status.take().map(Status::into_http).unwrap_or_default();
                Poll::Ready(Ok(response))
            }
            StateProj::Running { future, user } => {
                let mut response = ready!(future.poll(cx))?;
                metadata::strip(response.headers_mut(), |_| true);
                Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, user.take()))))
            }
        }
    }
}
