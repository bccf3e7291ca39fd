//! Servers, proxies and clients on loopback.

use std::future::Future;
use std::net::SocketAddr;

use http::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// A client without timeouts.
pub type ClientWithoutTimeout = BoxCloneSyncService<Request<Body>, Response<Body>, legacy::Error>;

/// A server that accepts connections until it is dropped.
pub struct TestServer {
    pub addr: SocketAddr,
    task: JoinHandle<()>,
}

impl TestServer {
    /// Serves on a free port. `serve` receives the connections, and returns the future of tonic's
    /// `serve_with_incoming`.
    pub async fn start<F, E>(serve: impl FnOnce(TcpListenerStream) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Debug + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = serve(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self { addr, task }
    }

    /// Connects to the server.
    pub async fn connect(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::try_from(format!("http://{}", self.addr)).unwrap()
    }

    /// Returns a client that does not enforce `grpc-timeout`. tonic's `Channel` does, and would
    /// report its own status instead of the server's.
    pub fn client_without_timeout(&self) -> ClientWithoutTimeout {
        let authority = self.addr.to_string();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .retry_canceled_requests(false)
            .build(connector);
        let client = client.map_request(move |mut request: Request<Body>| {
            let uri = Uri::builder().scheme("http").authority(&*authority);
            *request.uri_mut() = uri.path_and_query(request.uri().path()).build().unwrap();
            request
        });
        ClientWithoutTimeout::new(client.map_response(|response| response.map(Body::new)))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A TCP proxy to a server. It can close all of its connections, and listen again.
pub struct TcpProxy {
    addr: SocketAddr,
    to: SocketAddr,
    task: JoinHandle<()>,
}

impl TcpProxy {
    pub async fn to(server: &TestServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, to) = (listener.local_addr().unwrap(), server.addr);
        Self { addr, to, task: tokio::spawn(relay(listener, to)) }
    }

    pub async fn disconnect(&mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }

    pub async fn reconnect(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.task = tokio::spawn(relay(listener, self.to));
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::try_from(format!("http://{}", self.addr)).unwrap()
    }
}

/// Relays connections until it is dropped, which closes them.
async fn relay(listener: TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            // Errors are visible to the client and the server.
            drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
        });
    }
}

/// A server that accepts connections, and never sends a byte.
pub struct UnresponsiveServer {
    addr: SocketAddr,
    peers: watch::Receiver<Vec<SocketAddr>>,
    task: JoinHandle<()>,
}

impl UnresponsiveServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, peers) = watch::channel(Vec::new());
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (connection, peer) = listener.accept().await.unwrap();
                held.push(connection);
                sender.send_modify(|peers| peers.push(peer));
            }
        });
        Self { addr, peers, task }
    }

    /// Returns a channel that connects on first use.
    pub fn channel(&self) -> Channel {
        Endpoint::try_from(format!("http://{}", self.addr)).unwrap().connect_lazy()
    }

    /// Returns the number of connections so far. Connects once more, to know that all earlier ones
    /// were accepted; that connection is not counted.
    pub async fn connections(&self) -> usize {
        let last = TcpStream::connect(self.addr).await.unwrap();
        let last = last.local_addr().unwrap();
        let mut peers = self.peers.clone();
        let peers = peers.wait_for(|peers| peers.contains(&last)).await.unwrap();
        peers.len() - 1
    }
}

impl Drop for UnresponsiveServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
