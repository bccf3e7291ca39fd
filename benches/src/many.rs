//! Verifiers with more than one key, or more than one issuer.

use tonic_passport::jwt::{Issuer, KeySet, Verifier};
use tonic_passport::testing::{SigningKey, TestIssuer};

use crate::subject::{AUDIENCE, Subject};

/// Creates a verifier with `count` keys of the subject's issuer, the subject's key among them.
pub fn keys(subject: &Subject, count: u32) -> Verifier {
    let key = subject.issuer.key();
    let others = (1..count).map(|number| {
        SigningKey::generate(key.algorithm(), &format!("other-{number}")).verification_key()
    });
    let keys = KeySet::new(others.chain([key.verification_key()])).expect("a good key set");
    let issuer = Issuer::new(subject.issuer.name(), keys).audience(AUDIENCE);
    Verifier::new([issuer]).expect("a good configuration")
}

/// Creates a verifier with `count` issuers, the subject's among them, each with its own key.
pub fn issuers(subject: &Subject, count: u32) -> Verifier {
    let key = subject.issuer.key();
    let others = (1..count).map(|number| {
        TestIssuer::new(format!("https://{number}.example.com"))
            .signed_by(&SigningKey::generate(key.algorithm(), key.key_id()))
            .issuer()
    });
    Verifier::new(others.chain([subject.issuer.issuer()])).expect("a good configuration")
}
