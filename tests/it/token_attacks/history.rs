//! Tokens that were valid once, and are in the cache of the warm verifier.

use std::time::Duration;

use tonic_passport::jwt::{Algorithm, RevocationList, TokenError};
use tonic_passport::testing::IdentityProvider;

use super::{Attack, ISSUED, NOW, PARTNER, SigningKey, alice, attack, partners, time, unknown_key};
use crate::support::token::{self, ISSUER};

/// The tokens, and the keys of the issuer whose keys change.
pub(super) struct Past {
    pub(super) attacks: Vec<Attack>,
    kept: SigningKey,
}

impl Past {
    /// Makes the provider publish its old keys.
    pub(super) fn begin(provider: &IdentityProvider) -> Self {
        let [kept, withdrawn, replaced] = ["kept", "withdrawn", "replaced"].map(key);
        provider.publish([&kept, &withdrawn, &replaced]);
        let of_provider = |key| provider.token("alice").issued_at(time(ISSUED)).signed_by(key);
        // Not revoked, so that the withdrawn key is the only reason.
        let later = |key| of_provider(key).issued_at(time(ISSUED + 10));
        let bob = || token::token("bob").issued_at(time(ISSUED));
        let seconds = Duration::from_secs;
        let attacks = [
            // With 30 seconds of leeway.
            ("expired to the second", alice().expires_in(seconds(90)), TokenError::Expired),
            ("expired when it was issued", alice().expires_in(seconds(0)), TokenError::Expired),
            ("revoked by its id", alice().claim("jti", "stolen"), TokenError::Revoked),
            (
                "the partner's, revoked by its id",
                partners().claim("jti", "lost"),
                TokenError::Revoked,
            ),
            ("revoked with all of its user's", bob(), TokenError::Revoked),
            ("revoked, and of nobody knows when", bob().without_claim("iat"), TokenError::Revoked),
            ("revoked, and expired", bob().expires_in(seconds(90)), TokenError::Revoked),
            ("revoked with all of its issuer's", of_provider(&kept), TokenError::Revoked),
            ("of a key that was withdrawn", later(&withdrawn), unknown_key("withdrawn")),
            ("of a key whose id is another's now", later(&replaced), TokenError::SignatureInvalid),
        ]
        .map(|(name, token, error)| attack(format!("once good, {name}"), token.sign(), error));
        Self { attacks: attacks.into(), kept }
    }

    /// Rotates the keys and revokes tokens. Returns a valid token of the provider's newest key.
    pub(super) fn end(&self, provider: &IdentityProvider, revocations: &RevocationList) -> String {
        revocations.revoke_token(ISSUER, "stolen", time(NOW + 300));
        revocations.revoke_token(PARTNER, "lost", time(NOW + 300));
        revocations.revoke_subject(ISSUER, "bob", time(ISSUED));
        revocations.revoke_issuer(provider.url(), time(ISSUED));
        let new = key("new");
        provider.publish([&self.kept, &key("replaced"), &new]);
        provider.token("alice").issued_at(time(ISSUED + 60)).signed_by(&new).sign()
    }
}

fn key(id: &str) -> SigningKey {
    SigningKey::generate(Algorithm::ES256, id)
}
