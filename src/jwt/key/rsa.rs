//! RSA public keys: bounds of modulus and exponent.

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use crate::jwt::algorithm::Algorithm;
use crate::jwt::error::KeyError;

/// The minimum length of a modulus in bits (RFC 7518, section 3.3).
const MIN_BITS: usize = 2048;

/// The maximum length of a modulus in bits. A longer one makes each verification expensive for no
/// gain in security.
const MAX_BITS: usize = 8192;

/// The parameters of an RSA algorithm; `None` for other algorithms.
pub(super) fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

/// Makes a key of a modulus and an exponent, both big-endian.
pub(super) fn public_key(
    algorithm: Algorithm,
    parameters: &'static RsaParameters,
    n: &[u8],
    e: &[u8],
) -> Result<ParsedPublicKey, KeyError> {
    let malformed = |problem| KeyError::Malformed { field: "n", problem };
    let n = without_leading_zeros(n);
    let e = without_leading_zeros(e);
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if bits < MIN_BITS {
        let algorithm = algorithm.as_str();
        return Err(KeyError::TooShort { field: "n", algorithm, bits, minimum: MIN_BITS });
    }
    if bits > MAX_BITS {
        return Err(malformed("more than 8192 bits"));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let has_at_most_33_bits = e.len() < 5 || e.len() == 5 && e[0] == 1;
    if !is_odd(e) || e == [1] || !has_at_most_33_bits {
        return Err(KeyError::Exponent);
    }
    if !is_odd(n) {
        return Err(malformed("not an RSA modulus"));
    }
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(parameters)
        .map_err(|_| malformed("not an RSA modulus"))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
