//! A timer that allocates and registers only when it is polled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Deadline timer that registers with tokio only when it is polled. It never fires if there is no
/// instant.
#[derive(Debug, Default)]
pub(crate) struct DeadlineTimer {
    instant: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl DeadlineTimer {
    pub(crate) fn at(instant: Option<Instant>) -> Self {
        Self { instant, sleep: None }
    }

    pub(crate) fn instant(&self) -> Option<Instant> {
        self.instant
    }

    /// Whether the instant has passed. Does not register a waker.
    pub(crate) fn is_elapsed(&self) -> bool {
        self.instant.is_some_and(|instant| Instant::now() >= instant)
    }

    /// Completes when the instant has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(instant) = self.instant else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(instant)));
        sleep.as_mut().poll(cx)
    }
}
