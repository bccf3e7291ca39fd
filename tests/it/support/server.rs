//! Servers on loopback.

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

/// A client without timers.
pub type ClientWithoutTimeout = BoxCloneSyncService<Request<Body>, Response<Body>, legacy::Error>;

/// A server that accepts connections until it is dropped.
pub struct TestServer {
    pub addr: SocketAddr,
    task: JoinHandle<()>,
}

impl TestServer {
    /// Serves on a port that the system picks. `serve` gets the connections, and is what tonic's
    /// `serve_with_incoming` returns.
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

    /// A connection to the server.
    pub async fn connect(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::try_from(format!("http://{}", self.addr)).unwrap()
    }

    /// A client that leaves it to the server to end its calls. A channel of tonic's has a timer of
    /// its own, and would give an answer of its own.
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

/// A way to a server that can be cut, with all connections through it, and mended.
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

    pub async fn cut(&mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }

    pub async fn mend(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.task = tokio::spawn(relay(listener, self.to));
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::try_from(format!("http://{}", self.addr)).unwrap()
    }
}

/// Relays connections until it is dropped, and them with it.
async fn relay(listener: TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            // How a connection ends is the concern of those at its ends.
            drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
        });
    }
}

/// Accepts connections, and never says a word.
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

    /// A channel that has not connected yet.
    pub fn channel(&self) -> Channel {
        Endpoint::try_from(format!("http://{}", self.addr)).unwrap().connect_lazy()
    }

    /// How many connections there were. One of its own is the last of them, and does not count.
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
