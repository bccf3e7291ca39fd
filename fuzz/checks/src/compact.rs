//! Whole tokens: the compact form, the header, the signature.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use tonic_passport::jwt::{TokenError, Verifier};

use super::token::{KEY_ID, base64url, signature, verify};
use super::{claims, json};

/// A decoder that accepts non-canonical encodings, which encoding again then reveals.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Takes the input as a token. As hardly any is signed, it is then checked with a valid signature.
pub fn holds(input: &[u8]) {
    let Ok(token) = str::from_utf8(input) else {
        return;
    };
    check(token);
    if let Some((message, _)) = token.rsplit_once('.') {
        check(&format!("{message}.{}", base64url(signature(message))));
    }
}

fn check(token: &str) {
    let answer = verify(token);
    if token.len() > Verifier::DEFAULT_MAX_TOKEN_SIZE {
        let max_size = Verifier::DEFAULT_MAX_TOKEN_SIZE;
        assert_eq!(answer.err(), Some(TokenError::TooLong { max_size }));
        return;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signed] = parts[..] else {
        assert_eq!(answer.err(), Some(TokenError::NotCompact));
        return;
    };

    let objects = [header, claims].map(|part| decode(part).as_deref().and_then(json::plain_object));
    let signed = decode(signed);
    let ([Some(header), Some(claims)], Some(signed)) = (objects, signed) else {
        match answer {
            Err(TokenError::NotBase64Url { part }) => {
                assert_eq!(decode(parts[index(part)]), None, "the {part} is base64url");
            }
            Err(TokenError::NotJson { part }) => {
                let object = decode(parts[index(part)]).as_deref().and_then(json::plain_object);
                assert_eq!(object, None, "the {part} is an object");
            }
            answer => panic!("not canonical, but {answer:?}"),
        }
        return;
    };

    let authentic = signed == signature(&parts[..2].join(".")) && is_acceptable(&header);
    match answer {
        Ok(token) => {
            assert!(authentic, "accepted with {header:?}");
            claims::assert_says(&token, &claims);
        }
        Err(TokenError::NotBase64Url { part } | TokenError::NotJson { part }) => {
            panic!("the {part} is good")
        }
        Err(error) if authentic => claims::assert_refusable(&claims, &error),
        Err(_) => {}
    }
}

/// The bytes of a part, if this is their canonical encoding.
fn decode(part: &str) -> Option<Vec<u8>> {
    LENIENT.decode(part).ok().filter(|bytes| base64url(bytes) == part)
}

fn index(part: &str) -> usize {
    match part {
        "header" => 0,
        "claims" => 1,
        _ => 2,
    }
}

/// Whether a token with this header can be valid.
fn is_acceptable(header: &Map<String, Value>) -> bool {
    let refused = ["crit", "b64", "zip", "jwk", "jku", "x5c", "x5u"];
    let typ = match header.get("typ") {
        None => true,
        Some(Value::String(typ)) => {
            let typ = typ.to_ascii_lowercase();
            ["at+jwt", "jwt", "application/at+jwt", "application/jwt"].contains(&typ.as_str())
        }
        Some(_) => false,
    };
    header.get("alg") == Some(&"HS256".into())
        && header.get("kid").is_none_or(|key_id| key_id == KEY_ID)
        && typ
        && !refused.iter().any(|name| header.contains_key(*name))
}
