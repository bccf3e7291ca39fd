//! An invalid configuration is refused when it is built, with an error that names the setting.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic_passport::Gateway;
use tonic_passport::gateway::GatewayError;
use tonic_passport::jwt::{ClaimMapping, ClaimPath, Issuer, VerificationKey, Verifier};

use crate::support::token::{self, ISSUER, issuer};

fn key() -> VerificationKey {
    VerificationKey::from_jwk(token::key().jwk().to_string()).unwrap()
}

/// The issuer, with a changed mapping.
fn claims(change: impl FnOnce(ClaimMapping) -> ClaimMapping) -> Vec<Issuer> {
    vec![issuer().claims(change(ClaimMapping::default()))]
}

fn types(types: &[&str]) -> Vec<Issuer> {
    vec![issuer().token_types(types)]
}

#[test]
fn an_invalid_setting_is_named_in_the_error() {
    const EMPTY_NAME: &str = "the name of a claim is empty";
    let no_parents: [&str; 0] = [];
    let cases = [
        ("no issuer", vec![], "", "name", "at least one issuer is required"),
        ("no name", vec![Issuer::new("", key()).audience("shop")], "", "name", "is empty"),
        ("one issuer twice", vec![issuer(), issuer()], ISSUER, "name", "is configured twice"),
        (
            "no audience",
            vec![Issuer::new(ISSUER, key())],
            ISSUER,
            "audience",
            "at least one is required",
        ),
        ("an empty audience", vec![issuer().audience("")], ISSUER, "audience", "is empty"),
        (
            "the second of two",
            vec![issuer(), Issuer::new("https://b.example", key())],
            "https://b.example",
            "audience",
            "at least one is required",
        ),
        ("no type", types(&[]), ISSUER, "token_types", "at least one is required"),
        ("an empty type", types(&[""]), ISSUER, "token_types", "is empty"),
        (
            "never an access token",
            types(&["at+jwt", "txntoken+jwt"]),
            ISSUER,
            "token_types",
            "txntoken+jwt is not a type of access tokens",
        ),
        (
            "never, in another case",
            types(&["DPoP+JWT"]),
            ISSUER,
            "token_types",
            "DPoP+JWT is not a type of access tokens",
        ),
        (
            "never, in full",
            types(&["application/logout+jwt"]),
            ISSUER,
            "token_types",
            "logout+jwt is not a type of access tokens",
        ),
        (
            "never, for events",
            types(&["secevent+jwt"]),
            ISSUER,
            "token_types",
            "secevent+jwt is not a type of access tokens",
        ),
        ("no id", claims(|own| own.id("")), ISSUER, "claims.id", EMPTY_NAME),
        (
            "an id of several",
            claims(|own| own.id(ClaimPath::from("sub").space_delimited())),
            ISSUER,
            "claims.id",
            "is not a list and cannot be space-delimited",
        ),
        ("no e-mail", claims(|own| own.email("")), ISSUER, "claims.email", EMPTY_NAME),
        ("no path", claims(|own| own.roles(no_parents)), ISSUER, "claims.roles", EMPTY_NAME),
        (
            "half a path",
            claims(|own| own.permissions(["shop", ""])),
            ISSUER,
            "claims.permissions",
            EMPTY_NAME,
        ),
        (
            "an attribute from nowhere",
            claims(|own| own.attribute("tenant", "")),
            ISSUER,
            "claims.attribute",
            EMPTY_NAME,
        ),
        (
            "an attribute twice",
            claims(|own| own.attribute("tenant", "a").attribute("tenant", "b")),
            ISSUER,
            "claims.attribute",
            "\"tenant\" is mapped twice",
        ),
    ];
    for (case, issuers, issuer, field, problem) in cases {
        let error = Verifier::new(issuers).expect_err(case);
        assert_eq!((error.issuer(), error.field()), (issuer, field), "{case}");
        let whose = if issuer.is_empty() { String::new() } else { format!("issuer {issuer:?}: ") };
        assert_eq!(error.to_string(), format!("{whose}{field}: {problem}"), "{case}");
    }
}

#[test]
fn an_attribute_whose_name_cannot_be_a_key_is_refused() {
    let names = [
        "",
        "-",
        "-tenant",
        "tenant-",
        "ten--ant",
        "Tenant",
        "ten_ant",
        "ten.ant",
        "ten ant",
        "é",
        "a:b",
        "bin",
        "tenant-bin",
        "id",
        "i-d",
        "email",
        "e-mail",
        "roles",
        "permissions",
    ];
    for name in names {
        let issuers = claims(|own| own.attribute(name, "claim"));
        let error = Verifier::new(issuers).expect_err(name);
        assert_eq!((error.issuer(), error.field()), (ISSUER, "claims.attribute"), "{name:?}");
        assert!(
            error.to_string().contains(&format!("{name:?} is not a valid attribute name")),
            "{error}"
        );
    }
    let issuers = claims(|own| own.attribute("tenant", "a").attribute("ten-ant", "b"));
    let error = Verifier::new(issuers).unwrap_err();
    assert!(error.to_string().contains("is an alias of a context key"), "{error}");
}

#[tokio::test]
async fn a_gateway_routes_by_full_service_names_only() {
    let names = [
        "",
        ".",
        "/",
        "*",
        "shop.*",
        "shop.v1.",
        ".shop.v1",
        "shop..v1",
        "/shop.v1.OrderService",
        "shop.v1.OrderService/",
        "shop.v1.OrderService/GetOrder",
        "shop.v1.Order Service",
        "shop.v1.Order-Service",
        "shop.v1.%4frderService",
        "shop.v1.Ördersérvice",
    ];
    for name in names {
        let error = Gateway::builder().route(name, upstream()).build().expect_err(name);
        assert_eq!(error, GatewayError::InvalidServiceName { name: name.to_owned() });
        assert_eq!(error.to_string(), format!("route: {name:?} is not the full name of a service"));
    }
    for name in ["OrderService", "shop.v1.OrderService", "shop_v1.Order_Service2"] {
        assert!(Gateway::builder().route(name, upstream()).build().is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_gateway_has_one_route_for_each_service() {
    let name = "shop.v1.OrderService";
    let gateway = Gateway::builder().route(name, upstream()).route(name, upstream());
    let error = gateway.build().unwrap_err();
    assert_eq!(error, GatewayError::RepeatedServiceName { name: name.to_owned() });
    assert_eq!(error.to_string(), format!("route: {name:?} is routed twice"));
}

fn upstream() -> Channel {
    Endpoint::from_static("http://127.0.0.1:1").connect_lazy()
}

#[test]
fn durations_are_bounded() {
    let seconds = Duration::from_secs;
    assert!(Verifier::new([issuer().leeway(seconds(600)).max_lifetime(seconds(1))]).is_ok());
    for (case, issuer, field, problem) in [
        ("a leeway too long", issuer().leeway(seconds(601)), "leeway", "more than 10 minutes"),
        ("no end", issuer().leeway(Duration::MAX), "leeway", "more than 10 minutes"),
        ("no lifetime", issuer().max_lifetime(seconds(0)), "max_lifetime", "less than a second"),
    ] {
        let error = Verifier::new([issuer]).unwrap_err();
        assert_eq!((error.issuer(), error.field()), (ISSUER, field), "{case}");
        assert_eq!(
            error.to_string(),
            format!("issuer {ISSUER:?}: {field}: is {problem}"),
            "{case}"
        );
    }
}
