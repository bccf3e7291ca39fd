//! Public keys in PEM (RFC 7468): `PUBLIC KEY` (RFC 5280) and `RSA PUBLIC KEY` (RFC 8017).

use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use jsonwebtoken::DecodingKey;

use super::material::Material;
use super::{curve, rsa};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::error::KeyError;

/// Parses exactly one public key.
pub(super) fn parse(algorithm: Algorithm, pem: &[u8]) -> Result<Material, KeyError> {
    let malformed = |problem| KeyError::Malformed { field: "pem", problem };
    let text = str::from_utf8(pem).map_err(|_| malformed("not text"))?;
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::Private { field: "pem" });
    }
    if text.contains("BEGIN CERTIFICATE-----") {
        return Err(malformed("a certificate; extract its public key"));
    }
    if text.matches("-----BEGIN ").count() != 1 {
        return Err(malformed("not exactly one PEM block"));
    }

    let unsuitable = |_| malformed("not a PEM public key of the algorithm's type");
    let key = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            return Err(KeyError::AlgorithmMismatch {
                algorithm: algorithm.as_str(),
                key_type: "PEM".to_owned(),
            });
        }
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => DecodingKey::from_ec_pem(pem),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
        _ => DecodingKey::from_rsa_pem(pem),
    };
    let key = key.map_err(unsuitable)?;
    let der = key.try_get_as_bytes().map_err(unsuitable)?;
    let Some(parameters) = rsa::parameters(algorithm) else {
        return Ok(Material::Public(curve::public_key(algorithm, der, "pem")?));
    };
    // `der` is the key inside of the block. The structure around it must be strict DER as well.
    let block = pem::parse(pem).map_err(|_| malformed("not a PEM block"))?;
    let key = RsaPublicKey::from_der(der)
        .and_then(|_| RsaPublicKey::from_der(block.contents()))
        .map_err(|_| malformed("not an RSA key"))?;
    let n = key.modulus().big_endian_without_leading_zero();
    let e = key.exponent().big_endian_without_leading_zero();
    Ok(Material::Public(rsa::public_key(algorithm, parameters, n, e)?))
}
