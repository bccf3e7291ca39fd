//! Known attacks on tokens, by name. None passes a verifier, with a cold or a warm cache, and none
//! reaches a handler, whether authentication is required or optional.
//!
//! Many of the tokens are signed by the issuer, which an attacker could not do: they test a single
//! rule, and must not be refused for their signature.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use serde_json::Value;
use tokio::time::{interval, timeout};
use tonic::Code;
use tonic_passport::jwt::{Algorithm, Issuer, KeySet, RevocationList, TokenError, Verifier};
use tonic_passport::testing::{Clock, IdentityProvider, TokenBuilder};
use tonic_passport::{JwtAuthenticator, ServerLayer};

use crate::support::probe::{Kind, Probe, call};
use crate::support::reason;
use crate::support::rules::optional;
use crate::support::token::{self, KEYS, SigningKey, base64url, decoded, key};

mod algorithms;
mod claims;
mod compact;
mod header;
mod history;
mod issuers;
mod json;
mod key_sets;
mod signatures;

use history::Past;

/// The current time of all attacks, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

/// The issue time of the valid tokens.
const ISSUED: u64 = NOW - 120;

/// A second issuer, whose key has the same id as that of the first. It also has a shared secret,
/// and a maximum lifetime of ten minutes.
const PARTNER: &str = "https://partner.example.com";

/// The keys of the second issuer.
static PARTNER_KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| {
    [
        SigningKey::generate(Algorithm::ES256, key().key_id()),
        SigningKey::hmac(Algorithm::HS256, "hs256", [7; 32]),
    ]
});

/// The key of the attacker, with the id of the issuer's key.
static MALLORY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::ES256, key().key_id()));

/// A token that must be refused, and the expected error.
struct Attack {
    name: String,
    token: String,
    error: TokenError,
}

fn attack(name: impl Into<String>, token: impl Into<String>, error: TokenError) -> Attack {
    Attack { name: name.into(), token: token.into(), error }
}

/// All attacks. The attacker listens at `url`.
fn attacks(url: &str) -> Vec<Attack> {
    [
        compact::serializations(),
        compact::alphabet(),
        compact::sizes(),
        json::objects(),
        json::duplicates(),
        algorithms::unsigned(),
        algorithms::public_keys_as_secrets(),
        algorithms::other_algorithms(),
        header::keys_from_outside(url),
        header::key_ids(url),
        header::extensions(),
        header::types(),
        signatures::lengths_and_forms(),
        signatures::numbers(),
        signatures::other_messages(),
        claims::issuer_and_subject(),
        claims::audience(),
        claims::times(),
        claims::about_the_user(),
        issuers::names(url),
        issuers::signed_across(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Verifiers for three issuers, at the time of the attacks.
struct Scene {
    /// A verifier without a cache.
    cold: Verifier,
    /// A verifier with the valid tokens, which the attacks are derived from, in its cache.
    warm: Verifier,
    /// The listener of the attacker, for requests that fetch a key.
    listener: TcpListener,
    attacks: Vec<Attack>,
    _provider: IdentityProvider,
}

impl Scene {
    async fn set() -> Self {
        let clock = Clock::at(time(ISSUED));
        let revocations = RevocationList::new();
        let provider = IdentityProvider::start().await;
        let past = Past::begin(&provider);
        let issuers = || {
            let keys = PARTNER_KEYS.iter().map(SigningKey::verification_key);
            let partner = Issuer::new(PARTNER, KeySet::new(keys).unwrap())
                .audience("billing")
                .max_lifetime(Duration::from_secs(600));
            [token::issuer(), partner, provider.issuer()]
        };
        let verifier = || {
            Verifier::new(issuers()).unwrap().clock(clock.source()).revocation(revocations.clone())
        };
        let (cold, warm) = (verifier().max_cached_tokens(0), verifier());

        for verifier in [&cold, &warm] {
            timeout(Duration::from_secs(10), verifier.wait_until_ready()).await.expect("no keys");
            for token in GOOD.iter().chain(past.attacks.iter().map(|attack| &attack.token)) {
                assert_eq!(refusal(verifier, token), None);
            }
        }
        assert_eq!(cold.cached_tokens(), 0);
        assert_eq!(warm.cached_tokens(), GOOD.len() + past.attacks.len());

        clock.set(time(NOW));
        let later = past.end(&provider, &revocations);
        for verifier in [&cold, &warm] {
            eventually_accepts(verifier, &later).await;
        }

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut attacks = attacks(&format!("http://{}", listener.local_addr().unwrap()));
        attacks.extend(past.attacks);
        Self { cold, warm, listener, attacks, _provider: provider }
    }

    /// Asserts that the valid tokens are still accepted, and that no key was fetched.
    #[track_caller]
    fn is_as_before(&self) {
        for verifier in [&self.cold, &self.warm] {
            for token in GOOD.iter() {
                assert_eq!(refusal(verifier, token), None);
            }
        }
        assert_eq!(self.listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// Waits until the key of this token has been fetched.
async fn eventually_accepts(verifier: &Verifier, token: &str) {
    let mut ticks = interval(Duration::from_millis(5));
    let accepted = async {
        while verifier.verify(token).is_err() {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), accepted).await.expect("the keys were not fetched");
}

fn refusal(verifier: &Verifier, token: &str) -> Option<TokenError> {
    verifier.verify(token).err()
}

/// The response to a caller with such a token; `None` if it is not a valid HTTP header.
fn told(attack: &Attack) -> Option<(Code, &'static str)> {
    const MOST_HEADERS: usize = 16 * 1024;
    let Attack { token, error, .. } = attack;
    if token.len() > MOST_HEADERS || token.contains(['\0', '\r', '\n']) {
        return None;
    }
    if token.is_empty() || !token.is_ascii() || token.contains([' ', '\t', ',']) {
        return Some((Code::Unauthenticated, "TOKEN_MALFORMED"));
    }
    Some(match error {
        TokenError::Expired => (Code::Unauthenticated, "TOKEN_EXPIRED"),
        TokenError::Revoked => (Code::Unauthenticated, "TOKEN_REVOKED"),
        _ => (Code::Unauthenticated, "TOKEN_INVALID"),
    })
}

#[tokio::test]
async fn there_are_more_than_two_hundred_attacks_each_of_its_own_name() {
    let scene = Scene::set().await;
    let mut names = HashSet::new();
    let mut tokens = HashSet::new();
    for Attack { name, token, .. } in &scene.attacks {
        assert!(names.insert(name), "{name}: twice");
        assert!(tokens.insert(token), "{name}: the same as another");
        assert!(GOOD.iter().all(|good| good != token), "{name}: a good token");
    }
    assert!(names.len() > 200, "{}", names.len());
}

#[tokio::test]
async fn no_attack_passes_a_verifier() {
    let scene = Scene::set().await;
    for Attack { name, token, error } in &scene.attacks {
        assert_eq!(refusal(&scene.cold, token).as_ref(), Some(error), "{name}");
    }
    scene.is_as_before();
}

#[tokio::test]
async fn no_attack_passes_a_verifier_with_a_warm_cache() {
    let scene = Scene::set().await;
    for Attack { name, token, error } in &scene.attacks {
        assert_eq!(refusal(&scene.warm, token).as_ref(), Some(error), "{name}");
        // The first attempt must not have changed the cache.
        assert_eq!(refusal(&scene.warm, token).as_ref(), Some(error), "{name}, once more");
    }
    // Revoked and expired entries are gone, and only the token that the scene waited for was added.
    assert_eq!(scene.warm.cached_tokens(), GOOD.len() + 1);
    scene.is_as_before();
}

#[tokio::test]
async fn no_attack_reaches_a_handler() {
    let scene = Scene::set().await;
    for verifier in [&scene.cold, &scene.warm] {
        let layer = ServerLayer::new(JwtAuthenticator::new(verifier.clone()))
            .policy(optional([Kind::ServerStreaming.path()]));
        let probe = Probe::default();
        let server = probe.serve_with(layer).await;
        let channel = server.connect().await;
        for attack in &scene.attacks {
            let name = &attack.name;
            let bearer = format!("Bearer {}", attack.token);
            if HeaderValue::from_bytes(bearer.as_bytes()).is_err() {
                assert_eq!(told(attack), None, "{name}");
                continue;
            }
            for kind in [Kind::Unary, Kind::ServerStreaming] {
                let answer = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
                let status = answer.expect_err(name);
                if let Some((code, told)) = told(attack) {
                    assert_eq!(status.code(), code, "{name}, {kind:?}: {status:?}");
                    assert_eq!(reason(&status), told, "{name}, {kind:?}");
                }
                assert_eq!(probe.calls(), 0, "{name}, {kind:?}");
            }
        }
        for kind in [Kind::Unary, Kind::ServerStreaming] {
            let bearer = format!("Bearer {}", good(Algorithm::ES256));
            let answer = call(kind, channel.clone(), &[("authorization", &bearer)]).await;
            assert_eq!(answer.unwrap(), "alice", "{kind:?}");
            probe.take_one();
        }
    }
    scene.is_as_before();
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A valid token of alice, to be changed.
fn alice() -> TokenBuilder {
    token::token("alice").issued_at(time(ISSUED))
}

/// A valid token of the second issuer, to be changed.
fn partners() -> TokenBuilder {
    alice().claim("iss", PARTNER).claim("aud", "billing").signed_by(&PARTNER_KEYS[0])
}

/// The valid token that is signed with the issuer's key for this algorithm: always the same.
fn good(algorithm: Algorithm) -> &'static str {
    let index = KEYS.iter().position(|key| key.algorithm() == algorithm).unwrap();
    &GOOD[index]
}

/// The valid tokens that the attacks are derived from: of the issuer, then of the partner.
static GOOD: LazyLock<Vec<String>> = LazyLock::new(|| {
    let ours = KEYS.iter().map(|key| alice().signed_by(key).sign());
    let partners = PARTNER_KEYS.iter().map(|key| partners().signed_by(key).sign());
    ours.chain(partners).collect()
});

/// The parts of the valid token for ES256.
fn parts() -> [&'static str; 3] {
    good(Algorithm::ES256).split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// The header of the valid token for ES256.
fn header() -> Value {
    decoded(good(Algorithm::ES256), 0)
}

/// The claims of the valid tokens.
fn claims() -> Value {
    decoded(good(Algorithm::ES256), 1)
}

/// A token of an encoded header and encoded claims, signed by the issuer.
fn sealed(header: &str, claims: &str) -> String {
    let message = format!("{header}.{claims}");
    let signature = base64url(key().sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn header_parameter(name: &'static str) -> TokenError {
    TokenError::HeaderParameter { name }
}

fn invalid(claim: &str, problem: &'static str) -> TokenError {
    TokenError::ClaimInvalid { claim: claim.to_owned(), problem }
}

fn mismatch(expected: Algorithm) -> TokenError {
    TokenError::AlgorithmMismatch { expected: expected.as_str() }
}

fn not_base64url(part: &'static str) -> TokenError {
    TokenError::NotBase64Url { part }
}

fn not_json(part: &'static str) -> TokenError {
    TokenError::NotJson { part }
}

fn unknown_issuer(name: &str) -> TokenError {
    TokenError::UnknownIssuer { issuer: name.to_owned() }
}

/// The error for an unknown key id.
fn unknown_key(key_id: &str) -> TokenError {
    TokenError::KeyUnknown { key_id: Some(key_id.chars().take(120).collect()) }
}
