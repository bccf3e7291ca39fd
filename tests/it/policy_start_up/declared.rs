//! Rules beside methods and services that make no sense.

use tonic_passport::policy::{InvalidRule, PolicyError};
use tonic_passport::{Policy, Rule};

use super::{FILE, METHOD, SERVICE, raw, refusal, set, text, wire};

fn conflict(first: &str, second: &str) -> InvalidRule {
    InvalidRule::ConflictingFields { first: first.to_owned(), second: second.to_owned() }
}

fn name(name: &str) -> InvalidRule {
    InvalidRule::InvalidName { name: name.to_owned() }
}

fn unknown(field: &str) -> InvalidRule {
    InvalidRule::UnknownField { field: field.to_owned() }
}

/// Demands that this is said of the rule of the method, by file, service and method.
#[track_caller]
fn assert_of_method(case: &str, error: &PolicyError, expected: &InvalidRule, problem: &str) {
    let PolicyError::InvalidRule { declared_in, target, problem: found } = error else {
        panic!("{case}: {error:?}")
    };
    assert_eq!((declared_in.proto_file(), declared_in.is_default()), (Some(FILE), false), "{case}");
    assert_eq!((target.as_str(), found), (METHOD, expected), "{case}");
    assert_eq!(text(error), format!("{FILE}: {METHOD}: {problem}"), "{case}");
}

/// The same of the rule for all of the service.
#[track_caller]
fn assert_of_service(case: &str, error: &PolicyError, expected: &InvalidRule, problem: &str) {
    let PolicyError::InvalidRule { declared_in, target, problem: found } = error else {
        panic!("{case}: {error:?}")
    };
    assert_eq!((declared_in.proto_file(), declared_in.is_default()), (Some(FILE), true), "{case}");
    assert_eq!((target.as_str(), found), (SERVICE, expected), "{case}");
    assert_eq!(text(error), format!("{FILE} (default): {SERVICE}: {problem}"), "{case}");
}

#[test]
fn an_invalid_declared_rule_is_rejected_with_its_file_and_target() {
    let any_of = |group| InvalidRule::EmptyGroup { group };
    let cases = [
        ("nothing", "{}", InvalidRule::Empty),
        ("not public", "{ public: false }", InvalidRule::Empty),
        ("nothing that is so", "{ optional: false authenticated: false }", InvalidRule::Empty),
        ("no name", "{ permission: '' }", InvalidRule::Empty),
        ("no role's name", "{ role: '' }", InvalidRule::Empty),
        ("one and another", "{ permission: 'a' role: 'b' }", conflict("permission", "role")),
        ("open and not", "{ public: true permission: 'a' }", conflict("public", "permission")),
        ("any order", "{ permission: 'a' public: true }", conflict("public", "permission")),
        (
            "known, or not",
            "{ authenticated: true optional: true }",
            conflict("optional", "authenticated"),
        ),
        (
            "both groups",
            "{ all_of: { roles: 'a' } any_of: { roles: 'b' } }",
            conflict("any_of", "all_of"),
        ),
        ("a role, and a group", "{ role: 'a' any_of: { roles: 'a' } }", conflict("role", "any_of")),
        ("none of any", "{ any_of: {} }", any_of("any_of")),
        ("all of none", "{ all_of: {} }", any_of("all_of")),
        ("none within", "{ any_of: { roles: 'a' all_of: {} } }", any_of("all_of")),
        ("far within", "{ all_of: { any_of: { all_of: { any_of: {} } } } }", any_of("any_of")),
        ("an empty name", "{ any_of: { permissions: ['a', ''] } }", name("")),
        ("an empty role", "{ all_of: { any_of: { roles: '' } } }", name("")),
        ("a line break", r"{ permission: 'a\nb' }", name("a\nb")),
        ("a null", r"{ role: 'a\000' }", name("a\0")),
        ("half of a line break", r"{ any_of: { roles: 'a\r' } }", name("a\r")),
        ("a control character of two bytes", r"{ role: '\302\205' }", name("\u{85}")),
    ];
    for (case, rule, expected) in cases {
        let problem = expected.to_string();
        let of_method = set("", &format!("option (passport.v1.rule) = {rule};"));
        assert_of_method(case, &refusal(of_method), &expected, &problem);
        let of_service = set(&format!("option (passport.v1.default_rule) = {rule};"), "");
        assert_of_service(case, &refusal(of_service), &expected, &problem);
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
    assert_of_method("", &refusal(set("", statements)), &expected, &expected.to_string());
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
    let rule = table.rows()[0].rule().unwrap().to_string();
    assert_eq!(rule, r#"any of (permission "a", permission "c", role "b")"#);
}

/// A rule with groups within groups, so many in all.
fn nested(groups: usize) -> String {
    let open = "any_of: { ".repeat(groups);
    format!("option (passport.v1.rule) = {{ {open} roles: 'a' {} }};", "}".repeat(groups))
}

#[test]
fn groups_nest_at_most_sixteen_levels_deep() {
    for groups in [1, 2, 15, 16] {
        let policy = Policy::builder().descriptor_set(set("", &nested(groups)));
        let table = policy.build().unwrap().table();
        let rule = table.rows()[0].rule().unwrap().to_string();
        assert_eq!(rule.matches("any of").count(), groups);
    }
    let expected = InvalidRule::TooDeep { max_depth: 16 };
    // In code, there is no end to it.
    let endless = (0..1_000_000).fold(Rule::role("a"), |rule, _| Rule::any_of([rule]));
    let error = Policy::builder().rule(METHOD, endless).build().unwrap_err();
    assert!(matches!(&error, PolicyError::InvalidRule { problem, .. } if *problem == expected));
    for groups in [17, 18, 60] {
        let error = refusal(set("", &nested(groups)));
        assert_of_method(&groups.to_string(), &error, &expected, &expected.to_string());
    }
}

/// The number of both options.
const OPTION: u32 = 50905;

#[test]
fn malformed_options_are_rejected_with_their_file_and_target() {
    let a = || wire::bytes(4, "a");
    let twice = || conflict("permission", "permission");
    let deep = (0..1000).fold(wire::bytes(2, "a"), |inner, _| wire::bytes(3, inner));
    let too_deep = InvalidRule::TooDeep { max_depth: 16 };
    let option = |rule: Vec<u8>| wire::bytes(OPTION, rule);
    let cases = [
        ("no message", option(vec![0xff]), InvalidRule::Malformed),
        ("cut short", option(vec![0x22, 0x05, b'a']), InvalidRule::Malformed),
        ("no text", option(wire::bytes(4, [0xff])), InvalidRule::Malformed),
        ("a number for text", option(wire::number(4, 1)), unknown("permission")),
        ("text for a number", option(wire::bytes(1, "true")), unknown("public")),
        ("a number for a group", option(wire::number(6, 1)), unknown("any_of")),
        ("no fields are known by number 9", option(wire::bytes(9, "t")), unknown("field 9")),
        ("nor beside others", option([a(), wire::number(1000, 1)].concat()), unknown("field 1000")),
        (
            "nor within a group",
            option(wire::bytes(6, [wire::bytes(2, "a"), wire::bytes(5, "t")].concat())),
            unknown("field 5"),
        ),
        (
            "nor far within",
            option(wire::bytes(7, wire::bytes(3, wire::bytes(4, wire::number(7, 0))))),
            unknown("field 7"),
        ),
        ("two values", option([a(), wire::bytes(4, "b")].concat()), twice()),
        ("one value twice", option([a(), a()].concat()), twice()),
        ("two options", [option(a()), option(wire::bytes(4, "b"))].concat(), twice()),
        (
            "yes and no",
            option([wire::number(1, 1), wire::number(1, 0)].concat()),
            conflict("public", "public"),
        ),
        ("very deep", option(wire::bytes(6, deep)), too_deep),
        ("false, and no more", option(wire::number(1, 0)), InvalidRule::Empty),
        ("no text, and no more", option(wire::bytes(4, "")), InvalidRule::Empty),
        ("options that are none", vec![0xff], InvalidRule::Malformed),
        (
            "an option that was not looked up",
            wire::bytes(999, wire::bytes(3, "public")),
            InvalidRule::Uninterpreted,
        ),
    ];
    for (case, options, expected) in cases {
        let problem = expected.to_string();
        assert_of_method(case, &refusal(raw(&[], &options, &[])), &expected, &problem);
        assert_of_service(case, &refusal(raw(&options, &[], &[])), &expected, &problem);
    }
}

#[test]
fn an_option_with_another_wire_type_is_rejected() {
    let number = wire::number(OPTION, 1);
    let problem = "passport.v1.rule is unknown to this version, or has another type";
    let error = refusal(raw(&[], &number, &[]));
    assert_of_method("", &error, &unknown("passport.v1.rule"), problem);
    let problem = "passport.v1.default_rule is unknown to this version, or has another type";
    let error = refusal(raw(&number, &[], &[]));
    assert_of_service("", &error, &unknown("passport.v1.default_rule"), problem);
}
