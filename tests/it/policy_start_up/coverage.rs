//! Coverage: each method must have a rule.

use tonic_passport::policy::{
    HEALTH, MethodPath, PolicyBuilder, PolicyError, REFLECTION, RuleEntry,
};
use tonic_passport::{Policy, Rule};

use super::{FILE, METHOD, SERVICE, service, set, text};
use crate::support::descriptors::compile;

/// Service: name, option statements, and methods with their option statements.
type Service<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Compiles the services to a descriptor set.
fn services(services: &[Service<'_>]) -> Vec<u8> {
    let services = services.iter().map(|(name, statements, methods)| {
        let methods = methods.iter().map(|(name, statements)| {
            format!("rpc {name}(Request) returns (Request) {{ {statements} }}\n")
        });
        format!("service {name} {{ {statements}\n {} }}\n", methods.collect::<String>())
    });
    let file = format!(
        r#"
        syntax = "proto3";
        package shop.v1;
        import "passport/v1/policy.proto";
        message Request {{}}
        {}"#,
        services.collect::<String>()
    );
    compile(&[(FILE, &file)])
}

const RULE: &str = "option (passport.v1.rule) = { permission: 'proto' };";
const DEFAULT: &str = "option (passport.v1.default_rule) = { permission: 'proto-default' };";

#[track_caller]
fn assert_uncovered(builder: PolicyBuilder, expected: &[&str]) {
    let error = builder.build().unwrap_err();
    let PolicyError::Uncovered { methods, .. } = &error else { panic!("{error:?}") };
    let methods: Vec<&str> = methods.iter().map(MethodPath::as_str).collect();
    assert_eq!(methods, expected);
    assert_eq!(text(&error), format!("no rule for {}", expected.join(", ")));
}

#[test]
fn the_error_names_exactly_the_methods_without_a_rule() {
    let set = services(&[
        ("Orders", "", &[("Get", RULE), ("Create", ""), ("Cancel", RULE), ("List", "")]),
        ("Users", DEFAULT, &[("Get", ""), ("Create", RULE)]),
        ("Stock", "", &[("Count", ""), ("Refill", RULE)]),
    ]);
    let builder = || Policy::builder().descriptor_set(&set);
    let all = ["/shop.v1.Orders/Create", "/shop.v1.Orders/List", "/shop.v1.Stock/Count"];
    assert_uncovered(builder(), &all);
    assert_uncovered(builder().public(HEALTH).fallback_rule(Rule::public()), &all);
    // Only the served services count.
    assert_uncovered(builder().services(["shop.v1.Stock"]), &all[2..]);
    assert_uncovered(builder().services(["shop.v1.Users", "shop.v1.Orders"]), &all[..2]);
    assert!(builder().services(["shop.v1.Users"]).build().is_ok());
    // Rules in code count.
    assert_uncovered(builder().rule(all[1], Rule::public()), &[all[0], all[2]]);
    assert_uncovered(builder().default_rule("shop.v1.Orders", Rule::public()), &all[2..]);
    let covered = builder().default_rule("shop.v1.Orders", Rule::public()).public([all[2]]);
    assert_eq!(covered.build().unwrap().table().entries().len(), 8);
    // The table contains the methods without a rule.
    let table = builder().table().unwrap();
    let without = table.entries().iter().filter(|row| row.rule().is_none());
    assert_eq!(without.map(RuleEntry::target).collect::<Vec<_>>(), all);
    assert!(table.to_string().contains("/shop.v1.Orders/Create  none\n"), "{table}");
}

#[test]
fn the_table_has_the_most_specific_rule_of_each_method() {
    let in_code = |builder: PolicyBuilder| builder.rule(METHOD, Rule::permission("code"));
    let code_default =
        |builder: PolicyBuilder| builder.default_rule(SERVICE, Rule::permission("code-default"));
    let sources = |rule: &str| match rule {
        "code" => "in code".to_owned(),
        "proto" => FILE.to_owned(),
        "code-default" => "in code (default)".to_owned(),
        "proto-default" => format!("{FILE} (default)"),
        rule => panic!("{rule}"),
    };
    for number in 0..16 {
        let is_set = |bit: u32| number & (1 << bit) != 0;
        let if_set = |bit: u32, text: &'static str| if is_set(bit) { text } else { "" };
        let file = service(if_set(0, DEFAULT), if_set(2, RULE));
        // The compiler warns about unused imports, so the options are imported only if used.
        let is_used = is_set(0) || is_set(2);
        let import = if is_used { "passport/v1/policy.proto" } else { "google/protobuf/any.proto" };
        let file = file.replace("passport/v1/policy.proto", import);
        let mut builder = Policy::builder().descriptor_set(compile(&[(FILE, &file)]));
        if is_set(1) {
            builder = code_default(builder);
        }
        if is_set(3) {
            builder = in_code(builder);
        }
        let expected = ["proto-default", "code-default", "proto", "code"];
        let expected = (0..4).rev().find(|bit| is_set(*bit)).map(|bit| expected[bit as usize]);
        let Some(expected) = expected else {
            assert_uncovered(builder, &[METHOD]);
            continue;
        };
        let table = builder.build().unwrap().table();
        let [row] = table.entries() else { panic!("{table}") };
        assert_eq!(row.rule(), Some(&Rule::permission(expected)), "{number:b}");
        assert_eq!(row.source().unwrap().to_string(), sources(expected), "{number:b}");
    }
}

#[test]
fn health_and_reflection_need_no_descriptor_set() {
    let described = || Policy::builder().descriptor_set(set(DEFAULT, ""));
    for builder in [
        described(),
        described().services([SERVICE]),
        Policy::builder(),
        Policy::builder().services([SERVICE]).default_rule(SERVICE, Rule::authenticated()),
    ] {
        let policy = builder.public(HEALTH).public(REFLECTION).build().unwrap();
        for method in HEALTH.iter().chain(REFLECTION) {
            assert!(policy.authorize(method.as_str(), None).is_ok(), "{method}");
        }
    }
}

#[test]
fn health_may_be_public_beside_an_older_descriptor_of_it() {
    // The older version lacks `List`.
    let older = tonic_health::pb::FILE_DESCRIPTOR_SET;
    let builder = || Policy::builder().descriptor_set(older).descriptor_set(set(DEFAULT, ""));
    assert_uncovered(builder(), &["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]);
    assert!(builder().services([SERVICE]).public(HEALTH).build().is_ok());
    let policy = builder().public(HEALTH).build().unwrap();
    assert!(HEALTH.iter().all(|method| policy.authorize(method.as_str(), None).is_ok()));

    let misspelled = builder().public(HEALTH).public(["/grpc.health.v1.Health/Chekc"]);
    assert!(matches!(misspelled.build(), Err(PolicyError::UnknownMethod { .. })));
}

#[test]
fn a_service_that_is_not_served_needs_no_rule_and_is_denied() {
    let set = services(&[("Orders", DEFAULT, &[("Get", "")]), ("Others", "", &[("Get", "")])]);
    let builder = || Policy::builder().descriptor_set(&set);
    assert_uncovered(builder(), &["/shop.v1.Others/Get"]);
    let policy = builder().services(["shop.v1.Orders"]).build().unwrap();
    let table = policy.table();
    assert_eq!(table.entries().len(), 1, "{table}");
    assert!(policy.authorize("/shop.v1.Others/Get", None).is_err());
}

#[test]
fn the_fallback_does_not_apply_to_a_described_service_that_is_not_served() {
    let declared = "option (passport.v1.rule) = { role: 'admin' };";
    let set =
        services(&[("Orders", DEFAULT, &[("Get", "")]), ("Others", "", &[("Get", declared)])]);
    let builder = || Policy::builder().descriptor_set(&set).fallback_rule(Rule::public());
    for services in [&["shop.v1.Orders"][..], &[]] {
        let policy = builder().services(services.iter().copied()).build().unwrap();
        assert!(policy.authorize("/shop.v1.Others/Get", None).is_err());
        assert!(policy.authorize("/shop.v1.Neither/Get", None).is_ok());
    }
}

#[test]
fn a_service_without_methods_needs_no_rule() {
    let policy = Policy::builder().descriptor_set(services(&[("Orders", "", &[])])).build();
    let policy = policy.unwrap();
    assert!(policy.table().entries().is_empty());
    assert!(policy.authorize("/shop.v1.Orders/Get", None).is_err());
}
