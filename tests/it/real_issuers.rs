//! Claims of widely used issuers are mapped to a context by configuration alone.

use serde_json::{Value, json};
use tonic_passport::UserContext;
use tonic_passport::jwt::{ClaimMapping, ClaimPath, Issuer, VerificationKey, Verifier};

use crate::support::token::{key, now};

/// The context of a token with these claims, and with `iat` and `exp`.
fn context(name: &str, audience: &str, mapping: ClaimMapping, mut claims: Value) -> UserContext {
    claims["iat"] = now().into();
    claims["exp"] = (now() + 300).into();
    let signed = key().token(&claims);
    let keys = VerificationKey::from_jwk(key().jwk().to_string()).unwrap();
    let issuer = Issuer::new(name, keys).audience(audience).claims(mapping);
    let verified = Verifier::new([issuer]).unwrap().verify(&signed);
    verified.unwrap_or_else(|error| panic!("{name}: {error}")).into_context()
}

fn user(id: &str) -> tonic_passport::UserContextBuilder {
    UserContext::builder(id)
}

#[test]
fn keycloak() {
    let name = "https://id.example.com/realms/shop";
    let claims = json!({
        "iss": name,
        "aud": ["shop", "account"],
        "sub": "f1b2c3d4-0000-4000-8000-5a6b7c8d9e0f",
        "typ": "Bearer",
        "azp": "web",
        "session_state": "0a1b2c3d",
        "acr": "1",
        "allowed-origins": ["https://shop.example.com"],
        "realm_access": { "roles": ["offline_access", "buyer"] },
        "resource_access": { "shop": { "roles": ["orders:create", "orders:read"] } },
        "scope": "openid email profile",
        "email_verified": true,
        "preferred_username": "alice",
        "email": "alice@example.com",
    });
    let mapping = ClaimMapping::default()
        .roles(["realm_access", "roles"])
        .permissions(["resource_access", "shop", "roles"])
        .attribute("username", "preferred_username");
    let expected = user("f1b2c3d4-0000-4000-8000-5a6b7c8d9e0f")
        .email("alice@example.com")
        .roles(["offline_access", "buyer"])
        .permissions(["orders:create", "orders:read"])
        .attribute("username", "alice");
    assert_eq!(context(name, "shop", mapping, claims), expected.build().unwrap());
}

#[test]
fn auth0() {
    let name = "https://shop.eu.auth0.example/";
    let claims = json!({
        "iss": name,
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": ["https://api.shop.example.com", "https://shop.eu.auth0.example/userinfo"],
        "azp": "my_client_id",
        "scope": "openid profile",
        "permissions": ["orders:create"],
        "https://shop.example.com/roles": ["buyer"],
        "https://shop.example.com/tenant.id": "acme",
    });
    let mapping = ClaimMapping::default()
        .roles("https://shop.example.com/roles")
        .attribute("tenant", "https://shop.example.com/tenant.id");
    let expected = user("auth0|5f7c8ec7c33c6c004bbafe82")
        .roles(["buyer"])
        .permissions(["orders:create"])
        .attribute("tenant", "acme");
    let made = context(name, "https://api.shop.example.com", mapping, claims);
    assert_eq!(made, expected.build().unwrap());
}

#[test]
fn microsoft_entra_id() {
    let name = "https://login.microsoftonline.com/2b3c4d5e-0000-4000-8000-000000000001/v2.0";
    let claims = json!({
        "iss": name,
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "oid": "00000000-0000-0000-66f3-3332eca7ea81",
        "tid": "2b3c4d5e-0000-4000-8000-000000000001",
        "nbf": now(),
        "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e4",
        "azpacr": "0",
        "preferred_username": "alice@example.com",
        "roles": ["Orders.Admin"],
        "scp": "Orders.Create Orders.Read",
        "ver": "2.0",
    });
    let mapping = ClaimMapping::default()
        .id("oid")
        .email("preferred_username")
        .permissions(ClaimPath::from("scp").space_delimited())
        .attribute("tenant", "tid");
    let expected = user("00000000-0000-0000-66f3-3332eca7ea81")
        .email("alice@example.com")
        .roles(["Orders.Admin"])
        .permissions(["Orders.Create", "Orders.Read"])
        .attribute("tenant", "2b3c4d5e-0000-4000-8000-000000000001");
    let made = context(name, "6e74172b-be56-4843-9ff4-e66a39bb12e3", mapping, claims);
    assert_eq!(made, expected.build().unwrap());
}

#[test]
fn amazon_cognito() {
    let name = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example";
    let claims = json!({
        "iss": name,
        "aud": "1example23456789",
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "token_use": "id",
        "auth_time": now(),
        "cognito:username": "alice",
        "cognito:groups": ["buyers", "eu"],
        "custom:tenant": "acme",
        "email": "alice@example.com",
        "email_verified": true,
    });
    let mapping =
        ClaimMapping::default().roles("cognito:groups").attribute("tenant", "custom:tenant");
    let expected = user("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
        .email("alice@example.com")
        .roles(["buyers", "eu"])
        .attribute("tenant", "acme");
    let made = context(name, "1example23456789", mapping, claims);
    assert_eq!(made, expected.build().unwrap());
}

#[test]
fn okta() {
    let name = "https://shop.okta.example/oauth2/default";
    let claims = json!({
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": name,
        "aud": "api://shop",
        "cid": "nmdP1fcyvdVO11AL7ECm",
        "uid": "00ujmkLgagxeRrAg20g3",
        "scp": ["orders:create", "orders:read"],
        "groups": ["Everyone", "Buyers"],
        "sub": "alice@example.com",
    });
    let mapping = ClaimMapping::default().id("uid").email("sub").roles("groups").permissions("scp");
    let expected = user("00ujmkLgagxeRrAg20g3")
        .email("alice@example.com")
        .roles(["Everyone", "Buyers"])
        .permissions(["orders:create", "orders:read"]);
    assert_eq!(context(name, "api://shop", mapping, claims), expected.build().unwrap());
}

#[test]
fn google() {
    let name = "https://accounts.google.com";
    let claims = json!({
        "iss": name,
        "azp": "1234987819200.apps.googleusercontent.com",
        "aud": "1234987819200.apps.googleusercontent.com",
        "sub": "10769150350006150715113082367",
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "hd": "example.com",
        "email": "alice@example.com",
        "email_verified": true,
    });
    let mapping = ClaimMapping::default().attribute("organization", "hd");
    let expected = user("10769150350006150715113082367")
        .email("alice@example.com")
        .attribute("organization", "example.com");
    let made = context(name, "1234987819200.apps.googleusercontent.com", mapping, claims);
    assert_eq!(made, expected.build().unwrap());
}
