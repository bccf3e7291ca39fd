//! Key rotation under load: every valid token is accepted, and no token of a withdrawn key is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_passport::jwt::{Algorithm, RemoteKeys, Verifier};
use tonic_passport::testing::{IdentityProvider, SigningKey};
use tonic_types::StatusExt;

use crate::support::edges::{Edges, call_with};
use crate::support::reason;

const UNAVAILABLE: (Code, &str) = (Code::Unavailable, "KEYS_UNAVAILABLE");
const INVALID: (Code, &str) = (Code::Unauthenticated, "TOKEN_INVALID");

const ROTATIONS: usize = 6;

/// The minimum number of calls after each step of a rotation.
const CALLS: usize = 200;

const CLIENTS: usize = 8;

/// The number of calls that a client makes with one token.
const CALLS_PER_TOKEN: usize = 5;

/// The timeout of each wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// An issuer, two edges that fetch its keys, and clients that call them without a pause.
struct Load {
    provider: Arc<IdentityProvider>,
    edges: Edges,
    /// Clients make calls until it is dropped.
    signing: watch::Sender<Arc<Signing>>,
    tally: Arc<watch::Sender<Tally>>,
    clients: JoinSet<()>,
    keys_made: usize,
}

/// The signing key, and a marker for the clients that have tokens of it.
struct Signing {
    key: SigningKey,
    /// Closed when all clones are dropped.
    _in_use: mpsc::Sender<Infallible>,
}

/// Completes when no client uses a token of a key any more, as if all had expired.
struct AllExpired(mpsc::Receiver<Infallible>);

/// Counts of the clients' responses.
#[derive(Default)]
struct Tally {
    accepted: usize,
    /// The number of `UNAVAILABLE` responses.
    retries: usize,
}

impl Load {
    /// Starts with a key that the edges have fetched.
    async fn start(settings: impl FnOnce(RemoteKeys) -> RemoteKeys) -> (Self, AllExpired) {
        let provider = IdentityProvider::start().await;
        let key = SigningKey::generate(Algorithm::ES256, "key-0");
        provider.publish([&key]);
        let keys = settings(provider.remote_keys());
        let verifier = Verifier::new([provider.issuer_with(keys)]).unwrap();
        let edges = Edges::start(verifier).await;
        timeout(PATIENCE, edges.verifier.wait_until_ready()).await.expect("no keys");

        let provider = Arc::new(provider);
        let (first, all_expired) = Signing::with(&key);
        let signing = watch::Sender::new(first);
        let tally = Arc::new(watch::Sender::new(Tally::default()));
        let clients = (0..CLIENTS).map(|number| {
            let edge = edges.channels[number % edges.channels.len()].clone();
            client(edge, Arc::clone(&provider), signing.subscribe(), Arc::clone(&tally))
        });
        let clients = clients.collect();
        (Self { provider, edges, signing, tally, clients, keys_made: 1 }, all_expired)
    }

    /// The current signing key.
    fn key(&self) -> SigningKey {
        self.signing.borrow().key.clone()
    }

    fn new_key(&mut self) -> SigningKey {
        self.keys_made += 1;
        SigningKey::generate(Algorithm::ES256, &format!("key-{}", self.keys_made))
    }

    fn publish(&self, keys: &[&SigningKey]) {
        self.provider.publish(keys.iter().copied());
    }

    /// Changes the signing key of new tokens.
    fn sign_with(&self, key: &SigningKey) -> AllExpired {
        let (next, all_expired) = Signing::with(key);
        self.signing.send_replace(next);
        all_expired
    }

    /// A token that was issued a minute ago, and that the edges have accepted.
    async fn known_token(&self) -> String {
        let issued = SystemTime::now() - Duration::from_secs(60);
        let token = self.provider.token("alice").signed_by(&self.key()).issued_at(issued).sign();
        self.edges.accept(&token, "before its key is withdrawn").await;
        self.tally.send_modify(|tally| tally.accepted += self.edges.channels.len());
        token
    }

    /// Waits until the edges have the keys that are published now.
    async fn wait_for_refetch(&self) {
        // The first may have started before; when the second starts, the first has ended.
        self.provider.wait_for_fetches(self.provider.fetches() + 2).await;
    }

    /// Waits for this number of further accepted calls.
    async fn wait_for_accepted(&mut self, more: usize) {
        let mut tally = self.tally.subscribe();
        let enough = tally.borrow().accepted + more;
        tokio::select! {
            reached = timeout(PATIENCE, tally.wait_for(|tally| tally.accepted >= enough)) => {
                assert!(reached.is_ok(), "no responses");
            }
            Some(ended) = self.clients.join_next() => panic!("a client gave up: {ended:?}"),
        }
    }

    /// Stops the clients, and returns the counts.
    async fn end(self) -> Tally {
        let Self { signing, tally, mut clients, edges, .. } = self;
        drop(signing);
        while let Some(ended) = timeout(PATIENCE, clients.join_next()).await.unwrap() {
            ended.unwrap();
        }
        let tally = tally.send_replace(Tally::default());
        assert_eq!(edges.probe.calls(), tally.accepted);
        tally
    }
}

impl Signing {
    fn with(key: &SigningKey) -> (Arc<Self>, AllExpired) {
        let (in_use, all_expired) = mpsc::channel(1);
        (Arc::new(Self { key: key.clone(), _in_use: in_use }), AllExpired(all_expired))
    }
}

impl AllExpired {
    async fn wait(mut self) {
        let end = timeout(PATIENCE, self.0.recv()).await.expect("a token is still in use");
        assert_eq!(end, None);
    }
}

/// Client that makes calls with one token after another.
async fn client(
    edge: Channel,
    provider: Arc<IdentityProvider>,
    signing: watch::Receiver<Arc<Signing>>,
    tally: Arc<watch::Sender<Tally>>,
) {
    while signing.has_changed().is_ok() {
        let current = Arc::clone(&signing.borrow());
        let token = provider.token("alice").signed_by(&current.key).sign();
        for _ in 0..CALLS_PER_TOKEN {
            let retries = call_until_accepted(&edge, &token).await;
            tally.send_modify(|tally| {
                tally.accepted += 1;
                tally.retries += retries;
            });
        }
    }
}

/// Calls with a valid token, and retries after the delay in each `UNAVAILABLE` response. Returns
/// the number of retries.
async fn call_until_accepted(edge: &Channel, token: &str) -> usize {
    let accepted = async {
        let mut retries = 0;
        loop {
            match call_with(edge, token).await {
                Ok(user) => {
                    assert_eq!(user, "alice");
                    return retries;
                }
                Err(status) => sleep(retry_delay(&status)).await,
            }
            retries += 1;
        }
    };
    timeout(PATIENCE, accepted).await.expect("a good token is not accepted")
}

/// The retry delay of an `UNAVAILABLE` response. No other error is expected.
fn retry_delay(status: &Status) -> Duration {
    assert_eq!((status.code(), &*reason(status)), UNAVAILABLE, "{status:?}");
    let details = status.get_error_details();
    let retry = details.retry_info().expect("the status has a retry delay");
    retry.retry_delay.expect("the status has a retry delay")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_good_call_is_refused_when_a_key_is_published_before_it_signs() {
    let (mut load, mut all_expired) = Load::start(|keys| {
        keys.refresh_after(Duration::from_millis(20)).min_interval(Duration::from_millis(10))
    })
    .await;
    for _ in 0..ROTATIONS {
        let (old, new) = (load.key(), load.new_key());
        let known = load.known_token().await;
        load.publish(&[&old, &new]);
        load.wait_for_refetch().await;

        let expired = std::mem::replace(&mut all_expired, load.sign_with(&new));
        load.wait_for_accepted(CALLS).await;
        expired.wait().await;

        load.publish(&[&new]);
        load.wait_for_refetch().await;
        load.edges.refuse_under_load(&known, INVALID, "its key was withdrawn").await;
        load.wait_for_accepted(CALLS).await;
    }
    let tally = load.end().await;
    assert!(tally.accepted >= 2 * ROTATIONS * CALLS);
    assert_eq!(tally.retries, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_signs_when_it_is_published_costs_a_good_call_a_retry_at_most() {
    // With the default refresh interval, only tokens of a new key trigger a refetch.
    let (mut load, mut all_expired) = Load::start(|keys| keys).await;
    let mut token_of_previous_key = None;
    for _ in 0..ROTATIONS {
        let (old, new) = (load.key(), load.new_key());
        let known = load.known_token().await;
        // The key before these two is withdrawn.
        load.publish(&[&old, &new]);
        let expired = std::mem::replace(&mut all_expired, load.sign_with(&new));
        load.wait_for_accepted(CALLS).await;
        expired.wait().await;

        // All clients now use tokens of the new key, so the new set was fetched.
        load.wait_for_accepted(CALLS).await;
        if let Some(withdrawn) = token_of_previous_key.replace(known) {
            load.edges.refuse_under_load(&withdrawn, INVALID, "its key was withdrawn").await;
        }
    }
    assert!(load.provider.fetches() > ROTATIONS);
    let tally = load.end().await;
    assert!(tally.accepted >= 2 * ROTATIONS * CALLS);
    assert!(tally.retries > 0, "every key was known before it signed");
}
