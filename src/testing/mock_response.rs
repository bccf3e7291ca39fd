use std::io;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// What an [`IdentityProvider`](super::IdentityProvider) answers, good or bad.
///
/// It is sent in one manner: whole, or else in the one of [`throttled`](Self::throttled),
/// [`oversized`](Self::oversized) and [`truncated`](Self::truncated) that was asked for last.
///
/// ```
/// use std::time::Duration;
/// use tonic_passport::testing::MockResponse;
///
/// let fails = MockResponse::status(503);
/// let is_not_json = MockResponse::body("<html>");
/// let breaks_off = MockResponse::body(r#"{"keys":[]}"#).truncated();
/// let takes_its_time = MockResponse::body(r#"{"keys":[]}"#).throttled(Duration::from_secs(1));
/// let says_nothing = MockResponse::stalled();
/// # drop((fails, is_not_json, breaks_off, takes_its_time, says_nothing));
/// ```
#[derive(Clone, Debug)]
#[must_use = "an answer does nothing until it is given"]
pub struct MockResponse {
    status: StatusCode,
    headers: String,
    body: Vec<u8>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Manner {
    /// A byte, a pause, a byte.
    Dripping(Duration),
    HangUp,
    Oversized,
    Silence,
    Truncated,
    Whole,
}

impl MockResponse {
    /// How many bytes follow the body of an [oversized](Self::oversized) answer.
    const OVERSIZE: usize = 64 * 1024 * 1024;

    /// This body, with the status 200 and as `application/json`, whatever it is.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: String::new(),
            body: body.into(),
            manner: Manner::Whole,
        }
    }

    /// This HTTP status, without a body.
    ///
    /// # Panics
    ///
    /// Panics when it is not that of a response, from 200 to 599.
    #[track_caller]
    pub fn status(code: u16) -> Self {
        Self::body([]).with_status(code)
    }

    /// A redirect to this URL.
    pub fn redirect(url: &str) -> Self {
        Self::status(302).with_header("location", url)
    }

    /// None for as long as this stands. Who waits for it gets what is set as the answer next.
    pub fn stalled() -> Self {
        Self { manner: Manner::Silence, ..Self::body([]) }
    }

    /// None: the connection is closed.
    pub fn connection_closed() -> Self {
        Self { manner: Manner::HangUp, ..Self::body([]) }
    }

    /// Sets the HTTP status.
    ///
    /// # Panics
    ///
    /// Panics when it is not that of a response, from 200 to 599.
    #[track_caller]
    pub fn with_status(mut self, code: u16) -> Self {
        assert!((200..600).contains(&code), "{code} is not the status of a response");
        self.status = StatusCode::from_u16(code).expect("it has three digits");
        self
    }

    /// Adds an HTTP header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Sends the body byte by byte, each after a pause.
    pub fn throttled(mut self, pause: Duration) -> Self {
        self.manner = Manner::Dripping(pause);
        self
    }

    /// Sends 64 MiB of blanks after the body, without having announced how much it will be. JSON
    /// stays JSON: nothing but its size is wrong with it.
    pub fn oversized(mut self) -> Self {
        self.manner = Manner::Oversized;
        self
    }

    /// Announces the body, and closes the connection after half of it.
    pub fn truncated(mut self) -> Self {
        self.manner = Manner::Truncated;
        self
    }

    pub(super) fn is_silence(&self) -> bool {
        self.manner == Manner::Silence
    }

    /// Writes the answer as the only one on its connection (RFC 9112).
    pub(super) async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if matches!(self.manner, Manner::HangUp | Manner::Silence) {
            return Ok(());
        }
        let length = match self.manner {
            // The body ends with the connection.
            Manner::Oversized => String::new(),
            _ => format!("content-length: {}\r\n", self.body.len()),
        };
        let head = format!(
            "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-type: application/json\r\n\
             {length}{headers}\r\n",
            status = self.status.as_u16(),
            headers = self.headers,
        );
        to.write_all(head.as_bytes()).await?;
        match self.manner {
            Manner::Dripping(pause) => {
                for byte in &self.body {
                    sleep(pause).await;
                    to.write_all(&[*byte]).await?;
                }
                Ok(())
            }
            Manner::Oversized => {
                const BLANKS: [u8; 8 * 1024] = [b' '; 8 * 1024];
                to.write_all(&self.body).await?;
                for _ in 0..Self::OVERSIZE / BLANKS.len() {
                    to.write_all(&BLANKS).await?;
                }
                Ok(())
            }
            Manner::Truncated => to.write_all(&self.body[..self.body.len() / 2]).await,
            _ => to.write_all(&self.body).await,
        }
    }
}
