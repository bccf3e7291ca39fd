//! What callers are told who may not call a method: as little as possible, and whether it would
//! help to log in.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_passport::policy::{PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule};
use tonic_types::StatusExt;

use super::callers::{Caller, Door, Served};
use super::protos::SERVICE;
use crate::support::probe::{Kind, call};
use crate::support::{assert_refused, token};

/// The methods have this rule, and callers are told of it, or not.
fn policy(rule: &Rule, is_told: bool) -> Result<Policy, PolicyError> {
    let policy = Policy::builder().default_rule(SERVICE, rule.clone());
    if is_told { policy.expose_requirements().build() } else { policy.build() }
}

/// The metadata in a status's `ErrorInfo`.
fn metadata(status: &Status) -> HashMap<String, String> {
    let info = status.get_error_details().error_info().cloned();
    info.unwrap_or_else(|| panic!("no ErrorInfo in {status:?}")).metadata
}

/// Rules of which nothing may be told, each with the words that would tell it.
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
async fn a_denial_tells_nothing_of_the_rule() -> Result<(), PolicyError> {
    let mut answers = Vec::new();
    for (rule, words) in rules() {
        for door in Door::ALL {
            let served = Served::start(door, policy(&rule, false)?).await;
            for kind in Kind::ALL {
                let status = served.call(kind, Caller::PLAIN).await.unwrap_err();
                assert_eq!(status.message(), "the caller may not call the method", "{rule}");
                assert_eq!(metadata(&status), HashMap::new(), "{rule}");
                let details = String::from_utf8_lossy(status.details()).into_owned();
                for word in &words {
                    assert!(!details.contains(word), "{rule}: {word} in {details}");
                    assert!(!status.message().contains(word), "{rule}: {word} in {status:?}");
                }
                assert!(!status.metadata().contains_key("www-authenticate"), "{rule}");
                answers.push((status.code(), details));
                let expected = (Code::PermissionDenied, "PERMISSION_MISSING");
                assert_refused::<()>(Err(status), expected, &served.probe, &rule.to_string());
            }
        }
    }
    // Nor does one rule's answer differ from another's.
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn a_denial_tells_what_would_have_been_enough_where_it_may() -> Result<(), PolicyError> {
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
        for door in Door::ALL {
            let served = Served::start(door, policy(&rule, true)?).await;
            for kind in Kind::ALL {
                let status = served.call(kind, Caller::PLAIN).await.unwrap_err();
                assert_eq!(status.message(), message);
                let told = HashMap::from([(name.to_owned(), value.to_owned())]);
                assert_eq!(metadata(&status), told, "{rule}");
                assert!(!status.metadata().contains_key("www-authenticate"), "{rule}");
                let expected = (Code::PermissionDenied, "PERMISSION_MISSING");
                assert_refused::<()>(Err(status), expected, &served.probe, &rule.to_string());
            }
        }
    }
    Ok(())
}

/// An answer that a client cannot take would be an `INTERNAL` error to it.
#[tokio::test]
async fn a_rule_that_is_too_long_to_be_told_is_not() -> Result<(), PolicyError> {
    let any_of = |count: u32| {
        Rule::any_of((0..count).map(|number| Rule::permission(format!("orders:read-{number:04}"))))
    };
    let cases = [
        (any_of(60), true),
        (any_of(70), false),
        (any_of(1000), false),
        // No text takes up more room.
        (Rule::permission("注".repeat(670)), true),
        (Rule::role("注".repeat(670)), true),
        (Rule::permission("注".repeat(700)), false),
        (Rule::role("r".repeat(20_000)), false),
    ];
    for (rule, is_told) in cases {
        let served = Served::start(Door::Edge, policy(&rule, true)?).await;
        let length = rule.to_string().len();
        for kind in Kind::ALL {
            let status = served.call(kind, Caller::PLAIN).await.unwrap_err();
            let case = format!("a rule of {length} bytes: {kind:?}");
            assert_eq!(!metadata(&status).is_empty(), is_told, "{case}");
            assert_eq!(status.message() != "the user may not do this", is_told, "{case}");
            let expected = (Code::PermissionDenied, "PERMISSION_MISSING");
            assert_refused::<()>(Err(status), expected, &served.probe, &case);
        }
    }
    Ok(())
}

/// Whoever is anonymous is told nothing of a rule, either way: they may log in first.
#[tokio::test]
async fn an_anonymous_caller_is_asked_to_log_in_where_that_might_help() -> Result<(), PolicyError> {
    let rules = rules().into_iter().map(|(rule, _)| rule).chain([Rule::authenticated()]);
    for rule in rules {
        for is_told in [false, true] {
            for door in Door::ALL {
                let served = Served::start(door, policy(&rule, is_told)?).await;
                for kind in Kind::ALL {
                    let case = format!("{rule}, told: {is_told}, {door:?}, {kind:?}");
                    let status = served.call(kind, Caller::Anonymous).await.unwrap_err();
                    let challenge = status.metadata().get("www-authenticate");
                    let challenge = challenge.map(|value| value.to_str().unwrap());
                    let expected = (door == Door::Edge).then_some("Bearer");
                    assert_eq!(challenge, expected, "{case}");
                    assert_eq!(metadata(&status), HashMap::new(), "{case}");
                    let expected = door.challenge();
                    assert_refused::<()>(Err(status), expected, &served.probe, &case);
                }
            }
        }
    }
    Ok(())
}

/// Nobody may call it, so it would not help to log in.
#[tokio::test]
async fn of_a_method_without_a_rule_everybody_is_told_the_same() -> Result<(), PolicyError> {
    for is_told in [false, true] {
        let builder = Policy::builder().default_rule("shop.v1.UserService", Rule::public());
        let builder = if is_told { builder.expose_requirements() } else { builder };
        let policy = builder.build()?;
        for door in Door::ALL {
            let served = Served::start(door, policy.clone()).await;
            for caller in [Caller::Anonymous, Caller::PLAIN, Caller::with_roles(&["admin"])] {
                for kind in Kind::ALL {
                    let case = format!("{caller:?}, told: {is_told}, {door:?}, {kind:?}");
                    let status = served.call(kind, caller).await.unwrap_err();
                    assert_eq!(status.message(), "there is no rule for the method", "{case}");
                    assert_eq!(metadata(&status), HashMap::new(), "{case}");
                    assert!(!status.metadata().contains_key("www-authenticate"), "{case}");
                    let expected = (Code::PermissionDenied, "RULE_MISSING");
                    assert_refused::<()>(Err(status), expected, &served.probe, &case);
                }
            }
        }
    }
    Ok(())
}

/// A credential that is present but bad is never an anonymous caller, unless nobody looks at it.
#[tokio::test]
async fn a_bad_credential_is_refused_as_one_whatever_the_rule_is() -> Result<(), PolicyError> {
    let expired = format!("Bearer {}", token::token("alice").expired().sign());
    let good = format!("Bearer {}", token::good("alice"));
    let invalid = (Code::Unauthenticated, "CONTEXT_INVALID");
    let bad_credentials = [
        (
            Door::Edge,
            vec![("authorization", "Bearer x.y.z")],
            (Code::Unauthenticated, "TOKEN_INVALID"),
        ),
        (Door::Edge, vec![("authorization", &*expired)], (Code::Unauthenticated, "TOKEN_EXPIRED")),
        (
            Door::Edge,
            vec![("authorization", &*good), ("authorization", &*good)],
            (Code::Unauthenticated, "TOKEN_MALFORMED"),
        ),
        (Door::Inside, vec![("x-user-id", "")], invalid),
        (Door::Inside, vec![("x-user-roles", "admin")], invalid),
        (Door::Inside, vec![("x-user-id", "alice"), ("x-user-id", "alice")], invalid),
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
        for (door, fields, expected) in &bad_credentials {
            let served = Served::start(*door, policy.clone()).await;
            for kind in Kind::ALL {
                let case = format!("{rule}: {kind:?} with {fields:?}");
                let answer = call(kind, served.channel.clone(), fields).await;
                assert_refused(answer, *expected, &served.probe, &case);
            }
        }
    }
    for (door, fields, _) in &bad_credentials {
        let served = Served::start(*door, public.clone()).await;
        for kind in Kind::ALL {
            let case = format!("public: {kind:?} with {fields:?}");
            let answer = call(kind, served.channel.clone(), fields).await;
            assert_eq!(answer.expect(&case), "", "{case}");
            let seen = served.probe.take_one();
            assert_eq!(seen.user, None, "{case}");
            for (name, _) in fields {
                assert!(!seen.metadata.contains_key(*name), "{case}");
            }
        }
    }
    Ok(())
}
