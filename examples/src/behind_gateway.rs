//! Servers and channels of internal services, which carry the calls of many users over one
//! connection.

use std::time::Duration;

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic_passport::{Authenticator, ServerLayer};
use tower::BoxError;

use crate::startup;

/// Flow-control window of a stream, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Flow-control window of a connection, in bytes. It is much larger, so that a caller who does not
/// read their response blocks no other.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// The maximum of streams that were reset before they were accepted. Beyond it, the connection is
/// closed.
const RESET_STREAMS: usize = 10_000;

/// The time within which a connection must be established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the builder of a server that the gateway and other services call.
pub fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS))
}

/// Serves these routes behind the layer, until the program is stopped.
pub async fn serve<A: Authenticator>(
    listener: TcpListener,
    layer: ServerLayer<A>,
    routes: Routes,
) -> Result<(), BoxError> {
    server()
        .layer(layer)
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            startup::stopped(),
        )
        .await?;
    Ok(())
}

/// Creates a channel to such a server, at `http://HOST:PORT`. It connects on first use.
pub fn channel(uri: &str) -> Result<Channel, String> {
    let uri: Uri = uri.parse().map_err(|error| format!("{uri:?}: {error}"))?;
    if uri.scheme_str() != Some("http") || uri.authority().is_none() {
        return Err(format!("{uri:?} is not of the form http://HOST:PORT"));
    }
    Ok(Endpoint::from(uri)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_timeout(CONNECT_TIMEOUT)
        .connect_lazy())
}
