//! Valid tokens are accepted while their issuer is down, slow or hostile.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, interval, timeout};
use tonic::Code;
use tonic_passport::jwt::{Algorithm, RemoteKeys, Verifier};
use tonic_passport::testing::{IdentityProvider, MockResponse, SigningKey};

use crate::support::edges::Edges;

const KEYS: &str = IdentityProvider::KEYS_PATH;
const INVALID: (Code, &str) = (Code::Unauthenticated, "TOKEN_INVALID");

/// The timeout of each wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// The minimum number of requests to the issuer while it misbehaves.
const ATTEMPTS: usize = 3;

/// The number of calls with valid tokens to each edge after each attempt.
const CALLS: usize = 30;

/// The endpoint of the issuer that misbehaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Discovery,
    Keys,
}

/// An issuer that will misbehave, and edges that have its keys.
struct Trial {
    provider: IdentityProvider,
    edges: Edges,
    /// The key that the edges know.
    known: SigningKey,
    /// The key that the issuer publishes after it has recovered, and in malformed sets before.
    new: SigningKey,
}

impl Trial {
    async fn start(settings: impl FnOnce(RemoteKeys) -> RemoteKeys) -> Self {
        let provider = IdentityProvider::start().await;
        let [known, new] = ["known", "new"].map(|kid| SigningKey::generate(Algorithm::ES256, kid));
        provider.publish([&known]);
        let remote = settings(provider.remote_keys().min_interval(Duration::from_millis(10)));
        let verifier = Verifier::new([provider.issuer_with(remote)]).unwrap();
        timeout(PATIENCE, verifier.wait_until_ready()).await.expect("no keys");
        Self { edges: Edges::start(verifier).await, provider, known, new }
    }

    /// A valid token, issued a minute ago.
    fn token(&self, key: &SigningKey) -> String {
        let issued = SystemTime::now() - Duration::from_secs(60);
        self.provider.token("alice").issued_at(issued).signed_by(key).sign()
    }

    fn misbehave(&self, place: Place, answer: MockResponse) {
        match place {
            Place::Discovery => self.provider.set_discovery_response(answer),
            Place::Keys => self.provider.set_keys_response(answer),
        }
    }

    /// Calls with a valid token: one edge that has it in its cache, and one that has no cache.
    async fn make_good_calls(&self, case: &str) {
        let known = self.token(&self.known);
        for _ in 0..CALLS {
            self.edges.accept(&known, case).await;
        }
    }

    /// Makes the edges fetch an unknown key, and waits until the issuer receives the request.
    async fn ask(&self, case: &str) {
        let next = self.provider.received_paths().len() + 1;
        self.edges.refuse(&self.token(&self.new), INVALID, case).await;
        self.provider.wait_for_requests(next).await;
    }

    /// Makes the edges fetch once, and waits until this endpoint receives the request. Returns the
    /// number of requests so far.
    async fn ask_at(&self, place: Place, case: &str) -> usize {
        let asked = self.provider.received_paths().len() + if place == Place::Keys { 2 } else { 1 };
        self.edges.refuse(&self.token(&self.new), INVALID, case).await;
        self.provider.wait_for_requests(asked).await;
        asked
    }

    /// Makes calls with valid tokens while the issuer returns this response to each request.
    async fn withstands(&self, place: Place, case: &str, answer: MockResponse) {
        let case = format!("{case}, {place:?}");
        self.misbehave(place, answer);
        for _ in 0..ATTEMPTS {
            self.ask(&case).await;
            self.make_good_calls(&case).await;
        }
        self.edges.refuse(&self.token(&self.new), INVALID, &case).await;
        self.recover();
        self.learn(&case).await;

        // Restores the initial state, for the next case.
        self.provider.publish([&self.known]);
        let fetched = self.provider.fetches() + 2;
        self.provider.wait_for_fetches(fetched).await;
    }

    /// Lets the issuer respond correctly from now on, and publish the new key.
    fn recover(&self) {
        self.provider.publish([&self.known, &self.new]);
        self.provider.reset();
    }

    /// Waits until the edges know the new key.
    async fn learn(&self, case: &str) {
        let new = self.token(&self.new);
        let mut ticks = interval(Duration::from_millis(5));
        let known = async {
            while self.edges.verifier.verify(&new).is_err() {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, known).await.unwrap_or_else(|_| panic!("{case}: no new key arrives"));
        self.edges.accept(&new, case).await;
        self.edges.accept(&self.token(&self.known), case).await;
    }
}

/// A refresh interval short enough for several fetches in each case.
fn often(keys: RemoteKeys) -> RemoteKeys {
    keys.refresh_after(Duration::from_millis(20))
}

fn set(keys: &[Value]) -> MockResponse {
    MockResponse::body(json!({ "keys": keys }).to_string())
}

/// Responses that are invalid at both endpoints, derived from a valid body.
fn bad_answers(good: &str) -> Vec<(&'static str, MockResponse)> {
    let answer = || MockResponse::body(good);
    // One byte longer than the maximum.
    let padded = format!("{good}{}", " ".repeat(64 * 1024 + 1 - good.len()));
    let text = [good.as_bytes(), &[0xff]].concat();
    vec![
        ("hangs up", MockResponse::connection_closed()),
        ("is broken", answer().with_status(500)),
        ("is overloaded", answer().with_status(503).with_header("retry-after", "3600")),
        ("knows nothing", answer().with_status(404)),
        ("says less than it should", answer().with_status(206)),
        ("says nothing", MockResponse::status(204)),
        ("is empty", MockResponse::body("")),
        ("is a web page", MockResponse::body("<html><body>Please log in</body></html>")),
        ("is no object", MockResponse::body(format!("[{good}]"))),
        ("is two objects", MockResponse::body(format!("{good}{good}"))),
        ("is no UTF-8", MockResponse::body(text)),
        ("is deep", MockResponse::body("[".repeat(60_000))),
        ("is a byte too long", MockResponse::body(padded)),
        ("does not end", answer().oversized()),
        ("breaks off", answer().truncated()),
    ]
}

#[tokio::test]
async fn good_tokens_are_accepted_whatever_key_set_the_issuer_returns() {
    let trial = Trial::start(often).await;
    let new = trial.new.jwk();
    let with = |name: &str, value: &str| {
        let mut jwk = new.clone();
        jwk[name] = value.into();
        jwk
    };
    let good = json!({ "keys": [new] }).to_string();
    let twice = format!(r#"{{"keys":[],{}"#, &good[1..]);
    let secret = SigningKey::hmac(Algorithm::HS256, "new", [7; 32]).jwk();
    let unusable = [with("use", "enc"), with("alg", "none"), with("kty", "PQC"), json!("key")];
    let mut cases = bad_answers(&good);
    cases.extend([
        ("has a name twice", MockResponse::body(twice)),
        ("has no keys", MockResponse::body("{}")),
        ("has keys that are no list", MockResponse::body(json!({ "keys": new }).to_string())),
        ("has an empty list", set(&[])),
        ("has a private key", set(&[with("d", "AQAB")])),
        ("has a secret", set(&[secret])),
        ("has no key of use", set(&unusable)),
        ("has two keys of one id", set(&[new.clone(), new.clone()])),
    ]);
    for (case, answer) in cases {
        trial.withstands(Place::Keys, case, answer).await;
    }
}

#[tokio::test]
async fn good_tokens_are_accepted_whatever_discovery_document_the_issuer_returns() {
    let trial = Trial::start(often).await;
    let listener = Listener::bind();
    // The listener is dropped, so that its port is closed.
    let nowhere = Listener::bind().url("127.0.0.1");
    let issuer = trial.provider.url().to_owned();
    let keys = format!("{issuer}{KEYS}");
    let of = |issuer: &str, keys: &str| {
        MockResponse::body(json!({ "issuer": issuer, "jwks_uri": keys }).to_string())
    };
    let good = json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
    let twice = format!(r#"{{"issuer":"https://id.example.com",{}"#, &good[1..]);
    let mut cases = bad_answers(&good);
    cases.extend([
        ("has a name twice", MockResponse::body(twice)),
        ("is another issuer's", of("https://id.example.com", &keys)),
        ("has no issuer", MockResponse::body(json!({ "jwks_uri": keys }).to_string())),
        ("names no keys", MockResponse::body(json!({ "issuer": issuer }).to_string())),
        ("names keys at a closed port", of(&issuer, &nowhere)),
        ("names keys in a file", of(&issuer, "file:///etc/passwd")),
        // The address is allowed; the name, which resolves to it, is not.
        (
            "names keys on a host that is not allowed, over http",
            of(&issuer, &listener.url("localhost")),
        ),
        (
            "names keys on a host that is not allowed",
            of(&issuer, &listener.url("localhost").replace("http", "https")),
        ),
    ]);
    for (case, answer) in cases {
        trial.withstands(Place::Discovery, case, answer).await;
    }
    listener.assert_no_connection();
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let trial = Trial::start(often).await;
    let listener = Listener::bind();
    for place in [Place::Discovery, Place::Keys] {
        for status in [301, 302, 303, 307, 308] {
            let redirect = MockResponse::redirect(&listener.url("127.0.0.1")).with_status(status);
            trial.misbehave(place, redirect);
            // When the second fetch starts, the first has ended.
            for _ in 0..2 {
                trial.ask("redirects").await;
            }
        }
        trial.provider.reset();
    }
    listener.assert_no_connection();
}

#[tokio::test]
async fn an_unresponsive_issuer_keeps_no_caller_waiting() {
    for place in [Place::Discovery, Place::Keys] {
        // With the default refresh interval, only the token of a new key triggers a fetch.
        let trial = Trial::start(|keys| keys).await;
        let case = format!("stalled, {place:?}");
        trial.misbehave(place, MockResponse::stalled());
        let asked = trial.ask_at(place, &case).await;

        trial.make_good_calls(&case).await;
        trial.edges.refuse(&trial.token(&trial.new), INVALID, &case).await;
        // The fetch still waits for its response, and no other has started.
        assert_eq!(trial.provider.received_paths().len(), asked, "{case}");
        trial.recover();
        trial.learn(&case).await;
    }
}

#[tokio::test]
async fn a_response_that_trickles_times_out() {
    let times_out = async |place: Place| {
        let trial = Trial::start(|keys| keys).await;
        let url = trial.provider.url();
        let good = match place {
            Place::Discovery => json!({ "issuer": url, "jwks_uri": format!("{url}{KEYS}") }),
            Place::Keys => json!({ "keys": [trial.new.jwk()] }),
        };
        // The complete response would take longer than the timeout.
        let pause = Duration::from_millis(500);
        let case = format!("throttled, {place:?}");
        trial.misbehave(place, MockResponse::body(good.to_string()).throttled(pause));
        let asked = trial.ask_at(place, &case).await;

        trial.make_good_calls(&case).await;
        trial.edges.refuse(&trial.token(&trial.new), INVALID, &case).await;
        assert_eq!(trial.provider.received_paths().len(), asked, "{case}");
        // The fetch in progress times out after five seconds. The next one succeeds.
        trial.recover();
        trial.learn(&case).await;
    };
    tokio::join!(times_out(Place::Discovery), times_out(Place::Keys));
}

#[tokio::test]
async fn an_address_that_accepts_no_connection_times_out_sooner() {
    // A listener whose backlog is full accepts no connection.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        queue.push(connected.unwrap());
        assert!(queue.len() < 100, "the queue has no end");
    }

    let trial = Trial::start(|keys| keys).await;
    let document =
        json!({ "issuer": trial.provider.url(), "jwks_uri": format!("http://{address}/") });
    trial.provider.set_discovery_response(MockResponse::body(document.to_string()));
    trial.ask("no connection").await;
    let (asked, began) = (trial.provider.received_paths().len(), Instant::now());
    trial.recover();
    let asks_again = async {
        trial.provider.wait_for_requests(asked + 1).await;
        began.elapsed()
    };
    let (waited, ()) = tokio::join!(asks_again, trial.make_good_calls("no connection"));
    // The connect timeout is two seconds; the timeout of the whole fetch is five.
    assert!(waited < Duration::from_millis(4500), "{waited:?}");
    trial.learn("no connection").await;
}

/// A listener that expects no connection.
struct Listener(TcpListener);

impl Listener {
    fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// A URL of this listener, with this host.
    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}{KEYS}", self.0.local_addr().unwrap().port())
    }

    fn assert_no_connection(&self) {
        assert_eq!(self.0.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
