//! The public test kit (feature `test-util`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::timeout;
use tonic::Code;
use tonic_passport::jwt::{Algorithm, TokenError, Verifier};
use tonic_passport::testing::{Clock, IdentityProvider, MockResponse, SigningKey, TestIssuer};
use tonic_passport::{JwtAuthenticator, ServerLayer};

use crate::support::probe::{Kind, Probe, call};

const DISCOVERY: &str = IdentityProvider::DISCOVERY_PATH;
const KEYS: &str = IdentityProvider::KEYS_PATH;

fn issuer() -> TestIssuer {
    TestIssuer::new("https://id.example.com")
}

/// A fixed time, for tokens that are verified at a given time.
fn test_time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn connect(provider: &IdentityProvider) -> TcpStream {
    let address = provider.url().strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Requests a path. Returns the head of the response, and the bytes of the body that arrived.
async fn get(provider: &IdentityProvider, path: &str) -> (String, Vec<u8>) {
    let mut socket = connect(provider).await;
    socket.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).await.unwrap();
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(0);
    let body = response.split_off(end);
    (String::from_utf8(response).unwrap(), body.get(4..).unwrap_or_default().to_vec())
}

#[tokio::test]
async fn an_edge_accepts_the_tokens_of_a_test_issuer() {
    let issuer = issuer();
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(issuer.verifier()))).await;
    let good = issuer.token("alice").email("alice@example.com").roles(["buyer"]).sign();
    let fields = [("authorization", &*format!("Bearer {good}"))];
    assert_eq!(call(Kind::Unary, server.connect().await, &fields).await.unwrap(), "alice");
    let user = probe.take_one().user.unwrap();
    assert_eq!((user.email(), user.has_role("buyer")), (Some("alice@example.com"), true));

    let expired = issuer.token("alice").expired().sign();
    let fields = [("authorization", &*format!("Bearer {expired}"))];
    let status = call(Kind::Unary, server.connect().await, &fields).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[test]
fn a_key_of_every_algorithm_signs_what_its_public_half_verifies() {
    use Algorithm::{
        ES256, ES384, ES512, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
    };
    for algorithm in
        [EdDSA, ES256, ES384, ES512, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512]
    {
        let key = SigningKey::generate(algorithm, "1");
        let issuer = issuer().signed_by(&key);
        let verified = issuer.verifier().verify(&issuer.token("alice").sign());
        assert_eq!(verified.unwrap().key_id(), Some("1"), "{algorithm}");
    }
}

#[test]
fn debug_shows_no_key_material() {
    let secret = "0123456789abcdef0123456789abcdef";
    let key = SigningKey::hmac(Algorithm::HS256, "shared", secret);
    let issuer = issuer().signed_by(&key);
    let shown = format!("{key:?} {issuer:?} {:?}", issuer.token("alice"));
    assert!(shown.contains("shared"), "{shown}");
    for form in [secret.to_owned(), format!("{:?}", secret.as_bytes())] {
        assert!(!shown.contains(&form), "{shown}");
    }
}

#[test]
#[should_panic(expected = "ES256 is not symmetric")]
fn an_hmac_key_needs_a_symmetric_algorithm() {
    drop(SigningKey::hmac(Algorithm::ES256, "1", [7; 32]));
}

#[test]
#[should_panic(expected = "ES256 is not RSA")]
fn only_rsa_keys_can_change_their_algorithm() {
    drop(SigningKey::generate(Algorithm::ES256, "1").with_algorithm(Algorithm::RS256));
}

#[test]
#[should_panic(expected = "100 is not the status of a final response")]
fn a_mock_response_has_the_status_of_a_final_response() {
    drop(MockResponse::status(100));
}

#[test]
fn a_token_is_valid_from_its_issue_to_its_expiry() {
    let issuer = issuer();
    let verifier = Verifier::new([issuer.issuer().leeway(Duration::ZERO)]).unwrap();
    let token = issuer.token("alice").issued_at(test_time());
    let usual = token.clone().sign();
    let short = token.clone().expires_in(seconds(10)).sign();
    let moved = token.expires_in(seconds(10)).issued_at(test_time() + seconds(60)).sign();
    for (token, first, last) in [(&usual, 0, 299), (&short, 0, 9), (&moved, 60, 69)] {
        let at = |second| verifier.verify_at(token, test_time() + seconds(second)).map(drop);
        assert_eq!(at(first), Ok(()));
        assert_eq!(at(last), Ok(()));
        assert_eq!(at(last + 1), Err(TokenError::Expired));
    }
    let early = verifier.verify_at(&moved, test_time() + seconds(59));
    assert_eq!(early.err(), Some(TokenError::IssuedInFuture));
}

#[test]
fn an_expired_token_is_expired_for_every_leeway_and_lifetime() {
    let issuer = issuer();
    let verifier = Verifier::new([issuer.issuer().leeway(seconds(600))]).unwrap();
    for token in [
        issuer.token("alice").expired(),
        issuer.token("alice").expires_in(seconds(100_000)).expired(),
        issuer.token("alice").expired().expires_in(seconds(1)),
    ] {
        assert_eq!(verifier.verify(&token.sign()).err(), Some(TokenError::Expired));
    }
}

#[test]
fn the_last_value_of_a_setting_is_used() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let other = SigningKey::generate(Algorithm::EdDSA, "other");
    let token = || issuer.token("alice");
    let error = |token: String| verifier.verify(&token).err();

    assert_eq!(error(token().claim("exp", 1).expires_in(seconds(60)).sign()), None);
    let expired = token().expires_in(seconds(60)).claim("exp", 1).sign();
    assert_eq!(error(expired), Some(TokenError::Expired));

    let unknown = TokenError::KeyUnknown { key_id: Some("other".to_owned()) };
    assert_eq!(error(token().header("kid", "test").signed_by(&other).sign()), Some(unknown));
    let posing = token().signed_by(&other).header("kid", "test").sign();
    assert_eq!(error(posing), Some(TokenError::AlgorithmMismatch { expected: "ES256" }));
    assert_eq!(error(token().without_claim("aud").claim("aud", "test").sign()), None);
    assert_eq!(error(token().signed_by(&other).signed_by(issuer.key()).sign()), None);
}

#[test]
fn claims_can_be_any_json_and_header_parameters_can_be_removed() {
    let issuer = issuer();
    let verifier = issuer.verifier();
    let token = || issuer.token("alice");
    assert!(verifier.verify(&token().claim("x", json!({ "y": [1] })).sign()).is_ok());
    assert!(verifier.verify(&token().without_header("typ").without_header("kid").sign()).is_ok());
    let error = verifier.verify(&token().claim("roles", Value::Bool(true)).sign()).unwrap_err();
    let problem = "not an array of strings";
    assert_eq!(error, TokenError::ClaimInvalid { claim: "roles".to_owned(), problem });
}

#[test]
fn raw_parts_of_a_token_are_used_unchanged() {
    let token = issuer().token("alice").roles(["buyer"]);
    let raw = token.raw_header(" {}").raw_claims([0xff]).sign_with(|message| {
        assert_eq!(message, b"IHt9._w");
        b"signature".to_vec()
    });
    assert_eq!(raw, "IHt9._w.c2lnbmF0dXJl");
}

#[test]
fn a_clock_stands_still_until_it_is_advanced_or_set() {
    let clock = Clock::at(test_time());
    let (same, source) = (clock.clone(), clock.source());
    assert_eq!(source(), test_time());
    clock.advance(seconds(60));
    assert_eq!((same.now(), source()), (test_time() + seconds(60), test_time() + seconds(60)));
    same.set(test_time() - seconds(1));
    assert_eq!((clock.now(), source()), (test_time() - seconds(1), test_time() - seconds(1)));
}

#[test]
fn a_new_clock_shows_the_system_time() {
    let before = SystemTime::now();
    let clock = Clock::new();
    assert!((before..=SystemTime::now()).contains(&clock.now()));
    let issuer = issuer();
    let token = issuer.token("alice").issued_at(clock.now()).sign();
    assert!(issuer.verifier().verify(&token).is_ok());
}

#[tokio::test]
async fn the_published_keys_verify_the_tokens_of_an_identity_provider() {
    let provider = IdentityProvider::start().await.audience("shop");
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    verifier.wait_until_ready().await;
    let good = verifier.verify(&provider.token("alice").sign()).unwrap();
    assert_eq!((good.issuer(), good.context().id()), (provider.url(), "alice"));
    assert_eq!(provider.received_paths(), [DISCOVERY, KEYS]);
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn a_rotation_keeps_the_previous_key_and_withdraws_earlier_ones() {
    let provider = IdentityProvider::start().await;
    let mut tokens = vec![provider.token("alice").sign()];
    for _ in 0..2 {
        provider.rotate();
        tokens.push(provider.token("alice").sign());
        let verifier = Verifier::new([provider.issuer()]).unwrap();
        verifier.wait_until_ready().await;
        let (withdrawn, published) = tokens.split_at(tokens.len() - 2);
        assert!(published.iter().all(|token| verifier.verify(token).is_ok()));
        assert!(withdrawn.iter().all(|token| verifier.verify(token).is_err()));
    }
}

#[tokio::test]
async fn the_last_published_key_signs() {
    let provider = IdentityProvider::start().await;
    let keys = ["a", "b"].map(|kid| SigningKey::generate(Algorithm::EdDSA, kid));
    provider.publish(&keys);
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    verifier.wait_until_ready().await;
    let good = verifier.verify(&provider.token("alice").sign()).unwrap();
    assert_eq!(good.key_id(), Some("b"));

    let none: [SigningKey; 0] = [];
    provider.publish(none);
    assert_eq!(get(&provider, KEYS).await.1, br#"{"keys":[]}"#);
    assert!(verifier.verify(&provider.token("alice").sign()).is_ok());
}

#[tokio::test]
async fn a_stalled_request_gets_the_next_response() {
    let provider = IdentityProvider::start().await;
    provider.set_discovery_response(MockResponse::stalled());
    provider.set_keys_response(MockResponse::stalled());
    let verifier = Verifier::new([provider.issuer()]).unwrap();
    provider.wait_for_requests(1).await;
    assert!(verifier.check_ready().is_err());
    provider.reset();
    verifier.wait_until_ready().await;
    // The stalled requests got their responses; none was sent again.
    assert_eq!(provider.received_paths(), [DISCOVERY, KEYS]);

    provider.set_keys_response(MockResponse::stalled());
    let (response, ()) = tokio::join!(get(&provider, KEYS), async {
        provider.wait_for_fetches(2).await;
        provider.set_keys_response(MockResponse::stalled());
        provider.set_keys_response(MockResponse::body("at last"));
    });
    assert_eq!(response.1, b"at last");
}

#[tokio::test]
async fn the_response_is_chosen_when_the_request_is_counted() {
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::body("first"));
    let (response, ()) = tokio::join!(get(&provider, KEYS), async {
        provider.wait_for_fetches(1).await;
        provider.set_keys_response(MockResponse::body("second"));
    });
    assert_eq!(response.1, b"first");
    assert_eq!(get(&provider, KEYS).await.1, b"second");
}

#[tokio::test]
async fn a_mock_response_has_the_status_headers_and_body_that_were_set() {
    let provider = IdentityProvider::start().await;
    let (head, body) = get(&provider, "/elsewhere").await;
    assert!(head.starts_with("HTTP/1.1 404 \r\n"), "{head}");
    assert_eq!((&*body, provider.fetches()), (&b""[..], 0));

    provider
        .set_keys_response(MockResponse::redirect("/elsewhere").with_header("retry-after", "7"));
    let (head, _) = get(&provider, KEYS).await;
    assert!(head.starts_with("HTTP/1.1 302 \r\n"), "{head}");
    assert!(head.contains("\r\nlocation: /elsewhere\r\nretry-after: 7"), "{head}");

    provider.set_discovery_response(MockResponse::body("{}").with_status(500));
    let (head, body) = get(&provider, DISCOVERY).await;
    assert!(head.starts_with("HTTP/1.1 500 \r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json"), "{head}");
    assert_eq!(body, b"{}");
    assert_eq!(provider.received_paths(), ["/elsewhere", KEYS, DISCOVERY]);
}

#[tokio::test]
async fn a_mock_response_can_be_truncated_throttled_oversized_or_absent() {
    let provider = IdentityProvider::start().await;
    let keys = get(&provider, KEYS).await.1;
    let length = format!("content-length: {}", keys.len());

    provider.set_keys_response(MockResponse::body(&*keys).truncated());
    let (head, body) = get(&provider, KEYS).await;
    assert!(head.contains(&length), "{head}");
    assert_eq!(body, keys[..keys.len() / 2]);

    provider.set_keys_response(MockResponse::body(&*keys).throttled(Duration::from_micros(1)));
    let (head, body) = get(&provider, KEYS).await;
    assert!(head.contains(&length), "{head}");
    assert_eq!(body, keys);

    provider.set_keys_response(MockResponse::body(&*keys).oversized());
    let (head, body) = get(&provider, KEYS).await;
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(body.len(), keys.len() + 64 * 1024 * 1024);
    assert_eq!(body[..keys.len()], keys);

    provider.set_keys_response(MockResponse::connection_closed());
    assert_eq!(get(&provider, KEYS).await, (String::new(), Vec::new()));
}

#[tokio::test]
async fn dropping_a_provider_closes_its_connections_and_frees_its_port() {
    let provider = IdentityProvider::start().await;
    provider.set_keys_response(MockResponse::stalled());
    let mut waiting = connect(&provider).await;
    let address = waiting.peer_addr().unwrap();
    waiting.write_all(format!("GET {KEYS} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    provider.wait_for_fetches(1).await;
    drop(provider);

    let mut response = Vec::new();
    // Closed or reset, without a response.
    drop(timeout(seconds(10), waiting.read_to_end(&mut response)).await.expect("still open"));
    assert_eq!(response, b"");
    let free = async {
        while TcpListener::bind(address).await.is_err() {
            yield_now().await;
        }
    };
    timeout(seconds(10), free).await.expect("the port is taken");
}
