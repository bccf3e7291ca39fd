//! The context of the running task.

use std::future::Future;

use tokio::task::futures::TaskLocalFuture;

use super::UserContext;

tokio::task_local! {
    /// `None` within the call of an anonymous caller: it hides the scope around it.
    static CURRENT: Option<UserContext>;
}

/// A future that runs within the scope of a call.
pub(crate) type Scoped<F> = TaskLocalFuture<Option<UserContext>, F>;

/// Runs `future` with `user` as the task's context, or with none.
pub(crate) fn scoped<F: Future>(user: Option<UserContext>, future: F) -> Scoped<F> {
    CURRENT.scope(user, future)
}

/// Calls `f` with `user` as the task's context, or with none.
pub(crate) fn sync_scoped<R>(user: Option<UserContext>, f: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(user, f)
}

impl UserContext {
    /// The context of the running task.
    ///
    /// Inside of a [`ServerLayer`](crate::ServerLayer) it is the caller's, in handlers and while
    /// their response streams are polled; elsewhere it is that of the [`scope`](Self::scope)
    /// around. A task started with `tokio::spawn` has none until it opens a scope of its own:
    ///
    /// ```
    /// # use tonic_passport::UserContext;
    /// # async fn handler(user: UserContext) -> Result<(), tokio::task::JoinError> {
    /// # async fn notify() {}
    /// let notified = tokio::spawn(user.scope(notify()));
    /// # notified.await
    /// # }
    /// ```
    pub fn current() -> Option<UserContext> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// Runs a future with this context as the task's own, so that calls made within propagate it.
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
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        scoped(Some(self), future).await
    }
}
