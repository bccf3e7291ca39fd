//! The ambient call context: a thread-local that is set while a future of the call is polled.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::cancellation::Cancellation;
use super::context::CallContext;
use crate::context::UserContext;

thread_local! {
    /// The context of the future that this thread is polling or dropping. Between two polls it is
    /// empty.
    static CURRENT: Cell<CallContext> = const { Cell::new(CallContext::EMPTY) };
}

pin_project! {
    /// Future that runs in the scope of a [`CallContext`], in any task. It must not be polled again
    /// after completion.
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        // `None` once it was dropped.
        #[pin]
        future: Option<F>,
        context: CallContext,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            enter(this.context, || this.future.set(None));
        }
    }
}

/// Guard that restores the previous context, also when the scope panics.
struct Entered<'a>(&'a mut CallContext);

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        swap(self.0);
    }
}

/// Calls `f` with `context` as the current context, and restores the previous one. An empty context
/// hides it as well. Costs two pointer swaps.
#[inline]
pub(crate) fn enter<R>(context: &mut CallContext, f: impl FnOnce() -> R) -> R {
    swap(context);
    let _entered = Entered(context);
    f()
}

/// Swaps `context` with the current one. While the thread's locals are destroyed, nothing is
/// swapped, and the context is empty.
#[inline]
fn swap(context: &mut CallContext) {
    let swapped = CURRENT.try_with(|current| current.replace(mem::take(context)));
    if let Ok(swapped) = swapped {
        *context = swapped;
    }
}

/// Calls `f` with the current context, which is empty meanwhile.
fn with_current<R>(f: impl FnOnce(&CallContext) -> R) -> R {
    let current = CURRENT.try_with(Cell::take).unwrap_or_default();
    let result = f(&current);
    let _ = CURRENT.try_with(|cell| cell.set(current));
    result
}

/// Whether the running code is part of the call that this cancellation belongs to.
fn is_within(cancellation: &Cancellation) -> bool {
    with_current(|current| {
        current.cancellation().is_some_and(|running| ptr::eq(running, cancellation))
    })
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else {
            return Poll::Pending;
        };
        enter(this.context, || future.poll(cx))
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

impl CallContext {
    /// Returns the context of the running task; an empty one outside of any scope.
    pub fn current() -> Self {
        with_current(Clone::clone)
    }

    /// Runs a future in the scope of this context, in any task and thread.
    ///
    /// When the call is cancelled, the outgoing calls of the future end. The future itself
    /// continues, unless [`spawn`](crate::spawn) started it.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        self.observe_cancellation();
        Scoped { future: Some(future), context: self }
    }

    /// Calls a function in the scope of this context: for blocking threads, and for callbacks that
    /// are called outside of it.
    ///
    /// All code that the thread runs meanwhile is in the scope. To run a future on this thread, use
    /// `runtime.block_on(context.scope(future))` instead.
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
    pub fn sync_scope<R>(mut self, f: impl FnOnce() -> R) -> R {
        self.observe_cancellation();
        enter(&mut self, f)
    }

    /// Returns a future that completes when the call is cancelled; `None` inside of the call's own
    /// scope, where dropping the handler ends this work anyway.
    pub(crate) fn cancelled_if_observable(&self) -> Option<WaitForCancellationFutureOwned> {
        let cancellation = self.cancellation()?;
        if !cancellation.is_observed() && is_within(cancellation) {
            return None;
        }
        Some(cancellation.token().clone().cancelled_owned())
    }

    /// Creates the cancellation token: work in this scope may outlive the handler, whose drop would
    /// otherwise end it.
    fn observe_cancellation(&self) {
        if let Some(cancellation) = self.cancellation() {
            cancellation.token();
        }
    }
}

impl UserContext {
    /// Returns the user of the current context.
    ///
    /// Behind a [`ServerLayer`](crate::ServerLayer), this is the caller in handlers, in their streams,
    /// in tasks of [`spawn`](crate::spawn), and in every other [scope](CallContext::scope). A task
    /// started with `tokio::spawn` has no user until it opens a scope.
    pub fn current() -> Option<UserContext> {
        with_current(|context| context.user().cloned())
    }

    /// Runs a future in a scope with this user, whom outgoing calls propagate. The rest of the
    /// current context, such as the deadline, is unchanged.
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
