//! A mock identity provider: an HTTP server with a discovery document and a key set.

use std::borrow::Borrow;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::issuer::TestIssuer;
use super::mock_response::MockResponse;
use super::signing_key::SigningKey;
use super::token::TokenBuilder;
use crate::jwt::{Algorithm, Issuer, RemoteKeys};

/// How long a test waits for an expected request before it fails.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of a request, in bytes.
const MAX_REQUEST_SIZE: u64 = 16 * 1024;

/// Mock identity provider: an issuer that publishes its keys over HTTP on loopback, with responses
/// that a test can replace.
///
/// It serves a discovery document (OpenID Connect Discovery 1.0) and a key set (RFC 7517) until it
/// is dropped. Each connection is closed after one response.
///
/// # Key rotation
///
/// ```
/// use std::time::Duration;
/// use tokio::task::yield_now;
/// use tokio::time::timeout;
/// use tonic_passport::jwt::Verifier;
/// use tonic_passport::testing::IdentityProvider;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = IdentityProvider::start().await;
/// let verifier = Verifier::new([provider.issuer()])?;
/// verifier.wait_until_ready().await;
///
/// let old = provider.token("alice").sign();
/// provider.rotate();
/// let new = provider.token("alice").sign();
///
/// // The first token with the new key id triggers a fetch in the background.
/// let accepted = async {
///     while verifier.verify(&new).is_err() {
///         yield_now().await;
///     }
/// };
/// timeout(Duration::from_secs(10), accepted).await?;
/// assert!(verifier.verify(&old).is_ok());
/// assert_eq!(provider.fetches(), 2);
/// # Ok(())
/// # }
/// ```
///
/// # An issuer that does not respond
///
/// ```
/// use tonic_passport::jwt::Verifier;
/// use tonic_passport::testing::{IdentityProvider, MockResponse};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = IdentityProvider::start().await;
/// provider.set_discovery_response(MockResponse::stalled());
/// let verifier = Verifier::new([provider.issuer()])?;
/// provider.wait_for_requests(1).await;
/// assert!(verifier.check_ready().is_err());
///
/// provider.reset();
/// verifier.wait_until_ready().await;
/// # Ok(())
/// # }
/// ```
pub struct IdentityProvider {
    url: String,
    audience: String,
    keys: Mutex<KeyRing>,
    state: Arc<ServerState>,
    server: AbortHandle,
}

/// The keys of the provider.
struct KeyRing {
    published: Vec<SigningKey>,
    signing: SigningKey,
    /// The number of keys generated so far, so that each has a unique id.
    generated: usize,
}

/// State that the provider shares with its server task.
struct ServerState {
    discovery: watch::Sender<MockResponse>,
    key_set: watch::Sender<MockResponse>,
    /// The paths of all requests received so far.
    requests: watch::Sender<Vec<String>>,
}

impl IdentityProvider {
    /// The path of the discovery document.
    pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

    /// The path of the key set.
    pub const KEYS_PATH: &str = "/jwks.json";

    /// Starts a provider on a free port, with a new ES256 key.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime, or if no port is available.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("the listener is bound"));
        let key = SigningKey::generate(Algorithm::ES256, "key-1");
        let state = Arc::new(ServerState {
            discovery: watch::Sender::new(discovery(&url)),
            key_set: watch::Sender::new(key_set([&key])),
            requests: watch::Sender::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state))).abort_handle();
        let keys = Mutex::new(KeyRing { published: vec![key.clone()], signing: key, generated: 1 });
        Self { url, audience: TestIssuer::DEFAULT_AUDIENCE.to_owned(), keys, state, server }
    }

    /// Sets the `aud` of the tokens, instead of [`TestIssuer::DEFAULT_AUDIENCE`].
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// The base URL, without a slash at the end. It is the `iss` of the tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the verifier configuration that accepts the tokens: [`Issuer::oidc`], but with
    /// [`remote_keys`](Self::remote_keys).
    pub fn issuer(&self) -> Issuer {
        self.issuer_with(self.remote_keys())
    }

    /// As [`issuer`](Self::issuer), with other settings for fetching the keys.
    pub fn issuer_with(&self, keys: RemoteKeys) -> Issuer {
        Issuer::remote(&self.url, keys).audience(&self.audience)
    }

    /// Returns settings that fetch the keys by discovery, allow loopback, and allow a new fetch
    /// after 50 milliseconds.
    pub fn remote_keys(&self) -> RemoteKeys {
        RemoteKeys::discovery().allow_host("127.0.0.1").min_interval(Duration::from_millis(50))
    }

    /// Returns a builder for a valid token with this `sub`. Change it as needed, then
    /// [sign](TokenBuilder::sign) it.
    pub fn token(&self, subject: impl Into<String>) -> TokenBuilder {
        TokenBuilder::valid(&self.keys().signing, &self.url, &self.audience, subject.into())
    }

    /// Generates a new signing key, and publishes it together with the previous signing key.
    /// Earlier keys are withdrawn.
    pub fn rotate(&self) {
        let (old, new) = {
            let mut keys = self.keys();
            keys.generated += 1;
            let new = SigningKey::generate(Algorithm::ES256, &format!("key-{}", keys.generated));
            (keys.signing.clone(), new)
        };
        self.publish([old, new]);
    }

    /// Publishes exactly these keys. The last one becomes the signing key.
    pub fn publish<I>(&self, keys: I)
    where
        I: IntoIterator<Item: Borrow<SigningKey>>,
    {
        let published: Vec<_> = keys.into_iter().map(|key| key.borrow().clone()).collect();
        let response = key_set(&published);
        {
            let mut keys = self.keys();
            if let Some(last) = published.last() {
                keys.signing = last.clone();
            }
            keys.published = published;
        }
        self.set_keys_response(response);
    }

    /// Sets the response to requests for the key set, until keys are [published](Self::publish) or
    /// the provider is [reset](Self::reset).
    pub fn set_keys_response(&self, response: MockResponse) {
        drop(self.state.key_set.send_replace(response));
    }

    /// Sets the response to requests for the discovery document, until the provider is
    /// [reset](Self::reset).
    pub fn set_discovery_response(&self, response: MockResponse) {
        drop(self.state.discovery.send_replace(response));
    }

    /// Restores the default responses: the discovery document, and the keys published last.
    pub fn reset(&self) {
        let response = key_set(&self.keys().published);
        self.set_keys_response(response);
        self.set_discovery_response(discovery(&self.url));
    }

    /// The number of requests for the key set so far.
    pub fn fetches(&self) -> usize {
        fetches(&self.state.requests.borrow())
    }

    /// Waits until this many requests for the key set have been received in total. Their responses,
    /// except for [stalled](MockResponse::stalled) ones, have then been chosen, but may not have
    /// been delivered yet.
    ///
    /// # Panics
    ///
    /// Panics after ten seconds.
    pub async fn wait_for_fetches(&self, times: usize) {
        self.wait_until(|paths| fetches(paths) >= times).await;
    }

    /// The paths of all requests received so far, in order.
    pub fn received_paths(&self) -> Vec<String> {
        self.state.requests.borrow().clone()
    }

    /// Waits until this many requests of any path have been received in total, as
    /// [`wait_for_fetches`](Self::wait_for_fetches) does for the key set.
    ///
    /// # Panics
    ///
    /// Panics after ten seconds.
    pub async fn wait_for_requests(&self, times: usize) {
        self.wait_until(|paths| paths.len() >= times).await;
    }

    async fn wait_until(&self, is_enough: impl Fn(&[String]) -> bool) {
        let mut requests = self.state.requests.subscribe();
        let in_time =
            timeout(WAIT_TIMEOUT, requests.wait_for(|paths| is_enough(paths))).await.is_ok();
        assert!(in_time, "timed out; the requests so far: {:?}", self.received_paths());
    }

    /// Ignores poisoning: a panic between two writes leaves the keys consistent.
    fn keys(&self) -> MutexGuard<'_, KeyRing> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityProvider").field("url", &self.url).finish_non_exhaustive()
    }
}

fn discovery(url: &str) -> MockResponse {
    let keys = format!("{url}{}", IdentityProvider::KEYS_PATH);
    MockResponse::body(json!({ "issuer": url, "jwks_uri": keys }).to_string())
}

fn key_set<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> MockResponse {
    let keys: Vec<Value> = keys.into_iter().map(SigningKey::jwk).collect();
    MockResponse::body(json!({ "keys": keys }).to_string())
}

fn fetches(paths: &[String]) -> usize {
    paths.iter().filter(|path| *path == IdentityProvider::KEYS_PATH).count()
}

/// Accept loop. Dropping the future closes all connections, which run in its `JoinSet`.
async fn serve(listener: TcpListener, state: Arc<ServerState>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // The peer has left already, or the process has no free file descriptor.
            tokio::task::yield_now().await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        // An I/O error means that the client has closed the connection.
        connections.spawn(async move { drop(serve_connection(socket, &state).await) });
    }
}

/// Reads one request and writes one response. Hand-written, because HTTP server libraries cannot
/// break off a response on purpose.
async fn serve_connection(mut socket: TcpStream, state: &ServerState) -> io::Result<()> {
    let (from, mut to) = socket.split();
    let mut lines = BufReader::new(from.take(MAX_REQUEST_SIZE)).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}

    let path = first.split(' ').nth(1).unwrap_or_default();
    let responses = match path {
        IdentityProvider::DISCOVERY_PATH => Some(state.discovery.subscribe()),
        IdentityProvider::KEYS_PATH => Some(state.key_set.subscribe()),
        _ => None,
    };
    let mut response = match &responses {
        Some(responses) => responses.borrow().clone(),
        None => MockResponse::status(404),
    };
    // The response is chosen before the request is recorded, because a waiting test may then set
    // another one.
    state.requests.send_modify(|paths| paths.push(path.to_owned()));
    if let Some(mut responses) = responses.filter(|_| response.is_stalled()) {
        match responses.wait_for(|response| !response.is_stalled()).await {
            Ok(next) => response = next.clone(),
            // The provider has been dropped.
            Err(_) => return Ok(()),
        }
    }
    response.send(&mut to).await?;
    to.shutdown().await
}
