//! Statuses of denied calls: they reveal as little as possible, and distinguish callers who need to
//! authenticate.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_passport::policy::{PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule};
use tonic_types::StatusExt;

use super::harness::{Caller, EntryPoint, TestService};
use super::order_protos::SERVICE;
use crate::support::probe::{Kind, call};
use crate::support::{assert_refused, token};

/// Policy with one rule for all methods.
fn policy(rule: &Rule, is_exposed: bool) -> Result<Policy, PolicyError> {
    let policy = Policy::builder().default_rule(SERVICE, rule.clone());
    if is_exposed { policy.expose_requirements().build() } else { policy.build() }
}

/// Metadata in a status's `ErrorInfo`.
fn metadata(status: &Status) -> HashMap<String, String> {
    let info = status.get_error_details().error_info().cloned();
    info.unwrap_or_else(|| panic!("no ErrorInfo in {status:?}")).metadata
}

/// Rules, each with the words that would reveal it.
fn rules() -> [(Rule, Vec<&'static str>); 5] {
    [
        (Rule::permission("orders:read"), vec!["orders:read"]),
        (Rule::role("admin"), vec!["admin", "role"]),
        (Rule::permission("Bestellung löschen, 注文"), vec!["Bestellung", "sch", "注文", "%"]),
        (
            Rule::any_of([Rule::role("admin"), Rule::permission("orders:read")]),
            vec!["admin", "orders:read", "any of", "role"],
        ),
        (
            Rule::all_of([Rule::role("admin"), Rule::permission("orders:read")]),
            vec!["admin", "orders:read", "all of", "role"],
        ),
    ]
}

#[tokio::test]
async fn a_denial_does_not_reveal_the_rule() -> Result<(), PolicyError> {
    let mut responses = Vec::new();
    for (rule, words) in rules() {
        for entry_point in EntryPoint::ALL {
            let service = TestService::start(entry_point, policy(&rule, false)?).await;
            for kind in Kind::ALL {
                let status = service.call(kind, Caller::UNPRIVILEGED).await.unwrap_err();
                assert_eq!(status.message(), "the caller may not call the method", "{rule}");
                assert_eq!(metadata(&status), HashMap::new(), "{rule}");
                let details = String::from_utf8_lossy(status.details()).into_owned();
                for word in &words {
                    assert!(!details.contains(word), "{rule}: {word} in {details}");
                    assert!(!status.message().contains(word), "{rule}: {word} in {status:?}");
                }
                assert!(!status.metadata().contains_key("www-authenticate"), "{rule}");
                responses.push((status.code(), details));
                let expected = (Code::PermissionDenied, "PERMISSION_MISSING");
                assert_refused::<()>(Err(status), expected, &service.probe, &rule.to_string());
            }
        }
    }
    // All rules have the same response.
    responses.dedup();
    assert_eq!(responses.len(), 1, "{responses:?}");
    Ok(())
}

#[tokio::test]
async fn a_denial_names_the_requirement_if_requirements_are_exposed() -> Result<(), PolicyError> {
    let any_of = Rule::any_of([Rule::role("admin"), Rule::permission("orders:read")]);
    let cases = [
        (
            Rule::permission("orders:read"),
            ("permission", "orders:read"),
            r#"the permission "orders:read" is required"#,
        ),
        (Rule::role("admin"), ("role", "admin"), r#"the role "admin" is required"#),
        (
            Rule::permission("Bestellung löschen, 注文"),
            ("permission", "Bestellung löschen, 注文"),
            r#"the permission "Bestellung löschen, 注文" is required"#,
        ),
        (
            any_of.clone(),
            ("required", r#"any of (role "admin", permission "orders:read")"#),
            r#"any of (role "admin", permission "orders:read") is required"#,
        ),
        (
            Rule::all_of([Rule::permission("a"), any_of]),
            (
                "required",
                r#"all of (permission "a", any of (role "admin", permission "orders:read"))"#,
            ),
            concat!(
                r#"all of (permission "a", any of (role "admin", permission "orders:read"))"#,
                " is required"
            ),
        ),
    ];
    for (rule, (name, value), message) in cases {
        for entry_point in EntryPoint::ALL {
            let service = TestService::start(entry_point, policy(&rule, true)?).await;
            for kind in Kind::ALL {
                let status = service.call(kind, Caller::UNPRIVILEGED).await.unwrap_err();
                assert_eq!(status.message(), message);
                let exposed = HashMap::from([(name.to_owned(), value.to_owned())]);
                assert_eq!(metadata(&status), exposed, "{rule}");
                assert!(!status.metadata().contains_key("www-authenticate"), "{rule}");
                let expected = (Code::PermissionDenied, "PERMISSION_MISSING");
                assert_refused::<()>(Err(status), expected, &service.probe, &rule.to_string());
            }
        }
    }
    Ok(())
}

/// A client that cannot read a header of this size would report `INTERNAL`.
#[tokio::test]
async fn a_requirement_above_two_kib_is_not_exposed() -> Result<(), PolicyError> {
    let any_of = |count: u32| {
        Rule::any_of((0..count).map(|number| Rule::permission(format!("orders:read-{number:04}"))))
    };
    let cases = [
        (any_of(60), true),
        (any_of(70), false),
        (any_of(1000), false),
        // Worst case of percent-encoding: every byte takes up three.
        (Rule::permission("注".repeat(670)), true),
        (Rule::role("注".repeat(670)), true),
        (Rule::permission("注".repeat(700)), false),
        (Rule::role("r".repeat(20_000)), false),
    ];
    for (rule, is_exposed) in cases {
        let service = TestService::start(EntryPoint::Edge, policy(&rule, true)?).await;
        let length = rule.to_string().len();
        for kind in Kind::ALL {
            let status = service.call(kind, Caller::UNPRIVILEGED).await.unwrap_err();
            let case = format!("a rule of {length} bytes: {kind:?}");
            assert_eq!(!metadata(&status).is_empty(), is_exposed, "{case}");
            assert_eq!(status.message() != "the user may not do this", is_exposed, "{case}");
            let expected = (Code::PermissionDenied, "PERMISSION_MISSING");
            assert_refused::<()>(Err(status), expected, &service.probe, &case);
        }
    }
    Ok(())
}

/// The rule is not exposed to an anonymous caller, even if requirements are exposed.
#[tokio::test]
async fn an_anonymous_caller_is_unauthenticated_if_a_credential_could_help()
-> Result<(), PolicyError> {
    let rules = rules().into_iter().map(|(rule, _)| rule).chain([Rule::authenticated()]);
    for rule in rules {
        for is_exposed in [false, true] {
            for entry_point in EntryPoint::ALL {
                let service = TestService::start(entry_point, policy(&rule, is_exposed)?).await;
                for kind in Kind::ALL {
                    let case = format!("{rule}, exposed: {is_exposed}, {entry_point:?}, {kind:?}");
                    let status = service.call(kind, Caller::Anonymous).await.unwrap_err();
                    let challenge = status.metadata().get("www-authenticate");
                    let challenge = challenge.map(|value| value.to_str().unwrap());
                    let expected = (entry_point == EntryPoint::Edge).then_some("Bearer");
                    assert_eq!(challenge, expected, "{case}");
                    assert_eq!(metadata(&status), HashMap::new(), "{case}");
                    let expected = entry_point.challenge();
                    assert_refused::<()>(Err(status), expected, &service.probe, &case);
                }
            }
        }
    }
    Ok(())
}

/// Authentication would not help, so the status is not `UNAUTHENTICATED`.
#[tokio::test]
async fn all_callers_of_a_method_without_a_rule_get_the_same_status() -> Result<(), PolicyError> {
    for is_exposed in [false, true] {
        let builder = Policy::builder().default_rule("shop.v1.UserService", Rule::public());
        let builder = if is_exposed { builder.expose_requirements() } else { builder };
        let policy = builder.build()?;
        for entry_point in EntryPoint::ALL {
            let service = TestService::start(entry_point, policy.clone()).await;
            for caller in [Caller::Anonymous, Caller::UNPRIVILEGED, Caller::with_roles(&["admin"])]
            {
                for kind in Kind::ALL {
                    let case =
                        format!("{caller:?}, exposed: {is_exposed}, {entry_point:?}, {kind:?}");
                    let status = service.call(kind, caller).await.unwrap_err();
                    assert_eq!(status.message(), "there is no rule for the method", "{case}");
                    assert_eq!(metadata(&status), HashMap::new(), "{case}");
                    assert!(!status.metadata().contains_key("www-authenticate"), "{case}");
                    let expected = (Code::PermissionDenied, "RULE_MISSING");
                    assert_refused::<()>(Err(status), expected, &service.probe, &case);
                }
            }
        }
    }
    Ok(())
}

/// A caller with an invalid credential never counts as anonymous. Public methods ignore it.
#[tokio::test]
async fn an_invalid_credential_is_rejected_unless_the_method_is_public() -> Result<(), PolicyError>
{
    let expired = format!("Bearer {}", token::token("alice").expired().sign());
    let good = format!("Bearer {}", token::good("alice"));
    let invalid = (Code::Unauthenticated, "CONTEXT_INVALID");
    let invalid_credentials = [
        (
            EntryPoint::Edge,
            vec![("authorization", "Bearer x.y.z")],
            (Code::Unauthenticated, "TOKEN_INVALID"),
        ),
        (
            EntryPoint::Edge,
            vec![("authorization", &*expired)],
            (Code::Unauthenticated, "TOKEN_EXPIRED"),
        ),
        (
            EntryPoint::Edge,
            vec![("authorization", &*good), ("authorization", &*good)],
            (Code::Unauthenticated, "TOKEN_MALFORMED"),
        ),
        (EntryPoint::Internal, vec![("x-user-id", "")], invalid),
        (EntryPoint::Internal, vec![("x-user-roles", "admin")], invalid),
        (EntryPoint::Internal, vec![("x-user-id", "alice"), ("x-user-id", "alice")], invalid),
    ];
    let with = |rule: Option<Rule>| match rule {
        Some(rule) => Policy::builder().default_rule(SERVICE, rule),
        None => Policy::builder(),
    };
    let policies: [(&str, PolicyBuilder); 5] = [
        ("no rule", with(None)),
        ("optional", with(Some(Rule::optional()))),
        ("authenticated", with(Some(Rule::authenticated()))),
        ("permission", with(Some(Rule::permission("orders:create")))),
        ("any of", with(Some(Rule::any_of([Rule::role("buyer")])))),
    ];
    let public = with(Some(Rule::public())).build()?;

    for (rule, policy) in policies {
        let policy = policy.build()?;
        for (entry_point, fields, expected) in &invalid_credentials {
            let service = TestService::start(*entry_point, policy.clone()).await;
            for kind in Kind::ALL {
                let case = format!("{rule}: {kind:?} with {fields:?}");
                let response = call(kind, service.channel.clone(), fields).await;
                assert_refused(response, *expected, &service.probe, &case);
            }
        }
    }
    for (entry_point, fields, _) in &invalid_credentials {
        let service = TestService::start(*entry_point, public.clone()).await;
        for kind in Kind::ALL {
            let case = format!("public: {kind:?} with {fields:?}");
            let response = call(kind, service.channel.clone(), fields).await;
            assert_eq!(response.expect(&case), "", "{case}");
            let seen = service.probe.take_one();
            assert_eq!(seen.user, None, "{case}");
            for (name, _) in fields {
                assert!(!seen.metadata.contains_key(*name), "{case}");
            }
        }
    }
    Ok(())
}
