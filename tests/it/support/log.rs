//! Capture of the log.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::EnvFilter;

/// Log output of this thread, as text.
pub struct Log {
    written: Written,
    _subscriber: DefaultGuard,
    /// With a single subscriber, tracing caches the interest of the thread that reaches a callsite
    /// first. If that thread belongs to another test, the event would be disabled here too.
    _another: tracing::Dispatch,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures the events that pass this filter.
    pub fn start(filter: &str) -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self {
            written,
            _subscriber: tracing::subscriber::set_default(subscriber),
            _another: tracing::Dispatch::new(NoSubscriber::new()),
        }
    }

    /// Returns the output since the last call.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.written.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
