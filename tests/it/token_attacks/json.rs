//! Header and claims are strict JSON objects, without duplicate names (RFC 8725, sections 2.4 and
//! 3.7; RFC 7515, section 4; RFC 7519, section 4).

use serde_json::{Value, json};

use super::{Attack, attack, claims, header, not_json};
use crate::support::token::{key, sign_raw, with_member};

/// A token with this text as a part, signed by the issuer.
fn with(part: &str, text: Vec<u8>) -> String {
    match part {
        "header" => sign_raw(key(), text, claims().to_string()),
        _ => sign_raw(key(), header().to_string(), text),
    }
}

pub(super) fn objects() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (part, object) in [("header", header()), ("claims", claims())] {
        for (what, text) in not_objects(&object) {
            attacks.push(attack(
                format!("{what} for the {part}"),
                with(part, text),
                not_json(part),
            ));
        }
    }
    attacks
}

/// Texts that are not a strict object, but that a lenient parser reads as this one.
fn not_objects(object: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let text = object.to_string();
    let around = |before: &[u8], after: &[u8]| [before, text.as_bytes(), after].concat();
    let with = |value: &[u8]| [b"{\"x\":", value, b",", &text.as_bytes()[1..]].concat();
    // serde_json limits the depth to 128. Parsers without a limit overflow the stack.
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    vec![
        ("a blank", b" ".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("an object in an array", around(b"[", b"]")),
        ("an object in a string", json!(text).to_string().into()),
        ("an object without its end", text.as_bytes()[..text.len() - 1].to_vec()),
        ("two objects", around(b"", b"{}")),
        ("an object and a brace", around(b"", b"}")),
        ("an object and NUL", around(b"", b"\0")),
        ("an object and a comment", around(b"", b"//")),
        ("an object after a byte order mark", around(b"\xef\xbb\xbf", b"")),
        // RFC 7464.
        ("an object in a text sequence", around(b"\x1e", b"\n")),
        ("an object behind a guard against inclusion", around(b")]}'\n", b"")),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("single quotes", text.replace('"', "'").into()),
        ("names without quotes", text.replace("{\"", "{").replace("\":", ":").into()),
        ("a comma too many", text.replace('}', ",}").into()),
        ("a byte that is no UTF-8", with(b"\"\xff\"")),
        // RFC 3629, section 10.
        ("an overlong slash", with(b"\"\xc0\xaf\"")),
        ("a surrogate in UTF-8", with(b"\"\xed\xa0\x80\"")),
        ("half an escaped surrogate", with(br#""\ud800""#)),
        ("a newline in a string", with(b"\"\n\"")),
        ("an unknown escape", with(br#""\x41""#)),
        ("not a number", with(b"NaN")),
        ("infinity", with(b"-Infinity")),
        ("a number beyond all", with(b"1e400")),
        ("a thousand brackets", with(deep.as_bytes())),
    ]
}

/// Duplicate names. Parsers differ in whether they use the first or the last (RFC 8259, section 4),
/// so that one could check a value that another does not use.
pub(super) fn duplicates() -> Vec<Attack> {
    let (header, claims) = (header(), claims());
    let before = |object: &Value, name: &str, value: &str| with_member(object, name, value);
    let after = |object: &Value, name: &str, value: &str| {
        let text = object.to_string();
        format!("{},\"{name}\":{value}}}", &text[..text.len() - 1])
    };
    let in_header = [
        ("alg none, and then alg", before(&header, "alg", r#""none""#)),
        ("alg, and then alg none", after(&header, "alg", r#""none""#)),
        ("alg, and then alg escaped", after(&header, r"\u0061lg", r#""HS256""#)),
        ("kid of another key, and then kid", before(&header, "kid", r#""hs256""#)),
        ("the same kid twice", before(&header, "kid", r#""es256""#)),
        ("typ, and then typ of a proof", after(&header, "typ", r#""dpop+jwt""#)),
        ("crit twice", before(&after(&header, "crit", "[]").parse().unwrap(), "crit", "[]")),
    ];
    let in_claims = [
        ("iss, and then a foreign iss", after(&claims, "iss", r#""https://evil.example""#)),
        ("a foreign iss, and then iss", before(&claims, "iss", r#""https://evil.example""#)),
        ("sub, and then sub admin", after(&claims, "sub", r#""admin""#)),
        ("sub, and then sub escaped", after(&claims, r"s\u0075b", r#""admin""#)),
        ("aud, and then a foreign aud", after(&claims, "aud", r#""billing""#)),
        ("an early exp, and then exp", before(&claims, "exp", "1")),
        ("exp, and then a late exp", after(&claims, "exp", "9999999999")),
        ("nbf twice", before(&after(&claims, "nbf", "1").parse().unwrap(), "nbf", "1")),
        ("iat twice", after(&claims, "iat", "1")),
        ("roles, and then roles admin", after(&claims, "roles", r#"["admin"]"#)),
        ("permissions twice", after(&claims, "permissions", "[]")),
        ("email twice", after(&claims, "email", r#""admin@example.com""#)),
        (
            "a name twice in an object",
            before(&claims, "realm", r#"{"roles":[],"roles":["admin"]}"#),
        ),
        ("a name twice in an array", before(&claims, "realms", r#"[{"a":1,"a":2}]"#)),
        ("an empty name twice", before(&claims, "", r#"1,"":2"#)),
    ];
    let header = in_header.map(|(name, text)| (name, "header", text));
    let claims = in_claims.map(|(name, text)| (name, "claims", text));
    let all = header.into_iter().chain(claims);
    all.map(|(name, part, text)| attack(name, with(part, text.into()), not_json(part))).collect()
}
