//! Audit events, counters and metrics of policy decisions.

use tonic::body::Body;
use tonic_passport::policy::{AuditEvent, PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule};

use super::harness::{Caller, EntryPoint, TestService};
use super::order_protos::SERVICE;
use super::recording_sink::{RecordedEvent, RecordingSink, counts};
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
async fn each_decision_is_audited_once() -> Result<(), PolicyError> {
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
        (orders(Rule::authenticated()), Caller::UNPRIVILEGED, ALICE, Some("authenticated"), true),
        (orders(read()), Caller::Anonymous, None, rule, false),
        (orders(read()), Caller::UNPRIVILEGED, ALICE, rule, false),
        (orders(read()), READER, ALICE, rule, true),
        (orders(any_of.clone()), Caller::UNPRIVILEGED, ALICE, shown, false),
        (orders(any_of), READER, ALICE, shown, true),
        (other().fallback_rule(read()), READER, ALICE, rule, true),
        (other(), Caller::Anonymous, None, None, false),
        (other(), READER, ALICE, None, false),
    ];
    for (builder, caller, principal, rule, authorized) in cases {
        let (first, second) = (RecordingSink::default(), RecordingSink::default());
        let policy = builder.audit(first.clone()).audit(second.clone()).build()?;
        for entry_point in EntryPoint::ALL {
            let service = TestService::start(entry_point, policy.clone()).await;
            for kind in Kind::ALL {
                drop(service.call(kind, caller).await);
                let expected = [RecordedEvent {
                    method: kind.path().to_owned(),
                    principal: principal.map(str::to_owned),
                    policy: "orders".to_owned(),
                    rule: rule.map(str::to_owned),
                    source: rule.map(|_| "in code (default)".to_owned()),
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

/// The call is rejected for an invalid credential or timeout, before the policy is evaluated.
#[tokio::test]
async fn a_call_rejected_before_the_policy_is_not_audited() -> Result<(), PolicyError> {
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
        let sink = RecordingSink::default();
        let policy = orders(rule.clone()).audit(sink.clone()).build()?;
        let service = TestService::start(EntryPoint::Edge, policy.clone()).await;
        for (case, fields) in &refused {
            let mut request = raw::post(raw::METHOD);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            let status = raw::send(service.server.client_without_timeout(), request).await.status();
            assert_ne!(status.code(), tonic::Code::Ok, "{rule}, {case}");
            assert_eq!(service.probe.calls(), 0, "{rule}, {case}");
        }
        assert_eq!(sink.take(), [], "{rule}");
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
    let service = TestService::start(EntryPoint::Internal, policy.clone()).await;
    for caller in [Caller::Anonymous, Caller::UNPRIVILEGED, READER, READER] {
        for kind in Kind::ALL {
            drop(service.call(kind, caller).await);
        }
    }
    for path in ["/x.Unknown/Call", "/y.Unknown/Call", "/y.Unknown/Call"] {
        let request = raw::post(path).header("x-user-id", "alice");
        raw::send(service.channel.clone(), request.body(Body::empty()).unwrap()).await;
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

// One thread, because the tracing subscriber is thread-local.
#[tokio::test(flavor = "current_thread")]
async fn the_log_has_an_event_for_each_decision() -> Result<(), PolicyError> {
    let (denied, authorized) = ("INFO call denied", "DEBUG call authorized");
    let cases = [
        (
            orders(read()).build()?,
            Caller::UNPRIVILEGED,
            denied,
            r#"principal="alice" policy="orders" rule=permission "orders:read" source=in code (default) authorized=false"#,
        ),
        (
            orders(read()).build()?,
            Caller::Anonymous,
            denied,
            r#"policy="orders" rule=permission "orders:read" source=in code (default) authorized=false"#,
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
            r#"principal="alice" policy="orders" rule=permission "orders:read" source=in code (default) authorized=true"#,
        ),
        (
            orders(Rule::public()).build()?,
            READER,
            authorized,
            r#"policy="orders" rule=public source=in code (default) authorized=true"#,
        ),
    ];
    let log = Log::start("tonic_passport::audit=debug");
    for (policy, caller, event, fields) in cases {
        let enforcing = EntryPoint::Edge.layer().policy(policy.clone());
        let shadowing = EntryPoint::Edge.layer().shadow_policy(policy);
        for (layer, shadow) in [(enforcing, false), (shadowing, true)] {
            let service = TestService::start_behind(EntryPoint::Edge, layer).await;
            drop(service.call(Kind::Unary, caller).await);
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

// One thread, because the tracing subscriber is thread-local.
#[tokio::test(flavor = "current_thread")]
async fn no_audit_event_contains_a_token() -> Result<(), PolicyError> {
    let log = Log::start("tonic_passport=trace");
    let (sender, reports) = std::sync::mpsc::channel();
    let report = move |event: &AuditEvent<'_>| sender.send(format!("{event:?}")).unwrap();
    let shadow = orders(read()).audit(report.clone()).build()?;
    let tokens = [token::good("alice"), token::token("alice").expired().sign()];
    for rule in [Rule::public(), Rule::optional(), Rule::role("unassigned")] {
        let policy = orders(rule).audit(report.clone()).build()?;
        let layer = EntryPoint::Edge.layer().policy(policy).shadow_policy(shadow.clone());
        let service = TestService::start_behind(EntryPoint::Edge, layer).await;
        for token in &tokens {
            let fields = [("authorization", &*format!("Bearer {token}")), ("txn-token", token)];
            drop(call(Kind::Unary, service.channel.clone(), &fields).await);
        }
    }
    // Two per call, except for the calls whose expired token was rejected.
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
    let layer = EntryPoint::Internal.layer().policy(policy).shadow_policy(shadow);
    let service = TestService::start_behind(EntryPoint::Internal, layer).await;
    for caller in
        [Caller::Anonymous, Caller::UNPRIVILEGED, READER, Caller::with_roles(&["auditor"])]
    {
        for kind in Kind::ALL {
            drop(service.call(kind, caller).await);
        }
    }
    // A path is not a label if no rule names it: callers can make up any number of them.
    for path in ["/made.Up/One", "/made.Up/Two", "/made.up.Again/Three"] {
        let request =
            raw::post(path).header("x-user-id", "alice").header("x-user-roles", "auditor");
        raw::send(service.channel.clone(), request.body(Body::empty()).unwrap()).await;
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
