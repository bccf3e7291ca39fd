//! What is written into the log.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::EnvFilter;

/// Everything that this thread writes into the log, as text.
pub struct Log {
    written: Written,
    _subscriber: DefaultGuard,
    /// As long as there is one subscriber only, tracing takes the word of whichever thread meets an
    /// event first, another test's for instance, that nobody listens.
    _another: tracing::Dispatch,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens to what this filter lets pass.
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

    /// What was written since this was last asked.
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
