//! Attacks on published key sets: many unknown keys, stalled responses, unusable keys in a set.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use tonic_passport::jwt::{Algorithm, TokenError, Verifier};
use tonic_passport::testing::{IdentityProvider, MockResponse, SigningKey};

use super::unknown_key;
use crate::support::token::merge;

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256, id)
}

#[tokio::test]
async fn an_unusable_key_does_not_invalidate_a_fetched_set() {
    let good = key("good");
    let provider = IdentityProvider::start().await;
    let shared = SigningKey::hmac(Algorithm::HS256, "oct", [7; 32]);
    let spoilt = |id: &str, changes: Value| {
        let key = key(id);
        let mut jwk = key.jwk();
        merge(&mut jwk, changes);
        (key, jwk)
    };
    let bad = [
        (shared.clone(), shared.jwk()),
        spoilt("private", json!({ "d": "AQAB" })),
        spoilt("for encryption", json!({ "use": "enc" })),
        spoilt("for signing", json!({ "key_ops": ["sign"] })),
        spoilt("off the curve", json!({ "x": "AQAB", "y": "AQAB" })),
        spoilt("of another curve", json!({ "crv": "P-384" })),
        spoilt("of an algorithm that encrypts", json!({ "alg": "ECDH-ES" })),
        spoilt("of no algorithm", json!({ "alg": null })),
    ];
    let mut keys: Vec<&Value> = bad.iter().map(|(_, jwk)| jwk).collect();
    let jwk = good.jwk();
    keys.insert(4, &jwk);
    provider.set_keys_response(MockResponse::body(json!({ "keys": keys }).to_string()));
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    timeout(Duration::from_secs(10), verifier.wait_until_ready()).await.expect("no keys");

    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let answer = |key: &SigningKey| {
        let token = provider.token("alice").issued_at(an_hour_ago).signed_by(key);
        verifier.verify(&token.expires_in(Duration::from_secs(7200)).sign()).map(drop)
    };
    assert_eq!(answer(&good), Ok(()));
    for (key, _) in &bad {
        assert_eq!(answer(key), Err(unknown_key(key.key_id())));
    }
}

#[tokio::test]
async fn a_failed_fetch_counts_towards_the_minimum_interval() {
    const PAUSE: Duration = Duration::from_millis(200);
    let provider = IdentityProvider::start().await;
    let begun = Instant::now();
    let keys = provider.remote_keys().min_interval(PAUSE);
    let verifier = Verifier::new([provider.issuer_with(keys)]).unwrap();
    timeout(Duration::from_secs(10), verifier.wait_until_ready()).await.expect("no keys");
    provider.set_keys_response(MockResponse::status(503));

    let strange = provider.token("alice").header("kid", "strange").sign();
    let asking = async {
        let mut ticks = interval(Duration::from_millis(1));
        while provider.fetches() < 5 {
            assert!(verifier.verify(&strange).is_err());
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), asking).await.expect("nothing is fetched any more");
    assert!(begun.elapsed() >= 4 * PAUSE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stalled_response_times_out() {
    let drop_by_drop = || {
        let document = json!({ "keys": [key("late").jwk()] }).to_string();
        MockResponse::body(document).throttled(Duration::from_millis(100))
    };
    let asked = |answer: MockResponse| async {
        let provider = IdentityProvider::start().await;
        provider.set_keys_response(answer);
        let begun = Instant::now();
        let verifier = Verifier::new([provider.issuer()]).unwrap();
        // The second request, as the first has timed out.
        provider.wait_for_fetches(2).await;
        assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
        let token = provider.token("alice").sign();
        let error = verifier.verify(&token).err();
        assert!(matches!(error, Some(TokenError::KeysUnavailable { .. })), "{error:?}");
    };
    tokio::join!(asked(MockResponse::stalled()), asked(drop_by_drop()));
}
