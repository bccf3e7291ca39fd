//! Only compact JWS is accepted (RFC 7515, section 3.1), not JWE (RFC 7516). CVE-2022-3102,
//! CVE-2022-39227 and CVE-2023-51774 confused them.

use serde_json::json;
use tonic_passport::jwt::{Algorithm, TokenError, Verifier};

use super::{Attack, alice, attack, claims, good, header, not_base64url, not_json, parts, sealed};
use crate::support::token::base64url;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn serializations() -> Vec<Attack> {
    let token = good(Algorithm::ES256);
    let [header, claims, signature] = parts();
    let protected = json!({ "protected": header, "signature": signature });
    // RFC 7516, section 7.1: header, encrypted key, initialization vector, ciphertext, tag.
    let encrypted = base64url(json!({ "alg": "dir", "enc": "A256GCM" }).to_string());
    let not_compact = [
        ("nothing", String::new()),
        ("a header alone", header.to_owned()),
        ("no signature, and no dot for it", format!("{header}.{claims}")),
        ("a fourth part", format!("{token}.{signature}")),
        ("a dot at the end", format!("{token}.")),
        ("a dot in front", format!(".{token}")),
        ("a single dot", ".".to_owned()),
        ("a JWE of five parts", format!("{encrypted}..{claims}.{signature}.{signature}")),
        ("a JWE of parts of ours", format!("{header}.{header}.{header}.{claims}.{signature}")),
        ("a JWE without its tag", format!("{encrypted}.{header}.{claims}.{signature}")),
        ("two tokens with a dot between them", format!("{token}.{token}")),
        ("two tokens with a comma between them", format!("{token},{token}")),
        ("two tokens with a blank between them", format!("{token} {token}")),
        (
            "a flattened JSON serialization",
            json!({ "payload": claims, "protected": header, "signature": signature }).to_string(),
        ),
        (
            "a general JSON serialization",
            json!({ "payload": claims, "signatures": [protected] }).to_string(),
        ),
        ("percent-encoded dots", token.replace('.', "%2E")),
        ("ideographic full stops for dots", token.replace('.', "\u{3002}")),
        ("full-width full stops for dots", token.replace('.', "\u{ff0e}")),
    ];
    let mut attacks: Vec<_> = not_compact
        .into_iter()
        .map(|(name, token)| attack(name, token, TokenError::NotCompact))
        .collect();

    let (in_header, in_signature) = (not_base64url("header"), not_base64url("signature"));
    attacks.extend([
        attack("two dots", "..", not_json("header")),
        attack("no header", format!(".{claims}.{signature}"), not_json("header")),
        // RFC 7515, appendix F.
        attack("a detached payload", format!("{header}..{signature}"), not_json("claims")),
        attack("a token in quotes", format!("\"{token}\""), in_header.clone()),
        attack("a token in JSON", format!("{{\"access_token\":\"{token}\"}}"), in_header.clone()),
        attack("the scheme twice", format!("Bearer {token}"), in_header.clone()),
        attack("a query parameter", format!("access_token={token}"), in_header.clone()),
        // RFC 9901: an SD-JWT ends with a tilde, or with disclosures.
        attack("an SD-JWT", format!("{token}~"), in_signature.clone()),
        attack("an SD-JWT with a disclosure", format!("{token}~{claims}~"), in_signature),
        attack("a PASETO", format!("v4.public.{claims}{signature}"), in_header),
    ]);
    attacks
}

/// Encodings that a lenient decoder accepts as equal to another (RFC 7515, section 2; RFC 4648,
/// section 3). Where a header or claims are encoded so, the issuer signed that text.
pub(super) fn alphabet() -> Vec<Attack> {
    let [header, claims] = [header(), claims()].map(|object| with_room(object.to_string()));
    let [.., signature] = parts();
    let with_part = |part, text: &str| match part {
        "header" => sealed(text, &claims),
        "claims" => sealed(&header, text),
        _ => format!("{}.{text}", good(Algorithm::ES256).rsplit_once('.').unwrap().0),
    };
    let middle = |text: &str, letters: &str| {
        let (before, after) = text.split_at(text.len() / 2);
        format!("{before}{letters}{after}")
    };
    let mut attacks = Vec::new();
    for (part, text) in [("header", &*header), ("claims", &claims), ("signature", signature)] {
        let mut add = |what: &str, text: String| {
            let name = format!("{what} in the {part}");
            attacks.push(attack(name, with_part(part, &text), not_base64url(part)));
        };
        add("padding", format!("{text}{}", &"===="[text.len() % 4..]));
        add("padding that is too long", format!("{text}===="));
        add("percent-encoded padding", format!("{text}%3D"));
        add("a plus sign", middle(text, "++++"));
        add("a slash", middle(text, "////"));
        add("a blank", middle(text, " "));
        add("a tab", middle(text, "\t"));
        // MIME wraps lines (RFC 2045, section 6.8), and its decoders skip the line breaks.
        add("a wrapped line", middle(text, "\r\n"));
        add("a newline", format!("{text}\n"));
        add("NUL", format!("{text}\0"));
        add("a byte order mark", format!("\u{feff}{text}"));
        add("a zero-width space", middle(text, "\u{200b}"));
        add("a letter too many", format!("{text}{}", &"AAAAA"[text.len() % 4..]));
        add("the one set bit of unused bits", with_unused_bits(text));
    }
    attacks
}

/// The text in base64url, padded with spaces so that the last character has unused bits.
fn with_room(mut text: String) -> String {
    while text.len().is_multiple_of(3) {
        text.push(' ');
    }
    base64url(text)
}

/// The text with an unused bit of its last character set.
fn with_unused_bits(text: &str) -> String {
    let mut text = text.to_owned();
    let last = text.pop().unwrap();
    let value = ALPHABET.iter().position(|own| char::from(*own) == last).unwrap();
    text.push(char::from(ALPHABET[value | 1]));
    text
}

/// CVE-2025-22868, CVE-2025-27144, CVE-2025-30204: memory was allocated for each dot.
pub(super) fn sizes() -> Vec<Attack> {
    let max_size = Verifier::DEFAULT_MAX_TOKEN_SIZE;
    let too_long = TokenError::TooLong { max_size };
    let filled = alice().claim("filler", "x".repeat(max_size)).sign();
    vec![
        attack("more than the cap", filled, too_long.clone()),
        attack("a megabyte of dots", ".".repeat(1 << 20), too_long.clone()),
        attack("a megabyte of letters", "A".repeat(1 << 20), too_long),
    ]
}
