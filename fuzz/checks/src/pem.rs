//! Public keys in PEM.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::PublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tonic_passport::jwt::{Algorithm, VerificationKey};

const RSA: [Algorithm; 6] = [
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// The identifiers of a key's type in DER (RFC 5480, section 2.1.1; RFC 8410, section 3).
const EC: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

/// The algorithms on curves: the key's type, and the length of a coordinate in bytes.
const CURVES: [(Algorithm, &[u8], usize); 4] = [
    (Algorithm::EdDSA, ED25519, 32),
    (Algorithm::ES256, EC, 32),
    (Algorithm::ES384, EC, 48),
    (Algorithm::ES512, EC, 66),
];

/// Takes the input as a key of each algorithm.
pub fn holds(input: &[u8]) {
    let accepts = |algorithm: Algorithm| match VerificationKey::from_pem(algorithm, input) {
        Ok(key) => {
            assert_eq!((key.algorithm(), key.key_id()), (algorithm, None));
            true
        }
        Err(_) => false,
    };
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        assert!(!accepts(algorithm), "a public key was accepted as a secret");
    }
    let mut found = 0;
    if accepts(RSA[0]) {
        found += 1;
        assert!(RSA.into_iter().all(accepts), "an RSA key can be used with all RSA algorithms");
        assert_rsa(&der(input));
    } else {
        assert!(!RSA.into_iter().any(accepts), "an RSA key can be used with all RSA algorithms");
    }
    for (algorithm, typ, length) in CURVES {
        if accepts(algorithm) {
            found += 1;
            let der = der(input);
            assert!(der.windows(typ.len()).any(|part| part == typ), "{algorithm}: {der:02x?}");
            assert!(holds_string(&der, length), "{algorithm}: {der:02x?}");
        }
    }
    assert!(found <= 1, "one key for two curves, or for a curve and RSA");
}

/// Asserts that this is the canonical encoding of a public key that is long enough.
fn assert_rsa(der: &[u8]) {
    let key = PublicKey::from_der(der).expect("an RSA key is a public key in DER");
    let info = key.as_der().expect("a public key can be encoded");
    assert!(der == key.as_ref() || der == info.as_ref(), "{der:02x?}");
    let modulus = key.modulus();
    let modulus = modulus.big_endian_without_leading_zero();
    assert!((256..=1024).contains(&modulus.len()), "{} bytes", modulus.len());
    assert!(modulus.len() > 256 || modulus[0] >= 0x80, "2047 bits or less");
    let exponent = key.exponent();
    assert_ne!(exponent.big_endian_without_leading_zero(), [1]);
}

/// Whether a string in the DER is as long as a point: both coordinates, or one and a sign. The
/// parser does not check the rest of the structure.
fn holds_string(der: &[u8], length: usize) -> bool {
    // A bit string begins with the number of its unused bits, a point with its form.
    let long = [length, length + 1, length + 2, 2 * length + 1, 2 * length + 2];
    der.windows(2).enumerate().any(|(index, head)| {
        let (content, skipped) = match head[1] {
            0x81 => (der.get(index + 2).map(|length| usize::from(*length)), 3),
            length => (Some(usize::from(length)), 2),
        };
        matches!(head[0], 3 | 4)
            && content.is_some_and(|content| {
                long.contains(&content) && index + skipped + content <= der.len()
            })
    })
}

/// The DER in an accepted PEM: one block, with the label of a public key.
fn der(pem: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(pem).expect("a PEM is text");
    assert!(!text.contains("PRIVATE"), "a private key was accepted");
    let (_, block) = text.split_once("-----BEGIN ").expect("a PEM begins");
    let (block, _) = block.split_once("-----END ").expect("a PEM ends");
    let (label, body) = block.split_once("-----").expect("a label ends");
    assert!(["PUBLIC KEY", "RSA PUBLIC KEY"].contains(&label), "{label:?} was accepted");
    // Headers (RFC 1421, section 4.4) end with a blank line.
    let body = body.replace("\r\n", "\n");
    let body = match body.split_once("\n\n") {
        Some((headers, body)) if headers.contains(':') => body,
        _ => &body,
    };
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).expect("a PEM is base64")
}
