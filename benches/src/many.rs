//! Verifiers that know more than one key, or more than one issuer.

use tonic_passport::jwt::{Issuer, KeySet, Verifier};
use tonic_passport::testing::{SigningKey, TestIssuer};

use crate::subject::{AUDIENCE, Subject};

/// Knows the subject's key and others of its issuer, so many in all.
pub fn keys(subject: &Subject, count: u32) -> Verifier {
    let key = subject.issuer.key();
    let others = (1..count).map(|number| {
        SigningKey::generate(key.algorithm(), &format!("other-{number}")).verification_key()
    });
    let keys = KeySet::new(others.chain([key.verification_key()])).expect("a good key set");
    let issuer = Issuer::new(subject.issuer.name(), keys).audience(AUDIENCE);
    Verifier::new([issuer]).expect("a good configuration")
}

/// Knows the subject's issuer and others, so many in all, each with a key of its own.
pub fn issuers(subject: &Subject, count: u32) -> Verifier {
    let key = subject.issuer.key();
    let others = (1..count).map(|number| {
        TestIssuer::new(format!("https://{number}.example.com"))
            .signed_by(&SigningKey::generate(key.algorithm(), key.key_id()))
            .issuer()
    });
    Verifier::new(others.chain([subject.issuer.issuer()])).expect("a good configuration")
}
