//! Errors of rules that methods and services declare.

use tonic_passport::policy::{InvalidRule, PolicyError};
use tonic_passport::{Policy, Rule};

use super::{FILE, METHOD, SERVICE, build_error, raw, set, text, wire};

fn conflict(first: &str, second: &str) -> InvalidRule {
    InvalidRule::ConflictingFields { first: first.to_owned(), second: second.to_owned() }
}

fn name(name: &str) -> InvalidRule {
    InvalidRule::InvalidName { name: name.to_owned() }
}

fn unknown(field: &str) -> InvalidRule {
    InvalidRule::UnknownField { field: field.to_owned() }
}

/// Asserts that the error is about the rule of the method.
#[track_caller]
fn assert_method_error(case: &str, error: &PolicyError, expected: &InvalidRule, problem: &str) {
    let PolicyError::InvalidRule { declared_in, target, problem: actual } = error else {
        panic!("{case}: {error:?}")
    };
    assert_eq!((declared_in.proto_file(), declared_in.is_default()), (Some(FILE), false), "{case}");
    assert_eq!((target.as_str(), actual), (METHOD, expected), "{case}");
    assert_eq!(text(error), format!("{FILE}: {METHOD}: {problem}"), "{case}");
}

/// Asserts that the error is about the default rule of the service.
#[track_caller]
fn assert_service_error(case: &str, error: &PolicyError, expected: &InvalidRule, problem: &str) {
    let PolicyError::InvalidRule { declared_in, target, problem: actual } = error else {
        panic!("{case}: {error:?}")
    };
    assert_eq!((declared_in.proto_file(), declared_in.is_default()), (Some(FILE), true), "{case}");
    assert_eq!((target.as_str(), actual), (SERVICE, expected), "{case}");
    assert_eq!(text(error), format!("{FILE} (default): {SERVICE}: {problem}"), "{case}");
}

#[test]
fn an_invalid_declared_rule_is_rejected_with_its_file_and_target() {
    let any_of = |group| InvalidRule::EmptyGroup { group };
    let cases = [
        ("no field", "{}", InvalidRule::Empty),
        ("false", "{ public: false }", InvalidRule::Empty),
        ("two times false", "{ optional: false authenticated: false }", InvalidRule::Empty),
        ("empty permission", "{ permission: '' }", InvalidRule::Empty),
        ("empty role", "{ role: '' }", InvalidRule::Empty),
        ("permission and role", "{ permission: 'a' role: 'b' }", conflict("permission", "role")),
        (
            "public and permission",
            "{ public: true permission: 'a' }",
            conflict("public", "permission"),
        ),
        (
            "in the other order",
            "{ permission: 'a' public: true }",
            conflict("public", "permission"),
        ),
        (
            "authenticated and optional",
            "{ authenticated: true optional: true }",
            conflict("optional", "authenticated"),
        ),
        (
            "both groups",
            "{ all_of: { roles: 'a' } any_of: { roles: 'b' } }",
            conflict("any_of", "all_of"),
        ),
        ("a role, and a group", "{ role: 'a' any_of: { roles: 'a' } }", conflict("role", "any_of")),
        ("empty any_of", "{ any_of: {} }", any_of("any_of")),
        ("empty all_of", "{ all_of: {} }", any_of("all_of")),
        ("empty nested group", "{ any_of: { roles: 'a' all_of: {} } }", any_of("all_of")),
        (
            "empty deeply nested group",
            "{ all_of: { any_of: { all_of: { any_of: {} } } } }",
            any_of("any_of"),
        ),
        ("empty permission in a group", "{ any_of: { permissions: ['a', ''] } }", name("")),
        ("empty role in a group", "{ all_of: { any_of: { roles: '' } } }", name("")),
        ("a line break", r"{ permission: 'a\nb' }", name("a\nb")),
        ("a null", r"{ role: 'a\000' }", name("a\0")),
        ("a carriage return", r"{ any_of: { roles: 'a\r' } }", name("a\r")),
        ("a control character of two bytes", r"{ role: '\302\205' }", name("\u{85}")),
    ];
    for (case, rule, expected) in cases {
        let problem = expected.to_string();
        let method_rule = set("", &format!("option (passport.v1.rule) = {rule};"));
        assert_method_error(case, &build_error(method_rule), &expected, &problem);
        let service_rule = set(&format!("option (passport.v1.default_rule) = {rule};"), "");
        assert_service_error(case, &build_error(service_rule), &expected, &problem);
    }
}

#[test]
fn each_kind_of_invalid_rule_has_its_message() {
    let cases = [
        (conflict("a", "b"), "a and b contradict each other: a rule has exactly one of them"),
        (InvalidRule::Empty, "the rule sets nothing (false and an empty string count as not set)"),
        (InvalidRule::EmptyGroup { group: "any_of" }, "any_of is empty"),
        (InvalidRule::Malformed, "not a valid protocol buffer message"),
        (
            InvalidRule::Misplaced { rule: "public" },
            "public is not allowed inside any_of and all_of",
        ),
        (name("a\n"), r#""a\n" is not a valid name of a permission or role"#),
        (InvalidRule::TooDeep { max_depth: 16 }, "groups are nested more than 16 levels deep"),
        (unknown("tenant"), "tenant is unknown to this version, or has another type"),
    ];
    for (problem, expected) in cases {
        assert_eq!(problem.to_string(), expected);
    }
}

#[test]
fn conflicting_fields_in_separate_statements_are_rejected() {
    let statements = "
        option (passport.v1.rule).permission = 'a';
        option (passport.v1.rule).role = 'b';
    ";
    let expected = conflict("permission", "role");
    assert_method_error("", &build_error(set("", statements)), &expected, &expected.to_string());
}

#[test]
fn fields_in_separate_statements_are_merged() {
    let statements = "
        option (passport.v1.rule).any_of.permissions = 'a';
        option (passport.v1.rule).any_of.roles = 'b';
        option (passport.v1.rule).any_of.permissions = 'c';
    ";
    let policy = Policy::builder().descriptor_set(set("", statements)).build();
    let table = policy.unwrap().table();
    let rule = table.entries()[0].rule().unwrap().to_string();
    assert_eq!(rule, r#"any of (permission "a", permission "c", role "b")"#);
}

/// Option statement with this number of nested groups.
fn nested(groups: usize) -> String {
    let open = "any_of: { ".repeat(groups);
    format!("option (passport.v1.rule) = {{ {open} roles: 'a' {} }};", "}".repeat(groups))
}

#[test]
fn groups_nest_at_most_sixteen_levels_deep() {
    for groups in [1, 2, 15, 16] {
        let policy = Policy::builder().descriptor_set(set("", &nested(groups)));
        let table = policy.build().unwrap().table();
        let rule = table.entries()[0].rule().unwrap().to_string();
        assert_eq!(rule.matches("any of").count(), groups);
    }
    let expected = InvalidRule::TooDeep { max_depth: 16 };
    // In code, any depth can be expressed.
    let endless = (0..1_000_000).fold(Rule::role("a"), |rule, _| Rule::any_of([rule]));
    let error = Policy::builder().rule(METHOD, endless).build().unwrap_err();
    assert!(matches!(&error, PolicyError::InvalidRule { problem, .. } if *problem == expected));
    for groups in [17, 18, 60] {
        let error = build_error(set("", &nested(groups)));
        assert_method_error(&groups.to_string(), &error, &expected, &expected.to_string());
    }
}

/// Field number of both options.
const OPTION: u32 = 50905;

#[test]
fn malformed_options_are_rejected_with_their_file_and_target() {
    let a = || wire::bytes(4, "a");
    let twice = || conflict("permission", "permission");
    let deep = (0..1000).fold(wire::bytes(2, "a"), |inner, _| wire::bytes(3, inner));
    let too_deep = InvalidRule::TooDeep { max_depth: 16 };
    let option = |rule: Vec<u8>| wire::bytes(OPTION, rule);
    let cases = [
        ("not a message", option(vec![0xff]), InvalidRule::Malformed),
        ("truncated", option(vec![0x22, 0x05, b'a']), InvalidRule::Malformed),
        ("not UTF-8", option(wire::bytes(4, [0xff])), InvalidRule::Malformed),
        ("varint instead of string", option(wire::number(4, 1)), unknown("permission")),
        ("string instead of bool", option(wire::bytes(1, "true")), unknown("public")),
        ("varint instead of a group", option(wire::number(6, 1)), unknown("any_of")),
        ("undeclared field 9", option(wire::bytes(9, "t")), unknown("field 9")),
        (
            "undeclared field beside another",
            option([a(), wire::number(1000, 1)].concat()),
            unknown("field 1000"),
        ),
        (
            "undeclared field in a group",
            option(wire::bytes(6, [wire::bytes(2, "a"), wire::bytes(5, "t")].concat())),
            unknown("field 5"),
        ),
        (
            "undeclared field in a nested group",
            option(wire::bytes(7, wire::bytes(3, wire::bytes(4, wire::number(7, 0))))),
            unknown("field 7"),
        ),
        ("two permissions", option([a(), wire::bytes(4, "b")].concat()), twice()),
        ("the same permission twice", option([a(), a()].concat()), twice()),
        ("two options", [option(a()), option(wire::bytes(4, "b"))].concat(), twice()),
        (
            "true and false",
            option([wire::number(1, 1), wire::number(1, 0)].concat()),
            conflict("public", "public"),
        ),
        ("1000 nested groups", option(wire::bytes(6, deep)), too_deep),
        ("only false", option(wire::number(1, 0)), InvalidRule::Empty),
        ("only an empty string", option(wire::bytes(4, "")), InvalidRule::Empty),
        ("options that are not a message", vec![0xff], InvalidRule::Malformed),
        (
            "uninterpreted option",
            wire::bytes(999, wire::bytes(3, "public")),
            InvalidRule::Uninterpreted,
        ),
    ];
    for (case, options, expected) in cases {
        let problem = expected.to_string();
        assert_method_error(case, &build_error(raw(&[], &options, &[])), &expected, &problem);
        assert_service_error(case, &build_error(raw(&options, &[], &[])), &expected, &problem);
    }
}

#[test]
fn an_option_with_another_wire_type_is_rejected() {
    let number = wire::number(OPTION, 1);
    let problem = "passport.v1.rule is unknown to this version, or has another type";
    let error = build_error(raw(&[], &number, &[]));
    assert_method_error("", &error, &unknown("passport.v1.rule"), problem);
    let problem = "passport.v1.default_rule is unknown to this version, or has another type";
    let error = build_error(raw(&number, &[], &[]));
    assert_service_error("", &error, &unknown("passport.v1.default_rule"), problem);
}
