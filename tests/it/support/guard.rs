//! Work that tells when it is given up.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Tells what it is a part of when it is dropped.
#[derive(Debug)]
pub struct Guard(&'static str, UnboundedSender<&'static str>);

/// Makes guards.
#[derive(Clone, Debug)]
pub struct Guards(UnboundedSender<&'static str>);

impl Guards {
    /// Guards, and what they tell.
    pub fn new() -> (Self, UnboundedReceiver<&'static str>) {
        let (tell, told) = unbounded_channel();
        (Self(tell), told)
    }

    pub fn guard(&self, part: &'static str) -> Guard {
        Guard(part, self.0.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // When the test is over, nobody wants to know.
        self.1.send(self.0).ok();
    }
}
