//! Revoked tokens are refused.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tonic::Code;
use tonic_passport::jwt::{Revocation, RevocationList, TokenError, VerifiedToken, Verifier};
use tonic_passport::testing::{Clock, TestIssuer};
use tonic_passport::{JwtAuthenticator, ServerLayer};

use crate::support::assert_refused;
use crate::support::probe::{Kind, Probe, call};

const ISSUER: &str = "https://id.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An arbitrary time in whole seconds.
fn noon() -> SystemTime {
    UNIX_EPOCH + seconds(1_800_000_000)
}

fn issued(issuer: &TestIssuer, subject: &str, at: SystemTime) -> String {
    issuer.token(subject).claim("jti", format!("{subject}'s")).issued_at(at).sign()
}

/// Whether the verifier refuses the token as revoked, a minute after noon.
#[track_caller]
fn is_revoked(verifier: &Verifier, token: &str) -> bool {
    match verifier.verify_at(token, noon() + seconds(60)) {
        Ok(_) => false,
        Err(TokenError::Revoked) => true,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_caller_receives_token_revoked() {
    let issuer = TestIssuer::new(ISSUER);
    let revocations = RevocationList::new();
    let verifier = issuer.verifier().revocation(revocations.clone());
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(verifier))).await;
    let channel = server.connect().await;
    let authorization = format!("Bearer {}", issuer.token("alice").claim("jti", "1").sign());
    let fields = [("authorization", &*authorization)];
    assert_eq!(call(Kind::Unary, channel.clone(), &fields).await.unwrap(), "alice");
    probe.take_one();

    revocations.revoke_token(ISSUER, "1", SystemTime::now() + seconds(300));
    for kind in Kind::ALL {
        let answer = call(kind, channel.clone(), &fields).await;
        let status = answer.clone().unwrap_err();
        let challenge = status.metadata().get("www-authenticate").unwrap().to_str().unwrap();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
        assert_refused(answer, (Code::Unauthenticated, "TOKEN_REVOKED"), &probe, "revoked");
    }
}

#[test]
fn a_token_is_revoked_by_its_id_and_its_issuer() {
    let (one, other) = (TestIssuer::new(ISSUER), TestIssuer::new("https://other.example.com"));
    let revocations = RevocationList::new();
    let verifier = Verifier::new([one.issuer(), other.issuer()]).unwrap();
    let verifier = verifier.revocation(revocations.clone());
    let ours = issued(&one, "alice", noon());
    let theirs = issued(&other, "alice", noon());
    let another = issued(&one, "bob", noon());
    let without_id = one.token("alice").issued_at(noon()).sign();

    revocations.revoke_token(ISSUER, "alice's", noon() + seconds(300));
    assert!(is_revoked(&verifier, &ours));
    for token in [&theirs, &another, &without_id] {
        assert!(!is_revoked(&verifier, token));
    }
}

#[test]
fn a_token_id_that_is_not_a_string_is_refused() {
    let issuer = TestIssuer::new(ISSUER);
    for id in [serde_json::json!(1), serde_json::Value::Null, serde_json::json!(["1"])] {
        let token = issuer.token("alice").claim("jti", id).sign();
        let problem = "not a string";
        let error = TokenError::ClaimInvalid { claim: "jti".to_owned(), problem };
        assert_eq!(issuer.verifier().verify(&token).err(), Some(error));
    }
}

#[test]
fn tokens_issued_up_to_a_time_are_revoked_by_subject_or_issuer() {
    type Revoke = fn(&RevocationList);
    let by_subject: Revoke = |list| list.revoke_subject(ISSUER, "alice", noon());
    let by_issuer: Revoke = |list| list.revoke_issuer(ISSUER, noon());
    for (revoke, bob_too) in [(by_subject, false), (by_issuer, true)] {
        let (one, other) = (TestIssuer::new(ISSUER), TestIssuer::new("https://other.example.com"));
        let revocations = RevocationList::new();
        let verifier = Verifier::new([one.issuer(), other.issuer()]).unwrap();
        let verifier = verifier.revocation(revocations.clone());
        let before = issued(&one, "alice", noon() - seconds(1));
        // Times are in whole seconds, so that the order within one is unknown.
        let then = issued(&one, "alice", noon());
        let after = issued(&one, "alice", noon() + seconds(1));
        let undated = one.token("alice").issued_at(noon() - seconds(1)).without_claim("iat").sign();
        let bob = issued(&one, "bob", noon());
        let elsewhere = issued(&other, "alice", noon());

        for token in [&before, &then, &after, &undated, &bob, &elsewhere] {
            assert!(!is_revoked(&verifier, token));
        }
        revoke(&revocations);
        for token in [&before, &then, &undated] {
            assert!(is_revoked(&verifier, token));
        }
        assert_eq!(is_revoked(&verifier, &bob), bob_too);
        for token in [&after, &elsewhere] {
            assert!(!is_revoked(&verifier, token));
        }
    }
}

#[test]
fn a_subject_is_revoked_by_sub_whatever_claim_the_id_is_read_from() {
    let issuer = TestIssuer::new(ISSUER);
    let mapping = tonic_passport::jwt::ClaimMapping::default().id("oid");
    let revocations = RevocationList::new();
    let verifier = Verifier::new([issuer.issuer().claims(mapping)]).unwrap();
    let verifier = verifier.revocation(revocations.clone());
    let token = issuer.token("alice").claim("oid", "user-42").issued_at(noon()).sign();
    let good = verifier.verify_at(&token, noon()).unwrap();
    assert_eq!((good.subject(), good.context().id()), ("alice", "user-42"));

    revocations.revoke_subject(ISSUER, "user-42", noon());
    assert!(!is_revoked(&verifier, &token));
    revocations.revoke_subject(ISSUER, "alice", noon());
    assert!(is_revoked(&verifier, &token));
}

#[test]
fn the_later_of_two_revocations_wins_in_either_order() {
    let issuer = TestIssuer::new(ISSUER);
    let revocations = RevocationList::new();
    let verifier = issuer.verifier().revocation(revocations.clone());
    let token = issued(&issuer, "alice", noon());
    revocations.revoke_subject(ISSUER, "alice", noon());
    revocations.revoke_subject(ISSUER, "alice", noon() - seconds(60));
    assert!(is_revoked(&verifier, &token));
    assert_eq!(revocations.len(), 1);
}

#[test]
fn only_expired_revocations_are_removed() {
    let issuer = TestIssuer::new(ISSUER);
    let revocations = RevocationList::new();
    let clock = Clock::at(noon());
    let leeway = seconds(10 * 60);
    let verifier =
        Verifier::new([issuer.issuer().leeway(leeway)]).unwrap().revocation(revocations.clone());
    let verifier = verifier.clock(clock.source());
    let lifetime = seconds(300);
    let token = issued(&issuer, "alice", noon());
    let expires_at = noon() + lifetime;

    revocations.revoke_token(ISSUER, "alice's", expires_at);
    revocations.revoke_subject(ISSUER, "alice", noon());
    revocations.revoke_issuer(ISSUER, noon());
    assert_eq!(revocations.len(), 3);

    // The last second in which the token is valid.
    clock.set(expires_at + leeway - seconds(1));
    revocations.remove_expired(clock.now(), lifetime);
    assert_eq!(revocations.len(), 3);
    assert_eq!(verifier.verify(&token).err(), Some(TokenError::Revoked));

    clock.set(expires_at + leeway + seconds(1));
    revocations.remove_expired(clock.now(), lifetime);
    assert!(revocations.is_empty());
    assert_eq!(verifier.verify(&token).err(), Some(TokenError::Expired));
}

#[test]
fn a_custom_revocation_check_is_called_for_every_token_cached_or_not() {
    struct Everyone;
    impl Revocation for Everyone {
        fn is_revoked(&self, _: &VerifiedToken) -> bool {
            true
        }
    }
    let issuer = TestIssuer::new(ISSUER);
    let token = issuer.token("alice").sign();
    let own = [
        issuer.verifier().revocation(Everyone),
        issuer.verifier().revocation(Arc::new(Everyone)),
        issuer.verifier().revocation(|token: &VerifiedToken| token.subject() == "alice"),
    ];
    for verifier in own {
        assert_eq!(verifier.verify(&token).err(), Some(TokenError::Revoked));
    }

    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let verifier = issuer.verifier().revocation(move |_: &VerifiedToken| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    });
    for _ in 0..3 {
        assert!(verifier.verify(&token).is_ok());
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn the_debug_output_of_a_list_shows_no_entries() {
    let revocations = RevocationList::new();
    revocations.revoke_subject(ISSUER, "alice", noon());
    let shown = format!("{revocations:?}");
    assert_eq!(shown, "RevocationList { tokens: 0, subjects: 1, issuers: 0 }");
}

#[test]
fn a_clock_before_1970_removes_no_revocation() {
    let revocations = RevocationList::new();
    revocations.revoke_subject(ISSUER, "alice", noon());
    revocations.remove_expired(UNIX_EPOCH - seconds(1), seconds(300));
    assert_eq!(revocations.len(), 1);
}

#[test]
fn a_revocation_holds_during_concurrent_writes() {
    let issuer = TestIssuer::new(ISSUER);
    let token = issued(&issuer, "alice", noon());
    let verified = issuer.verifier().verify_at(&token, noon()).unwrap();
    let revocations = RevocationList::new();
    revocations.revoke_token(ISSUER, "alice's", noon() + seconds(300));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                revocations.revoke_token(ISSUER, "another", UNIX_EPOCH);
            }
        });
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                revocations.remove_expired(noon(), seconds(300));
            }
        });
        let passed = (0..300_000).filter(|_| !revocations.is_revoked(&verified)).count();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(passed, 0);
    });
}
