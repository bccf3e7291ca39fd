//! The tokens that are verified, of 660 bytes each.

use std::time::Duration;

use tonic_passport::jwt::{Algorithm, Verifier};
use tonic_passport::testing::{SigningKey, TestIssuer, TokenBuilder};

use crate::job::USER;

/// The audience of the tokens.
pub const AUDIENCE: &str = "shop";

/// The size of every token in bytes.
const SIZE: usize = 660;

/// The lifetime of tokens, which is longer than a run.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// An issuer with one key, and its users' tokens.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Signs the tokens.
    pub issuer: TestIssuer,
    /// The padding of all tokens.
    padding: String,
}

impl Subject {
    /// An issuer of any name, with a new key.
    pub fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm, "2026-1");
        let issuer = TestIssuer::new("https://id.example.com").audience(AUDIENCE);
        Self::of(issuer.signed_by(&key))
    }

    /// Uses this issuer.
    pub fn of(issuer: TestIssuer) -> Self {
        let signature = issuer.key().sign(b"").len();
        // A token grows by one or two bytes at a time, so some lengths cannot be reached.
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

    /// Returns a verifier of the tokens.
    pub fn verifier(&self) -> Verifier {
        self.issuer.verifier()
    }
}

/// The claims of a token, which become four metadata keys.
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
