//! Public keys on elliptic curves: ECDSA and Ed25519.

use aws_lc_rs::signature::{self, ParsedPublicKey};

use crate::jwt::algorithm::Algorithm;
use crate::jwt::error::KeyError;

/// The points of small order on edwards25519, each as its y coordinate, little-endian, without the
/// sign of x. Anyone can forge signatures that verify with such a key.
const SMALL_ORDER: [[u8; 32]; 7] = [
    coordinate(0x00, 0x00, 0x00),
    coordinate(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    coordinate(0xec, 0xff, 0x7f),
    // The prime p and p + 1: the non-canonical encodings of 0 and 1.
    coordinate(0xed, 0xff, 0x7f),
    coordinate(0xee, 0xff, 0x7f),
];

/// Makes a key of an encoded point: as in SEC 1 for ECDSA, as in RFC 8032 for Ed25519. `field` is
/// the parameter or member that holds it.
pub(super) fn public_key(
    algorithm: Algorithm,
    point: &[u8],
    field: &'static str,
) -> Result<ParsedPublicKey, KeyError> {
    let malformed = |problem| KeyError::Malformed { field, problem };
    let key = match algorithm {
        Algorithm::ES256 => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point),
        Algorithm::ES384 => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point),
        Algorithm::ES512 => ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point),
        _ if has_small_order(point) => return Err(malformed("a point of small order")),
        // The parser accepts a whole SubjectPublicKeyInfo as well.
        _ if point.len() != 32 => return Err(malformed("not 32 bytes")),
        _ => ParsedPublicKey::new(&signature::ED25519, point),
    };
    key.map_err(|_| malformed("not a point on the curve of the algorithm"))
}

fn has_small_order(point: &[u8]) -> bool {
    <[u8; 32]>::try_from(point).is_ok_and(|mut y| {
        y[31] &= 0x7f;
        SMALL_ORDER.contains(&y)
    })
}

const fn coordinate(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}
