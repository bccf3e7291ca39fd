//! Reading of an abandoned response.
//!
//! A call may be abandoned while both directions are blocked by flow control. hyper notices that the
//! request's body has failed only when it polls the body again. It does so when the peer has taken
//! more of the request, and the peer may wait for its response to be read first. The stream would
//! hold its share of the connection's window for ever. So the response is read and discarded, within
//! limits, until the stream is reset.

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
/// The maximum time for which is read.
const MAX_DURATION: Duration = Duration::from_secs(10);

/// Reads and discards the response in a task of its own, until its stream ends or is reset.
pub(super) fn discard(response: Body) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let reading = async move {
        if tokio::time::timeout(MAX_DURATION, read(response)).await != Ok(true) {
            tracing::warn!("the service continues a call that its client has abandoned");
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
