//! Keys that are weak, private or not for verification are refused when they are loaded.

use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, KeyError, KeySet, VerificationKey};

use crate::support::token::{self, KEYS, SigningKey, base64url, key_for};

const SYMMETRIC: [(Algorithm, usize); 3] =
    [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)];

const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDZbndENabMoPZAp9IlmQgV1Vs
G2fUMv6zTpOeJzQPu3MtjSNvCuq7tTJiOOetXh1MuWtKb75wydnaC3Ko5XMw04s+
M1aF2/Th0yuz1ftvfskWeax74/O2eITf9w5u4WSjsLLa9SYTP2LSfcUoILOdZzEh
uETaGxHLAW5Ql2FCCQIDAQAB
-----END PUBLIC KEY-----
";

fn malformed(field: &'static str, problem: &'static str) -> KeyError {
    KeyError::Malformed { field, problem }
}

fn mismatch(algorithm: Algorithm, key_type: &str) -> KeyError {
    KeyError::AlgorithmMismatch { algorithm: algorithm.as_str(), key_type: key_type.to_owned() }
}

/// The issuer's JWK for this algorithm, with some members changed; `null` removes one.
fn jwk_with(algorithm: Algorithm, changes: Value) -> Value {
    let mut jwk = key_for(algorithm).jwk();
    token::merge(&mut jwk, changes);
    jwk
}

fn from_jwk(jwk: &Value) -> Result<VerificationKey, KeyError> {
    VerificationKey::from_jwk(jwk.to_string())
}

fn from_jwks(keys: &Value) -> Result<KeySet, KeyError> {
    KeySet::from_jwks(json!({ "keys": keys }).to_string())
}

#[test]
fn a_public_key_of_every_algorithm_is_loaded_from_a_jwk() {
    for key in KEYS.iter() {
        let loaded = from_jwk(&key.jwk()).unwrap();
        assert_eq!((loaded.algorithm(), loaded.key_id()), (key.algorithm(), Some(key.key_id())));
    }
    for (algorithm, bytes) in SYMMETRIC {
        let key = SigningKey::hmac(algorithm, "shared", vec![7; bytes]);
        let loaded = from_jwk(&key.jwk()).unwrap();
        assert_eq!((loaded.algorithm(), loaded.key_id()), (algorithm, Some("shared")));
    }
}

#[test]
fn a_public_key_of_every_algorithm_is_loaded_from_pem() {
    for key in KEYS.iter() {
        let loaded = VerificationKey::from_pem(key.algorithm(), key.public_key_pem()).unwrap();
        assert_eq!((loaded.algorithm(), loaded.key_id()), (key.algorithm(), None));
    }
}

#[test]
fn an_rsa_key_is_loaded_from_pkcs1_pem() {
    let key = key_for(Algorithm::RS256);
    // A SubjectPublicKeyInfo is 24 bytes about the algorithm, followed by the PKCS #1 key.
    let pem = token::pem("RSA PUBLIC KEY", &key.public_key_der()[24..]);
    assert!(VerificationKey::from_pem(Algorithm::RS256, pem).is_ok());
}

#[test]
fn a_secret_must_be_as_long_as_its_hash() {
    for (algorithm, bytes) in SYMMETRIC {
        assert!(VerificationKey::from_secret(algorithm, vec![7; bytes]).is_ok(), "{algorithm}");

        for short in [bytes - 1, 0] {
            let error = |field| KeyError::TooShort {
                field,
                algorithm: algorithm.as_str(),
                bits: short * 8,
                minimum: bytes * 8,
            };
            let secret = vec![7; short];
            let loaded = VerificationKey::from_secret(algorithm, &secret);
            assert_eq!(loaded.unwrap_err(), error("secret"), "{algorithm}, {short} bytes");
            let jwk = SigningKey::hmac(algorithm, "shared", &secret).jwk();
            assert_eq!(from_jwk(&jwk).unwrap_err(), error("k"), "{algorithm}, {short} bytes");
        }
    }
}

#[test]
fn a_secret_is_refused_for_a_public_key_algorithm() {
    for key in KEYS.iter() {
        let loaded = VerificationKey::from_secret(key.algorithm(), [7; 64]);
        assert_eq!(loaded.unwrap_err(), mismatch(key.algorithm(), "secret"));
    }
}

#[test]
fn a_pem_key_is_refused_for_a_symmetric_algorithm() {
    for (algorithm, _) in SYMMETRIC {
        for key in KEYS.iter() {
            let loaded = VerificationKey::from_pem(algorithm, key.public_key_pem());
            assert_eq!(loaded.unwrap_err(), mismatch(algorithm, "PEM"), "{}", key.key_id());
        }
    }
}

#[test]
fn an_algorithm_accepts_only_keys_of_its_type_and_curve() {
    let key_types = [
        (Algorithm::RS256, "RSA"),
        (Algorithm::ES256, "EC P-256"),
        (Algorithm::ES384, "EC P-384"),
        (Algorithm::ES512, "EC P-521"),
        (Algorithm::EdDSA, "OKP Ed25519"),
    ];
    let same_type = |a: Algorithm, b: Algorithm| {
        let family = |algorithm: Algorithm| match algorithm.as_str() {
            name if name.starts_with("RS") || name.starts_with("PS") => "RSA",
            name => name,
        };
        family(a) == family(b)
    };
    let algorithms = KEYS.iter().map(SigningKey::algorithm).chain(SYMMETRIC.map(|(name, _)| name));

    for algorithm in algorithms {
        for (of, key_type) in key_types {
            let case = format!("{algorithm} with a key of type {key_type}");
            let as_jwk = from_jwk(&jwk_with(of, json!({ "alg": algorithm.as_str() })));
            let as_pem = VerificationKey::from_pem(algorithm, key_for(of).public_key_pem());
            if same_type(algorithm, of) {
                assert!(as_jwk.is_ok() && as_pem.is_ok(), "{case}");
            } else {
                assert_eq!(as_jwk.unwrap_err(), mismatch(algorithm, key_type), "{case}");
                assert!(as_pem.is_err(), "{case}");
            }
        }
        if algorithm.as_str().starts_with("HS") {
            continue;
        }
        let mut secret = SigningKey::hmac(Algorithm::HS512, "shared", [7; 64]).jwk();
        secret["alg"] = algorithm.as_str().into();
        assert_eq!(from_jwk(&secret).unwrap_err(), mismatch(algorithm, "oct"));
    }
}

#[test]
fn an_algorithm_that_is_not_supported_is_refused_by_name() {
    for name in ["none", "None", "", "ES256K", "RSA-OAEP", "A128KW", "es256", "Ed448"] {
        let error = from_jwk(&jwk_with(Algorithm::ES256, json!({ "alg": name }))).unwrap_err();
        assert!(matches!(error, KeyError::AlgorithmUnknown(_)), "{name:?}: {error:?}");
        let expected = format!("alg: {name:?} is not a supported algorithm");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_jwk_without_algorithm_is_loaded_only_for_a_configured_one() {
    let jwk = jwk_with(Algorithm::ES256, json!({ "alg": null }));
    assert_eq!(from_jwk(&jwk).unwrap_err(), KeyError::AlgorithmMissing);

    let set = json!([jwk]);
    let set = json!({ "keys": set }).to_string();
    let first = Box::new(KeyError::AlgorithmMissing);
    let error = KeySet::from_jwks(&set).unwrap_err();
    assert_eq!(error.to_string(), format!("keys: none is usable; the first was rejected: {first}"));
    assert_eq!(error, KeyError::NoneUsable { first });
    assert_eq!(KeySet::from_jwks_for(Algorithm::ES256, &set).unwrap().keys().count(), 1);
    let first = Box::new(mismatch(Algorithm::RS256, "EC P-256"));
    let error = KeySet::from_jwks_for(Algorithm::RS256, &set).unwrap_err();
    assert_eq!(error, KeyError::NoneUsable { first });

    let jwk = jwk.to_string();
    let key = VerificationKey::from_jwk_for(Algorithm::ES256, &jwk).unwrap();
    assert_eq!(key.algorithm(), Algorithm::ES256);
    assert_eq!(
        VerificationKey::from_jwk_for(Algorithm::EdDSA, &jwk).unwrap_err(),
        mismatch(Algorithm::EdDSA, "EC P-256")
    );
}

#[test]
fn a_configured_algorithm_does_not_override_that_of_a_jwk() {
    let jwk = key_for(Algorithm::RS256).jwk().to_string();
    assert!(VerificationKey::from_jwk_for(Algorithm::RS256, &jwk).is_ok());
    assert_eq!(
        VerificationKey::from_jwk_for(Algorithm::PS256, &jwk).unwrap_err(),
        mismatch(Algorithm::PS256, "RS256")
    );
}

#[test]
fn a_jwk_for_another_purpose_is_refused() {
    let for_other = |field| Some(KeyError::NotForVerification { field });
    let cases = [
        ("signing", json!({ "use": "sig" }), None),
        ("unsaid", json!({ "use": null }), None),
        ("verifying", json!({ "key_ops": ["verify"] }), None),
        ("verifying, too", json!({ "key_ops": ["sign", "verify"] }), None),
        ("encryption", json!({ "use": "enc" }), for_other("use")),
        ("another case", json!({ "use": "SIG" }), for_other("use")),
        ("empty use", json!({ "use": "" }), for_other("use")),
        ("no string", json!({ "use": ["sig"] }), Some(malformed("use", "not a string"))),
        ("wrapping", json!({ "key_ops": ["wrapKey"] }), for_other("key_ops")),
        ("signing only", json!({ "key_ops": ["sign"] }), for_other("key_ops")),
        ("no operation", json!({ "key_ops": [] }), for_other("key_ops")),
        ("no array", json!({ "key_ops": "verify" }), for_other("key_ops")),
        ("both", json!({ "use": "enc", "key_ops": ["verify"] }), for_other("use")),
    ];
    for (case, changes, error) in cases {
        let loaded = from_jwk(&jwk_with(Algorithm::ES256, changes));
        assert_eq!(loaded.err(), error, "{case}");
    }
}

#[test]
fn an_rsa_key_below_2048_bits_is_refused() {
    let too_short =
        |bits| KeyError::TooShort { field: "n", algorithm: "RS256", bits, minimum: 2048 };

    let loaded = VerificationKey::from_pem(Algorithm::RS256, RSA_1024);
    assert_eq!(loaded.unwrap_err(), too_short(1024));

    let mut bits_2047 = vec![0xff; 256];
    bits_2047[0] = 0x7f;
    let mut bits_1024_padded = vec![0; 256];
    bits_1024_padded[128..].fill(0xff);
    for (bits, n) in [(2047, bits_2047), (1024, bits_1024_padded), (8, vec![0xff]), (0, vec![])] {
        let jwk = jwk_with(Algorithm::RS256, json!({ "n": base64url(n) }));
        assert_eq!(from_jwk(&jwk).unwrap_err(), too_short(bits));
    }
}

#[test]
fn an_rsa_key_above_8192_bits_is_refused() {
    let jwk = jwk_with(Algorithm::RS256, json!({ "n": base64url(vec![0xff; 1025]) }));
    assert_eq!(from_jwk(&jwk).unwrap_err(), malformed("n", "more than 8192 bits"));
}

#[test]
fn an_even_rsa_modulus_is_refused() {
    let jwk = jwk_with(Algorithm::RS256, json!({ "n": base64url(vec![0xfe; 256]) }));
    assert_eq!(from_jwk(&jwk).unwrap_err(), malformed("n", "not an RSA modulus"));
}

#[test]
fn an_rsa_exponent_that_is_one_or_even_or_huge_is_refused() {
    let cases: [(&str, &[u8]); 7] = [
        ("none", &[]),
        ("zero", &[0]),
        ("one", &[1]),
        ("one, padded", &[0, 0, 1]),
        ("two", &[2]),
        ("65536", &[1, 0, 0]),
        ("2^33 + 1", &[2, 0, 0, 0, 1]),
    ];
    for (case, e) in cases {
        let jwk = jwk_with(Algorithm::RS256, json!({ "e": base64url(e) }));
        assert_eq!(from_jwk(&jwk).unwrap_err(), KeyError::Exponent, "{case}");
    }
}

#[test]
fn a_private_key_is_refused() {
    for key in KEYS.iter() {
        let jwk = jwk_with(key.algorithm(), json!({ "d": "AQAB" }));
        let private = |field| KeyError::Private { field };
        assert_eq!(from_jwk(&jwk).unwrap_err(), private("d"), "{}", key.key_id());

        let labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];
        for label in labels {
            let pem = token::pem(label, &[0x30, 0]);
            let both = format!("{}{pem}", key.public_key_pem());
            for pem in [pem, both] {
                let loaded = VerificationKey::from_pem(key.algorithm(), pem);
                assert_eq!(loaded.unwrap_err(), private("pem"), "{label} as {}", key.key_id());
            }
        }
    }
}

#[test]
fn pem_that_is_not_one_public_key_is_refused() {
    let pem = token::key().public_key_pem();
    let blocks = malformed("pem", "not exactly one PEM block");
    let unfit = malformed("pem", "not a PEM public key of the algorithm's type");
    let cases: [(&str, Vec<u8>, KeyError); 9] = [
        ("empty", vec![], blocks.clone()),
        ("garbage", b"garbage".to_vec(), blocks.clone()),
        ("DER", token::key().public_key_der(), malformed("pem", "not text")),
        ("two keys", pem.repeat(2).into(), blocks.clone()),
        (
            "a certificate",
            token::pem("CERTIFICATE", &[0x30, 0]).into(),
            malformed("pem", "a certificate; extract its public key"),
        ),
        ("an empty block", token::pem("PUBLIC KEY", &[]).into(), unfit.clone()),
        ("not DER", token::pem("PUBLIC KEY", b"garbage").into(), unfit.clone()),
        ("another label", pem.replace("PUBLIC KEY", "PARAMETERS").into(), unfit.clone()),
        ("no end", pem.replace("-----END PUBLIC KEY-----", "").into(), unfit.clone()),
    ];
    for (case, pem, error) in cases {
        let loaded = VerificationKey::from_pem(Algorithm::ES256, pem);
        assert_eq!(loaded.unwrap_err(), error, "{case}");
    }
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let error = malformed("x", "not a point on the curve of the algorithm");
    for (algorithm, bytes) in
        [(Algorithm::ES256, 32), (Algorithm::ES384, 48), (Algorithm::ES512, 66)]
    {
        let coordinates = [
            ("zeros", vec![0; bytes], vec![0; bytes]),
            ("ones", vec![0xff; bytes], vec![0xff; bytes]),
            ("x = y = 1", one(bytes), one(bytes)),
            ("nothing", vec![], vec![]),
            ("a byte short", vec![1; bytes - 1], vec![1; bytes - 1]),
            ("a byte long", vec![1; bytes + 1], vec![1; bytes + 1]),
        ];
        for (case, x, y) in coordinates {
            let jwk = jwk_with(algorithm, json!({ "x": base64url(x), "y": base64url(y) }));
            assert_eq!(from_jwk(&jwk).unwrap_err(), error, "{algorithm}: {case}");
        }
    }
}

fn one(bytes: usize) -> Vec<u8> {
    let mut number = vec![0; bytes];
    number[bytes - 1] = 1;
    number
}

#[test]
fn an_ed25519_key_of_another_length_is_refused() {
    let error = malformed("x", "not 32 bytes");
    let der = key_for(Algorithm::EdDSA).public_key_der();
    for x in [&der[..], &der[13..], &[7; 33], &[7; 31], &[]] {
        let jwk = jwk_with(Algorithm::EdDSA, json!({ "x": base64url(x) }));
        assert_eq!(from_jwk(&jwk).unwrap_err(), error, "{} bytes", x.len());
    }
}

#[test]
fn an_ed25519_key_of_small_order_is_refused() {
    let ends = |first: u8, middle: u8, last: u8| {
        let mut y = [middle; 32];
        (y[0], y[31]) = (first, last);
        y
    };
    let order_8 = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ];
    let other_order_8 = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ];
    let cases = [
        ("order 4", ends(0, 0, 0)),
        ("order 1", ends(1, 0, 0)),
        ("order 2", ends(0xec, 0xff, 0x7f)),
        ("order 4, not canonical", ends(0xed, 0xff, 0x7f)),
        ("order 1, not canonical", ends(0xee, 0xff, 0x7f)),
        ("order 8", order_8),
        ("order 8, the other", other_order_8),
    ];
    for (case, y) in cases {
        for sign in [0, 0x80] {
            let mut point = y;
            point[31] |= sign;
            let jwk = jwk_with(Algorithm::EdDSA, json!({ "x": base64url(point) }));
            let error = malformed("x", "a point of small order");
            assert_eq!(from_jwk(&jwk).unwrap_err(), error, "{case}, sign {sign:#x}");
        }
    }
}

#[test]
fn a_malformed_jwk_is_refused() {
    let jwk = token::key().jwk();
    let object = malformed("jwk", "not a JSON object without duplicate names");
    let not_text = |field| malformed(field, "not a string");
    let with = |changes| jwk_with(Algorithm::ES256, changes).to_string();
    let cases = [
        ("nothing", String::new(), object.clone()),
        ("garbage", "garbage".to_owned(), object.clone()),
        ("an array", json!([jwk]).to_string(), object.clone()),
        ("a text", json!(jwk.to_string()).to_string(), object.clone()),
        ("alg twice", token::with_member(&jwk, "alg", r#""none""#), object.clone()),
        ("kid twice", token::with_member(&jwk, "kid", r#""other""#), object.clone()),
        ("x twice", token::with_member(&jwk, "x", r#""AQAB""#), object.clone()),
        ("no kty", with(json!({ "kty": null })), malformed("kty", "missing")),
        ("kty no text", with(json!({ "kty": 1 })), not_text("kty")),
        ("kid no text", with(json!({ "kid": 1 })), not_text("kid")),
        ("alg no text", with(json!({ "alg": ["ES256"] })), not_text("alg")),
        ("crv no text", with(json!({ "crv": 256 })), not_text("crv")),
        ("no crv", with(json!({ "crv": null })), mismatch(Algorithm::ES256, "EC")),
        (
            "unknown crv",
            with(json!({ "crv": "secp256k1" })),
            mismatch(Algorithm::ES256, "EC secp256k1"),
        ),
        ("no x", with(json!({ "x": null })), malformed("x", "missing")),
        ("no y", with(json!({ "y": null })), malformed("y", "missing")),
        ("x no text", with(json!({ "x": 1 })), not_text("x")),
        ("x no base64url", with(json!({ "x": "a+b/" })), malformed("x", "not base64url")),
        ("x padded", with(json!({ "x": "AAA=" })), malformed("x", "not base64url")),
        ("x too short for y", with(json!({ "x": "AAAA" })), malformed("x", "not as long as y")),
    ];
    for (case, jwk, error) in cases {
        assert_eq!(VerificationKey::from_jwk(jwk).unwrap_err(), error, "{case}");
    }
}

#[test]
fn a_malformed_key_set_is_refused() {
    let object = malformed("keys", "not a JSON object without duplicate names");
    let cases = [
        ("nothing", "", object.clone()),
        ("garbage", "garbage", object.clone()),
        ("an array", "[]", object.clone()),
        ("keys twice", r#"{"keys":[],"keys":[]}"#, object.clone()),
        ("no keys", "{}", malformed("keys", "not an array")),
        ("keys an object", r#"{"keys":{}}"#, malformed("keys", "not an array")),
        (
            "no key that is one",
            r#"{"keys":["key", 1, null]}"#,
            KeyError::NoneUsable { first: Box::new(malformed("keys", "not an object")) },
        ),
        ("empty", r#"{"keys":[]}"#, KeyError::Empty),
    ];
    for (case, jwks, error) in cases {
        assert_eq!(KeySet::from_jwks(jwks).unwrap_err(), error, "{case}");
    }
    assert_eq!(KeySet::new([]).unwrap_err(), KeyError::Empty);
}

#[test]
fn an_unusable_key_is_skipped_and_listed_as_rejected() {
    let secret = SigningKey::hmac(Algorithm::HS256, "oct", [7; 32]).jwk();
    let bad = [
        (secret, KeyError::Symmetric),
        (
            jwk_with(Algorithm::RS256, json!({ "kid": "enc", "use": "enc" })),
            KeyError::NotForVerification { field: "use" },
        ),
        (
            jwk_with(Algorithm::ES256, json!({ "kid": "private", "d": "AQAB" })),
            KeyError::Private { field: "d" },
        ),
        (
            jwk_with(Algorithm::ES256, json!({ "kid": "unsaid", "alg": null })),
            KeyError::AlgorithmMissing,
        ),
        (jwk_with(Algorithm::ES256, json!({ "kid": 1 })), malformed("kid", "not a string")),
        (json!("no key"), malformed("keys", "not an object")),
    ];
    let mut keys: Vec<Value> = bad.iter().map(|(jwk, _)| jwk.clone()).collect();
    let first = Box::new(KeyError::Symmetric);
    assert_eq!(from_jwks(&json!(keys)).unwrap_err(), KeyError::NoneUsable { first });

    keys.push(token::key().jwk());
    let set = from_jwks(&json!(keys)).unwrap();
    assert_eq!(set.keys().map(VerificationKey::key_id).collect::<Vec<_>>(), [Some("es256")]);
    let rejected: Vec<_> = set.rejected().collect();
    let expected: Vec<_> = bad.iter().map(|(jwk, error)| (jwk["kid"].as_str(), error)).collect();
    assert_eq!(rejected, expected);
}

#[test]
fn ambiguous_keys_are_refused() {
    let duplicate = |key_id: &str| KeyError::DuplicateKeyId { key_id: key_id.to_owned() };
    let es256 = token::key().jwk();
    let eddsa = |kid: Value| jwk_with(Algorithm::EdDSA, json!({ "kid": kid }));
    let unnamed = jwk_with(Algorithm::ES256, json!({ "kid": null }));

    let error = from_jwks(&json!([es256, es256])).unwrap_err();
    assert_eq!(error, duplicate("es256"), "the same key twice");
    let error = from_jwks(&json!([es256, eddsa(json!("es256"))])).unwrap_err();
    assert_eq!(error, duplicate("es256"), "one id, two algorithms");
    let error = from_jwks(&json!([unnamed, unnamed])).unwrap_err();
    let ambiguous = KeyError::Ambiguous { algorithm: Algorithm::ES256 };
    assert_eq!(error, ambiguous, "no id, one algorithm");
    assert!(from_jwks(&json!([unnamed, eddsa(Value::Null)])).is_ok(), "no id, two algorithms");

    let loaded = || from_jwk(&es256).unwrap();
    assert_eq!(KeySet::new([loaded(), loaded()]).unwrap_err(), duplicate("es256"));
}

#[test]
fn every_message_begins_with_the_invalid_field() {
    let cases = [
        ("alg", KeyError::AlgorithmMissing),
        ("alg", mismatch(Algorithm::ES256, "EC P-384")),
        ("alg", "none".parse::<Algorithm>().unwrap_err().into()),
        ("kid", KeyError::DuplicateKeyId { key_id: "1".to_owned() }),
        ("kid", KeyError::Ambiguous { algorithm: Algorithm::ES256 }),
        ("keys", KeyError::Empty),
        ("keys", KeyError::NoneUsable { first: Box::new(KeyError::Symmetric) }),
        ("e", KeyError::Exponent),
        ("x", malformed("x", "-")),
        ("use", KeyError::NotForVerification { field: "use" }),
        ("d", KeyError::Private { field: "d" }),
        ("kty", KeyError::Symmetric),
        ("k", KeyError::TooShort { field: "k", algorithm: "HS256", bits: 8, minimum: 256 }),
    ];
    for (field, error) in cases {
        let message = error.to_string();
        assert!(message.starts_with(&format!("{field}: ")), "{message}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let secret = b"correct horse battery staple, 32";
    let key = SigningKey::hmac(Algorithm::HS256, "shared", secret);
    let loaded = from_jwk(&key.jwk()).unwrap();
    let too_short = VerificationKey::from_secret(Algorithm::HS512, secret).unwrap_err();
    let mut wrong = key.jwk();
    wrong["alg"] = "RS256".into();
    let wrong = from_jwk(&wrong).unwrap_err();

    let shown = [
        format!("{loaded:?}"),
        format!("{:?}", KeySet::from(loaded)),
        format!("{too_short} {too_short:?}"),
        format!("{wrong} {wrong:?}"),
    ];
    let encoded = base64url(secret);
    let decimal = secret.map(|byte| byte.to_string()).join(", ");
    for text in shown {
        for secret in ["correct horse", &encoded, &decimal] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
