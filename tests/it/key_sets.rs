//! Published keys are fetched in the background, and are available whatever the issuer does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, interval, timeout};
use tonic::Code;
use tonic_passport::jwt::{Algorithm, Issuer, RemoteKeys, TokenError, Verifier};
use tonic_passport::testing::{
    IdentityProvider, MockResponse, SigningKey, TestIssuer, TokenBuilder,
};
use tonic_passport::{JwtAuthenticator, ServerLayer};
use tonic_types::StatusExt;

use crate::support::probe::{Kind, Probe, call};
use crate::support::reason;
use crate::support::token::base64url;

const DISCOVERY: &str = IdentityProvider::DISCOVERY_PATH;
const KEYS: &str = IdentityProvider::KEYS_PATH;

fn key(kid: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256, kid)
}

/// A provider that publishes this key.
async fn provider_of(key: &SigningKey) -> IdentityProvider {
    let provider = IdentityProvider::start().await;
    provider.publish([key]);
    provider
}

/// Keys that are found by discovery, with the default intervals.
fn by_default() -> RemoteKeys {
    RemoteKeys::discovery().allow_host("127.0.0.1")
}

/// A valid token of this provider, issued an hour ago.
fn token(provider: &IdentityProvider, key: &SigningKey) -> String {
    issued(provider, key, SystemTime::now() - Duration::from_secs(3600)).sign()
}

fn issued(provider: &IdentityProvider, key: &SigningKey, time: SystemTime) -> TokenBuilder {
    provider.token("alice").signed_by(key).issued_at(time).expires_in(Duration::from_secs(7200))
}

async fn ready(issuer: Issuer) -> Verifier {
    let verifier = Verifier::new([issuer]).unwrap();
    timeout(Duration::from_secs(10), verifier.wait_until_ready()).await.expect("no keys");
    verifier
}

/// Waits until verification has this result.
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

fn is_pending(verifier: &Verifier, token: &str) -> bool {
    matches!(verifier.verify(token), Err(TokenError::KeyPending { .. }))
}

fn is_unavailable(verifier: &Verifier, token: &str) -> bool {
    matches!(verifier.verify(token), Err(TokenError::KeysUnavailable { .. }))
}

#[tokio::test]
async fn keys_are_found_by_discovery_and_by_their_url() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let at_url = RemoteKeys::at(format!("{}{KEYS}", provider.url())).allow_host("127.0.0.1");
    for often in [provider.remote_keys(), at_url] {
        let verifier = ready(provider.issuer_with(often)).await;
        assert_eq!(verifier.check_ready(), Ok(()));
        let good = verifier.verify(&token(&provider, &key)).unwrap();
        assert_eq!((good.issuer(), good.key_id()), (provider.url(), Some("one")));
    }
    assert_eq!(provider.received_paths(), [DISCOVERY, KEYS, KEYS]);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let verifier = ready(provider.issuer()).await;
    provider.publish([&old, &new]);

    // The token that triggers the refetch is refused without waiting.
    assert_eq!(verifier.verify(&token(&provider, &new)).err(), Some(unknown("new")));
    eventually(&verifier, &token(&provider, &new), Ok(())).await;
    assert!(verifier.verify(&token(&provider, &old)).is_ok());
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_no_longer_verifies() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let verifier = ready(provider.issuer()).await;
    provider.publish([&new]);
    eventually(&verifier, &token(&provider, &new), Ok(())).await;
    assert_eq!(verifier.verify(&token(&provider, &old)).err(), Some(unknown("old")));
}

#[tokio::test]
async fn a_token_issued_after_the_fetch_is_refused_as_pending() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let often = provider.remote_keys().min_interval(Duration::from_secs(30));
    let verifier = ready(provider.issuer_with(often)).await;

    let fresh = issued(&provider, &new, SystemTime::now() + Duration::from_secs(5)).sign();
    match verifier.verify(&fresh) {
        Err(TokenError::KeyPending { retry_after, .. }) => {
            assert!(retry_after <= Duration::from_secs(30), "{retry_after:?}");
            assert!(retry_after > Duration::from_secs(15), "{retry_after:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(verifier.verify(&token(&provider, &new)).err(), Some(unknown("new")));
}

/// On several threads, so that keys can be fetched while tokens are verified.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_unknown_keys_cause_one_fetch_in_thirty_seconds() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let began = Instant::now();
    let verifier = ready(provider.issuer_with(by_default())).await;

    let good = token(&provider, &key);
    let fresh = issued(&provider, &key, SystemTime::now() + Duration::from_secs(5)).sign();
    let [(_, old_rest), (_, fresh_rest)] = [&good, &fresh].map(|own| own.split_once('.').unwrap());
    for number in 0..100_000 {
        let kid = format!("guess-{number}");
        let header = base64url(format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#));
        if number % 2 == 0 {
            let answer = verifier.verify(&format!("{header}.{old_rest}"));
            assert_eq!(answer.err(), Some(unknown(&kid)));
        } else {
            assert!(is_pending(&verifier, &format!("{header}.{fresh_rest}")));
        }
        if number % 1000 == 0 {
            assert!(verifier.verify(&good).is_ok());
            assert!(verifier.clone().max_cached_tokens(0).verify(&good).is_ok());
        }
    }
    assert_eq!(verifier.cached_tokens(), 1);
    let most = 1 + began.elapsed().as_secs() / 30;
    assert!(provider.fetches() as u64 <= most, "{:?}", provider.received_paths());
}

#[tokio::test]
async fn the_minimum_interval_also_applies_after_a_failed_fetch() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let keys = provider.remote_keys().min_interval(Duration::from_secs(1));
    let verifier = ready(provider.issuer_with(keys)).await;
    provider.set_keys_response(MockResponse::status(503));
    let strange = token(&provider, &self::key("two"));
    let mut ticks = interval(Duration::from_millis(1));
    let flood = async {
        loop {
            assert_eq!(verifier.verify(&strange).err(), Some(unknown("two")));
            ticks.tick().await;
        }
    };
    let fetches = async {
        provider.wait_for_fetches(2).await;
        let failed = Instant::now();
        provider.wait_for_fetches(3).await;
        failed.elapsed()
    };
    // The measured time is shorter than the minimum interval, as the test notices a fetch late.
    tokio::select! {
        waited = fetches => assert!(waited > Duration::from_millis(500), "{waited:?}"),
        () = flood => {}
    }
}

#[tokio::test]
async fn a_key_id_is_never_sent_to_the_issuer() {
    let key = key("one");
    let issuer = TestIssuer::new("https://id.example.com").signed_by(&key);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let set = json!({ "keys": [key.jwk()] }).to_string();
    let requests = tokio::spawn(async move {
        let mut requests = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            requests.push(String::from_utf8(request).unwrap());
            let answer = format!("HTTP/1.1 200 \r\nconnection: close\r\n\r\n{set}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    let keys = RemoteKeys::at(url).allow_host("127.0.0.1").min_interval(Duration::from_millis(10));
    let verifier = ready(Issuer::remote(issuer.name(), keys).audience("test")).await;
    let past = SystemTime::now() - Duration::from_secs(60);
    let strange = issuer.token("alice").issued_at(past).header("kid", "c4ff31").sign();
    assert_eq!(verifier.verify(&strange).err(), Some(unknown("c4ff31")));

    let requests = timeout(Duration::from_secs(10), requests).await.expect("no fetch").unwrap();
    assert!(requests[0].starts_with("GET /jwks.json HTTP/1.1\r\n"), "{}", requests[0]);
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test]
async fn the_set_is_refreshed_in_the_background() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let often = provider.remote_keys().refresh_after(Duration::from_millis(60));
    let verifier = ready(provider.issuer_with(often)).await;
    provider.publish([&old, &new]);
    let next = provider.fetches() + 2;
    provider.wait_for_fetches(next).await;
    // The last fetch started after the one before had ended.
    assert!(verifier.verify(&token(&provider, &new)).is_ok());
}

#[tokio::test]
async fn a_verifier_starts_while_the_issuer_is_down_and_recovers() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let good = token(&provider, &key);
    for down in [MockResponse::status(503), MockResponse::status(404), MockResponse::body("<html>")]
    {
        provider.set_discovery_response(down);
        let verifier = Verifier::new([provider.issuer()]).unwrap();
        assert!(verifier.check_ready().is_err());
        assert!(is_unavailable(&verifier, &good));

        provider.reset();
        eventually(&verifier, &good, Ok(())).await;
        assert_eq!(verifier.check_ready(), Ok(()));
    }
}

#[tokio::test]
async fn an_invalid_response_never_replaces_a_good_set() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let symmetric = SigningKey::hmac(Algorithm::HS256, "secret", [7; 32]).jwk();
    let mut private = new.jwk();
    private["d"] = "AQAB".into();
    let good = || MockResponse::body(json!({ "keys": [new.jwk()] }).to_string());
    let bad = [
        MockResponse::body(json!({ "keys": [] }).to_string()),
        MockResponse::body(json!({ "keys": [symmetric, private] }).to_string()),
        MockResponse::body(json!({ "keys": [new.jwk(), new.jwk()] }).to_string()),
        MockResponse::body("[]"),
        MockResponse::body(""),
        MockResponse::body(format!("{}{}", json!({ "keys": [new.jwk()] }), " ".repeat(64 * 1024))),
        good().oversized(),
        good().truncated(),
        good().with_status(500),
        good().with_status(203),
        MockResponse::redirect(&format!("{}/elsewhere", provider.url())),
        MockResponse::connection_closed(),
    ];
    let often = provider.remote_keys().refresh_after(Duration::from_millis(60));
    let verifier = ready(provider.issuer_with(often)).await;
    for answer in bad {
        provider.set_keys_response(answer.clone());
        // The first of them may have started before; the second got this response.
        let next = provider.fetches() + 2;
        provider.wait_for_fetches(next).await;
        assert!(verifier.verify(&token(&provider, &old)).is_ok(), "{answer:?}");
        let refused = verifier.verify(&token(&provider, &new)).err();
        assert_eq!(refused, Some(unknown("new")), "{answer:?}");

        // After a success, the backoff is reset.
        provider.publish([&old]);
        let next = provider.fetches() + 1;
        provider.wait_for_fetches(next).await;
    }
    assert!(
        !provider.received_paths().contains(&"/elsewhere".to_owned()),
        "a redirect was followed"
    );

    provider.publish([&new]);
    eventually(&verifier, &token(&provider, &new), Ok(())).await;
}

#[tokio::test]
async fn a_set_is_used_only_until_it_is_stale() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let often = provider.remote_keys().refresh_after(Duration::from_millis(50));
    let often = often.stale_after(Duration::from_secs(2));
    let verifier = ready(provider.issuer_with(often)).await;
    let good = token(&provider, &key);

    provider.set_keys_response(MockResponse::status(503));
    let next = provider.fetches() + 2;
    provider.wait_for_fetches(next).await;
    assert!(verifier.verify(&good).is_ok(), "the old set is not stale yet");
    let mut ticks = interval(Duration::from_millis(5));
    let stale = async {
        while verifier.verify(&good).is_ok() {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), stale).await.expect("the old set is used for ever");
    assert!(is_unavailable(&verifier, &good));
    assert!(verifier.check_ready().is_err());

    provider.publish([&key]);
    eventually(&verifier, &good, Ok(())).await;
}

#[tokio::test]
async fn no_token_waits_for_an_issuer_that_does_not_respond() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let verifier = ready(provider.issuer()).await;
    provider.set_keys_response(MockResponse::stalled());
    let (good, strange) = (token(&provider, &key), token(&provider, &self::key("two")));
    assert_eq!(verifier.verify(&strange).err(), Some(unknown("two")));
    provider.wait_for_fetches(2).await;
    // The fetch is now in progress, and stays so until its timeout.
    assert!(verifier.verify(&good).is_ok());
    assert_eq!(verifier.verify(&strange).err(), Some(unknown("two")));
}

#[tokio::test]
async fn a_discovery_document_is_valid_for_its_own_issuer_only() {
    let key = key("one");
    let provider = provider_of(&key).await;
    let jwks_uri = format!("{}{KEYS}", provider.url());
    let good = token(&provider, &key);
    let documents = [
        ("another issuer", json!({ "issuer": "https://id.example.com", "jwks_uri": jwks_uri })),
        ("a slash more", json!({ "issuer": format!("{}/", provider.url()), "jwks_uri": jwks_uri })),
        ("no issuer", json!({ "jwks_uri": jwks_uri })),
        ("no keys", json!({ "issuer": provider.url() })),
        ("keys no URL", json!({ "issuer": provider.url(), "jwks_uri": "keys" })),
        ("keys in a file", json!({ "issuer": provider.url(), "jwks_uri": "file:///etc/passwd" })),
        (
            "keys next door",
            json!({ "issuer": provider.url(), "jwks_uri": "http://127.0.0.2/keys" }),
        ),
    ];
    for (case, document) in documents {
        let seen = provider.received_paths().len();
        provider.set_discovery_response(MockResponse::body(document.to_string()));
        let verifier = Verifier::new([provider.issuer()]).unwrap();
        provider.wait_for_requests(seen + 2).await;
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
        (format!("http://127.0.0.1:{port}/jwks.json"), "not https"),
        (format!("https://127.0.0.1:{port}/jwks.json"), "not a public address"),
        (format!("https://[::1]:{port}/jwks.json"), "not a public address"),
        (format!("https://2130706433:{port}/"), "not a public address"),
        ("https://169.254.169.254/latest".to_owned(), "not a public address"),
        ("http://id.example.com/jwks.json".to_owned(), "not https"),
        ("ftp://id.example.com/jwks.json".to_owned(), "not https"),
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
    let issuer = Issuer::remote("https://id.example.com", keys).audience("shop");
    let verifier = Verifier::new([issuer]).unwrap();
    assert!(timeout(Duration::from_millis(300), verifier.wait_until_ready()).await.is_err());
    assert!(!accepted.is_finished(), "a private address was connected to");
}

#[test]
fn fetching_outside_of_a_runtime_is_a_configuration_error() {
    let issuer = Issuer::oidc("https://id.example.com").audience("shop");
    let error = Verifier::new([issuer]).unwrap_err();
    assert_eq!((error.issuer(), error.field()), ("https://id.example.com", "keys"));
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[tokio::test]
async fn durations_are_bounded() {
    let at = || RemoteKeys::at("https://id.example.com/jwks.json");
    for (setting, keys) in [
        ("refresh_after is less", at().refresh_after(Duration::ZERO)),
        ("refresh_after is more", at().refresh_after(Duration::MAX)),
        ("stale_after is less", at().stale_after(Duration::ZERO)),
        ("stale_after is more", at().stale_after(Duration::MAX)),
        ("min_interval is less", at().min_interval(Duration::from_millis(9))),
        ("min_interval is more", at().min_interval(Duration::MAX)),
        ("refresh_after is not less than", at().refresh_after(Duration::from_secs(60 * 60))),
    ] {
        let issuer = Issuer::remote("https://id.example.com", keys).audience("shop");
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
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::body(json!({ "keys": keys }).to_string()));
    let verifier = ready(provider.issuer()).await;
    let token = |kid: &'static str| token(&provider, &key(kid));
    assert_eq!(verifier.verify(&token("key-99")).err(), Some(TokenError::SignatureInvalid));
    assert_eq!(verifier.verify(&token("key-100")).err(), Some(unknown("key-100")));
}

#[tokio::test]
async fn a_set_of_64_kib_is_read() {
    let key = key("one");
    let mut set = json!({ "keys": [key.jwk()] }).to_string();
    set.push_str(&" ".repeat(64 * 1024 - set.len()));
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::body(set));
    let verifier = ready(provider.issuer()).await;
    assert!(verifier.verify(&token(&provider, &key)).is_ok());
}

#[tokio::test]
async fn an_unusable_key_does_not_invalidate_its_set() {
    let key = key("one");
    let with = |name: &str, value: &str| {
        let mut jwk = self::key(value).jwk();
        jwk[name] = value.into();
        jwk
    };
    let secret = SigningKey::hmac(Algorithm::HS256, "secret", [7; 32]).jwk();
    let keys = json!([
        "key",
        {},
        secret,
        with("d", "AQAB"),
        with("use", "enc"),
        with("alg", "none"),
        with("kty", "PQC"),
        key.jwk(),
        with("x", "AQAB"),
    ]);
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::body(json!({ "keys": keys }).to_string()));
    let verifier = ready(provider.issuer()).await;
    assert!(verifier.verify(&token(&provider, &key)).is_ok());
    let private = token(&provider, &self::key("AQAB"));
    assert_eq!(verifier.verify(&private).err(), Some(unknown("AQAB")));
}

#[tokio::test]
async fn keys_without_an_algorithm_need_a_configured_one() {
    let key = key("one");
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::body(json!({ "keys": [jwk] }).to_string()));
    let keys = provider.remote_keys().algorithm(Algorithm::ES256);
    let verifier = ready(provider.issuer_with(keys)).await;
    assert!(verifier.verify(&token(&provider, &key)).is_ok());
}

#[tokio::test]
async fn a_caller_receives_a_retry_delay() {
    let key = key("one");
    let provider = provider_of(&key).await;
    provider.set_keys_response(MockResponse::status(503));
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(verifier))).await;
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

#[tokio::test]
async fn a_token_issued_within_the_leeway_before_the_fetch_is_pending() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let verifier = ready(provider.issuer_with(by_default())).await;
    let ago = |seconds| SystemTime::now() - Duration::from_secs(seconds);
    // The leeway is 30 seconds.
    assert!(is_pending(&verifier, &issued(&provider, &new, ago(20)).sign()));
    let old = issued(&provider, &new, ago(60)).sign();
    assert_eq!(verifier.verify(&old).err(), Some(unknown("new")));
}

#[tokio::test]
async fn a_retry_delay_is_never_zero() {
    let (old, new) = (key("old"), key("new"));
    for answer in [MockResponse::stalled(), MockResponse::status(503)] {
        let provider = provider_of(&old).await;
        let verifier = ready(provider.issuer()).await;
        let fresh = issued(&provider, &new, SystemTime::now() + Duration::from_secs(5)).sign();
        provider.set_keys_response(answer.clone());
        assert!(is_pending(&verifier, &fresh));
        provider.wait_for_fetches(2).await;
        match verifier.verify(&fresh) {
            Err(TokenError::KeyPending { retry_after, .. }) => {
                assert!(retry_after > Duration::ZERO, "{answer:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_token_that_no_key_can_make_valid_is_never_pending() {
    let (old, new) = (key("old"), key("new"));
    let provider = provider_of(&old).await;
    let verifier = ready(provider.issuer_with(by_default())).await;
    let fresh = || issued(&provider, &new, SystemTime::now());
    assert!(is_pending(&verifier, &fresh().sign()));
    let fraction = fresh()
        .claim(
            "iat",
            Value::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()),
        )
        .sign();
    assert!(is_pending(&verifier, &fraction));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let invalid = [
        ("from the future", fresh().claim("iat", 253_402_300_799_u64)),
        ("expired", fresh().claim("exp", now - 60)),
        ("not valid yet", fresh().claim("nbf", now + 600)),
        ("another audience", fresh().claim("aud", "another")),
        ("no subject", fresh().without_claim("sub")),
        ("undated", fresh().without_claim("iat")),
    ];
    for (case, token) in invalid {
        assert_eq!(verifier.verify(&token.sign()).err(), Some(unknown("new")), "{case}");
    }
}
