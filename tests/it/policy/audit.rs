//! Each decision is reported once: who called what, and which rule of which policy let them, or did
//! not.

use tonic::body::Body;
use tonic_passport::policy::{AuditEvent, PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule};

use super::auditor::{Auditor, Event, counts};
use super::callers::{Caller, Door, Served};
use super::protos::SERVICE;
use crate::support::log::Log;
use crate::support::metrics::Metrics;
use crate::support::probe::{Kind, call};
use crate::support::{raw, token};

fn orders(rule: Rule) -> PolicyBuilder {
    Policy::builder().name("orders").default_rule(SERVICE, rule)
}

fn read() -> Rule {
    Rule::permission("orders:read")
}

const READER: Caller = Caller::with_permissions(&["orders:read"]);
const ALICE: Option<&str> = Some("alice");

#[tokio::test]
async fn each_decision_is_reported_once() -> Result<(), PolicyError> {
    let rule = Some(r#"permission "orders:read""#);
    let any_of = Rule::any_of([Rule::role("admin"), read()]);
    let shown = Some(r#"any of (role "admin", permission "orders:read")"#);
    let other = || Policy::builder().name("orders").default_rule("x.Other", Rule::public());
    let cases = [
        (orders(Rule::public()), Caller::Anonymous, None, Some("public"), true),
        (orders(Rule::public()), READER, None, Some("public"), true),
        (orders(Rule::optional()), Caller::Anonymous, None, Some("optional"), true),
        (orders(Rule::optional()), READER, ALICE, Some("optional"), true),
        (orders(Rule::authenticated()), Caller::Anonymous, None, Some("authenticated"), false),
        (orders(Rule::authenticated()), Caller::PLAIN, ALICE, Some("authenticated"), true),
        (orders(read()), Caller::Anonymous, None, rule, false),
        (orders(read()), Caller::PLAIN, ALICE, rule, false),
        (orders(read()), READER, ALICE, rule, true),
        (orders(any_of.clone()), Caller::PLAIN, ALICE, shown, false),
        (orders(any_of), READER, ALICE, shown, true),
        (other().fallback_rule(read()), READER, ALICE, rule, true),
        (other(), Caller::Anonymous, None, None, false),
        (other(), READER, ALICE, None, false),
    ];
    for (builder, caller, principal, rule, authorized) in cases {
        let (first, second) = (Auditor::default(), Auditor::default());
        let policy = builder.audit(first.clone()).audit(second.clone()).build()?;
        for door in Door::ALL {
            let served = Served::start(door, policy.clone()).await;
            for kind in Kind::ALL {
                drop(served.call(kind, caller).await);
                let expected = [Event {
                    method: kind.path().to_owned(),
                    principal: principal.map(str::to_owned),
                    policy: "orders".to_owned(),
                    rule: rule.map(str::to_owned),
                    origin: rule.map(|_| "in code (default)".to_owned()),
                    authorized,
                    shadow: false,
                }];
                assert_eq!(first.take(), expected);
                assert_eq!(second.take(), expected);
            }
        }
    }
    Ok(())
}

/// A policy has not been asked: the credential was bad, or the call cannot be made at all.
#[tokio::test]
async fn what_was_turned_away_before_is_no_decision() -> Result<(), PolicyError> {
    let expired = format!("Bearer {}", token::token("alice").expired().sign());
    let good = format!("Bearer {}", token::good("alice"));
    let refused = [
        ("expired", vec![("authorization", &*expired)]),
        ("garbage", vec![("authorization", "Bearer x")]),
        ("two", vec![("authorization", &*good), ("authorization", &*good)]),
        ("no timeout", vec![("authorization", &*good), ("grpc-timeout", "soon")]),
        ("no time", vec![("authorization", &*good), ("grpc-timeout", "0n")]),
    ];
    for rule in [Rule::optional(), Rule::authenticated(), read()] {
        let auditor = Auditor::default();
        let policy = orders(rule.clone()).audit(auditor.clone()).build()?;
        let served = Served::start(Door::Edge, policy.clone()).await;
        for (case, fields) in &refused {
            let mut request = raw::post(raw::METHOD);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            let status = raw::send(served.server.client_without_timeout(), request).await.status();
            assert_ne!(status.code(), tonic::Code::Ok, "{rule}, {case}");
            assert_eq!(served.probe.calls(), 0, "{rule}, {case}");
        }
        assert_eq!(auditor.take(), [], "{rule}");
        assert_eq!(counts(&policy), [("/shop.v1.OrderService/*".to_owned(), 0, 0)], "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn each_rule_counts_its_own_decisions() -> Result<(), PolicyError> {
    let policy = Policy::builder()
        .rule(Kind::Unary.path(), read())
        .rule(Kind::Bidirectional.path(), Rule::public())
        .default_rule(SERVICE, Rule::authenticated())
        .default_rule("x.Known", Rule::public())
        .fallback_rule(Rule::role("admin"))
        .build()?;
    let served = Served::start(Door::Inside, policy.clone()).await;
    for caller in [Caller::Anonymous, Caller::PLAIN, READER, READER] {
        for kind in Kind::ALL {
            drop(served.call(kind, caller).await);
        }
    }
    for path in ["/x.Unknown/Call", "/y.Unknown/Call", "/y.Unknown/Call"] {
        let request = raw::post(path).header("x-user-id", "alice");
        raw::send(served.channel.clone(), request.body(Body::empty()).unwrap()).await;
    }
    let expected = [
        ("*", 0, 3),
        ("/shop.v1.OrderService/*", 6, 2),
        ("/shop.v1.OrderService/CheckItems", 4, 0),
        ("/shop.v1.OrderService/CreateOrder", 2, 2),
        ("/x.Known/*", 0, 0),
    ];
    let expected = expected.map(|(method, allowed, denied)| (method.to_owned(), allowed, denied));
    assert_eq!(counts(&policy), expected);
    Ok(())
}

// One thread, because the subscriber is that of the thread.
#[tokio::test(flavor = "current_thread")]
async fn the_log_has_an_event_for_each_decision() -> Result<(), PolicyError> {
    let (denied, authorized) = ("INFO call denied", "DEBUG call authorized");
    let cases = [
        (
            orders(read()).build()?,
            Caller::PLAIN,
            denied,
            r#"principal="alice" policy="orders" rule=permission "orders:read" origin=in code (default) authorized=false"#,
        ),
        (
            orders(read()).build()?,
            Caller::Anonymous,
            denied,
            r#"policy="orders" rule=permission "orders:read" origin=in code (default) authorized=false"#,
        ),
        (
            Policy::builder().build()?,
            READER,
            denied,
            r#"principal="alice" policy="policy" authorized=false"#,
        ),
        (
            orders(read()).build()?,
            READER,
            authorized,
            r#"principal="alice" policy="orders" rule=permission "orders:read" origin=in code (default) authorized=true"#,
        ),
        (
            orders(Rule::public()).build()?,
            READER,
            authorized,
            r#"policy="orders" rule=public origin=in code (default) authorized=true"#,
        ),
    ];
    let log = Log::start("tonic_passport::audit=debug");
    for (policy, caller, event, fields) in cases {
        let enforcing = Door::Edge.layer().policy(policy.clone());
        let shadowing = Door::Edge.layer().shadow_policy(policy);
        for (layer, shadow) in [(enforcing, false), (shadowing, true)] {
            let served = Served::start_behind(Door::Edge, layer).await;
            drop(served.call(Kind::Unary, caller).await);
            let written = log.take();
            let (_time, written) = written.trim_end().split_once(' ').unwrap();
            let event = event.replacen(' ', " tonic_passport::audit: ", 1);
            let event = if shadow { event.replacen("call ", "call would be ", 1) } else { event };
            let method = Kind::Unary.path();
            let expected = format!("{event} method={method:?} {fields} shadow={shadow}");
            assert_eq!(written.trim_start(), expected);
        }
    }
    Ok(())
}

// One thread, because the subscriber is that of the thread.
#[tokio::test(flavor = "current_thread")]
async fn a_token_is_in_no_report() -> Result<(), PolicyError> {
    let log = Log::start("tonic_passport=trace");
    let (sender, reports) = std::sync::mpsc::channel();
    let report = move |event: &AuditEvent<'_>| sender.send(format!("{event:?}")).unwrap();
    let shadow = orders(read()).audit(report.clone()).build()?;
    let tokens = [token::good("alice"), token::token("alice").expired().sign()];
    for rule in [Rule::public(), Rule::optional(), Rule::role("of nobody")] {
        let policy = orders(rule).audit(report.clone()).build()?;
        let layer = Door::Edge.layer().policy(policy).shadow_policy(shadow.clone());
        let served = Served::start_behind(Door::Edge, layer).await;
        for token in &tokens {
            let fields = [("authorization", &*format!("Bearer {token}")), ("txn-token", token)];
            drop(call(Kind::Unary, served.channel.clone(), &fields).await);
        }
    }
    // Two for each but those with the expired token where it is looked at.
    let reports: Vec<String> = reports.try_iter().collect();
    assert_eq!(reports.len(), 8, "{reports:?}");
    let written = reports.concat() + &log.take();
    assert!(written.contains("call denied"), "{written}");
    for token in &tokens {
        for part in token.split('.') {
            assert!(!written.contains(part), "{part} in {written}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn denials_are_counted_by_policy_rule_and_mode() -> Result<(), PolicyError> {
    let metrics = Metrics::start();
    let policy = Policy::builder()
        .name("orders")
        .rule(Kind::Unary.path(), read())
        .rule(Kind::Bidirectional.path(), Rule::public())
        .default_rule(SERVICE, Rule::role("admin"))
        .build()?;
    let shadow = Policy::builder().fallback_rule(Rule::role("auditor")).build()?;
    let layer = Door::Inside.layer().policy(policy).shadow_policy(shadow);
    let served = Served::start_behind(Door::Inside, layer).await;
    for caller in [Caller::Anonymous, Caller::PLAIN, READER, Caller::with_roles(&["auditor"])] {
        for kind in Kind::ALL {
            drop(served.call(kind, caller).await);
        }
    }
    // What a caller makes up is no label: there is no end to it.
    for path in ["/made.Up/One", "/made.Up/Two", "/made.up.Again/Three"] {
        let request =
            raw::post(path).header("x-user-id", "alice").header("x-user-roles", "auditor");
        raw::send(served.channel.clone(), request.body(Body::empty()).unwrap()).await;
    }
    let mut counted = metrics.take();
    counted.retain(|name, _| name.starts_with("passport_policy_denials_total"));
    let expected = [
        ("method=*,mode=shadow,policy=policy", 12),
        ("method=,mode=enforced,policy=orders", 3),
        ("method=/shop.v1.OrderService/*,mode=enforced,policy=orders", 8),
        ("method=/shop.v1.OrderService/CreateOrder,mode=enforced,policy=orders", 3),
    ];
    let expected = expected
        .map(|(labels, count)| (format!("passport_policy_denials_total{{{labels}}}"), count));
    assert_eq!(counted, expected.into());
    Ok(())
}
