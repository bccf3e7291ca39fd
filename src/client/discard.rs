//! Reading of an abandoned response.
//!
//! A call may be abandoned while flow control blocks both directions. hyper notices that the
//! request's body has failed only when it polls the body again, which it does after the peer has
//! read more of the request. The peer may in turn wait until its response is read. The stream would
//! then occupy its part of the connection's window forever. So the response is read and discarded,
//! within limits, until the stream is reset.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use tokio::runtime::Handle;
use tonic::body::Body;
use tracing::Instrument;

/// The maximum number of bytes that are read: more than the default window of a stream.
const MAX_SIZE: usize = 4 * 1024 * 1024;
/// The maximum time spent reading.
const MAX_DURATION: Duration = Duration::from_secs(10);

/// Reads the response in a background task and discards it, until its stream ends or is reset.
pub(super) fn discard(response: Body) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let reading = async move {
        if tokio::time::timeout(MAX_DURATION, read(response)).await != Ok(true) {
            tracing::warn!("abandoned call was not reset: its peer continues to send");
        }
    };
    // The warning is logged in the span of the call.
    runtime.spawn(reading.in_current_span());
}

/// Reads to the end. Returns `false` if the response is larger than [`MAX_SIZE`].
async fn read(mut response: Body) -> bool {
    let mut remaining = MAX_SIZE;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut response).poll_frame(cx)).await {
        let Some(rest) = remaining.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
            return false;
        };
        remaining = rest;
    }
    true
}
