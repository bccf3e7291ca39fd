//! No header parameter provides a key, or changes how the token is parsed.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};
use tonic_passport::jwt::{Algorithm, TokenError, Verifier};

use super::Edge;
use crate::support::token::{
    self, SigningKey, base64url, claims, header_with, key, sign_raw, token_with, with_member,
};

fn refused(name: &'static str) -> TokenError {
    TokenError::HeaderParameter { name }
}

fn with(changes: Value) -> String {
    token_with(key(), &header_with(changes), &claims("alice"))
}

/// A token with this further header parameter, as JSON text.
fn with_raw(name: &str, value: &str) -> String {
    let header = with_member(&header_with(json!({ (name): null })), name, value);
    sign_raw(key(), header, claims("alice").to_string())
}

#[tokio::test]
async fn a_key_inside_a_token_is_never_used() {
    let edge = Edge::start(token::verifier()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());

    let attacker = SigningKey::generate(Algorithm::ES256, "es256");
    let der = base64url(attacker.public_key_der());
    let parameters = [
        ("jwk", attacker.jwk()),
        ("jwk", Value::Null),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!([der])),
        ("x5c", json!([])),
    ];
    for (name, value) in parameters {
        for (whose, kid) in [("ours", "es256"), ("its own", "attacker")] {
            let case = format!("{name}: {value}, kid {whose}");
            let header = with_member(&header_with(json!({ "kid": kid })), name, &value.to_string());
            let token = sign_raw(&attacker, header, claims("alice").to_string());
            edge.refuses(&case, &token, refused(name)).await;
        }
        let case = format!("{name}: {value}, signed by us");
        edge.refuses(&case, &with_raw(name, &value.to_string()), refused(name)).await;
    }

    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_thumbprint_selects_no_key() {
    let edge = Edge::start(token::verifier()).await;
    let attacker = SigningKey::generate(Algorithm::ES256, "es256");
    for name in ["x5t", "x5t#S256"] {
        let header = header_with(json!({ (name): base64url([7; 32]) }));
        edge.accepts(name, &token_with(key(), &header, &claims("alice"))).await;
        let token = token_with(&attacker, &header, &claims("alice"));
        edge.refuses(name, &token, TokenError::SignatureInvalid).await;
    }
}

#[tokio::test]
async fn a_key_id_is_only_ever_compared() {
    let edge = Edge::start(token::verifier()).await;
    let long = "k".repeat(5 * 1024);
    let key_ids = [
        "",
        "unknown",
        "ES256",
        "es256 ",
        " es256",
        "es256\0",
        "\0",
        "../../../../dev/null",
        "/dev/null",
        "es256' OR '1'='1",
        "\"; DROP TABLE keys; --",
        "http://127.0.0.1/jwks.json",
        "$(id)",
        "\r\nx-user-id: admin",
        "é",
        &long,
    ];
    for key_id in key_ids {
        let shown = key_id.chars().take(120).collect();
        let error = TokenError::KeyUnknown { key_id: Some(shown) };
        edge.refuses(&format!("{key_id:?}"), &with(json!({ "kid": key_id })), error).await;
    }
}

#[test]
fn a_key_id_of_ten_kilobytes_is_shown_shortened() {
    let verifier = token::verifier().max_token_size(64 * 1024);
    let token = with(json!({ "kid": "\n".repeat(10 * 1024) }));
    let error = verifier.verify(&token).unwrap_err();
    assert_eq!(error, TokenError::KeyUnknown { key_id: Some("\n".repeat(120)) });
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
async fn a_key_id_that_is_not_a_string_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    for value in ["null", "1", "true", r#"["es256"]"#, r#"{"es256":1}"#] {
        edge.refuses(value, &with_raw("kid", value), refused("kid")).await;
    }
}

#[tokio::test]
async fn an_extension_is_refused_in_every_form() {
    let edge = Edge::start(token::verifier()).await;
    let cases = [
        ("crit", r#"["exp"]"#),
        ("crit", r#"["b64"]"#),
        ("crit", r#"["http://example.com/unknown"]"#),
        ("crit", r#"["alg"]"#),
        ("crit", r#"["exp","exp"]"#),
        ("crit", "[]"),
        ("crit", "[1]"),
        ("crit", r#""exp""#),
        ("crit", "{}"),
        ("crit", "null"),
        ("b64", "true"),
        ("b64", "false"),
        ("b64", r#""false""#),
        ("zip", r#""DEF""#),
        ("zip", "null"),
    ];
    for (name, value) in cases {
        let case = format!("{name}: {value}");
        edge.refuses(&case, &with_raw(name, value), refused(name)).await;
    }
}

#[tokio::test]
async fn an_unencoded_payload_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    let header = header_with(json!({ "b64": false, "crit": ["b64"] }));
    edge.refuses("encoded", &token_with(key(), &header, &claims("alice")), refused("crit")).await;

    // RFC 7797: the signed text is the encoded header and the unencoded claims.
    let header = base64url(header.to_string());
    let claims = r#"{"sub":"alice"}"#;
    let signature = base64url(key().sign(format!("{header}.{claims}").as_bytes()));
    let token = format!("{header}.{claims}.{signature}");
    let error = TokenError::NotBase64Url { part: "claims" };
    edge.refuses("not encoded", &token, error).await;
}

#[tokio::test]
async fn the_types_of_access_tokens_are_accepted() {
    let edge = Edge::start(token::verifier()).await;
    edge.accepts("none", &with(json!({ "typ": null }))).await;
    for typ in ["JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"] {
        edge.accepts(typ, &with(json!({ "typ": typ }))).await;
    }
    edge.accepts("Application/AT+JWT", &with(json!({ "typ": "Application/AT+JWT" }))).await;
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let edge = Edge::start(token::verifier()).await;
    for typ in ["txntoken+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt"] {
        let spellings = [
            typ.to_owned(),
            typ.to_uppercase(),
            format!("application/{typ}"),
            typ.replace('j', "J"),
        ];
        for typ in spellings {
            edge.refuses(&typ, &with(json!({ "typ": typ })), TokenError::TypeNotAccepted).await;
        }
    }
    let types = [
        "",
        " ",
        "foo",
        "JOSE",
        "jwt ",
        " jwt",
        "at-jwt",
        "at+jwt+jwt",
        "application/",
        "application/x/jwt",
        "application/application/jwt",
        "text/jwt",
        "/jwt",
    ];
    for typ in types {
        let case = format!("{typ:?}");
        edge.refuses(&case, &with(json!({ "typ": typ })), TokenError::TypeNotAccepted).await;
    }
    for value in ["null", "1", r#"["at+jwt"]"#, "{}"] {
        edge.refuses(value, &with_raw("typ", value), refused("typ")).await;
    }
}

#[tokio::test]
async fn configured_types_replace_the_default_ones() {
    let issuer = token::issuer().token_types(["application/example+jwt"]);
    let edge = Edge::start(Verifier::new([issuer]).unwrap()).await;
    for typ in ["example+jwt", "application/example+jwt", "EXAMPLE+JWT"] {
        edge.accepts(typ, &with(json!({ "typ": typ }))).await;
    }
    for typ in [json!("at+jwt"), json!("JWT"), Value::Null] {
        let case = typ.to_string();
        edge.refuses(&case, &with(json!({ "typ": typ })), TokenError::TypeNotAccepted).await;
    }
}
