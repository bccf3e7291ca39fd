use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument;

use super::{CallContext, Cancellation};

/// Starts a task that works for the call of this one: on behalf of the same user, by the same
/// deadline, in the same tracing span; and it ends when the call is cancelled.
///
/// This is `tokio::spawn` but for that. A call is cancelled when its caller leaves, its handler panics,
/// or its time is over, before it was answered to the end; then awaiting the task gives a `JoinError`
/// whose `is_cancelled` is true. Once the call has been answered, unlike with the contexts of Go, the
/// task goes on to its end; the calls that it makes still have to be answered by the deadline. What
/// has to be finished in any case is [detached](CallContext::detached).
///
/// ```
/// use tonic_passport::UserContext;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let handler = async {
///     tonic_passport::spawn(async { UserContext::current().map(|user| user.id().to_owned()) })
///         .await
/// };
/// let alice = UserContext::builder("alice").build()?;
/// assert_eq!(alice.scope(handler).await?.as_deref(), Some("alice"));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// As `tokio::spawn`: outside of a runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let context = CallContext::current();
    let cancelled = context.cancellation().map(Cancellation::token).cloned();
    let future = context.scope(future.in_current_span());
    let Some(cancelled) = cancelled else {
        return tokio::spawn(future);
    };

    let (tell, own) = oneshot::channel::<AbortHandle>();
    let task = tokio::spawn(async move {
        let mut cancelled = pin!(cancelled.cancelled_owned());
        let mut future = pin!(future);
        // The cancellation comes first: the calls that the future waits for end by it as well, and
        // it is not to go on with what they say then.
        let output = poll_fn(|cx| match cancelled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        });
        if let Some(output) = output.await {
            return output;
        }
        // What was cancelled has no output: the task ends as one that was aborted.
        if let Ok(task) = own.await {
            task.abort();
        }
        pending().await
    });
    // A task that has ended already does not want to know.
    drop(tell.send(task.abort_handle()));
    task
}
