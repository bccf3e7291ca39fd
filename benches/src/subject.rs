//! What is verified: tokens of 660 bytes.

use std::time::Duration;

use tonic_passport::jwt::{Algorithm, Verifier};
use tonic_passport::testing::{SigningKey, TestIssuer, TokenBuilder};

use crate::job::USER;

/// Whom the tokens are for.
pub const AUDIENCE: &str = "shop";

/// The size of every token in bytes.
const SIZE: usize = 660;

/// Tokens live longer than a run takes.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// An issuer with one key, and its users' tokens.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Signs the tokens.
    pub issuer: TestIssuer,
    /// What all tokens are padded with.
    padding: String,
}

impl Subject {
    /// An issuer of any name, with a new key.
    pub fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm, "2026-1");
        let issuer = TestIssuer::new("https://id.example.com").audience(AUDIENCE);
        Self::of(issuer.signed_by(&key))
    }

    /// This issuer.
    pub fn of(issuer: TestIssuer) -> Self {
        let signature = issuer.key().sign(b"").len();
        // A token grows by one or two bytes at a time: the size must not be missed.
        let padding = (0..SIZE)
            .map(|length| "x".repeat(length))
            .find(|padding| {
                let token = token(issuer.token(user(0)), 0, padding);
                token.sign_with(|_| vec![0; signature]).len() == SIZE
            })
            .expect("a token of the size");
        Self { issuer, padding }
    }

    /// A good token of the user with this number, of at most seven digits.
    pub fn token(&self, number: u32) -> String {
        token(self.issuer.token(user(number)), number, &self.padding).sign()
    }

    /// Verifies the tokens.
    pub fn verifier(&self) -> Verifier {
        self.issuer.verifier()
    }
}

/// The claims of a token: what becomes the four keys of the metadata.
fn token(token: TokenBuilder, number: u32, padding: &str) -> TokenBuilder {
    token
        .email(format!("{}{padding}@example.com", user(number)))
        .roles(["buyer"])
        .permissions(["orders:create"])
        .expires_in(LIFETIME)
}

fn user(number: u32) -> String {
    format!("{USER}-{number:07}")
}
