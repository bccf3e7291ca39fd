//! Responses of the mock identity provider.

use std::io;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// HTTP response that an [`IdentityProvider`](super::IdentityProvider) sends, valid or faulty.
///
/// A response is sent completely by default. [`throttled`](Self::throttled),
/// [`oversized`](Self::oversized) and [`truncated`](Self::truncated) inject a fault; they cannot be
/// combined, and the last one set is used.
///
/// ```
/// use std::time::Duration;
/// use tonic_passport::testing::MockResponse;
///
/// let unavailable = MockResponse::status(503);
/// let not_json = MockResponse::body("<html>");
/// let truncated = MockResponse::body(r#"{"keys":[]}"#).truncated();
/// let throttled = MockResponse::body(r#"{"keys":[]}"#).throttled(Duration::from_secs(1));
/// let stalled = MockResponse::stalled();
/// # drop((unavailable, not_json, truncated, throttled, stalled));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a response does nothing until it is set"]
pub struct MockResponse {
    status: StatusCode,
    headers: String,
    body: Vec<u8>,
    delivery: Delivery,
}

/// How a response is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Delivery {
    Complete,
    ConnectionClosed,
    Oversized,
    Stalled,
    /// One byte at a time, each after a pause.
    Throttled(Duration),
    Truncated,
}

impl MockResponse {
    /// The number of bytes that follow the body of an [oversized](Self::oversized) response.
    const OVERSIZED_BY: usize = 64 * 1024 * 1024;

    /// A response with the status 200, the type `application/json` and this body. The body need not
    /// be JSON.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: String::new(),
            body: body.into(),
            delivery: Delivery::Complete,
        }
    }

    /// A response with this HTTP status, without a body.
    ///
    /// # Panics
    ///
    /// Panics if the code is not the status of a final response, 200 to 599.
    #[track_caller]
    pub fn status(code: u16) -> Self {
        Self::body([]).with_status(code)
    }

    /// A redirect (302) to this URL.
    pub fn redirect(url: &str) -> Self {
        Self::status(302).with_header("location", url)
    }

    /// No response: requests are held open until another response is set, and then get that one.
    pub fn stalled() -> Self {
        Self { delivery: Delivery::Stalled, ..Self::body([]) }
    }

    /// No response: the connection is closed.
    pub fn connection_closed() -> Self {
        Self { delivery: Delivery::ConnectionClosed, ..Self::body([]) }
    }

    /// Sets the HTTP status.
    ///
    /// # Panics
    ///
    /// Panics if the code is not the status of a final response, 200 to 599.
    #[track_caller]
    pub fn with_status(mut self, code: u16) -> Self {
        assert!((200..600).contains(&code), "{code} is not the status of a final response");
        self.status = StatusCode::from_u16(code).expect("the code has three digits");
        self
    }

    /// Adds an HTTP header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Sends the body one byte at a time, each after a pause.
    pub fn throttled(mut self, pause: Duration) -> Self {
        self.delivery = Delivery::Throttled(pause);
        self
    }

    /// Sends 64 MiB of spaces after the body, without a `content-length`. A JSON body remains valid
    /// JSON: only its size is at fault.
    pub fn oversized(mut self) -> Self {
        self.delivery = Delivery::Oversized;
        self
    }

    /// Sends the `content-length` of the whole body, but closes the connection after half of it.
    pub fn truncated(mut self) -> Self {
        self.delivery = Delivery::Truncated;
        self
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.delivery == Delivery::Stalled
    }

    /// Writes the response, the only one on its connection (RFC 9112).
    pub(super) async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if matches!(self.delivery, Delivery::ConnectionClosed | Delivery::Stalled) {
            return Ok(());
        }
        let length = match self.delivery {
            // Without a length, the body ends where the connection is closed.
            Delivery::Oversized => String::new(),
            _ => format!("content-length: {}\r\n", self.body.len()),
        };
        let head = format!(
            "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-type: application/json\r\n\
             {length}{headers}\r\n",
            status = self.status.as_u16(),
            headers = self.headers,
        );
        to.write_all(head.as_bytes()).await?;
        match self.delivery {
            Delivery::Throttled(pause) => {
                for byte in &self.body {
                    sleep(pause).await;
                    to.write_all(&[*byte]).await?;
                }
                Ok(())
            }
            Delivery::Oversized => {
                const SPACES: [u8; 8 * 1024] = [b' '; 8 * 1024];
                to.write_all(&self.body).await?;
                for _ in 0..Self::OVERSIZED_BY / SPACES.len() {
                    to.write_all(&SPACES).await?;
                }
                Ok(())
            }
            Delivery::Truncated => to.write_all(&self.body[..self.body.len() / 2]).await,
            _ => to.write_all(&self.body).await,
        }
    }
}
