//! Each kind of rule, from each source, allows exactly the callers who meet it.

use tonic_passport::policy::{HEALTH, PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule};

use super::harness::Outcome::{
    self, Anonymous, Authenticated, Denied, RuleMissing, Unauthenticated,
};
use super::harness::{Caller, EntryPoint, TestService};
use super::order_protos::{self, SERVICE};
use crate::support::descriptors::{compile, proto};
use crate::support::probe::Kind;

/// Rule, declared and in code, with the outcome for each caller.
struct Case {
    declared: &'static str,
    rule: Rule,
    outcomes: Vec<(Caller, Outcome)>,
}

const UNPRIVILEGED: Caller = Caller::UNPRIVILEGED;

const fn roles(roles: &'static [&'static str]) -> Caller {
    Caller::with_roles(roles)
}

const fn permissions(permissions: &'static [&'static str]) -> Caller {
    Caller::with_permissions(permissions)
}

const fn both(roles: &'static [&'static str], permissions: &'static [&'static str]) -> Caller {
    Caller::Authenticated { roles, permissions }
}

/// Rules that are not groups.
fn single() -> [Case; 5] {
    [
        Case {
            declared: "{ public: true }",
            rule: Rule::public(),
            outcomes: vec![
                (Caller::Anonymous, Anonymous),
                (UNPRIVILEGED, Anonymous),
                (both(&["admin"], &["orders:read"]), Anonymous),
            ],
        },
        Case {
            declared: "{ optional: true }",
            rule: Rule::optional(),
            outcomes: vec![
                (Caller::Anonymous, Anonymous),
                (UNPRIVILEGED, Authenticated),
                (both(&["admin"], &["orders:read"]), Authenticated),
            ],
        },
        Case {
            declared: "{ authenticated: true }",
            rule: Rule::authenticated(),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Authenticated),
                (both(&["admin"], &["orders:read"]), Authenticated),
            ],
        },
        Case {
            declared: r#"{ permission: "orders:read" }"#,
            rule: Rule::permission("orders:read"),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Denied),
                (permissions(&["orders:create", "orders", "orders:*", "*"]), Denied),
                (permissions(&["orders:reads", "orders:rea", "Orders:read"]), Denied),
                (roles(&["orders:read", "admin"]), Denied),
                (permissions(&["orders:read"]), Authenticated),
                (permissions(&["orders:create", "orders:read"]), Authenticated),
            ],
        },
        Case {
            declared: r#"{ role: "admin" }"#,
            rule: Rule::role("admin"),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Denied),
                (roles(&["buyer", "Admin", "admins", "admi"]), Denied),
                (permissions(&["admin"]), Denied),
                (roles(&["admin"]), Authenticated),
                (roles(&["buyer", "admin"]), Authenticated),
            ],
        },
    ]
}

/// Rules that are groups.
fn groups() -> [Case; 4] {
    [
        Case {
            declared: r#"{ any_of: { permissions: ["a", "b"] roles: "c" } }"#,
            rule: Rule::any_of([Rule::permission("a"), Rule::permission("b"), Rule::role("c")]),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Denied),
                (both(&["a", "b"], &["c"]), Denied),
                (permissions(&["a"]), Authenticated),
                (permissions(&["b"]), Authenticated),
                (roles(&["c"]), Authenticated),
                (both(&["c"], &["a", "b"]), Authenticated),
            ],
        },
        Case {
            declared: r#"{ all_of: { permissions: ["a", "b"] roles: "c" } }"#,
            rule: Rule::all_of([Rule::permission("a"), Rule::permission("b"), Rule::role("c")]),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Denied),
                (permissions(&["a", "b"]), Denied),
                (both(&["c"], &["a"]), Denied),
                (both(&["c"], &["b"]), Denied),
                (roles(&["a", "b", "c"]), Denied),
                (both(&["c"], &["a", "b"]), Authenticated),
                (both(&["d", "c"], &["d", "b", "a"]), Authenticated),
            ],
        },
        Case {
            declared: r#"{ any_of: { roles: "admin" all_of: { permissions: ["a", "b"] } } }"#,
            rule: Rule::any_of([
                Rule::role("admin"),
                Rule::all_of([Rule::permission("a"), Rule::permission("b")]),
            ]),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Denied),
                (permissions(&["a"]), Denied),
                (permissions(&["b", "admin"]), Denied),
                (permissions(&["a", "b"]), Authenticated),
                (roles(&["admin"]), Authenticated),
            ],
        },
        Case {
            declared: r#"{
                all_of: {
                    roles: "staff"
                    any_of: { permissions: "a" all_of: { permissions: "b" roles: "lead" } }
                    any_of: { permissions: ["x", "y"] }
                }
            }"#,
            rule: Rule::all_of([
                Rule::role("staff"),
                Rule::any_of([
                    Rule::permission("a"),
                    Rule::all_of([Rule::permission("b"), Rule::role("lead")]),
                ]),
                Rule::any_of([Rule::permission("x"), Rule::permission("y")]),
            ]),
            outcomes: vec![
                (Caller::Anonymous, Unauthenticated),
                (UNPRIVILEGED, Denied),
                (roles(&["staff", "lead"]), Denied),
                (both(&["staff"], &["a"]), Denied),
                (both(&["staff"], &["b", "x"]), Denied),
                (both(&["lead"], &["a", "b", "x", "y"]), Denied),
                (both(&["staff"], &["a", "y"]), Authenticated),
                (both(&["staff", "lead"], &["b", "x"]), Authenticated),
            ],
        },
    ]
}

/// Asserts the outcome of all cases, for all kinds of call, at the edge and behind it.
async fn assert_enforced(from: &str, policy: impl Fn(&Case) -> PolicyBuilder) {
    for case in single().into_iter().chain(groups()) {
        for entry_point in EntryPoint::ALL {
            let policy = policy(&case).build().unwrap();
            let service = TestService::start(entry_point, policy).await;
            for &(caller, expected) in &case.outcomes {
                for kind in Kind::ALL {
                    let name = format!("{} {from}", case.declared);
                    service.assert_outcome(kind, caller, expected, &name).await;
                }
            }
        }
    }
}

/// Rule that denies all callers of the cases.
const DENY_ALL: &str = r#"{ role: "unassigned" }"#;

#[tokio::test]
async fn a_declared_rule_is_enforced() {
    assert_enforced("declared for each method", |case| {
        Policy::builder().descriptor_set(order_protos::each_method(case.declared))
    })
    .await;
}

#[tokio::test]
async fn a_declared_default_rule_is_enforced() {
    assert_enforced("declared for the service", |case| {
        Policy::builder().descriptor_set(order_protos::whole_service(case.declared))
    })
    .await;
}

#[tokio::test]
async fn a_rule_in_code_is_enforced() {
    assert_enforced("in code", |case| {
        let rule = |policy: PolicyBuilder, kind: Kind| policy.rule(kind.path(), case.rule.clone());
        Kind::ALL.into_iter().fold(Policy::builder(), rule)
    })
    .await;
}

#[tokio::test]
async fn a_rule_in_code_overrides_the_declared_one() {
    assert_enforced("in code, overriding a declared rule", |case| {
        let declared = Policy::builder().descriptor_set(order_protos::each_method(DENY_ALL));
        let rule = |policy: PolicyBuilder, kind: Kind| policy.rule(kind.path(), case.rule.clone());
        Kind::ALL.into_iter().fold(declared, rule)
    })
    .await;
}

#[tokio::test]
async fn a_default_rule_in_code_is_enforced() {
    assert_enforced("in code for the service", |case| {
        Policy::builder().default_rule(SERVICE, case.rule.clone())
    })
    .await;
}

#[tokio::test]
async fn a_default_rule_in_code_overrides_the_declared_one() {
    assert_enforced("in code for the service, overriding a declared rule", |case| {
        let declared = Policy::builder().descriptor_set(order_protos::whole_service(DENY_ALL));
        declared.default_rule(SERVICE, case.rule.clone())
    })
    .await;
}

#[tokio::test]
async fn a_fallback_rule_is_enforced() {
    assert_enforced("fallback", |case| {
        Policy::builder().public(HEALTH).fallback_rule(case.rule.clone())
    })
    .await;
}

/// Callers of each kind. The last one meets every rule of the policies below.
const CALLERS: [Caller; 3] =
    [Caller::Anonymous, UNPRIVILEGED, both(&["admin"], &["orders:create", "orders:read"])];

#[tokio::test]
async fn a_method_without_a_rule_is_denied_to_all_callers() -> Result<(), PolicyError> {
    let other_method = compile(&[(
        "other.proto",
        r#"syntax = "proto3";
        package shop.v1;
        import "passport/v1/policy.proto";
        import "google/protobuf/empty.proto";
        service OrderService {
          option (passport.v1.default_rule) = { public: true };
          rpc GetOrder(google.protobuf.Empty) returns (google.protobuf.Empty);
        }"#,
    )]);
    let get_order = "/shop.v1.OrderService/GetOrder";
    let policies = [
        ("no rule at all", Policy::builder()),
        ("no rule for the service", Policy::builder().public(HEALTH)),
        ("no rule for the methods", Policy::builder().descriptor_set(&other_method)),
        ("a rule for another method", Policy::builder().public([get_order])),
        (
            "the fallback does not apply to a service with rules in code",
            Policy::builder().public([get_order]).fallback_rule(Rule::public()),
        ),
        (
            "the fallback does not apply to a described service",
            Policy::builder().descriptor_set(&other_method).fallback_rule(Rule::public()),
        ),
        (
            "services of similar names",
            Policy::builder()
                .default_rule("shop.v1.OrderServices", Rule::public())
                .default_rule("shop.v1.Order", Rule::public())
                .default_rule("shop.v1.orderservice", Rule::public())
                .default_rule("OrderService", Rule::public())
                .default_rule("shop.v1", Rule::public()),
        ),
    ];
    for (case, policy) in policies {
        let policy = policy.build()?;
        for entry_point in EntryPoint::ALL {
            let service = TestService::start(entry_point, policy.clone()).await;
            for caller in CALLERS {
                for kind in Kind::ALL {
                    service.assert_outcome(kind, caller, RuleMissing, case).await;
                }
            }
        }
    }
    Ok(())
}

/// The order is: in code for the method, declared for it, in code for the service, declared for it.
#[tokio::test]
async fn the_most_specific_rule_applies() -> Result<(), PolicyError> {
    let declared_rule = |method: &str| {
        let methods = ["CreateOrder", "ListOrders"];
        methods.contains(&method).then(|| r#"{ role: "declared" }"#.to_owned())
    };
    let set = order_protos::orders(Some(r#"{ role: "declared default" }"#), declared_rule);
    let described = || Policy::builder().descriptor_set(&set);
    let create_order = |policy: PolicyBuilder| policy.rule(Kind::Unary.path(), Rule::role("code"));
    let default = |policy: PolicyBuilder| policy.default_rule(SERVICE, Rule::role("code default"));

    // For CreateOrder, ListOrders, ImportOrders and CheckItems.
    let inherited = "declared default";
    let policies = [
        (described(), ["declared", "declared", inherited, inherited]),
        (create_order(described()), ["code", "declared", inherited, inherited]),
        (default(described()), ["declared", "declared", "code default", "code default"]),
        (default(create_order(described())), ["code", "declared", "code default", "code default"]),
        (
            default(create_order(Policy::builder())).fallback_rule(Rule::public()),
            ["code", "code default", "code default", "code default"],
        ),
    ];
    for (policy, expected) in policies {
        let service = TestService::start(EntryPoint::Internal, policy.build()?).await;
        for (kind, applied) in Kind::ALL.into_iter().zip(expected) {
            for (role, caller) in [
                ("declared", roles(&["declared"])),
                ("code", roles(&["code"])),
                ("code default", roles(&["code default"])),
                ("declared default", roles(&["declared default"])),
            ] {
                let outcome = if role == applied { Authenticated } else { Denied };
                service.assert_outcome(kind, caller, outcome, &format!("{expected:?}")).await;
            }
        }
    }
    Ok(())
}

#[test]
fn the_table_has_the_rules_of_the_protocol_buffers() -> Result<(), PolicyError> {
    let set = compile(&[("shop/v1/user.proto", &proto("shop/v1/user.proto"))]);
    let policy = Policy::builder().descriptor_set(set).build()?;
    let table = policy.table();
    let [get_user, who_am_i] = table.entries() else { panic!("{table}") };
    assert_eq!(get_user.rule(), Some(&Rule::authenticated()));
    assert_eq!(who_am_i.source().unwrap().to_string(), "shop/v1/user.proto (default)");
    Ok(())
}
