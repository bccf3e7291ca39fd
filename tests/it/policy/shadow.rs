//! Shadow policies count and audit their decisions, and have no effect on calls.

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_passport::policy::{PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule, UserContext};

use super::harness::{Caller, EntryPoint, TestService};
use super::order_protos::SERVICE;
use super::recording_sink::{RecordedEvent, RecordingSink, counts};
use crate::support::probe::{Kind, call};
use crate::support::{assert_refused, token};

/// Policy with this default rule for the service, or without any rule for it.
fn policy(rule: Option<Rule>) -> PolicyBuilder {
    match rule {
        Some(rule) => Policy::builder().default_rule(SERVICE, rule),
        None => Policy::builder().default_rule("shop.v1.UserService", Rule::public()),
    }
}

fn read() -> Rule {
    Rule::permission("orders:read")
}

const READER: Caller = Caller::with_permissions(&["orders:read"]);

/// Observed result of a call: the response, and the requests that the handler saw.
type Observation = (Result<String, (Code, String, Vec<u8>)>, Vec<(Option<UserContext>, HeaderMap)>);

async fn observe(service: &TestService, kind: Kind, caller: Caller) -> Observation {
    let parts =
        |status: Status| (status.code(), status.message().to_owned(), status.details().to_vec());
    let response = service.call(kind, caller).await.map_err(parts);
    let seen = service.probe.take_all().into_iter().map(|mut seen| {
        seen.metadata.remove("x-request-id").expect("each request has its own");
        (seen.user, seen.metadata)
    });
    (response, seen.collect())
}

#[tokio::test]
async fn a_shadow_policy_does_not_change_responses() -> Result<(), PolicyError> {
    let rules =
        || [None, Some(Rule::public()), Some(Rule::optional()), Some(Rule::authenticated())];
    let unmet = Rule::all_of([read(), Rule::role("unassigned")]);
    let shadows = || rules().into_iter().chain([Some(read()), Some(unmet.clone())]);

    for entry_point in EntryPoint::ALL {
        let mut enforcing = vec![("no policy".to_owned(), entry_point.layer())];
        for rule in rules().into_iter().chain([Some(read())]) {
            enforcing
                .push((format!("{rule:?}"), entry_point.layer().policy(policy(rule).build()?)));
        }
        for (name, layer) in enforcing {
            let alone = TestService::start_behind(entry_point, layer.clone()).await;
            for rule in shadows() {
                let case = format!("{name}, with a shadow of {rule:?}");
                let layer = layer.clone().shadow_policy(policy(rule).build()?);
                let shadowed = TestService::start_behind(entry_point, layer).await;
                for caller in [Caller::Anonymous, Caller::UNPRIVILEGED, READER] {
                    for kind in Kind::ALL {
                        let expected = observe(&alone, kind, caller).await;
                        let found = observe(&shadowed, kind, caller).await;
                        assert_eq!(found, expected, "{case}: {kind:?} as {caller:?}");
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether a call was allowed, and the principal.
type Decision = (bool, Option<&'static str>);

const ALICE: Option<&str> = Some("alice");

#[tokio::test]
async fn a_shadow_policy_counts_and_audits_its_decisions() -> Result<(), PolicyError> {
    // Enforced rule, shadow rule, caller, enforced decision, shadow decision.
    type Case = (Option<Option<Rule>>, Option<Rule>, Caller, Option<Decision>, Decision);
    let public = || Some(Some(Rule::public()));
    let allowed_anonymously = Some((true, None));
    let cases: [Case; 17] = [
        (None, Some(read()), READER, None, (true, ALICE)),
        (None, Some(read()), Caller::UNPRIVILEGED, None, (false, ALICE)),
        (None, Some(read()), Caller::Anonymous, None, (false, None)),
        (None, Some(Rule::public()), Caller::UNPRIVILEGED, None, (true, None)),
        (None, Some(Rule::public()), Caller::Anonymous, None, (true, None)),
        (None, None, Caller::UNPRIVILEGED, None, (false, ALICE)),
        (None, None, Caller::Anonymous, None, (false, None)),
        (
            Some(Some(Rule::authenticated())),
            Some(read()),
            Caller::UNPRIVILEGED,
            Some((true, ALICE)),
            (false, ALICE),
        ),
        (
            Some(Some(read())),
            Some(Rule::authenticated()),
            Caller::UNPRIVILEGED,
            Some((false, ALICE)),
            (true, ALICE),
        ),
        (
            Some(Some(read())),
            Some(Rule::optional()),
            Caller::Anonymous,
            Some((false, None)),
            (true, None),
        ),
        (
            Some(Some(Rule::optional())),
            Some(Rule::authenticated()),
            Caller::Anonymous,
            Some((true, None)),
            (false, None),
        ),
        (Some(None), Some(read()), READER, Some((false, ALICE)), (true, ALICE)),
        // Only the shadow policy needs authentication.
        (public(), Some(read()), READER, allowed_anonymously, (true, ALICE)),
        (public(), Some(read()), Caller::UNPRIVILEGED, allowed_anonymously, (false, ALICE)),
        (public(), Some(read()), Caller::Anonymous, allowed_anonymously, (false, None)),
        (public(), None, READER, allowed_anonymously, (false, ALICE)),
        (public(), Some(Rule::public()), READER, allowed_anonymously, (true, None)),
    ];

    for (enforced, shadow, caller, decision, shadowed) in cases {
        let case = format!("{enforced:?}, {shadow:?}, {caller:?}");
        for entry_point in EntryPoint::ALL {
            let sink = RecordingSink::default();
            let has_rule = shadow.is_some();
            let shadow_rule = shadow.as_ref().map(ToString::to_string);
            let shadow = policy(shadow.clone()).name("shadow").audit(sink.clone()).build()?;
            let mut layer = entry_point.layer().shadow_policy(shadow.clone());
            let mut enforced_rule = None;
            if let Some(rule) = &enforced {
                enforced_rule = rule.as_ref().map(ToString::to_string);
                layer = layer.policy(policy(rule.clone()).audit(sink.clone()).build()?);
            }
            let service = TestService::start_behind(entry_point, layer).await;
            for kind in Kind::ALL {
                drop(service.call(kind, caller).await);
                let event =
                    |policy: &str, rule: &Option<String>, decision: Decision| RecordedEvent {
                        method: kind.path().to_owned(),
                        principal: decision.1.map(str::to_owned),
                        policy: policy.to_owned(),
                        rule: rule.clone(),
                        source: rule.as_ref().map(|_| "in code (default)".to_owned()),
                        authorized: decision.0,
                        shadow: policy == "shadow",
                    };
                let mut expected = vec![event("shadow", &shadow_rule, shadowed)];
                expected.extend(decision.map(|decision| event("policy", &enforced_rule, decision)));
                assert_eq!(sink.take(), expected, "{case}, {kind:?}");
            }
            let expected = match (has_rule, shadowed) {
                (false, _) => ("/shop.v1.UserService/*", 0, 0),
                (true, (true, _)) => ("/shop.v1.OrderService/*", 4, 0),
                (true, (false, _)) => ("/shop.v1.OrderService/*", 0, 4),
            };
            let (method, allowed, denied) = expected;
            assert_eq!(counts(&shadow), [(method.to_owned(), allowed, denied)], "{case}");
        }
    }
    Ok(())
}

/// The public method ignores the credential, so the call must succeed.
#[tokio::test]
async fn an_invalid_credential_is_anonymous_to_a_shadow_policy_of_a_public_method()
-> Result<(), PolicyError> {
    for (entry_point, name, value) in [
        (EntryPoint::Edge, "authorization", "Bearer x.y.z"),
        (EntryPoint::Internal, "x-user-roles", "admin"),
    ] {
        for (rule, authorized) in [
            (Some(Rule::optional()), true),
            (Some(Rule::authenticated()), false),
            (Some(read()), false),
            (None, false),
        ] {
            let sink = RecordingSink::default();
            let shadow = policy(rule.clone()).audit(sink.clone()).build()?;
            let layer = entry_point.layer().policy(policy(Some(Rule::public())).build()?);
            let service = TestService::start_behind(entry_point, layer.shadow_policy(shadow)).await;
            for kind in Kind::ALL {
                let response = call(kind, service.channel.clone(), &[(name, value)]).await;
                assert_eq!(response.unwrap(), "");
                assert_eq!(service.probe.take_one().user, None, "{rule:?}");
                let events = sink.take();
                let [event] = &*events else { panic!("{events:?}") };
                assert_eq!((event.authorized, &event.principal), (authorized, &None), "{rule:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_shadow_policy_does_not_evaluate_a_call_with_a_rejected_credential()
-> Result<(), PolicyError> {
    let sink = RecordingSink::default();
    let shadow = policy(Some(Rule::public())).audit(sink.clone()).build()?;
    let expired = format!("Bearer {}", token::token("alice").expired().sign());
    let optional = EntryPoint::Edge.layer().policy(policy(Some(Rule::optional())).build()?);
    for layer in [EntryPoint::Edge.layer(), optional] {
        let layer = layer.shadow_policy(shadow.clone());
        let service = TestService::start_behind(EntryPoint::Edge, layer).await;
        for kind in Kind::ALL {
            let response =
                call(kind, service.channel.clone(), &[("authorization", &expired)]).await;
            let expected = (Code::Unauthenticated, "TOKEN_EXPIRED");
            assert_refused(response, expected, &service.probe, &format!("{kind:?}"));
        }
    }
    assert_eq!(sink.take(), []);
    assert_eq!(counts(&shadow), [("/shop.v1.OrderService/*".to_owned(), 0, 0)]);
    Ok(())
}
