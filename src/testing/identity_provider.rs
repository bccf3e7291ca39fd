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

/// For how long a request is waited for that does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes of a request are read.
const MAX_REQUEST: u64 = 16 * 1024;

/// An issuer that publishes its keys over HTTP on loopback, and misbehaves when it is told to.
///
/// It has a discovery document (OpenID Connect Discovery 1.0) and a key set (RFC 7517), and serves
/// until it is dropped. Each connection is closed after one answer.
///
/// # Keys that change
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
/// // The first token of the new key has it fetched.
/// let known = async {
///     while verifier.verify(&new).is_err() {
///         yield_now().await;
///     }
/// };
/// timeout(Duration::from_secs(10), known).await?;
/// assert!(verifier.verify(&old).is_ok());
/// assert_eq!(provider.fetches(), 2);
/// # Ok(())
/// # }
/// ```
///
/// # An issuer that is down
///
/// ```
/// use tonic_passport::jwt::Verifier;
/// use tonic_passport::testing::{MockResponse, IdentityProvider};
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
    keys: Mutex<Keys>,
    shared: Arc<Shared>,
    server: AbortHandle,
}

struct Keys {
    published: Vec<SigningKey>,
    signing: SigningKey,
    /// How many there ever were, so that each new one has an id of its own.
    made: usize,
}

/// What the server knows.
struct Shared {
    discovery: watch::Sender<MockResponse>,
    key_set: watch::Sender<MockResponse>,
    /// The paths of all requests.
    requests: watch::Sender<Vec<String>>,
}

impl IdentityProvider {
    /// The path of the discovery document.
    pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

    /// The path of the key set.
    pub const KEYS_PATH: &str = "/jwks.json";

    /// Serves on a port that the system picks, with a new key for ES256.
    ///
    /// # Panics
    ///
    /// Panics outside of a Tokio runtime, and when there is no port to be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("the listener is bound"));
        let key = SigningKey::generate(Algorithm::ES256, "key-1");
        let shared = Arc::new(Shared {
            discovery: watch::Sender::new(discovery(&url)),
            key_set: watch::Sender::new(key_set([&key])),
            requests: watch::Sender::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        let keys = Mutex::new(Keys { published: vec![key.clone()], signing: key, made: 1 });
        Self { url, audience: TestIssuer::DEFAULT_AUDIENCE.to_owned(), keys, shared, server }
    }

    /// Sets whom its tokens are for, in place of [`TestIssuer::DEFAULT_AUDIENCE`].
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Where it is, without a slash at the end; the `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a verifier must be told to accept its tokens: as [`Issuer::oidc`], with
    /// [`remote_keys`](Self::remote_keys).
    pub fn issuer(&self) -> Issuer {
        self.issuer_with(self.remote_keys())
    }

    /// As [`issuer`](Self::issuer), with settings of your own for the keys.
    pub fn issuer_with(&self, keys: RemoteKeys) -> Issuer {
        Issuer::remote(&self.url, keys).audience(&self.audience)
    }

    /// Keys that are found by discovery, here too, and can be fetched anew after 50 milliseconds.
    pub fn remote_keys(&self) -> RemoteKeys {
        RemoteKeys::discovery().allow_host("127.0.0.1").min_interval(Duration::from_millis(50))
    }

    /// A good token for this user, the `sub`; change it, and then [sign](TokenBuilder::sign) it.
    pub fn token(&self, subject: impl Into<String>) -> TokenBuilder {
        TokenBuilder::good(&self.keys().signing, &self.url, &self.audience, subject.into())
    }

    /// Makes a new key that signs from now on, and publishes it with the one that signed before.
    /// Those before that are withdrawn.
    pub fn rotate(&self) {
        let (old, new) = {
            let mut keys = self.keys();
            keys.made += 1;
            let new = SigningKey::generate(Algorithm::ES256, &format!("key-{}", keys.made));
            (keys.signing.clone(), new)
        };
        self.publish([old, new]);
    }

    /// Publishes these keys, and no others. The last of them signs from now on.
    pub fn publish<I>(&self, keys: I)
    where
        I: IntoIterator<Item: Borrow<SigningKey>>,
    {
        let published: Vec<_> = keys.into_iter().map(|key| key.borrow().clone()).collect();
        let answer = key_set(&published);
        {
            let mut keys = self.keys();
            if let Some(last) = published.last() {
                keys.signing = last.clone();
            }
            keys.published = published;
        }
        self.set_keys_response(answer);
    }

    /// Sets what is answered to who asks for the key set, until keys are
    /// [published](Self::publish) or it [reset](Self::reset).
    pub fn set_keys_response(&self, answer: MockResponse) {
        drop(self.shared.key_set.send_replace(answer));
    }

    /// Sets what is answered to who asks for the discovery document, until it
    /// [reset](Self::reset).
    pub fn set_discovery_response(&self, answer: MockResponse) {
        drop(self.shared.discovery.send_replace(answer));
    }

    /// Answers as it should: with its discovery document, and the keys that were published last.
    pub fn reset(&self) {
        let answer = key_set(&self.keys().published);
        self.set_keys_response(answer);
        self.set_discovery_response(discovery(&self.url));
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        fetches(&self.shared.requests.borrow())
    }

    /// Waits until the key set was asked for this often in all. What is answered to these requests
    /// is decided then, unless it is [silence](MockResponse::stalled); it need not have arrived.
    ///
    /// # Panics
    ///
    /// Panics when that takes more than ten seconds.
    pub async fn wait_for_fetches(&self, times: usize) {
        self.wait_until(|paths| fetches(paths) >= times).await;
    }

    /// The paths of all requests, in the order they came in.
    pub fn paths(&self) -> Vec<String> {
        self.shared.requests.borrow().clone()
    }

    /// Waits until this many requests came in all, as [`wait_for_fetches`](Self::wait_for_fetches) does.
    ///
    /// # Panics
    ///
    /// Panics when that takes more than ten seconds.
    pub async fn wait_for_requests(&self, times: usize) {
        self.wait_until(|paths| paths.len() >= times).await;
    }

    async fn wait_until(&self, enough: impl Fn(&[String]) -> bool) {
        let mut requests = self.shared.requests.subscribe();
        let waited = timeout(PATIENCE, requests.wait_for(|paths| enough(paths))).await.is_ok();
        assert!(waited, "nobody asked; so far: {:?}", self.paths());
    }

    /// Keys are never half written, whatever panicked.
    fn keys(&self) -> MutexGuard<'_, Keys> {
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

/// Serves until it is dropped, and all connections with it.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("a bound listener accepts");
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        // How a client hangs up is its own concern.
        connections.spawn(async move { drop(exchange(socket, &shared).await) });
    }
}

/// One request, one answer. Written out because no HTTP server breaks off on demand.
async fn exchange(mut socket: TcpStream, shared: &Shared) -> io::Result<()> {
    let (from, mut to) = socket.split();
    let mut lines = BufReader::new(from.take(MAX_REQUEST)).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}

    let path = first.split(' ').nth(1).unwrap_or_default();
    let answers = match path {
        IdentityProvider::DISCOVERY_PATH => Some(shared.discovery.subscribe()),
        IdentityProvider::KEYS_PATH => Some(shared.key_set.subscribe()),
        _ => None,
    };
    let mut answer = answers.as_ref().map_or(MockResponse::status(404), |all| all.borrow().clone());
    // The answer is chosen before anyone is told of the request, and may change it.
    shared.requests.send_modify(|paths| paths.push(path.to_owned()));
    if let Some(mut answers) = answers.filter(|_| answer.is_silence()) {
        match answers.wait_for(|answer| !answer.is_silence()).await {
            Ok(next) => answer = next.clone(),
            // The provider is gone.
            Err(_) => return Ok(()),
        }
    }
    answer.send(&mut to).await?;
    to.shutdown().await
}
