//! The context of the running task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;

use super::CallContext;
use crate::context::UserContext;

tokio::task_local! {
    /// That of an anonymous call hides the scope around it.
    static CURRENT: CallContext;
}

pin_project! {
    /// A future that runs with a [`CallContext`] as that of its task, whichever task that is.
    pub struct Scoped<F> {
        #[pin]
        inner: TaskLocalFuture<CallContext, F>,
    }
}

/// Runs `future` with `context` as the task's own.
pub(crate) fn scoped<F: Future>(context: CallContext, future: F) -> Scoped<F> {
    Scoped { inner: CURRENT.scope(context, future) }
}

/// Calls `f` with `context` as the task's own.
pub(crate) fn sync_scoped<R>(context: CallContext, f: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(context, f)
}

pub(super) fn current() -> CallContext {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

impl CallContext {
    /// Runs a future with this context as the task's own, in whichever task and thread it is polled.
    ///
    /// What it waits for is not given up when the call is cancelled, other than in a task of
    /// [`spawn`](crate::spawn); the calls that it makes are.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        self.will_be_watched();
        scoped(self, future)
    }

    /// Calls a function with this context as the thread's own: for threads that block, and for what
    /// is called from the middle of another scope.
    ///
    /// ```
    /// use tonic_passport::{CallContext, UserContext};
    ///
    /// # fn main() -> Result<(), tonic_passport::ContextError> {
    /// let context = CallContext::default().with_user(UserContext::builder("alice").build()?);
    /// let worker = std::thread::spawn(move || {
    ///     context.sync_scope(|| UserContext::current().map(|user| user.id().to_owned()))
    /// });
    /// assert_eq!(worker.join().unwrap().as_deref(), Some("alice"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn sync_scope<R>(self, f: impl FnOnce() -> R) -> R {
        self.will_be_watched();
        sync_scoped(self, f)
    }

    /// The context may outlive the handler that is dropped when the call is cancelled: its calls
    /// have to be told.
    fn will_be_watched(&self) {
        if let Some(cancellation) = self.cancellation() {
            cancellation.token();
        }
    }
}

impl UserContext {
    /// The user on whose behalf the running task works.
    ///
    /// Inside of a [`ServerLayer`](crate::ServerLayer) it is the caller, in handlers and while their
    /// streams are polled, in tasks of [`spawn`](crate::spawn), and wherever a
    /// [scope](CallContext::scope) was opened. A task that was started with `tokio::spawn` knows
    /// nobody until it opens one.
    pub fn current() -> Option<UserContext> {
        CURRENT.try_with(|context| context.user().cloned()).ok().flatten()
    }

    /// Runs a future on behalf of this user: calls made within propagate it. Whatever else goes
    /// along with the call around it, its deadline for instance, remains as it is.
    ///
    /// ```
    /// use tonic_passport::UserContext;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tonic_passport::ContextError> {
    /// let user = UserContext::builder("nightly-report").permissions(["orders:read"]).build()?;
    ///
    /// let job = async { UserContext::current().map(|user| user.id().to_owned()) };
    /// assert_eq!(user.scope(job).await.as_deref(), Some("nightly-report"));
    ///
    /// assert_eq!(UserContext::current(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        CallContext::current().with_user(self).scope(future)
    }
}
