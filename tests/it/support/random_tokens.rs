//! Random tokens against the cache of verified tokens.

use tonic_passport::jwt::Algorithm;
use tonic_passport::testing::{SigningKey, TestIssuer};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Deterministic pseudo-random numbers (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Asserts that a verifier whose cache holds valid tokens refuses this many random ones, and keeps
/// the valid ones.
pub fn assert_random_tokens_are_refused(count: usize) {
    // Signing many tokens is fastest with a shared secret.
    let key = SigningKey::generate(Algorithm::HS256, "one");
    let issuer = TestIssuer::new("https://id.example.com").signed_by(&key);
    let verifier = issuer.verifier();
    let good: Vec<String> = (0..100).map(|n| issuer.token(format!("user-{n}")).sign()).collect();
    for token in &good {
        assert!(verifier.verify(token).is_ok());
    }

    let mut random = Random(0x5eed);
    let signature = |token: &str| token.rfind('.').map(|dot| dot + 1).unwrap();
    for round in 0..count {
        // Half of the guesses differ from a valid token only in the signature.
        let mut token = good[round % good.len()].clone().into_bytes();
        let start = if round % 2 == 0 { signature(&good[round % good.len()]) } else { 0 };
        let number = random.next();
        for (index, byte) in token[start..].iter_mut().take(10).enumerate() {
            *byte = ALPHABET[usize::try_from(number >> (6 * index) & 63).unwrap()];
        }
        let token = String::from_utf8(token).unwrap();
        assert!(verifier.verify(&token).is_err(), "{token}");
    }
    assert_eq!(verifier.cached_tokens(), good.len());
    for token in &good {
        assert!(verifier.verify(token).is_ok());
    }
}
