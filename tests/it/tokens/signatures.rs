//! A signature with any change is refused.

use aws_lc_rs::signature::{UnparsedPublicKey, VerificationAlgorithm};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tonic_passport::jwt::{Algorithm, TokenError};

use super::Edge;
use crate::support::token::{self, KEYS, base64url, claims, good, key_for};

/// The order of each curve's group, big-endian.
const P256_ORDER: [u8; 32] = *b"\
    \xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
    \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
const P384_ORDER: [u8; 48] = *b"\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\
    \x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73";
/// The same for edwards25519, little-endian.
const ED25519_ORDER: [u8; 32] = *b"\
    \xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10";

type Change = fn(Vec<u8>) -> Vec<u8>;

/// A token of this algorithm, with its signature changed by `change`.
fn resigned(algorithm: Algorithm, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let key = key_for(algorithm);
    token::token("alice").signed_by(key).sign_with(|message| change(key.sign(message)))
}

#[tokio::test]
async fn a_signature_of_another_length_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    let changes: [(&str, Change); 7] = [
        ("empty", |_| Vec::new()),
        ("one byte", |signature| signature[..1].to_vec()),
        ("half", |signature| signature[..signature.len() / 2].to_vec()),
        ("without its last byte", |signature| signature[..signature.len() - 1].to_vec()),
        ("without its first byte", |signature| signature[1..].to_vec()),
        ("with a zero behind", |signature| [&*signature, &[0]].concat()),
        ("with a zero in front", |signature| [&[0], &*signature].concat()),
    ];
    for key in KEYS.iter() {
        for (case, change) in changes {
            let case = format!("{}: {case}", key.algorithm());
            let token = resigned(key.algorithm(), change);
            edge.refuses(&case, &token, TokenError::SignatureInvalid).await;
        }
    }
}

#[tokio::test]
async fn a_signature_with_one_flipped_bit_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    for key in KEYS.iter() {
        let bits = key.sign(b"").len() * 8;
        for bit in [0, 7, bits / 2 - 1, bits / 2, bits - 8, bits - 1] {
            let case = format!("{}: bit {bit}", key.algorithm());
            let token = resigned(key.algorithm(), |mut signature| {
                signature[bit / 8] ^= 0x80 >> (bit % 8);
                signature
            });
            edge.refuses(&case, &token, TokenError::SignatureInvalid).await;
        }
    }
}

#[tokio::test]
async fn a_signature_of_numbers_out_of_range_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    let curves = [(Algorithm::ES256, &P256_ORDER[..]), (Algorithm::ES384, &P384_ORDER[..])];
    for (algorithm, order) in curves {
        let zero = vec![0; order.len()];
        let ones = vec![0xff; order.len()];
        for (name, number) in [("0", &*zero), ("n", order), ("2^k - 1", &*ones)] {
            let r = resigned(algorithm, |own| [number, &own[order.len()..]].concat());
            let s = resigned(algorithm, |own| [&own[..order.len()], number].concat());
            let both = resigned(algorithm, |_| [number, number].concat());
            for (part, token) in [("r", r), ("s", s), ("r = s", both)] {
                let case = format!("{algorithm}: {part} = {name}");
                edge.refuses(&case, &token, TokenError::SignatureInvalid).await;
            }
        }
    }
}

#[tokio::test]
async fn an_eddsa_signature_has_one_form_only() {
    let edge = Edge::start(token::verifier()).await;
    let token = resigned(Algorithm::EdDSA, |mut signature| {
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(ED25519_ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        signature
    });
    edge.refuses("S + L", &token, TokenError::SignatureInvalid).await;
}

#[tokio::test]
async fn an_ecdsa_signature_in_der_is_refused() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1};
    let edge = Edge::start(token::verifier()).await;
    let cases: [(_, &'static dyn VerificationAlgorithm); 2] =
        [(Algorithm::ES256, &ECDSA_P256_SHA256_ASN1), (Algorithm::ES384, &ECDSA_P384_SHA384_ASN1)];
    for (algorithm, der) in cases {
        let key = key_for(algorithm);
        let token = token::token("alice").signed_by(key).sign_with(|message| {
            let signature = asn1(&key.sign(message));
            let public = UnparsedPublicKey::new(der, key.public_key_der());
            public.verify(message, &signature).expect("right in its own form");
            signature
        });
        edge.refuses(algorithm.as_str(), &token, TokenError::SignatureInvalid).await;
    }
}

/// The two halves of a signature as `SEQUENCE { INTEGER, INTEGER }`.
fn asn1(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut content = Vec::new();
    for number in [r, s] {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let sign: &[u8] = if number[zeros] < 0x80 { &[] } else { &[0] };
        let number = [sign, &number[zeros..]].concat();
        content.extend([2, u8::try_from(number.len()).unwrap()]);
        content.extend(number);
    }
    [&[0x30, u8::try_from(content.len()).unwrap()], &*content].concat()
}

#[tokio::test]
async fn parts_of_different_tokens_form_no_valid_token() {
    let edge = Edge::start(token::verifier()).await;
    for key in KEYS.iter() {
        let (alice, admin) = (key.token(&claims("alice")), key.token(&claims("admin")));
        let alice: Vec<&str> = alice.split('.').collect();
        let admin: Vec<&str> = admin.split('.').collect();
        let token = [alice[0], admin[1], alice[2]].join(".");
        edge.refuses(key.key_id(), &token, TokenError::SignatureInvalid).await;
    }
}

#[tokio::test]
async fn parts_in_another_order_form_no_valid_token() {
    let edge = Edge::start(token::verifier()).await;
    let token = good("alice");
    let parts: Vec<&str> = token.split('.').collect();
    let not_json = |part| TokenError::NotJson { part };
    let cases = [
        ([0, 2, 1], not_json("claims")),
        ([1, 0, 2], TokenError::ClaimMissing { claim: "iss" }),
        ([1, 2, 0], not_json("claims")),
        ([2, 0, 1], not_json("header")),
        ([2, 1, 0], not_json("header")),
    ];
    for (order, error) in cases {
        let token = order.map(|index| parts[index]).join(".");
        edge.refuses(&format!("{order:?}"), &token, error).await;
    }
}

#[tokio::test]
async fn a_key_of_the_same_name_is_not_the_same_key() {
    let edge = Edge::start(token::verifier()).await;
    for key in KEYS.iter() {
        let other = token::SigningKey::generate(key.algorithm(), key.key_id());
        let token = other.token(&claims("alice"));
        edge.refuses(key.key_id(), &token, TokenError::SignatureInvalid).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_token_with_any_character_changed_is_refused(
        algorithm in select(vec![Algorithm::ES256, Algorithm::EdDSA]),
        place in any::<Index>(),
        letter in prop_oneof![9 => "[A-Za-z0-9_.-]", 1 => any::<char>().prop_map(String::from)],
    ) {
        let token = key_for(algorithm).token(&claims("alice"));
        let verifier = token::verifier();
        prop_assert!(verifier.verify(&token).is_ok());

        let place = place.index(token.len());
        prop_assume!(token[place..=place] != letter);
        let mut changed = token;
        changed.replace_range(place..=place, &letter);
        prop_assert!(verifier.verify(&changed).is_err(), "{changed}");
    }

    #[test]
    fn arbitrary_text_is_refused(header in ".*", claims in ".*", signature: Vec<u8>) {
        let verifier = token::verifier();
        let token = format!("{}.{}.{}", base64url(&header), base64url(&claims), base64url(signature));
        prop_assert!(verifier.verify(&token).is_err());
        prop_assert!(verifier.verify(&header).is_err());
    }
}
