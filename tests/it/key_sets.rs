//! Keys that an issuer publishes are at hand when a token comes, whatever the issuer does.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{interval, timeout};
use tonic::Code;
use tonic_passport::jwt::{Algorithm, Issuer, RemoteKeys, TokenError, Verifier};
use tonic_passport::{BearerToken, ServerLayer};
use tonic_types::StatusExt;

use crate::support::identity_provider::{Answer, DISCOVERY, IdentityProvider, JWKS, keys};
use crate::support::probe::{Kind, Probe, call};
use crate::support::reason;
use crate::support::token::{SigningKey, base64url, claims};

fn key(kid: &'static str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256, kid)
}

/// A good token of this provider's, issued a while ago.
fn token(provider: &IdentityProvider, key: &SigningKey) -> String {
    token_with(provider, key, &json!({}))
}

fn token_with(provider: &IdentityProvider, key: &SigningKey, changes: &Value) -> String {
    let mut claims = claims("alice");
    claims["iss"] = provider.url.as_str().into();
    claims["iat"] = (claims["iat"].as_u64().unwrap() - 3600).into();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    key.token(&claims)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

async fn ready(issuer: Issuer) -> Verifier {
    let verifier = Verifier::new([issuer]).unwrap();
    timeout(Duration::from_secs(10), verifier.until_ready()).await.expect("no keys");
    verifier
}

/// Waits until the verifier answers so.
async fn eventually(verifier: &Verifier, token: &str, expected: Result<(), TokenError>) {
    let mut ticks = interval(Duration::from_millis(5));
    let answered = async {
        while verifier.verify(token).map(drop) != expected {
            ticks.tick().await;
        }
    };
    let last = || verifier.verify(token).map(drop);
    timeout(Duration::from_secs(10), answered).await.unwrap_or_else(|_| {
        panic!("expected {expected:?}, but it is still {:?}", last());
    });
}

fn unknown(kid: &str) -> TokenError {
    TokenError::KeyUnknown { key_id: Some(kid.to_owned()) }
}

fn is_unavailable(verifier: &Verifier, token: &str) -> bool {
    matches!(verifier.verify(token), Err(TokenError::KeysUnavailable { .. }))
}

#[tokio::test]
async fn keys_are_found_by_discovery_and_by_their_url() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    let at_url = RemoteKeys::at(format!("{}{JWKS}", provider.url)).allow_host("127.0.0.1");
    for often in [keys(), at_url] {
        let verifier = ready(provider.issuer_with(often)).await;
        assert_eq!(verifier.ready(), Ok(()));
        let good = verifier.verify(&token(&provider, &key)).unwrap();
        assert_eq!((good.issuer(), good.key_id()), (provider.url.as_str(), Some("one")));
    }
    assert_eq!(provider.paths(), [DISCOVERY, JWKS, JWKS]);
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_when_a_token_names_it() {
    let (old, new) = (key("old"), key("new"));
    let provider = IdentityProvider::start(&[old.jwk()]).await;
    let verifier = ready(provider.issuer()).await;
    provider.publish(&[old.jwk(), new.jwk()]);

    // The token that brings it up is answered at once.
    assert_eq!(verifier.verify(&token(&provider, &new)).err(), Some(unknown("new")));
    eventually(&verifier, &token(&provider, &new), Ok(())).await;
    assert!(verifier.verify(&token(&provider, &old)).is_ok());
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_was_withdrawn_verifies_no_more() {
    let (old, new) = (key("old"), key("new"));
    let provider = IdentityProvider::start(&[old.jwk()]).await;
    let verifier = ready(provider.issuer()).await;
    provider.publish(&[new.jwk()]);
    eventually(&verifier, &token(&provider, &new), Ok(())).await;
    assert_eq!(verifier.verify(&token(&provider, &old)).err(), Some(unknown("old")));
}

#[tokio::test]
async fn a_token_that_may_be_signed_with_a_newer_key_may_be_good() {
    let (old, new) = (key("old"), key("new"));
    let provider = IdentityProvider::start(&[old.jwk()]).await;
    let often = keys().min_interval(Duration::from_secs(30));
    let verifier = ready(provider.issuer_with(often)).await;

    let fresh = token_with(&provider, &new, &json!({ "iat": now() + 5 }));
    match verifier.verify(&fresh) {
        Err(TokenError::KeysUnavailable { retry_after }) => {
            assert!(retry_after <= Duration::from_secs(30), "{retry_after:?}");
            assert!(retry_after > Duration::from_secs(15), "{retry_after:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(verifier.verify(&token(&provider, &new)).err(), Some(unknown("new")));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_fetch_and_names_none_of_them() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    let often = keys().min_interval(Duration::from_secs(30));
    let verifier = ready(provider.issuer_with(often)).await;

    let good = token(&provider, &key);
    let (_, rest) = good.split_once('.').unwrap();
    for number in 0..20_000 {
        let header = json!({ "alg": "ES256", "kid": format!("guess-{number}") });
        let header = base64url(header.to_string());
        let answer = verifier.verify(&format!("{header}.{rest}")).err();
        assert_eq!(answer, Some(unknown(&format!("guess-{number}"))));
    }
    assert!(verifier.verify(&good).is_ok());
    // What was asked for in the meantime is the first fetch alone, by the documented paths.
    assert_eq!(provider.paths(), [DISCOVERY, JWKS]);
}

#[tokio::test]
async fn the_set_is_refreshed_before_anyone_asks() {
    let (old, new) = (key("old"), key("new"));
    let provider = IdentityProvider::start(&[old.jwk()]).await;
    let often = keys().refresh_after(Duration::from_millis(60));
    let verifier = ready(provider.issuer_with(often)).await;
    provider.publish(&[old.jwk(), new.jwk()]);
    let next = provider.fetches() + 2;
    timeout(Duration::from_secs(10), provider.fetched(next)).await.unwrap();
    // The fetch before the last is done, or the last would not have begun.
    assert!(verifier.verify(&token(&provider, &new)).is_ok());
}

#[tokio::test]
async fn an_edge_starts_when_the_issuer_is_down_and_heals_by_itself() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    let good = token(&provider, &key);
    for down in [Answer::Status(503), Answer::Status(404), Answer::Json("<html>".to_owned())] {
        provider.answer_discovery(down);
        let verifier = Verifier::new([provider.issuer()]).unwrap();
        assert!(verifier.ready().is_err());
        assert!(is_unavailable(&verifier, &good));

        let discovery = json!({ "issuer": provider.url, "jwks_uri": provider.url.clone() + JWKS });
        provider.answer_discovery(Answer::Json(discovery.to_string()));
        eventually(&verifier, &good, Ok(())).await;
        assert_eq!(verifier.ready(), Ok(()));
    }
}

#[tokio::test]
async fn what_is_no_good_never_replaces_a_good_set() {
    let (old, new) = (key("old"), key("new"));
    let provider = IdentityProvider::start(&[old.jwk()]).await;
    let symmetric = SigningKey::hmac(Algorithm::HS256, "secret", &[7; 32]).jwk();
    let mut private = new.jwk();
    private["d"] = "AQAB".into();
    let bad = [
        Answer::Json(json!({ "keys": [] }).to_string()),
        Answer::Json(json!({ "keys": [symmetric, private] }).to_string()),
        Answer::Json(json!({ "keys": [new.jwk(), new.jwk()] }).to_string()),
        Answer::Json("[]".to_owned()),
        Answer::Json(String::new()),
        Answer::Json(format!("{}{}", json!({ "keys": [new.jwk()] }), " ".repeat(64 * 1024))),
        Answer::Redirect(format!("{}/elsewhere", provider.url)),
        Answer::Status(500),
        Answer::Status(203),
    ];
    let often = keys().refresh_after(Duration::from_millis(60));
    let verifier = ready(provider.issuer_with(often)).await;
    for answer in bad {
        provider.answer_jwks(answer.clone());
        // The first of them may have begun before; the second has seen this answer.
        let next = provider.fetches() + 2;
        timeout(Duration::from_secs(10), provider.fetched(next)).await.unwrap();
        assert!(verifier.verify(&token(&provider, &old)).is_ok(), "{answer:?}");
        let refused = verifier.verify(&token(&provider, &new)).err();
        assert_eq!(refused, Some(unknown("new")), "{answer:?}");

        // After a success, the next is due soon again.
        provider.publish(&[old.jwk()]);
        let next = provider.fetches() + 1;
        timeout(Duration::from_secs(10), provider.fetched(next)).await.unwrap();
    }
    assert!(!provider.paths().contains(&"/elsewhere".to_owned()), "a redirect was followed");

    provider.publish(&[new.jwk()]);
    eventually(&verifier, &token(&provider, &new), Ok(())).await;
}

#[tokio::test]
async fn a_set_is_used_until_it_is_stale_and_no_longer() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    let often = keys().refresh_after(Duration::from_millis(50));
    let often = often.stale_after(Duration::from_secs(2));
    let verifier = ready(provider.issuer_with(often)).await;
    let good = token(&provider, &key);

    provider.answer_jwks(Answer::Status(503));
    let next = provider.fetches() + 2;
    timeout(Duration::from_secs(10), provider.fetched(next)).await.unwrap();
    assert!(verifier.verify(&good).is_ok(), "the old set is not stale yet");
    let unavailable = TokenError::KeysUnavailable { retry_after: Duration::from_millis(50) };
    eventually(&verifier, &good, Err(unavailable)).await;
    assert!(verifier.ready().is_err());

    provider.publish(&[key.jwk()]);
    eventually(&verifier, &good, Ok(())).await;
}

#[tokio::test]
async fn no_token_waits_for_an_issuer_that_does_not_answer() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    let verifier = ready(provider.issuer()).await;
    provider.answer_jwks(Answer::Silence);
    let (good, strange) = (token(&provider, &key), token(&provider, &self::key("two")));
    assert_eq!(verifier.verify(&strange).err(), Some(unknown("two")));
    timeout(Duration::from_secs(10), provider.fetched(2)).await.unwrap();
    // A fetch is under way now, and will be for a while.
    assert!(verifier.verify(&good).is_ok());
    assert_eq!(verifier.verify(&strange).err(), Some(unknown("two")));
}

#[tokio::test]
async fn a_discovery_document_speaks_for_its_own_issuer_only() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    let jwks_uri = provider.url.clone() + JWKS;
    let good = token(&provider, &key);
    let documents = [
        ("another issuer", json!({ "issuer": "https://id.example.com", "jwks_uri": jwks_uri })),
        ("a slash more", json!({ "issuer": format!("{}/", provider.url), "jwks_uri": jwks_uri })),
        ("no issuer", json!({ "jwks_uri": jwks_uri })),
        ("no keys", json!({ "issuer": provider.url })),
        ("keys no URL", json!({ "issuer": provider.url, "jwks_uri": "keys" })),
        ("keys in a file", json!({ "issuer": provider.url, "jwks_uri": "file:///etc/passwd" })),
        ("keys next door", json!({ "issuer": provider.url, "jwks_uri": "http://127.0.0.2/keys" })),
    ];
    for (case, document) in documents {
        let seen = provider.paths().len();
        provider.answer_discovery(Answer::Json(document.to_string()));
        let verifier = Verifier::new([provider.issuer()]).unwrap();
        let mut ticks = interval(Duration::from_millis(5));
        let asked_twice = async {
            while provider.paths().len() < seen + 2 {
                ticks.tick().await;
            }
        };
        timeout(Duration::from_secs(10), asked_twice).await.expect(case);
        assert!(is_unavailable(&verifier, &good), "{case}");
    }
    assert_eq!(provider.fetches(), 0);
}

#[tokio::test]
async fn only_public_addresses_are_connected_to_unless_a_host_is_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = tokio::spawn(async move { listener.accept().await.map(drop) });

    let never = [
        (format!("http://127.0.0.1:{port}/jwks.json"), "only https is fetched"),
        (format!("https://127.0.0.1:{port}/jwks.json"), "not an address of the public network"),
        (format!("https://[::1]:{port}/jwks.json"), "not an address of the public network"),
        (format!("https://2130706433:{port}/"), "not an address of the public network"),
        ("https://169.254.169.254/latest".to_owned(), "not an address of the public network"),
        ("http://id.example.com/jwks.json".to_owned(), "only https is fetched"),
        ("ftp://id.example.com/jwks.json".to_owned(), "only https is fetched"),
        ("keys".to_owned(), "relative URL without a base"),
    ];
    for (url, problem) in never {
        let issuer = Issuer::jwks("https://id.example.com", &url).audience("shop");
        let error = Verifier::new([issuer]).unwrap_err();
        assert_eq!(error.field(), "keys", "{url}");
        assert!(error.to_string().contains(problem), "{url}: {error}");
    }
    // What a name resolves to is known later only: this one to this machine.
    let url = format!("https://localhost:{port}/jwks.json");
    let keys = RemoteKeys::at(url).min_interval(Duration::from_millis(10));
    let issuer = Issuer::new("https://id.example.com", keys).audience("shop");
    let verifier = Verifier::new([issuer]).unwrap();
    assert!(timeout(Duration::from_millis(300), verifier.until_ready()).await.is_err());
    assert!(!accepted.is_finished(), "a private address was connected to");
}

#[test]
fn fetching_needs_a_runtime_and_says_so() {
    let issuer = Issuer::oidc("https://id.example.com").audience("shop");
    let error = Verifier::new([issuer]).unwrap_err();
    assert_eq!((error.issuer(), error.field()), ("https://id.example.com", "keys"));
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[tokio::test]
async fn times_have_sensible_bounds() {
    let at = || RemoteKeys::at("https://id.example.com/jwks.json");
    for (setting, keys) in [
        ("refresh_after is less", at().refresh_after(Duration::ZERO)),
        ("refresh_after is more", at().refresh_after(Duration::MAX)),
        ("stale_after is less", at().stale_after(Duration::ZERO)),
        ("stale_after is more", at().stale_after(Duration::MAX)),
        ("min_interval is less", at().min_interval(Duration::from_millis(9))),
        ("min_interval is more", at().min_interval(Duration::MAX)),
    ] {
        let issuer = Issuer::new("https://id.example.com", keys).audience("shop");
        let error = Verifier::new([issuer]).unwrap_err();
        assert_eq!(error.field(), "keys", "{setting}");
        assert!(error.to_string().contains(setting), "{error}");
    }
}

#[tokio::test]
async fn no_more_than_a_hundred_keys_are_kept() {
    let keys: Vec<Value> = (0..102)
        .map(|number| {
            let mut jwk = key("any").jwk();
            jwk["kid"] = format!("key-{number}").into();
            jwk
        })
        .collect();
    let provider = IdentityProvider::start(&keys).await;
    let verifier = ready(provider.issuer()).await;
    let token = |kid: &'static str| token(&provider, &key(kid));
    assert_eq!(verifier.verify(&token("key-99")).err(), Some(TokenError::SignatureInvalid));
    assert_eq!(verifier.verify(&token("key-100")).err(), Some(unknown("key-100")));
}

#[tokio::test]
async fn keys_without_an_algorithm_need_a_configured_one() {
    let key = key("one");
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let provider = IdentityProvider::start(&[jwk]).await;
    let verifier = ready(provider.issuer_with(keys().algorithm(Algorithm::ES256))).await;
    assert!(verifier.verify(&token(&provider, &key)).is_ok());
}

#[tokio::test]
async fn a_caller_is_told_when_to_try_again() {
    let key = key("one");
    let provider = IdentityProvider::start(&[key.jwk()]).await;
    provider.answer_jwks(Answer::Status(503));
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    let probe = Probe::default();
    let server = probe.behind(ServerLayer::new(BearerToken::new(verifier))).await;
    let bearer = format!("Bearer {}", token(&provider, &key));
    for kind in Kind::ALL {
        let answer = call(kind, server.connect().await, &[("authorization", &bearer)]).await;
        let status = answer.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{kind:?}");
        assert_eq!(reason(&status), "KEYS_UNAVAILABLE", "{kind:?}");
        let retry = status.get_error_details().retry_info().cloned().unwrap();
        assert_eq!(retry.retry_delay, Some(Duration::from_millis(50)), "{kind:?}");
    }
    assert_eq!(probe.calls(), 0);
}
