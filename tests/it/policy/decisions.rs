//! Each kind of rule, wherever it comes from, lets in those whom it is for, and nobody else.

use tonic_passport::policy::{HEALTH, PolicyBuilder, PolicyError};
use tonic_passport::{Policy, Rule};

use super::callers::Answer::{self, Challenged, Denied, Known, NoRule, Unknown};
use super::callers::{Caller, Door, Served};
use super::protos::{self, SERVICE};
use crate::support::descriptors::{compile, proto};
use crate::support::probe::Kind;

/// A rule, and how it answers callers.
struct Case {
    declared: &'static str,
    rule: Rule,
    answers: Vec<(Caller, Answer)>,
}

const PLAIN: Caller = Caller::PLAIN;

const fn roles(roles: &'static [&'static str]) -> Caller {
    Caller::with_roles(roles)
}

const fn permissions(permissions: &'static [&'static str]) -> Caller {
    Caller::with_permissions(permissions)
}

const fn both(roles: &'static [&'static str], permissions: &'static [&'static str]) -> Caller {
    Caller::Known { roles, permissions }
}

/// Rules that ask for one thing at most.
fn single() -> [Case; 5] {
    [
        Case {
            declared: "{ public: true }",
            rule: Rule::public(),
            answers: vec![
                (Caller::Anonymous, Unknown),
                (PLAIN, Unknown),
                (both(&["admin"], &["orders:read"]), Unknown),
            ],
        },
        Case {
            declared: "{ optional: true }",
            rule: Rule::optional(),
            answers: vec![
                (Caller::Anonymous, Unknown),
                (PLAIN, Known),
                (both(&["admin"], &["orders:read"]), Known),
            ],
        },
        Case {
            declared: "{ authenticated: true }",
            rule: Rule::authenticated(),
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Known),
                (both(&["admin"], &["orders:read"]), Known),
            ],
        },
        Case {
            declared: r#"{ permission: "orders:read" }"#,
            rule: Rule::permission("orders:read"),
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Denied),
                (permissions(&["orders:create", "orders", "orders:*", "*"]), Denied),
                (permissions(&["orders:reads", "orders:rea", "Orders:read"]), Denied),
                (roles(&["orders:read", "admin"]), Denied),
                (permissions(&["orders:read"]), Known),
                (permissions(&["orders:create", "orders:read"]), Known),
            ],
        },
        Case {
            declared: r#"{ role: "admin" }"#,
            rule: Rule::role("admin"),
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Denied),
                (roles(&["buyer", "Admin", "admins", "admi"]), Denied),
                (permissions(&["admin"]), Denied),
                (roles(&["admin"]), Known),
                (roles(&["buyer", "admin"]), Known),
            ],
        },
    ]
}

/// Rules of several parts.
fn groups() -> [Case; 4] {
    [
        Case {
            declared: r#"{ any_of: { permissions: ["a", "b"] roles: "c" } }"#,
            rule: Rule::any_of([Rule::permission("a"), Rule::permission("b"), Rule::role("c")]),
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Denied),
                (both(&["a", "b"], &["c"]), Denied),
                (permissions(&["a"]), Known),
                (permissions(&["b"]), Known),
                (roles(&["c"]), Known),
                (both(&["c"], &["a", "b"]), Known),
            ],
        },
        Case {
            declared: r#"{ all_of: { permissions: ["a", "b"] roles: "c" } }"#,
            rule: Rule::all_of([Rule::permission("a"), Rule::permission("b"), Rule::role("c")]),
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Denied),
                (permissions(&["a", "b"]), Denied),
                (both(&["c"], &["a"]), Denied),
                (both(&["c"], &["b"]), Denied),
                (roles(&["a", "b", "c"]), Denied),
                (both(&["c"], &["a", "b"]), Known),
                (both(&["d", "c"], &["d", "b", "a"]), Known),
            ],
        },
        Case {
            declared: r#"{ any_of: { roles: "admin" all_of: { permissions: ["a", "b"] } } }"#,
            rule: Rule::any_of([
                Rule::role("admin"),
                Rule::all_of([Rule::permission("a"), Rule::permission("b")]),
            ]),
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Denied),
                (permissions(&["a"]), Denied),
                (permissions(&["b", "admin"]), Denied),
                (permissions(&["a", "b"]), Known),
                (roles(&["admin"]), Known),
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
            answers: vec![
                (Caller::Anonymous, Challenged),
                (PLAIN, Denied),
                (roles(&["staff", "lead"]), Denied),
                (both(&["staff"], &["a"]), Denied),
                (both(&["staff"], &["b", "x"]), Denied),
                (both(&["lead"], &["a", "b", "x", "y"]), Denied),
                (both(&["staff"], &["a", "y"]), Known),
                (both(&["staff", "lead"], &["b", "x"]), Known),
            ],
        },
    ]
}

/// Demands of each case, with the policy that is made of it, that all callers are answered as they
/// should be: in the four kinds of call, at the edge and behind it.
async fn assert_decided(from: &str, policy: impl Fn(&Case) -> PolicyBuilder) {
    for case in single().into_iter().chain(groups()) {
        for door in Door::ALL {
            let policy = policy(&case).build().unwrap();
            let served = Served::start(door, policy).await;
            for &(caller, expected) in &case.answers {
                for kind in Kind::ALL {
                    let name = format!("{} {from}", case.declared);
                    served.expect(kind, caller, expected, &name).await;
                }
            }
        }
    }
}

/// A rule that would deny all callers of the cases.
const CONTRARY: &str = r#"{ role: "of nobody" }"#;

#[tokio::test]
async fn a_rule_beside_a_method_lets_in_whom_it_is_for() {
    assert_decided("beside each method", |case| {
        Policy::builder().descriptor_set(protos::each_method(case.declared))
    })
    .await;
}

#[tokio::test]
async fn a_rule_for_a_service_lets_in_whom_it_is_for() {
    assert_decided("for the service", |case| {
        Policy::builder().descriptor_set(protos::whole_service(case.declared))
    })
    .await;
}

#[tokio::test]
async fn a_rule_in_code_for_a_method_lets_in_whom_it_is_for() {
    assert_decided("in code", |case| {
        let rule = |policy: PolicyBuilder, kind: Kind| policy.rule(kind.path(), case.rule.clone());
        Kind::ALL.into_iter().fold(Policy::builder(), rule)
    })
    .await;
}

#[tokio::test]
async fn a_rule_in_code_takes_the_place_of_the_declared_one() {
    assert_decided("in code, over another", |case| {
        let declared = Policy::builder().descriptor_set(protos::each_method(CONTRARY));
        let rule = |policy: PolicyBuilder, kind: Kind| policy.rule(kind.path(), case.rule.clone());
        Kind::ALL.into_iter().fold(declared, rule)
    })
    .await;
}

#[tokio::test]
async fn a_rule_in_code_for_a_service_lets_in_whom_it_is_for() {
    assert_decided("in code for the service", |case| {
        Policy::builder().default_rule(SERVICE, case.rule.clone())
    })
    .await;
}

#[tokio::test]
async fn a_rule_in_code_for_a_service_takes_the_place_of_the_declared_one() {
    assert_decided("in code for the service, over another", |case| {
        let declared = Policy::builder().descriptor_set(protos::whole_service(CONTRARY));
        declared.default_rule(SERVICE, case.rule.clone())
    })
    .await;
}

#[tokio::test]
async fn a_rule_for_all_other_services_lets_in_whom_it_is_for() {
    assert_decided("for other services", |case| {
        Policy::builder().public(HEALTH).fallback_rule(case.rule.clone())
    })
    .await;
}

/// Callers of every kind, who may do everything that is said of anyone here.
const CALLERS: [Caller; 3] =
    [Caller::Anonymous, PLAIN, both(&["admin"], &["orders:create", "orders:read"])];

#[tokio::test]
async fn what_has_no_rule_is_called_by_nobody() -> Result<(), PolicyError> {
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
        ("no such method", Policy::builder().descriptor_set(&other_method)),
        ("other methods", Policy::builder().public([get_order])),
        (
            "a service that is known is no other one",
            Policy::builder().public([get_order]).fallback_rule(Rule::public()),
        ),
        (
            "a service that is described is no other one",
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
        for door in Door::ALL {
            let served = Served::start(door, policy.clone()).await;
            for caller in CALLERS {
                for kind in Kind::ALL {
                    served.expect(kind, caller, NoRule, case).await;
                }
            }
        }
    }
    Ok(())
}

/// The first that is there: in code for the method, beside it, in code for the service, for the
/// service.
#[tokio::test]
async fn the_nearest_rule_is_the_one_that_counts() -> Result<(), PolicyError> {
    let beside = |method: &str| {
        let methods = ["CreateOrder", "ListOrders"];
        methods.contains(&method).then(|| r#"{ role: "beside" }"#.to_owned())
    };
    let set = protos::orders(Some(r#"{ role: "declared default" }"#), beside);
    let described = || Policy::builder().descriptor_set(&set);
    let create_order = |policy: PolicyBuilder| policy.rule(Kind::Unary.path(), Rule::role("code"));
    let default = |policy: PolicyBuilder| policy.default_rule(SERVICE, Rule::role("code default"));

    // For CreateOrder, ListOrders, ImportOrders and CheckItems.
    let declared = "declared default";
    let policies = [
        (described(), ["beside", "beside", declared, declared]),
        (create_order(described()), ["code", "beside", declared, declared]),
        (default(described()), ["beside", "beside", "code default", "code default"]),
        (default(create_order(described())), ["code", "beside", "code default", "code default"]),
        (
            default(create_order(Policy::builder())).fallback_rule(Rule::public()),
            ["code", "code default", "code default", "code default"],
        ),
    ];
    for (policy, expected) in policies {
        let served = Served::start(Door::Inside, policy.build()?).await;
        for (kind, nearest) in Kind::ALL.into_iter().zip(expected) {
            for (role, caller) in [
                ("beside", roles(&["beside"])),
                ("code", roles(&["code"])),
                ("code default", roles(&["code default"])),
                ("declared default", roles(&["declared default"])),
            ] {
                let answer = if role == nearest { Known } else { Denied };
                served.expect(kind, caller, answer, &format!("{expected:?}")).await;
            }
        }
    }
    Ok(())
}

#[test]
fn the_rules_of_the_protocol_buffers_are_those_of_the_policy() -> Result<(), PolicyError> {
    let set = compile(&[("shop/v1/user.proto", &proto("shop/v1/user.proto"))]);
    let policy = Policy::builder().descriptor_set(set).build()?;
    let table = policy.table();
    let [get_user, who_am_i] = table.rows() else { panic!("{table}") };
    assert_eq!(get_user.rule(), Some(&Rule::authenticated()));
    assert_eq!(who_am_i.source().unwrap().to_string(), "shop/v1/user.proto (default)");
    Ok(())
}
