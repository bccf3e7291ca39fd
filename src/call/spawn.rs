//! Tasks that belong to a call.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument;

use super::cancellation::Cancellation;
use super::context::CallContext;

/// Spawns a task in the scope of the current call: with the same [`CallContext`] and tracing span. The
/// task is aborted when the call is cancelled.
///
/// Otherwise this is `tokio::spawn`. A call is cancelled when its client disconnects, its handler
/// panics, or its deadline or token expires before the response is complete. Awaiting the task then
/// returns a `JoinError` whose `is_cancelled` is true. Unlike with Go's contexts, a task continues
/// when the response is complete; its outgoing calls still end at the deadline. Work that must
/// finish in any case has to be [detached](CallContext::detached).
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
/// Panics outside of a tokio runtime, as `tokio::spawn` does.
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

    let (send_handle, own_handle) = oneshot::channel::<AbortHandle>();
    let task = tokio::spawn(async move {
        let mut cancelled = pin!(cancelled.cancelled_owned());
        let mut future = pin!(future);
        // The cancellation is polled first: it also ends the outgoing calls of the future, and the
        // future must not continue with their errors.
        let output = poll_fn(|cx| match cancelled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        });
        if let Some(output) = output.await {
            return output;
        }
        // A cancelled task has no output to return, so it aborts itself.
        if let Ok(task) = own_handle.await {
            task.abort();
        }
        pending().await
    });
    // Sending fails if the task has ended already.
    drop(send_handle.send(task.abort_handle()));
    task
}
