//! Start-up and shutdown of the shop's programs.

use std::fmt;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Error of `main`. It prints the message and its causes, and no `Debug` format.
pub struct Failure(tower::BoxError);

impl<E: Into<tower::BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Installs a subscriber that logs to stderr, filtered by `RUST_LOG`; `info` by default.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// Waits for a signal to stop. Open calls may then end within ten seconds, or until the next
/// signal.
pub async fn stopped() {
    signalled().await;
    tokio::spawn(async {
        tokio::select! {
            () = signalled() => {}
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
        }
        tracing::warn!("open calls are cancelled");
        std::process::exit(0);
    });
}

/// Waits for SIGINT (Ctrl-C) or SIGTERM.
async fn signalled() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = interrupted => {}
        _ = terminated => {}
    }
}

/// Binds a listener, and logs its address.
pub async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("{what}: cannot listen on {address}: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "{what} listens");
    Ok(listener)
}
