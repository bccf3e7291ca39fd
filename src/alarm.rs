//! A time at which something ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Goes off at a time, or never. There is no timer before something has to wait.
#[derive(Debug)]
pub(crate) struct Alarm {
    time: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(crate) fn at(time: Option<Instant>) -> Self {
        Self { time, sleep: None }
    }

    /// Whether its time has come, for what never has to wait.
    pub(crate) fn is_due(&self) -> bool {
        self.time.is_some_and(|time| Instant::now() >= time)
    }

    /// Ready when its time has come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(time) = self.time else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(time)));
        sleep.as_mut().poll(cx)
    }
}
