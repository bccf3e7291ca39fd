//! Changed and transplanted signatures (RFC 7518, section 3; RFC 8725, section 2.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic_passport::jwt::{Algorithm, TokenError};

use super::{Attack, MALLORY, alice, attack, not_json, parts};
use crate::support::token::{self, base64url, key, key_for};

/// The order of P-256's group, big-endian (SEC 2, section 2.4.2).
const P256_ORDER: [u8; 32] = *b"\
    \xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
    \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";

/// The order of P-521's group, big-endian (SEC 2, section 2.6.1).
const P521_ORDER: [u8; 66] = *b"\
    \x01\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfa\
    \x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\x01\x48\xf7\x09\xa5\xd0\
    \x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38\x64\x09";

/// The order of edwards25519's group, little-endian (RFC 8032, section 5.1).
const ED25519_ORDER: [u8; 32] = *b"\
    \xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10";

/// A token of this algorithm, with its signature changed by `change`.
fn resigned(algorithm: Algorithm, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let key = key_for(algorithm);
    alice().signed_by(key).sign_with(|message| change(key.sign(message)))
}

fn wrong(name: impl Into<String>, token: String) -> Attack {
    attack(name, token, TokenError::SignatureInvalid)
}

pub(super) fn lengths_and_forms() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let mut add = |what: &str, change: fn(Vec<u8>) -> Vec<u8>| {
            attacks.push(wrong(format!("{algorithm}, {what}"), resigned(algorithm, change)));
        };
        // CVE-2020-28042: an empty signature was compared with an empty one.
        add("empty", |_| Vec::new());
        add("a byte short", |own| own[..own.len() - 1].to_vec());
        add("a byte long", |own| [&*own, &[0]].concat());
        add("a zero in front", |own| [&[0], &*own].concat());
        add("twice", |own| own.repeat(2));
        add("backwards", |own| own.into_iter().rev().collect());
        add("its first bit flipped", |mut own| {
            own[0] ^= 0x80;
            own
        });
        add("its last bit flipped", |own| {
            let (last, before) = own.split_last().unwrap();
            [before, &[last ^ 1]].concat()
        });
        add("in hexadecimal", |own| {
            own.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
        });
        add("in base64url twice", |own| base64url(own).into_bytes());
    }
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
        let der = resigned(algorithm, |own| asn1(&own));
        attacks.push(wrong(format!("{algorithm} in DER"), der));
    }
    attacks.push(wrong("ES256, six kilobytes", resigned(Algorithm::ES256, |own| own.repeat(64))));
    attacks
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
    let long: &[u8] = if content.len() < 0x80 { &[] } else { &[0x81] };
    [&[0x30], long, &[u8::try_from(content.len()).unwrap()], &*content].concat()
}

/// Numbers out of range, which some verifiers accepted.
pub(super) fn numbers() -> Vec<Attack> {
    let n = P256_ORDER;
    let (zero, mut one) = ([0; 32], [0; 32]);
    one[31] = 1;
    let (before, after) = (minus(&n, &one), plus(&n, &one));
    let ones = [0xff; 32];
    let of_es256 = |r: Option<&[u8]>, s: Option<&[u8]>| {
        resigned(Algorithm::ES256, |own| {
            [r.unwrap_or(&own[..32]), s.unwrap_or(&own[32..])].concat()
        })
    };
    // CVE-2022-21449, "psychic signatures": zeros verified with every key.
    let mut attacks = vec![
        wrong("ES256, r = s = 0", of_es256(Some(&zero), Some(&zero))),
        wrong("ES256, r = 0", of_es256(Some(&zero), None)),
        wrong("ES256, s = 0", of_es256(None, Some(&zero))),
        wrong("ES256, r = s = n", of_es256(Some(&n), Some(&n))),
        wrong("ES256, r = n", of_es256(Some(&n), None)),
        wrong("ES256, s = n", of_es256(None, Some(&n))),
        wrong("ES256, r = 0, s = n", of_es256(Some(&zero), Some(&n))),
        wrong("ES256, r = n, s = 0", of_es256(Some(&n), Some(&zero))),
        wrong("ES256, r = s = 1", of_es256(Some(&one), Some(&one))),
        wrong("ES256, r = 0, s = 1", of_es256(Some(&zero), Some(&one))),
        wrong("ES256, r = n - 1", of_es256(Some(&before), None)),
        wrong("ES256, r = s = n + 1", of_es256(Some(&after), Some(&after))),
        wrong("ES256, r = s = 2^256 - 1", of_es256(Some(&ones), Some(&ones))),
        wrong(
            "ES256, r and s exchanged",
            resigned(Algorithm::ES256, |own| [&own[32..], &own[..32]].concat()),
        ),
    ];
    // Numbers that are equal modulo n encode the same signature. Only P-521 has unused bits for
    // the larger one.
    let of_es512 = |change: fn(&[u8], &[u8]) -> Vec<u8>| {
        resigned(Algorithm::ES512, |own| change(&own[..66], &own[66..]))
    };
    attacks.extend([
        wrong("ES512, r + n", of_es512(|r, s| [plus(r, &P521_ORDER), s.to_vec()].concat())),
        wrong("ES512, s + n", of_es512(|r, s| [r.to_vec(), plus(s, &P521_ORDER)].concat())),
    ]);

    let of_eddsa = |change: fn(&[u8], &[u8]) -> Vec<u8>| {
        resigned(Algorithm::EdDSA, |own| change(&own[..32], &own[32..]))
    };
    attacks.extend([
        // RFC 8032, section 5.1.7: S is less than L.
        wrong("EdDSA, S + L", of_eddsa(|r, s| [r, &plus_l(s)].concat())),
        wrong("EdDSA, S = L", of_eddsa(|r, _| [r, &ED25519_ORDER].concat())),
        wrong("EdDSA, S = 0", of_eddsa(|r, _| [r, &[0; 32]].concat())),
        wrong("EdDSA, R of order 1, S = 0", of_eddsa(|_, _| [vec![1], vec![0; 63]].concat())),
        wrong("EdDSA, R of order 4, S = 0", of_eddsa(|_, _| vec![0; 64])),
        wrong("EdDSA, R = 2^256 - 1", of_eddsa(|_, s| [&[0xff; 32], s].concat())),
        wrong("EdDSA, R and S exchanged", of_eddsa(|r, s| [s, r].concat())),
    ]);

    let n = modulus();
    let one = [vec![0; 255], vec![1]].concat();
    for (name, signature) in [
        ("0", vec![0; 256]),
        ("1", one.clone()),
        ("n", n.clone()),
        ("n - 1", minus(&n, &one)),
        ("2^2048 - 1", vec![0xff; 256]),
    ] {
        let token = resigned(Algorithm::RS256, |_| signature);
        attacks.push(wrong(format!("RS256, a signature of {name}"), token));
    }
    attacks
}

/// Valid signatures of other texts.
pub(super) fn other_messages() -> Vec<Attack> {
    let [header, claims, signature] = parts();
    let over = |name: &str, message: &[u8]| {
        let signature = base64url(key().sign(message));
        wrong(name, format!("{header}.{claims}.{signature}"))
    };
    let message = format!("{header}.{claims}");
    let texts = format!("{}.{}", super::header(), super::claims());
    let admin = alice().claim("sub", "admin").sign();
    let admin: Vec<&str> = admin.split('.').collect();
    let foreign = alice().signed_by(&MALLORY).sign();
    vec![
        over("a signature without the dot", message.replace('.', "").as_bytes()),
        over("a signature with a dot behind", format!("{message}.").as_bytes()),
        over("a signature with a newline behind", format!("{message}\n").as_bytes()),
        over("a signature of the claims", claims.as_bytes()),
        over("a signature of the header", header.as_bytes()),
        over("a signature of what is not encoded", texts.as_bytes()),
        over("a signature of nothing", b""),
        over("a signature of the hash", digest(&SHA256, message.as_bytes()).as_ref()),
        over("a signature in other letter case", message.to_lowercase().as_bytes()),
        wrong("another's claims", format!("{header}.{}.{signature}", admin[1])),
        wrong("another's signature", format!("{header}.{claims}.{}", admin[2])),
        wrong("a key of the same id", foreign),
        attack(
            "header and claims exchanged",
            format!("{claims}.{header}.{signature}"),
            TokenError::ClaimMissing { claim: "iss" },
        ),
        attack("parts backwards", format!("{signature}.{claims}.{header}"), not_json("header")),
    ]
}

/// The modulus of the RS256 key.
fn modulus() -> Vec<u8> {
    let jwk = key_for(Algorithm::RS256).jwk();
    URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap()
}

/// The sum of two big-endian numbers of the same length, in that length.
fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut sum = a.to_vec();
    let mut carry = 0;
    for (byte, other) in sum.iter_mut().zip(b).rev() {
        let total = u16::from(*byte) + u16::from(*other) + carry;
        *byte = total.to_le_bytes()[0];
        carry = total >> 8;
    }
    assert_eq!(carry, 0, "the sum is too long");
    sum
}

/// The difference of two such numbers. The first must be greater.
fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut difference = a.to_vec();
    let mut borrow = false;
    for (byte, other) in difference.iter_mut().zip(b).rev() {
        let (less, first) = byte.overflowing_sub(*other);
        let (less, second) = less.overflowing_sub(u8::from(borrow));
        *byte = less;
        borrow = first || second;
    }
    assert!(!borrow, "the difference is negative");
    difference
}

/// S + L, little-endian.
fn plus_l(s: &[u8]) -> Vec<u8> {
    let reversed = |number: &[u8]| number.iter().rev().copied().collect::<Vec<u8>>();
    reversed(&plus(&reversed(s), &reversed(&ED25519_ORDER)))
}

/// JWS does not require a low s. Both forms are valid signatures of the owner of the key, and
/// revocation does not depend on the bytes of a token.
#[test]
fn a_high_s_ecdsa_signature_is_accepted() {
    for (algorithm, order) in
        [(Algorithm::ES256, &P256_ORDER[..]), (Algorithm::ES512, &P521_ORDER[..])]
    {
        let key = key_for(algorithm);
        let token = token::token("alice").signed_by(key).sign_with(|message| {
            let signature = key.sign(message);
            let (r, s) = signature.split_at(order.len());
            [r, &minus(order, s)].concat()
        });
        assert_eq!(token::verifier().verify(&token).map(drop), Ok(()), "{algorithm}");
    }
}
