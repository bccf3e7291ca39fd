//! The verifier reads its clock for each token, cached or not.

use std::time::{Duration, UNIX_EPOCH};

use tonic::Code;
use tonic_passport::testing::{Clock, TestIssuer};

use crate::support::edges::Edges;

const EXPIRED: (Code, &str) = (Code::Unauthenticated, "TOKEN_EXPIRED");
const INVALID: (Code, &str) = (Code::Unauthenticated, "TOKEN_INVALID");

/// The default leeway, in seconds.
const LEEWAY: u64 = 30;
const LIFETIME: u64 = 60;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_token_that_was_accepted_expires_when_the_clock_moves_on() {
    let (clock, issuer) = (Clock::new(), TestIssuer::new("https://id.example.com"));
    let edges = Edges::start(issuer.verifier().clock(clock.source())).await;
    let token = issuer.token("alice").issued_at(clock.now()).expires_in(seconds(LIFETIME)).sign();
    edges.accept(&token, "just issued").await;
    assert_eq!(edges.verifier.cached_tokens(), 1);

    clock.advance(seconds(LIFETIME + LEEWAY - 1));
    edges.accept(&token, "in its last second").await;
    clock.advance(seconds(1));
    edges.refuse(&token, EXPIRED, "expired").await;
    edges.refuse(&token, EXPIRED, "asked again").await;
    assert_eq!(edges.verifier.cached_tokens(), 0);
}

#[tokio::test]
async fn a_token_that_was_accepted_is_not_valid_yet_when_the_clock_is_set_back() {
    let (clock, issuer) = (Clock::new(), TestIssuer::new("https://id.example.com"));
    let edges = Edges::start(issuer.verifier().clock(clock.source())).await;
    let began = clock.now();
    let not_before = began.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = issuer.token("alice").issued_at(began);
    let without_iat = token.clone().without_claim("iat").claim("nbf", not_before);
    for (case, token) in [("iat", token.sign()), ("nbf", without_iat.sign())] {
        clock.set(began);
        edges.accept(&token, case).await;
        clock.set(began - seconds(LEEWAY));
        edges.accept(&token, case).await;
        clock.set(began - seconds(LEEWAY + 1));
        edges.refuse(&token, INVALID, case).await;
        clock.set(began);
        edges.accept(&token, case).await;
    }
}
