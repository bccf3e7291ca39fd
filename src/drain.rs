//! Reading an answer that nobody waits for.
//!
//! A call that is given up while both directions are full would leave a stream behind that holds the
//! connection's window for ever: hyper notices that the request was broken off when it asks for more of
//! it, which it does not before the peer took some, which it does not before its answer was read. So
//! some of the answer is read, and thrown away, until the stream is reset.

use std::future::poll_fn;
use std::pin::Pin;
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

/// Reads the answer in a task of its own, until it ends: with the stream, when that is reset.
pub(crate) fn drain(answer: Body) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let reading = async move {
        if tokio::time::timeout(TIME, read(answer)).await != Ok(true) {
            tracing::warn!("a service goes on with a call that its caller has left");
        }
    };
    // Said within the span of the call.
    runtime.spawn(reading.in_current_span());
}

/// `false` when it takes too much.
async fn read(mut answer: Body) -> bool {
    let mut left = SIZE;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await {
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
            return false;
        };
        left = rest;
    }
    true
}
