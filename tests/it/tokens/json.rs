//! Header and claims are strict JSON objects: no duplicate names, no trailing data.

use serde_json::{Value, json};
use tonic_passport::jwt::TokenError;

use super::Edge;
use crate::support::token::{self, claims, claims_with, header, key, sign_raw, with_member};

/// Texts that are not a strict object, derived from one.
fn not_objects(object: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let text = object.to_string();
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let around = |before: &[u8], after: &[u8]| [before, text.as_bytes(), after].concat();
    let with = |name: &str, value: &[u8]| {
        [b"{\"", name.as_bytes(), b"\":", value, b",", &text.as_bytes()[1..]].concat()
    };
    vec![
        ("an array", around(b"[", b"]")),
        ("a text", json!(text).to_string().into()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("blank", b" ".to_vec()),
        ("cut off", text.as_bytes()[..text.len() - 1].to_vec()),
        ("an object after it", around(b"", b"{}")),
        ("a bracket after it", around(b"", b"}")),
        ("a letter after it", around(b"", b"x")),
        ("NUL after it", around(b"", b"\0")),
        ("a byte order mark", around(b"\xef\xbb\xbf", b"")),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a comment", around(b"/**/", b"")),
        ("single quotes", text.replace('"', "'").into()),
        ("a comma at the end", text.replace('}', ",}").into()),
        ("bytes that are no UTF-8", with("x", b"\"\xff\"")),
        ("an overlong slash", with("x", b"\"\xc0\xaf\"")),
        ("a surrogate in UTF-8", with("x", b"\"\xed\xa0\x80\"")),
        ("half an escaped surrogate", with("x", br#""\ud800""#)),
        ("a name that is no UTF-8", [b"{\"\xff\":1,", &text.as_bytes()[1..]].concat()),
        ("a raw control character", with("x", b"\"\n\"")),
        ("NaN", with("x", b"NaN")),
        ("infinity", with("x", b"1e400")),
        ("a thousand brackets", with("x", deep.as_bytes())),
        ("a name twice", with("x", br#"1,"x":1"#)),
        ("a name twice, once escaped", with("x", br#"1,"\u0078":1"#)),
        ("a name twice in an object", with("x", br#"{"y":1,"y":1}"#)),
        ("a name twice in an array", with("x", br#"[{"y":1,"y":1}]"#)),
    ]
}

#[tokio::test]
async fn a_header_that_is_not_a_strict_object_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    for (case, header) in not_objects(&header(key())) {
        let token = sign_raw(key(), header, claims("alice").to_string());
        edge.refuses(case, &token, TokenError::NotJson { part: "header" }).await;
    }
}

#[tokio::test]
async fn claims_that_are_not_a_strict_object_are_refused() {
    let edge = Edge::start(token::verifier()).await;
    for (case, claims) in not_objects(&claims("alice")) {
        let token = sign_raw(key(), header(key()).to_string(), claims);
        edge.refuses(case, &token, TokenError::NotJson { part: "claims" }).await;
    }
}

#[tokio::test]
async fn a_duplicate_name_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    let good = header(key());
    for name in ["alg", "kid", "typ"] {
        let header = with_member(&good, name, &good[name].to_string());
        let token = sign_raw(key(), header, claims("alice").to_string());
        edge.refuses(name, &token, TokenError::NotJson { part: "header" }).await;
    }
    let claims = claims("alice");
    for name in ["iss", "aud", "sub", "exp", "iat", "roles", "permissions", "email"] {
        let claims = with_member(&claims, name, &claims[name].to_string());
        let token = sign_raw(key(), header(key()).to_string(), claims);
        edge.refuses(name, &token, TokenError::NotJson { part: "claims" }).await;
    }
}

#[tokio::test]
async fn unknown_claims_may_have_any_value() {
    let edge = Edge::start(token::verifier()).await;
    let others = json!({
        "amr": ["pwd", 1, null],
        "nested": { "a": { "a": { "a": [[[{}]]] } } },
        "": "",
        "ROLES": ["admin"],
        "number": -1.5e10,
    });
    edge.accepts("other claims", &key().token(&claims_with(others))).await;
}
