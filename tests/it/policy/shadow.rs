//! A shadow policy says what it would do, and does nothing.

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_passport::policy::{PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule, UserContext};

use super::auditor::{Auditor, Event, counts};
use super::callers::{Caller, Door, Served};
use super::protos::SERVICE;
use crate::support::probe::{Kind, call};
use crate::support::{assert_refused, token};

/// A policy of this rule for all methods of the service; without one, it does not know the service.
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

/// What came of a call: the answer, and what the handler knew.
type Outcome = (Result<String, (Code, String, Vec<u8>)>, Vec<(Option<UserContext>, HeaderMap)>);

async fn outcome(served: &Served, kind: Kind, caller: Caller) -> Outcome {
    let told =
        |status: Status| (status.code(), status.message().to_owned(), status.details().to_vec());
    let answer = served.call(kind, caller).await.map_err(told);
    let seen = served.probe.take_all().into_iter().map(|mut seen| {
        seen.metadata.remove("x-request-id").expect("each request has its own");
        (seen.user, seen.metadata)
    });
    (answer, seen.collect())
}

#[tokio::test]
async fn whatever_a_shadow_says_calls_are_answered_as_without_it() -> Result<(), PolicyError> {
    let rules =
        || [None, Some(Rule::public()), Some(Rule::optional()), Some(Rule::authenticated())];
    let nobody = Rule::all_of([read(), Rule::role("of nobody")]);
    let shadows = || rules().into_iter().chain([Some(read()), Some(nobody.clone())]);

    for door in Door::ALL {
        let mut enforcing = vec![("no policy".to_owned(), door.layer())];
        for rule in rules().into_iter().chain([Some(read())]) {
            enforcing.push((format!("{rule:?}"), door.layer().policy(policy(rule).build()?)));
        }
        for (name, layer) in enforcing {
            let alone = Served::start_behind(door, layer.clone()).await;
            for rule in shadows() {
                let case = format!("{name}, with a shadow of {rule:?}");
                let layer = layer.clone().shadow_policy(policy(rule).build()?);
                let shadowed = Served::start_behind(door, layer).await;
                for caller in [Caller::Anonymous, Caller::PLAIN, READER] {
                    for kind in Kind::ALL {
                        let expected = outcome(&alone, kind, caller).await;
                        let found = outcome(&shadowed, kind, caller).await;
                        assert_eq!(found, expected, "{case}: {kind:?} as {caller:?}");
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether a decision was to let the caller in, and as whom.
type Decision = (bool, Option<&'static str>);

const ALICE: Option<&str> = Some("alice");

#[tokio::test]
async fn a_shadow_counts_and_reports_what_it_would_do() -> Result<(), PolicyError> {
    // What is enforced, the shadow's rule, the caller, what both say.
    type Case = (Option<Option<Rule>>, Option<Rule>, Caller, Option<Decision>, Decision);
    let public = || Some(Some(Rule::public()));
    let let_in = Some((true, None));
    let cases: [Case; 17] = [
        (None, Some(read()), READER, None, (true, ALICE)),
        (None, Some(read()), Caller::PLAIN, None, (false, ALICE)),
        (None, Some(read()), Caller::Anonymous, None, (false, None)),
        (None, Some(Rule::public()), Caller::PLAIN, None, (true, None)),
        (None, Some(Rule::public()), Caller::Anonymous, None, (true, None)),
        (None, None, Caller::PLAIN, None, (false, ALICE)),
        (None, None, Caller::Anonymous, None, (false, None)),
        (
            Some(Some(Rule::authenticated())),
            Some(read()),
            Caller::PLAIN,
            Some((true, ALICE)),
            (false, ALICE),
        ),
        (
            Some(Some(read())),
            Some(Rule::authenticated()),
            Caller::PLAIN,
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
        // Nobody but the shadow asks who it is.
        (public(), Some(read()), READER, let_in, (true, ALICE)),
        (public(), Some(read()), Caller::PLAIN, let_in, (false, ALICE)),
        (public(), Some(read()), Caller::Anonymous, let_in, (false, None)),
        (public(), None, READER, let_in, (false, ALICE)),
        (public(), Some(Rule::public()), READER, let_in, (true, None)),
    ];

    for (enforced, shadow, caller, decision, shadowed) in cases {
        let case = format!("{enforced:?}, {shadow:?}, {caller:?}");
        for door in Door::ALL {
            let auditor = Auditor::default();
            let has_rule = shadow.is_some();
            let shadow_rule = shadow.as_ref().map(ToString::to_string);
            let shadow = policy(shadow.clone()).name("shadow").audit(auditor.clone()).build()?;
            let mut layer = door.layer().shadow_policy(shadow.clone());
            let mut enforced_rule = None;
            if let Some(rule) = &enforced {
                enforced_rule = rule.as_ref().map(ToString::to_string);
                layer = layer.policy(policy(rule.clone()).audit(auditor.clone()).build()?);
            }
            let served = Served::start_behind(door, layer).await;
            for kind in Kind::ALL {
                drop(served.call(kind, caller).await);
                let event = |policy: &str, rule: &Option<String>, said: Decision| Event {
                    method: kind.path().to_owned(),
                    principal: said.1.map(str::to_owned),
                    policy: policy.to_owned(),
                    rule: rule.clone(),
                    source: rule.as_ref().map(|_| "in code (default)".to_owned()),
                    authorized: said.0,
                    shadow: policy == "shadow",
                };
                let mut expected = vec![event("shadow", &shadow_rule, shadowed)];
                expected.extend(decision.map(|said| event("policy", &enforced_rule, said)));
                assert_eq!(auditor.take(), expected, "{case}, {kind:?}");
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

/// Nobody else looks at it, so nothing becomes of it.
#[tokio::test]
async fn a_credential_that_is_bad_counts_as_none_where_only_a_shadow_looks()
-> Result<(), PolicyError> {
    for (door, name, value) in
        [(Door::Edge, "authorization", "Bearer x.y.z"), (Door::Inside, "x-user-roles", "admin")]
    {
        for (rule, authorized) in [
            (Some(Rule::optional()), true),
            (Some(Rule::authenticated()), false),
            (Some(read()), false),
            (None, false),
        ] {
            let auditor = Auditor::default();
            let shadow = policy(rule.clone()).audit(auditor.clone()).build()?;
            let layer = door.layer().policy(policy(Some(Rule::public())).build()?);
            let served = Served::start_behind(door, layer.shadow_policy(shadow)).await;
            for kind in Kind::ALL {
                let answer = call(kind, served.channel.clone(), &[(name, value)]).await;
                assert_eq!(answer.unwrap(), "");
                assert_eq!(served.probe.take_one().user, None, "{rule:?}");
                let events = auditor.take();
                let [event] = &*events else { panic!("{events:?}") };
                assert_eq!((event.authorized, &event.principal), (authorized, &None), "{rule:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_that_is_refused_is_no_concern_of_a_shadow() -> Result<(), PolicyError> {
    let auditor = Auditor::default();
    let shadow = policy(Some(Rule::public())).audit(auditor.clone()).build()?;
    let expired = format!("Bearer {}", token::token("alice").expired().sign());
    let optional = Door::Edge.layer().policy(policy(Some(Rule::optional())).build()?);
    for layer in [Door::Edge.layer(), optional] {
        let layer = layer.shadow_policy(shadow.clone());
        let served = Served::start_behind(Door::Edge, layer).await;
        for kind in Kind::ALL {
            let answer = call(kind, served.channel.clone(), &[("authorization", &expired)]).await;
            let expected = (Code::Unauthenticated, "TOKEN_EXPIRED");
            assert_refused(answer, expected, &served.probe, &format!("{kind:?}"));
        }
    }
    assert_eq!(auditor.take(), []);
    assert_eq!(counts(&shadow), [("/shop.v1.OrderService/*".to_owned(), 0, 0)]);
    Ok(())
}
