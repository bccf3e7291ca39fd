//! What each of the shop's programs does first, and how it ends when it cannot.

use std::fmt;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Why a program ends, as `main` prints it: the message and its causes, for people.
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

/// Logs to stderr what `RUST_LOG` asks for; `info` by default.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// Waits until the program is asked to stop. Calls that are under way may end then, but not for
/// long, and not when it is asked again.
pub async fn stopped() {
    signalled().await;
    tokio::spawn(async {
        tokio::select! {
            () = signalled() => {}
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
        }
        tracing::warn!("calls that are still under way are broken off");
        std::process::exit(0);
    });
}

/// Waits for Ctrl-C, or for whoever runs the program to end it.
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

/// Binds a listener, and says so in the log.
pub async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("{what}: cannot listen on {address}: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "{what} listens");
    Ok(listener)
}
