//! The cache of verified tokens never changes a result.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use proptest::prelude::*;
use tokio::task::yield_now;
use tokio::time::timeout;
use tonic_passport::jwt::{Algorithm, Issuer, RevocationList, TokenError, VerifiedToken, Verifier};
use tonic_passport::testing::{Clock, IdentityProvider, MockResponse, SigningKey, TestIssuer};

use crate::support::random_tokens::assert_random_tokens_are_refused;

/// An issuer with a shared secret, as signing many tokens is fast with it.
fn issuer() -> TestIssuer {
    let key = SigningKey::generate(Algorithm::HS256, "one");
    TestIssuer::new("https://id.example.com").signed_by(&key)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The memory address of the encoded user id of a token.
fn encoded(verifier: &Verifier, token: &str) -> *const u8 {
    let mut headers = HeaderMap::new();
    verifier.verify(token).unwrap().context().write_to(&mut headers).unwrap();
    headers["x-user-id"].as_bytes().as_ptr()
}

/// Asserts that both verifiers have the same result.
#[track_caller]
fn assert_same(cached: &Verifier, uncached: &Verifier, token: &str, now: SystemTime) {
    let answer = |verifier: &Verifier| {
        let verified = verifier.verify_at(token, now);
        verified.map(|verified| format!("{verified:?}"))
    };
    assert_eq!(answer(cached), answer(uncached), "{token}");
}

#[test]
fn a_cached_token_is_neither_verified_nor_encoded_again() {
    let issuer = issuer();
    let token = issuer.token("alice").sign();
    let verifier = issuer.verifier();
    assert_eq!(encoded(&verifier, &token), encoded(&verifier, &token));
    assert_eq!(encoded(&verifier, &token), encoded(&verifier.clone(), &token));
    assert_eq!(verifier.cached_tokens(), 1);

    let verifier = issuer.verifier().max_cached_tokens(0);
    let (one, other) = (verifier.verify(&token).unwrap(), verifier.verify(&token).unwrap());
    let id = |verified: &VerifiedToken| verified.context().id().as_ptr();
    assert_ne!(id(&one), id(&other));
    assert_eq!(verifier.cached_tokens(), 0);
}

#[test]
fn only_valid_tokens_are_cached() {
    let issuer = issuer();
    let revocations = RevocationList::new();
    revocations.revoke_subject(issuer.name(), "mallory", SystemTime::now() + seconds(60));
    let verifier = issuer.verifier().revocation(revocations);
    let bad = [
        "a.b.c".to_owned(),
        issuer.token("alice").expired().sign(),
        issuer.token("alice").claim("aud", "another").sign(),
        issuer.token("alice").sign_with(|_| vec![0; 32]),
        issuer.token("alice").roles([""]).sign(),
        issuer.token("mallory").sign(),
        TestIssuer::new("https://other.example.com").token("alice").sign(),
    ];
    for token in bad {
        for _ in 0..2 {
            assert!(verifier.verify(&token).is_err(), "{token}");
            assert_eq!(verifier.cached_tokens(), 0, "{token}");
        }
    }
}

#[test]
fn no_bit_of_a_cached_token_can_be_flipped() {
    let issuer = issuer();
    let (cached, uncached) = (issuer.verifier(), issuer.verifier().max_cached_tokens(0));
    let token = issuer.token("alice").sign();
    let now = SystemTime::now();
    assert!(cached.verify_at(&token, now).is_ok());
    for index in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            assert!(cached.verify_at(&flipped, now).is_err(), "{flipped}");
            assert_same(&cached, &uncached, &flipped, now);
        }
    }
    assert_eq!(cached.cached_tokens(), 1);
}

/// The full size of this test is in `tests/slow`.
#[test]
fn random_tokens_never_hit_the_cache() {
    assert_random_tokens_are_refused(20_000);
}

#[test]
fn the_times_of_a_cached_token_are_checked_on_each_lookup() {
    let (issuer, clock) = (issuer(), Clock::new());
    let verifier = issuer.verifier().clock(clock.source());
    let start = clock.now();
    let token = issuer.token("alice").issued_at(start).expires_in(seconds(60)).sign();
    let from = (start + seconds(10)).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let later = issuer.token("alice").issued_at(start).claim("nbf", from).sign();
    let answer = |token: &str| verifier.verify(token).map(|verified| verified.expires_at()).err();

    assert_eq!((answer(&token), answer(&later)), (None, None));
    // Both are cached. The leeway of 30 seconds applies to cached tokens too.
    clock.set(start + seconds(88));
    assert_eq!(answer(&token), None);
    clock.set(start + seconds(90));
    assert_eq!(answer(&token), Some(TokenError::Expired));
    assert_eq!(verifier.cached_tokens(), 1);

    // The clock may also be set back.
    clock.set(start - seconds(25));
    assert_eq!(answer(&later), Some(TokenError::NotYetValid));
    clock.set(start);
    assert_eq!((answer(&token), answer(&later)), (None, None));
    clock.set(start - seconds(40));
    assert_eq!(answer(&token), Some(TokenError::IssuedInFuture));
    assert_eq!(answer(&later), Some(TokenError::NotYetValid));
    assert_eq!(verifier.cached_tokens(), 0);
}

#[test]
fn a_revocation_removes_the_entry() {
    let issuer = issuer();
    let revocations = RevocationList::new();
    let verifier = issuer.verifier().revocation(revocations.clone());
    let token = issuer.token("alice").claim("jti", "token-1").sign();
    assert!(verifier.verify(&token).is_ok());
    assert_eq!(verifier.cached_tokens(), 1);

    revocations.revoke_token(issuer.name(), "token-1", SystemTime::now() + seconds(300));
    assert_eq!(verifier.verify(&token).err(), Some(TokenError::Revoked));
    assert_eq!(verifier.cached_tokens(), 0);
}

#[tokio::test]
async fn a_rotation_invalidates_the_entries_of_withdrawn_keys() {
    let provider = IdentityProvider::start().await;
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    verifier.wait_until_ready().await;
    let old = provider.token("alice").sign();
    assert!(verifier.verify(&old).is_ok());

    let key = SigningKey::generate(Algorithm::ES256, "another");
    provider.publish([&key]);
    let new = provider.token("alice").sign();
    let fetched = async {
        while verifier.verify(&new).is_err() {
            yield_now().await;
        }
    };
    timeout(seconds(10), fetched).await.unwrap();
    let unknown = TokenError::KeyUnknown { key_id: Some("key-1".to_owned()) };
    assert!(matches!(
        verifier.verify(&old).err(),
        Some(error) if error == unknown || matches!(error, TokenError::KeyPending { .. })
    ));
    assert_eq!(verifier.cached_tokens(), 1);
}

#[tokio::test]
async fn refetching_the_same_keys_keeps_the_entries() {
    let provider = IdentityProvider::start().await;
    let key = SigningKey::generate(Algorithm::ES256, "one");
    let other = SigningKey::generate(Algorithm::ES256, "other");
    provider.publish([&other, &key]);
    let keys = provider.remote_keys().refresh_after(Duration::from_millis(50));
    let verifier = Verifier::new([provider.issuer_with(keys)]).unwrap();
    verifier.wait_until_ready().await;
    let token = provider.token("alice").sign();
    let before = encoded(&verifier, &token);

    // The same keys in another order. When the third further fetch starts, the set of the second
    // has been stored.
    provider.publish([&key, &other]);
    let fetches = provider.fetches();
    provider.wait_for_fetches(fetches + 3).await;
    assert_eq!(encoded(&verifier, &token), before);
}

#[tokio::test]
async fn a_cached_token_is_refused_while_the_keys_are_stale() {
    let provider = IdentityProvider::start().await;
    let keys = provider
        .remote_keys()
        .refresh_after(Duration::from_millis(50))
        .stale_after(Duration::from_millis(200));
    let verifier = Verifier::new([provider.issuer_with(keys)]).unwrap();
    verifier.wait_until_ready().await;
    let token = provider.token("alice").sign();
    assert!(verifier.verify(&token).is_ok());

    provider.set_keys_response(MockResponse::status(503));
    let stale = async {
        while verifier.verify(&token).is_ok() {
            yield_now().await;
        }
    };
    timeout(seconds(10), stale).await.unwrap();
    assert!(matches!(verifier.verify(&token).err(), Some(TokenError::KeysUnavailable { .. })));

    // When the same keys are fetched again, the entry is valid again.
    assert_eq!(verifier.cached_tokens(), 1);
    provider.reset();
    let back = async {
        while verifier.verify(&token).is_err() {
            yield_now().await;
        }
    };
    timeout(seconds(10), back).await.unwrap();
}

#[test]
fn the_cache_is_limited_by_tokens_and_by_bytes() {
    let issuer = issuer();
    let tokens: Vec<String> = (0..2_000).map(|n| issuer.token(format!("{n}")).sign()).collect();
    let kilobyte: usize = 1024;
    // An entry takes up the size of its token and more than half a kilobyte.
    let cases = [(1_000_000, 100 * kilobyte, 100), (100, 1_000 * kilobyte, 100), (40, 5_000, 5)];
    for (max_tokens, max_bytes, most) in cases {
        let verifier = issuer.verifier().max_cached_tokens(max_tokens).max_cache_size(max_bytes);
        for token in &tokens {
            assert!(verifier.verify(token).is_ok());
            assert!(verifier.cached_tokens() <= most, "{max_tokens} in {max_bytes}");
        }
        assert!(verifier.cached_tokens() > most / 4, "{}", verifier.cached_tokens());
    }
}

#[test]
fn settings_apply_to_cached_tokens() {
    let issuer = issuer();
    let token = issuer.token("alice").sign();
    let verifier = issuer.verifier();
    assert!(verifier.verify(&token).is_ok());
    assert!(verifier.clone().max_context_size(10).verify(&token).is_err());
    assert!(verifier.clone().max_token_size(10).verify(&token).is_err());
    assert!(verifier.clone().revocation(|_: &VerifiedToken| true).verify(&token).is_err());
    let tomorrow = || SystemTime::now() + seconds(24 * 60 * 60);
    assert!(verifier.clone().clock(tomorrow).verify(&token).is_err());
    assert!(verifier.verify(&token).is_ok());
}

#[test]
fn issuers_share_the_cache_but_no_entries() {
    let (one, other) = (issuer(), SigningKey::hmac(Algorithm::HS256, "one", [9; 32]));
    let other = TestIssuer::new("https://other.example.com").signed_by(&other);
    let both: [Issuer; 2] = [one.issuer(), other.issuer()];
    let verifier = Verifier::new(both).unwrap();
    for issuer in [&one, &other] {
        let token = issuer.token("alice").sign();
        for _ in 0..2 {
            assert_eq!(verifier.verify(&token).unwrap().issuer(), issuer.name());
        }
    }
    let crossed = one.token("alice").signed_by(other.key()).sign();
    assert_eq!(verifier.verify(&crossed).err(), Some(TokenError::SignatureInvalid));
}

/// An event between verifications.
#[derive(Clone, Debug)]
enum Event {
    /// The clock moves by this number of seconds, in either direction.
    Move(i8),
    Present(usize),
    RevokeSubject(usize),
    RevokeToken(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => any::<i8>().prop_map(Event::Move),
        8 => (0..TOKENS).prop_map(Event::Present),
        1 => (0..TOKENS).prop_map(Event::RevokeSubject),
        1 => (0..TOKENS).prop_map(Event::RevokeToken),
    ]
}

const TOKENS: usize = 12;

proptest! {
    #[test]
    fn cached_and_uncached_results_are_always_equal(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let (issuer, clock) = (issuer(), Clock::new());
        let start = clock.now();
        let tokens: Vec<String> = (0..TOKENS)
            .map(|n| {
                let lifetime = seconds(10 + 20 * n as u64);
                let token = issuer.token(format!("user-{}", n % 4)).claim("jti", format!("{n}"));
                token.issued_at(start).expires_in(lifetime).sign()
            })
            .collect();
        let revocations = RevocationList::new();
        // Fewer than there are tokens, so that some are evicted.
        let cached = issuer.verifier().max_cached_tokens(8).revocation(revocations.clone());
        let uncached = issuer.verifier().max_cached_tokens(0).revocation(revocations.clone());
        for event in events {
            match event {
                Event::Move(by) if by < 0 => clock.set(clock.now() - seconds(by.unsigned_abs().into())),
                Event::Move(by) => clock.advance(seconds(by.unsigned_abs().into())),
                Event::Present(n) => assert_same(&cached, &uncached, &tokens[n], clock.now()),
                Event::RevokeSubject(n) => {
                    revocations.revoke_subject(issuer.name(), &format!("user-{}", n % 4), start);
                }
                Event::RevokeToken(n) => {
                    revocations.revoke_token(issuer.name(), &format!("{n}"), start + seconds(500));
                }
            }
        }
        for token in &tokens {
            assert_same(&cached, &uncached, token, clock.now());
        }
    }
}
