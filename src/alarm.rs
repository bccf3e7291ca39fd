//! A time at which something ends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Goes off at a time, or never. There is no timer before something has to wait.
#[derive(Debug)]
pub(crate) struct Alarm {
    time: Option<Instant>,
    /// How often it was asked whether it is due.
    asked: u8,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(crate) fn at(time: Option<Instant>) -> Self {
        Self { time, asked: 0, sleep: None }
    }

    /// Whether its time has come, for what never has to wait. It is found out now and then, as
    /// looking at the clock takes longer than what is done in between.
    pub(crate) fn is_due(&mut self) -> bool {
        const EVERY: u8 = 16;

        let Some(time) = self.time else {
            return false;
        };
        if let Some(sleep) = &self.sleep {
            return sleep.is_elapsed();
        }
        self.asked = (self.asked + 1) % EVERY;
        self.asked == 0 && Instant::now() >= time
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
