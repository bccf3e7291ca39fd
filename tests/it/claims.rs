//! The claims of a token are mapped to a user context, or the token is refused.

use std::time::SystemTime;

use http::HeaderMap;
use serde_json::{Value, json};
use tonic::Code;
use tonic_passport::jwt::{ClaimMapping, ClaimPath, TokenError, Verifier};
use tonic_passport::{ContextError, JwtAuthenticator, ServerLayer, UserContext};

use crate::support::probe::{Kind, Probe, call};
use crate::support::reason;
use crate::support::token::{
    self, claims_with, header, issuer, key, sign_raw, verifier, with_member,
};

/// The user of a token with these claims.
fn user(mapping: ClaimMapping, changes: Value) -> Result<UserContext, TokenError> {
    let verifier = Verifier::new([issuer().claims(mapping)]).unwrap();
    let token = key().token(&claims_with(changes));
    Ok(verifier.verify(&token)?.into_context())
}

fn by_default(changes: Value) -> Result<UserContext, TokenError> {
    user(ClaimMapping::default(), changes)
}

fn owned<'a>(items: impl Iterator<Item = &'a str>) -> Vec<String> {
    items.map(str::to_owned).collect()
}

fn invalid(claim: &str, problem: &'static str) -> TokenError {
    TokenError::ClaimInvalid { claim: claim.to_owned(), problem }
}

#[test]
fn the_default_mapping_reads_the_usual_claims() {
    let user = by_default(json!({
        "roles": ["buyer", "admin"],
        "permissions": ["orders:create"],
        "tenant": "acme",
    }))
    .unwrap();
    let expected = UserContext::builder("alice")
        .email("alice@example.com")
        .roles(["buyer", "admin"])
        .permissions(["orders:create"])
        .build()
        .unwrap();
    assert_eq!(user, expected);
}

#[test]
fn absent_claims_are_absent_from_the_context() {
    let user = by_default(json!({ "email": null, "roles": null, "permissions": null })).unwrap();
    assert_eq!(user, UserContext::builder("alice").build().unwrap());

    let user = by_default(json!({ "email": null, "roles": [], "permissions": [] })).unwrap();
    assert_eq!(user, UserContext::builder("alice").build().unwrap());
}

#[test]
fn a_claim_that_is_null_is_absent() {
    let mut claims = claims_with(json!({}));
    for name in ["email", "roles", "permissions"] {
        claims[name] = Value::Null;
    }
    let token = key().token(&claims);
    let user = verifier().verify(&token).unwrap().into_context();
    assert_eq!(user, UserContext::builder("alice").build().unwrap());
}

#[test]
fn a_context_expires_with_its_token() {
    let token = verifier().verify(&key().token(&claims_with(json!({})))).unwrap();
    let user = token.context();
    assert_eq!(user.expires_at(), Some(token.expires_at()));

    let builder = || UserContext::builder("alice").email("alice@example.com");
    let time = SystemTime::UNIX_EPOCH;
    assert_eq!(builder().expires_at(time).build().unwrap().expires_at(), Some(time));
    assert_eq!(builder().build().unwrap().expires_at(), None);

    // The expiry is not propagated, and does not affect equality.
    let mut headers = HeaderMap::new();
    user.write_to(&mut headers).unwrap();
    let read = UserContext::read_from(&headers).unwrap().unwrap();
    assert_eq!(read.expires_at(), None);
    assert_eq!(&read, user);
}

#[test]
fn a_path_leads_into_nested_objects() {
    let mapping = || ClaimMapping::default().roles(["resource_access", "shop", "roles"]);
    let roles = |changes| user(mapping(), changes).map(|user| owned(user.roles()));

    let nested = json!({ "resource_access": { "shop": { "roles": ["admin"] } } });
    assert_eq!(roles(nested).unwrap(), ["admin"]);
    for absent in [
        json!({}),
        json!({ "resource_access": {} }),
        json!({ "resource_access": { "shop": {} } }),
        json!({ "resource_access": { "other": { "roles": ["admin"] } } }),
        json!({ "resource_access": { "shop": { "roles": null } } }),
        json!({ "resource_access": { "shop": null } }),
        json!({ "resource_access.shop.roles": ["admin"] }),
    ] {
        assert_eq!(roles(absent.clone()).unwrap(), [""; 0], "{absent}");
    }
    for blocked in [
        json!({ "resource_access": "shop" }),
        json!({ "resource_access": [{ "shop": { "roles": ["admin"] } }] }),
        json!({ "resource_access": { "shop": ["roles"] } }),
    ] {
        let error = invalid("resource_access.shop.roles", "a parent is not an object");
        assert_eq!(roles(blocked.clone()), Err(error), "{blocked}");
    }
}

#[test]
fn a_name_is_taken_literally() {
    for name in ["https://shop.example.com/roles", "realm_access.roles", "/roles", "$.roles", "a b"]
    {
        let mapping = ClaimMapping::default().roles(name);
        let user = user(mapping, json!({ (name): ["admin"], "realm_access": { "roles": ["no"] } }));
        assert!(user.unwrap().roles().eq(["admin"]), "{name}");
    }
}

#[test]
fn a_scope_is_split_at_spaces() {
    let mapping =
        || ClaimMapping::default().permissions(ClaimPath::from("scope").space_delimited());
    let scopes = |scope: Value| {
        user(mapping(), json!({ "scope": scope })).map(|user| owned(user.permissions()))
    };
    for (scope, expected) in [
        (json!("orders:create"), &["orders:create"][..]),
        (json!("orders:create orders:read"), &["orders:create", "orders:read"]),
        (json!("  orders:create   orders:read "), &["orders:create", "orders:read"]),
        (json!("orders:create,orders:read"), &["orders:create,orders:read"]),
        (json!(""), &[]),
        (json!(" "), &[]),
        (Value::Null, &[]),
    ] {
        assert_eq!(scopes(scope.clone()).unwrap(), expected, "{scope}");
    }
    for scope in [json!(["orders:create"]), json!(1), json!({})] {
        assert_eq!(scopes(scope.clone()), Err(invalid("scope", "not a string")), "{scope}");
    }
    let tab = scopes(json!("orders:create\torders:read")).unwrap_err();
    let key = "x-user-permissions".to_owned();
    assert_eq!(tab, TokenError::Context(ContextError::ControlCharacter { key }));
}

#[test]
fn an_attribute_is_taken_from_its_claim() {
    let mapping = || {
        ClaimMapping::default()
            .attribute("tenant", "tenant_id")
            .attribute("region", ["geo", "zone"])
    };
    let attributes = |changes| {
        let user = user(mapping(), changes)?;
        let owned = |(name, value): (&str, &str)| format!("{name}={value}");
        Ok::<_, TokenError>(user.attributes().map(owned).collect::<Vec<_>>())
    };
    let all = json!({ "tenant_id": "acme", "geo": { "zone": "eu" } });
    assert_eq!(attributes(all).unwrap(), ["region=eu", "tenant=acme"]);
    assert_eq!(attributes(json!({ "tenant_id": "acme" })).unwrap(), ["tenant=acme"]);
    assert_eq!(attributes(json!({ "tenant": "acme" })).unwrap(), [""; 0]);

    for value in [json!(1), json!(true), json!(["acme"]), json!({})] {
        let error = invalid("tenant_id", "not a string");
        assert_eq!(attributes(json!({ "tenant_id": value })), Err(error), "{value}");
    }
}

#[test]
fn an_id_from_another_claim_is_required_in_every_token() {
    let mapping = || ClaimMapping::default().id("oid");
    let id = |changes| user(mapping(), changes).map(|user| user.id().to_owned());
    assert_eq!(id(json!({ "oid": "user-42" })), Ok("user-42".to_owned()));
    assert_eq!(id(json!({})), Err(invalid("oid", "missing")));
    for value in [json!(42), json!(["user-42"]), json!({})] {
        assert_eq!(id(json!({ "oid": value })), Err(invalid("oid", "not a string")), "{value}");
    }
    let empty = ContextError::Empty { key: "x-user-id".to_owned() };
    assert_eq!(id(json!({ "oid": "" })), Err(TokenError::Context(empty)));

    let error = id(json!({ "oid": "user-42", "sub": null }));
    assert_eq!(error, Err(TokenError::ClaimMissing { claim: "sub" }));
}

#[test]
fn an_id_that_is_null_is_missing() {
    let claims = with_member(&claims_with(json!({})), "oid", "null");
    let token = sign_raw(key(), header(key()).to_string(), claims);
    let issuer = issuer().claims(ClaimMapping::default().id("oid"));
    let error = Verifier::new([issuer]).unwrap().verify(&token).unwrap_err();
    assert_eq!(error, invalid("oid", "missing"));
}

#[test]
fn a_claim_of_the_wrong_type_is_named() {
    let lists = [json!("admin"), json!(1), json!(true), json!({}), json!([1]), json!([["admin"]])];
    for claim in ["roles", "permissions"] {
        for value in &lists {
            let error = invalid(claim, "not an array of strings");
            assert_eq!(by_default(json!({ (claim): value })), Err(error), "{claim}: {value}");
        }
    }
    for value in [json!(1), json!(true), json!({}), json!([]), json!(["alice@example.com"])] {
        let error = invalid("email", "not a string");
        assert_eq!(by_default(json!({ "email": value })), Err(error), "email: {value}");
    }
}

#[test]
fn an_empty_value_is_refused() {
    let empty = |key: &str| TokenError::Context(ContextError::Empty { key: key.to_owned() });
    for (claims, key) in [
        (json!({ "email": "" }), "x-user-email"),
        (json!({ "roles": [""] }), "x-user-roles"),
        (json!({ "roles": ["buyer", ""] }), "x-user-roles"),
        (json!({ "permissions": ["", "orders:read"] }), "x-user-permissions"),
    ] {
        assert_eq!(by_default(claims.clone()), Err(empty(key)), "{claims}");
    }
}

#[test]
fn a_control_character_is_refused_at_any_position() {
    for control in ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
        for (claim, key, list) in [
            ("sub", "x-user-id", false),
            ("email", "x-user-email", false),
            ("roles", "x-user-roles", true),
            ("permissions", "x-user-permissions", true),
        ] {
            for text in [format!("a{control}b"), format!("{control}a"), format!("a{control}")] {
                let value = if list { json!(["a", text]) } else { json!(text) };
                let key = key.to_owned();
                let error = TokenError::Context(ContextError::ControlCharacter { key });
                assert_eq!(by_default(json!({ (claim): value })), Err(error), "{claim}: {text:?}");
            }
        }
    }
}

#[test]
fn text_of_any_script_is_kept_unchanged() {
    let texts = [
        "Zoë",
        "Zoe\u{308}",
        "Алиса",
        "艾丽斯",
        "👩\u{200d}👩\u{200d}👧",
        "a\u{202e}b",
        "a\u{200d}b",
        "a,b",
        "100%",
        "%41",
        " a ",
        "a b",
        "\"a\"",
        "\u{feff}a",
    ];
    for text in texts {
        let user = by_default(json!({ "sub": text, "email": text, "roles": [text] })).unwrap();
        assert_eq!((user.id(), user.email()), (text, Some(text)));
        assert!(user.roles().eq([text]), "{user:?}");
        assert!(user.has_role(text), "{text:?}");
    }
}

#[test]
fn names_that_look_alike_are_different_names() {
    let alike = [
        "admin",
        "Admin",
        "ADMIN",
        " admin",
        "admin ",
        "\u{430}dmin",
        "adm\u{456}n",
        "\u{ff41}dmin",
        "admin\u{200b}",
        "admin\u{202e}",
        "admin\u{ad}",
        "%61dmin",
        "admi\u{301}n",
    ];
    for own in alike {
        let user = by_default(json!({ "roles": [own], "permissions": [own] })).unwrap();
        for other in alike {
            assert_eq!(user.has_role(other), own == other, "{own:?} and {other:?}");
            assert_eq!(user.has_permission(other), own == other, "{own:?} and {other:?}");
        }
    }
    let composed = by_default(json!({ "roles": ["é"] })).unwrap();
    assert!(!composed.has_role("e\u{301}"));
    let comma = by_default(json!({ "roles": ["a,admin"] })).unwrap();
    assert!(!comma.has_role("admin"));
}

#[test]
fn a_context_over_the_maximum_size_is_refused() {
    let role = "r".repeat(5 * 1024);
    let error = by_default(json!({ "roles": [role] })).unwrap_err();
    let TokenError::Context(ContextError::TooLarge { size, max_size }) = error else {
        panic!("{error:?}");
    };
    assert!(size > 5 * 1024, "{size}");
    assert_eq!(max_size, UserContext::DEFAULT_MAX_SIZE);

    let token = key().token(&claims_with(json!({ "roles": [role] })));
    let verify_up_to = |max_size| verifier().max_context_size(max_size).verify(&token);
    assert!(verify_up_to(size).unwrap().context().roles().eq([role.as_str()]));
    let error = TokenError::Context(ContextError::TooLarge { size, max_size: size - 1 });
    assert_eq!(verify_up_to(size - 1).err(), Some(error));
}

#[test]
fn ten_thousand_roles_are_too_large_a_context() {
    let roles: Vec<String> = (0..10_000).map(|number| format!("role-{number}")).collect();
    let token = key().token(&claims_with(json!({ "roles": roles })));
    let verifier = verifier().max_token_size(1 << 20);
    let error = verifier.verify(&token).unwrap_err();
    assert!(matches!(error, TokenError::Context(ContextError::TooLarge { .. })), "{error:?}");
    let user = verifier.max_context_size(1 << 20).verify(&token).unwrap().into_context();
    assert!(user.roles().eq(roles));
}

#[tokio::test]
async fn a_caller_with_a_too_large_context_receives_resource_exhausted() {
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(verifier()))).await;
    let token = key().token(&claims_with(json!({ "roles": ["r".repeat(5 * 1024)] })));
    for kind in Kind::ALL {
        let bearer = format!("Bearer {token}");
        let status = call(kind, server.connect().await, &[("authorization", &bearer)]).await;
        let status = status.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{kind:?}");
        assert_eq!(reason(&status), "CONTEXT_TOO_LARGE", "{kind:?}");
        assert_eq!(probe.calls(), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_caller_with_an_invalid_claim_receives_token_invalid() {
    let probe = Probe::default();
    let server = probe.serve_with(ServerLayer::new(JwtAuthenticator::new(token::verifier()))).await;
    let channel = server.connect().await;
    for (case, claims) in [
        ("a wrong type", json!({ "roles": "admin" })),
        ("an empty role", json!({ "roles": [""] })),
        ("a line break", json!({ "sub": "alice\r\nx-user-roles: admin" })),
    ] {
        let bearer = format!("Bearer {}", key().token(&claims_with(claims)));
        let fields = [("authorization", &*bearer)];
        let status = call(Kind::Unary, channel.clone(), &fields).await.expect_err(case);
        assert_eq!((status.code(), &*reason(&status)), (Code::Unauthenticated, "TOKEN_INVALID"));
        assert_eq!(probe.calls(), 0, "{case}");
    }
}

#[test]
fn a_path_can_be_built_at_run_time() {
    let names = vec!["realm_access".to_owned(), "roles".to_owned()];
    assert_eq!(ClaimPath::nested(names), ClaimPath::from(["realm_access", "roles"]));
    assert_eq!(ClaimPath::from("a.b".to_owned()), ClaimPath::from("a.b"));
    assert_ne!(ClaimPath::from("a.b"), ClaimPath::from(["a", "b"]));
}
