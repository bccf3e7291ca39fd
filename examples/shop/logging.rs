//! Logs for people, on stderr.

use tracing_subscriber::EnvFilter;

/// Logs to stderr what `RUST_LOG` asks for; `info` by default.
pub(crate) fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
