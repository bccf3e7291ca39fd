//! Only the compact serialization is accepted, in exactly one encoding.

use serde_json::json;
use tonic_passport::jwt::{TokenError, Verifier};

use super::{Edge, MALFORMED};
use crate::support::token::{self, base64url, claims, claims_with, good, header, key, sign_raw};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const PARTS: [&str; 3] = ["header", "claims", "signature"];

fn split(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

#[tokio::test]
async fn a_token_has_three_parts() {
    let edge = Edge::start(token::verifier()).await;
    let token = good("alice");
    let [header, claims, signature] = split(&token);
    let not_json = |part| TokenError::NotJson { part };
    let cases = [
        ("one part", header.to_owned(), TokenError::NotCompact),
        ("two parts", format!("{header}.{claims}"), TokenError::NotCompact),
        ("four parts", format!("{token}.{signature}"), TokenError::NotCompact),
        ("a dot at the end", format!("{token}."), TokenError::NotCompact),
        ("a dot in front", format!(".{token}"), TokenError::NotCompact),
        ("two dots", format!("{header}..{claims}.{signature}"), TokenError::NotCompact),
        ("five parts", format!("{token}.{claims}.{signature}"), TokenError::NotCompact),
        ("a dot", ".".to_owned(), TokenError::NotCompact),
        ("three empty parts", "..".to_owned(), not_json("header")),
        ("no header", format!(".{claims}.{signature}"), not_json("header")),
        ("no claims", format!("{header}..{signature}"), not_json("claims")),
        ("no signature", format!("{header}.{claims}."), TokenError::SignatureInvalid),
    ];
    for (case, token, error) in cases {
        edge.refuses(case, &token, error).await;
    }
}

#[tokio::test]
async fn a_token_in_json_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    let token = good("alice");
    let [header, claims, signature] = split(&token);
    let signed = json!({ "protected": header, "signature": signature });
    let cases = [
        ("flattened", json!({ "payload": claims, "protected": header, "signature": signature })),
        ("general", json!({ "payload": claims, "signatures": [signed] })),
    ];
    for (case, token) in cases {
        let token = token.to_string();
        assert_eq!(edge.verifier.verify(&token).err(), Some(TokenError::NotCompact), "{case}");
        edge.turns_away(case, &[&format!("Bearer {token}")], MALFORMED).await;
    }
}

#[tokio::test]
async fn invalid_base64url_is_refused_in_every_part() {
    let edge = Edge::start(token::verifier()).await;
    let token = good("alice");
    for (index, part) in PARTS.into_iter().enumerate() {
        let error = TokenError::NotBase64Url { part };
        for letter in ['=', '+', '/', '~', '%', '"'] {
            for place in ["start", "middle", "end"] {
                let case = format!("{letter:?} at the {place} of the {part}");
                edge.refuses(&case, &insert(&token, index, place, letter), error.clone()).await;
            }
        }
        for letter in [' ', '\t', ',', '\r', '\n', '\0', '\u{a0}', 'é'] {
            let case = format!("{letter:?} in the middle of the {part}");
            let token = insert(&token, index, "middle", letter);
            assert_eq!(edge.verifier.verify(&token).err(), Some(error.clone()), "{case}");
            if matches!(letter, ' ' | '\t' | ',') {
                edge.turns_away(&case, &[&format!("Bearer {token}")], MALFORMED).await;
            }
        }
    }
}

fn insert(token: &str, index: usize, place: &str, letter: char) -> String {
    let mut parts = split(token).map(str::to_owned);
    let part = &mut parts[index];
    let at = match place {
        "start" => 0,
        "middle" => part.len() / 2,
        _ => part.len(),
    };
    part.insert(at, letter);
    parts.join(".")
}

#[tokio::test]
async fn unused_bits_that_are_set_are_refused_in_every_part() {
    let edge = Edge::start(token::verifier()).await;
    for unused in [2, 4] {
        // 64 bytes leave four unused bits in the last character of the signature.
        let header = padded(&header(key()), unused);
        let claims = padded(&claims("alice"), unused);
        let token = sign_raw(key(), header, claims);
        edge.accepts("no such bits", &token).await;

        for (index, part) in PARTS.into_iter().enumerate() {
            let unused = if part == "signature" { 4 } else { unused };
            for bits in 1..1 << unused {
                let mut parts = split(&token).map(str::to_owned);
                let last = parts[index].pop().unwrap();
                let value = ALPHABET.iter().position(|own| char::from(*own) == last).unwrap();
                parts[index].push(char::from(ALPHABET[value | bits]));

                let case = format!("{bits:b} of {unused} unused bits in the {part}");
                let error = TokenError::NotBase64Url { part };
                edge.refuses(&case, &parts.join("."), error).await;
            }
        }
    }
}

/// The JSON text padded with spaces, so that the last base64url character has this many unused
/// bits.
fn padded(object: &serde_json::Value, unused: usize) -> String {
    let mut text = object.to_string();
    while text.len() * 8 % 6 + unused != 6 {
        text.push(' ');
    }
    text
}

#[tokio::test]
async fn a_token_over_the_maximum_size_is_refused_unread() {
    let edge = Edge::start(token::verifier()).await;
    let max_size = Verifier::DEFAULT_MAX_TOKEN_SIZE;
    let token = key().token(&claims_with(json!({ "padding": "x".repeat(max_size) })));
    edge.refuses("over 8 KiB", &token, TokenError::TooLong { max_size }).await;
}

#[test]
fn the_maximum_size_is_exact() {
    let token = good("alice");
    let verify_up_to = |max_size| token::verifier().max_token_size(max_size).verify(&token);
    assert!(verify_up_to(token.len()).is_ok());

    let max_size = token.len() - 1;
    assert_eq!(verify_up_to(max_size).err(), Some(TokenError::TooLong { max_size }));
}

#[test]
fn a_megabyte_of_dots_is_refused() {
    let dots = ".".repeat(1 << 20);
    let max_size = Verifier::DEFAULT_MAX_TOKEN_SIZE;
    assert_eq!(token::verifier().verify(&dots).err(), Some(TokenError::TooLong { max_size }));

    let verifier = token::verifier().max_token_size(usize::MAX);
    assert_eq!(verifier.verify(&dots).err(), Some(TokenError::NotCompact));
}

#[test]
fn a_token_is_not_decoded_twice() {
    let [header, claims, signature] = split(&good("alice")).map(base64url);
    let token = format!("{header}.{claims}.{signature}");
    let error = TokenError::NotJson { part: "header" };
    assert_eq!(token::verifier().verify(&token).err(), Some(error));
}
