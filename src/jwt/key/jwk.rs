//! JSON Web Keys (RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::material::Material;
use super::{curve, rsa};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::error::KeyError;
use crate::jwt::json::{Json, Object};

/// The parts of a JWK that verification needs.
pub(super) struct Jwk {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    pub(super) material: Material,
}

impl Jwk {
    /// Reads a JWK. `algorithm` is for a key that has no `alg`.
    pub(super) fn parse(jwk: &Object<'_>, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let text = |field: &'static str| match jwk.get(field) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(&**text)),
            Some(_) => Err(KeyError::Malformed { field, problem: "not a string" }),
        };
        let key_id = text("kid")?;
        let key_type =
            text("kty")?.ok_or(KeyError::Malformed { field: "kty", problem: "missing" })?;

        if key_type != "oct" && jwk.contains("d") {
            return Err(KeyError::Private { field: "d" });
        }
        check_purpose(jwk, text("use")?)?;
        let algorithm = match text("alg")? {
            Some(name) => name.parse()?,
            None => algorithm.ok_or(KeyError::AlgorithmMissing)?,
        };
        let curve = text("crv")?;
        if !is_key_type_of(algorithm, key_type, curve) {
            let key_type = [Some(key_type), curve].into_iter().flatten().collect::<Vec<_>>();
            return Err(KeyError::AlgorithmMismatch {
                algorithm: algorithm.as_str(),
                key_type: key_type.join(" "),
            });
        }

        let bytes = |field: &'static str| {
            let malformed = |problem| KeyError::Malformed { field, problem };
            let encoded = text(field)?.ok_or(malformed("missing"))?;
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed("not base64url"))
        };
        let material = match (rsa::parameters(algorithm), algorithm) {
            (Some(parameters), _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                Material::Public(rsa::public_key(algorithm, parameters, &n, &e)?)
            }
            (None, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) => {
                Material::from_secret(algorithm, &bytes("k")?, "k")?
            }
            (None, Algorithm::EdDSA) => {
                Material::Public(curve::public_key(algorithm, &bytes("x")?, "x")?)
            }
            (None, _) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != y.len() {
                    return Err(KeyError::Malformed { field: "x", problem: "not as long as y" });
                }
                // The uncompressed form of a point (SEC 1, section 2.3.3).
                let point = [vec![4], x, y].concat();
                Material::Public(curve::public_key(algorithm, &point, "x")?)
            }
        };
        Ok(Self { algorithm, key_id: key_id.map(str::to_owned), material })
    }
}

/// Parses the JSON of a JWK.
pub(super) fn parse_json(jwk: &[u8]) -> Result<Object<'_>, KeyError> {
    Object::parse(jwk).map_err(|_| KeyError::Malformed {
        field: "jwk",
        problem: "not a JSON object without duplicate names",
    })
}

/// Checks `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3). Both are optional.
fn check_purpose(jwk: &Object<'_>, usage: Option<&str>) -> Result<(), KeyError> {
    if usage.is_some_and(|usage| usage != "sig") {
        return Err(KeyError::NotForVerification { field: "use" });
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Json::Array(operations))
            if operations.iter().any(|name| name.as_str() == Some("verify")) =>
        {
            Ok(())
        }
        Some(_) => Err(KeyError::NotForVerification { field: "key_ops" }),
    }
}

/// Whether keys of this type, on this curve, are keys of the algorithm.
fn is_key_type_of(algorithm: Algorithm, key_type: &str, curve: Option<&str>) -> bool {
    match algorithm {
        Algorithm::EdDSA => key_type == "OKP" && curve == Some("Ed25519"),
        Algorithm::ES256 => key_type == "EC" && curve == Some("P-256"),
        Algorithm::ES384 => key_type == "EC" && curve == Some("P-384"),
        Algorithm::ES512 => key_type == "EC" && curve == Some("P-521"),
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => key_type == "oct",
        Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512 => key_type == "RSA",
    }
}
