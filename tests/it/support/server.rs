//! Servers on loopback.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint};

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
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A way to a server that can be cut, with all connections through it, and mended.
pub struct Cable {
    addr: SocketAddr,
    to: SocketAddr,
    task: JoinHandle<()>,
}

impl Cable {
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
