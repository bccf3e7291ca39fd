//! Guards that report when a handler or a stream is dropped.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Sends its name when it is dropped.
#[derive(Debug)]
pub struct Guard(&'static str, UnboundedSender<&'static str>);

/// Factory for guards.
#[derive(Clone, Debug)]
pub struct Guards(UnboundedSender<&'static str>);

impl Guards {
    /// Returns a factory, and the receiver of the names of dropped guards.
    pub fn new() -> (Self, UnboundedReceiver<&'static str>) {
        let (sender, dropped) = unbounded_channel();
        (Self(sender), dropped)
    }

    pub fn guard(&self, part: &'static str) -> Guard {
        Guard(part, self.0.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The receiver is gone when the test is over.
        self.1.send(self.0).ok();
    }
}
