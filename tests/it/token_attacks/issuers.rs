//! Confusion of issuers (RFC 8725, section 3.8; for clients, RFC 9207).

use serde_json::json;
use tonic_passport::jwt::{Algorithm, TokenError};

use super::{
    Attack, MALLORY, PARTNER, PARTNER_KEYS, alice, attack, invalid, partners, unknown_issuer,
    unknown_key,
};
use crate::support::token::{AUDIENCE, ISSUER, key, key_for};

/// Names that resemble that of the issuer. An attacker may own an issuer of such a name.
pub(super) fn names(url: &str) -> Vec<Attack> {
    [
        ("with a slash", "https://id.example.com/"),
        ("with a dot", "https://id.example.com."),
        ("with a port", "https://id.example.com:443"),
        ("with a path", "https://id.example.com/realms/shop"),
        ("with an empty query", "https://id.example.com?"),
        ("with an empty fragment", "https://id.example.com#"),
        ("with a blank", "https://id.example.com "),
        ("with NUL", "https://id.example.com\0"),
        ("with a line", "https://id.example.com\r\nx-user-id: admin"),
        ("in capitals", "HTTPS://ID.EXAMPLE.COM"),
        ("without its scheme", "id.example.com"),
        ("by another scheme", "http://id.example.com"),
        // CVE-2024-53861: a substring of the name was accepted.
        ("a part of it", "https://id.example.co"),
        ("a letter", "h"),
        ("a name below another's", "https://id.example.com.evil.example"),
        ("as a user name", "https://id.example.com@evil.example"),
        ("as a path", "https://evil.example/https://id.example.com"),
        ("with a Cyrillic i", "https://\u{456}d.example.com"),
        ("in Punycode", "https://xn--d-6tb.example.com"),
        ("with a full-width dot", "https://id\u{ff0e}example.com"),
        ("with a soft hyphen", "https://id.exam\u{ad}ple.com"),
        ("percent-encoded", "https://id%2Eexample.com"),
        ("a pattern", "https://*.example.com"),
        ("both names", "https://id.example.com https://partner.example.com"),
        ("the audience", AUDIENCE),
        // The attacker serves its discovery document and its keys.
        ("the attacker's own", url),
    ]
    .map(|(name, iss)| {
        let token = alice().claim("iss", iss).signed_by(&MALLORY).sign();
        attack(format!("not the issuer's name, {name}"), token, unknown_issuer(iss))
    })
    .into()
}

/// The name of one issuer, and the key of another.
pub(super) fn signed_across() -> Vec<Attack> {
    let [partners_key, secret] = &*PARTNER_KEYS;
    let eddsa = key_for(Algorithm::EdDSA);
    let wrong = TokenError::SignatureInvalid;
    let both = json!([ISSUER, PARTNER]);
    let no_key = TokenError::KeyUnknown { key_id: None };
    [
        (
            "ours by the partner's key of the same id",
            alice().signed_by(partners_key),
            wrong.clone(),
        ),
        ("the partner's by our key of the same id", partners().signed_by(key()), wrong.clone()),
        ("ours by the partner's secret", alice().signed_by(secret), unknown_key("hs256")),
        ("the partner's by another key of ours", partners().signed_by(eddsa), unknown_key("eddsa")),
        (
            "ours by the partner's key, no kid",
            alice().signed_by(partners_key).without_header("kid"),
            wrong.clone(),
        ),
        (
            "the partner's by our key, no kid",
            partners().signed_by(key()).without_header("kid"),
            wrong,
        ),
        (
            "the partner's by our EdDSA key, no kid",
            partners().signed_by(eddsa).without_header("kid"),
            no_key,
        ),
        (
            "ours for the partner's audience",
            alice().claim("aud", "billing"),
            TokenError::AudienceMismatch,
        ),
        (
            "the partner's for our audience",
            partners().claim("aud", AUDIENCE),
            TokenError::AudienceMismatch,
        ),
        ("of both issuers", alice().claim("iss", both), invalid("iss", "not a string")),
    ]
    .map(|(name, token, error)| attack(name, token.sign(), error))
    .into()
}
