//! Reading an answer that nobody waits for.
//!
//! A call that is given up while both directions are full would leave a stream behind that holds the
//! connection's window for ever: hyper notices that the request was broken off when it asks for more of
//! it, which it does not before the peer took some, which it does not before its answer was read. So
//! some of the answer is read, and thrown away, until the stream is reset.

use std::future::Future;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use tokio::runtime::Handle;
use tonic::body::Body;
use tracing::Instrument;

/// How much is read, in bytes: more than the windows of one stream hold, by default.
const SIZE: usize = 4 * 1024 * 1024;
/// For how long it is read.
const TIME: Duration = Duration::from_secs(10);

/// Reads the answer in a task of its own, until the request is `gone` or the answer ends.
pub(crate) fn drain<F>(answer: Body, gone: F)
where
    F: Future<Output: Send> + Send + Unpin + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let reading = async move {
        if tokio::time::timeout(TIME, read(answer, gone)).await != Ok(true) {
            tracing::warn!("a service goes on with a call that its caller has left");
        }
    };
    // Said within the span of the call.
    runtime.spawn(reading.in_current_span());
}

/// `false` when it takes too much.
async fn read(mut answer: Body, mut gone: impl Future + Unpin) -> bool {
    let mut left = SIZE;
    std::future::poll_fn(move |cx| {
        loop {
            if Pin::new(&mut gone).poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            match ready!(Pin::new(&mut answer).poll_frame(cx)) {
                None | Some(Err(_)) => return Poll::Ready(true),
                Some(Ok(frame)) => {
                    let read = frame.data_ref().map_or(0, Bytes::len);
                    let Some(rest) = left.checked_sub(read) else {
                        return Poll::Ready(false);
                    };
                    left = rest;
                }
            }
        }
    })
    .await
}
