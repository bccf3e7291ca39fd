//! The context of the running task.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{CallContext, Cancellation};
use crate::context::UserContext;

thread_local! {
    /// That of whatever this thread runs at the moment: it is there while a future is polled or
    /// dropped, and never from one poll to the next.
    static CURRENT: Cell<CallContext> = const { Cell::new(CallContext { inner: None }) };
}

pin_project! {
    /// A future that runs with a [`CallContext`] as that of its task, whichever task that is.
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        // There until it is dropped.
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

/// Calls `f` with `context` as that of what runs, which hides whatever was there: that of an
/// anonymous call, too. Costs no more than moving it there and back.
pub(crate) fn enter<R>(context: &mut CallContext, f: impl FnOnce() -> R) -> R {
    /// Moves it back, also when `f` panics.
    struct Entered<'a>(&'a mut CallContext);

    impl Drop for Entered<'_> {
        fn drop(&mut self) {
            swap(self.0);
        }
    }

    swap(context);
    let _entered = Entered(context);
    f()
}

/// What is dropped last of all on a thread finds nothing here, and is nobody's.
fn swap(context: &mut CallContext) {
    let swapped = CURRENT.try_with(|current| current.replace(mem::take(context)));
    if let Ok(swapped) = swapped {
        *context = swapped;
    }
}

fn with_current<R>(f: impl FnOnce(&CallContext) -> R) -> R {
    let current = CURRENT.try_with(Cell::take).unwrap_or_default();
    let result = f(&current);
    let _ = CURRENT.try_with(|place| place.set(current));
    result
}

pub(super) fn current() -> CallContext {
    with_current(Clone::clone)
}

/// Whether what runs at the moment is part of the call that this is the cancellation of.
pub(super) fn is_within(cancellation: &Cancellation) -> bool {
    with_current(|current| current.cancellation().is_some_and(|own| ptr::eq(own, cancellation)))
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
    /// Runs a future with this context as the task's own, in whichever task and thread it is polled.
    ///
    /// What it waits for is not given up when the call is cancelled, other than in a task of
    /// [`spawn`](crate::spawn); the calls that it makes are.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        self.will_be_watched();
        Scoped { future: Some(future), context: self }
    }

    /// Calls a function with this context as the thread's own: for threads that block, and for what
    /// is called from the middle of another scope.
    ///
    /// Whatever else the thread runs meanwhile runs in it too: a runtime is entered around the scope,
    /// not within, as `runtime.block_on(context.scope(future))`.
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
        self.will_be_watched();
        enter(&mut self, f)
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
        with_current(|context| context.user().cloned())
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
