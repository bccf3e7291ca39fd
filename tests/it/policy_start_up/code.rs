//! Errors of rules in code.

use tonic_passport::policy::{HEALTH, InvalidRule, PolicyBuilder, PolicyError, REFLECTION};
use tonic_passport::{Policy, Rule};

use super::{METHOD, SERVICE, set, text};

fn builder() -> PolicyBuilder {
    Policy::builder()
}

/// Builder with the descriptor set of one service, whose method has a rule.
fn described() -> PolicyBuilder {
    builder().descriptor_set(set("", "option (passport.v1.rule) = { permission: 'a' };"))
}

#[test]
fn an_invalid_method_path_is_rejected() {
    let paths = [
        "",
        "/",
        "//",
        "GetOrder",
        "shop.v1.OrderService/GetOrder",
        "shop.v1.OrderService.GetOrder",
        "/shop.v1.OrderService",
        "/shop.v1.OrderService/",
        "/shop.v1.OrderService/*",
        "/shop.v1.OrderService/GetOrder/",
        "//shop.v1.OrderService/GetOrder",
        "/shop.v1.OrderService//GetOrder",
        "/shop.v1.OrderService/GetOrder?",
        "/shop.v1.OrderService/Get%4frder",
        "/shop.v1.OrderService/GetÖrder",
        "/shop.v1..OrderService/GetOrder",
        "/.shop.v1.OrderService/GetOrder",
        " /shop.v1.OrderService/GetOrder",
        "/shop.v1.OrderService/GetOrder\n",
    ];
    for path in paths {
        for builder in [builder(), described()] {
            let builders = [builder.rule(path, Rule::authenticated()), described().public([path])];
            for error in builders.map(|builder| builder.build().unwrap_err()) {
                let PolicyError::InvalidMethodPath { problem } = &error else {
                    panic!("{path:?}: {error:?}")
                };
                assert_eq!(problem.path(), path);
                let problem = format!("{path:?} is not of the form /package.Service/Method");
                assert_eq!(text(&error), format!("in code: {problem}"));
            }
        }
    }
}

#[test]
fn an_invalid_service_name_is_rejected() {
    let names =
        ["", ".", "*", "shop.*", "shop.v1.", ".shop.v1", "shop..v1", "/shop.v1.OrderService"];
    for name in names {
        for builder in [
            builder().default_rule(name, Rule::authenticated()),
            described().default_rule(name, Rule::authenticated()),
            builder().services([name]),
            described().services([SERVICE, name]),
        ] {
            let error = builder.build().unwrap_err();
            let PolicyError::InvalidServiceName { name: rejected } = &error else {
                panic!("{name:?}: {error:?}")
            };
            assert_eq!(rejected, name);
            assert_eq!(
                text(&error),
                format!("in code: {name:?} is not the full name of a service")
            );
        }
    }
}

#[test]
fn a_duplicate_rule_is_rejected_even_if_it_is_identical() {
    let one = Rule::authenticated;
    let cases = [
        ("a method", METHOD, builder().rule(METHOD, one()).rule(METHOD, one())),
        (
            "a method, with another rule",
            METHOD,
            described().rule(METHOD, one()).rule(METHOD, Rule::public()),
        ),
        ("a method, made public", METHOD, described().rule(METHOD, one()).public([METHOD])),
        ("a method, made public twice", METHOD, described().public([METHOD, METHOD])),
        ("health", "/grpc.health.v1.Health/Check", builder().public(HEALTH).public(HEALTH)),
        (
            "a default rule",
            SERVICE,
            builder().default_rule(SERVICE, one()).default_rule(SERVICE, one()),
        ),
        (
            "the fallback",
            "fallback_rule",
            builder().fallback_rule(one()).fallback_rule(Rule::public()),
        ),
    ];
    for (case, target, builder) in cases {
        let error = builder.build().expect_err(case);
        assert!(
            matches!(&error, PolicyError::DuplicateRule { target: named } if named == target),
            "{case}: {error:?}"
        );
        assert_eq!(text(&error), format!("in code: {target} has two rules"), "{case}");
    }
}

#[test]
fn a_rule_for_an_unknown_method_is_rejected() {
    for path in [
        "/shop.v1.OrderService/GetOrders",
        "/shop.v1.OrderService/getOrder",
        "/shop.v1.OrderService/Get_Order",
    ] {
        let builders = [
            described().rule(path, Rule::public()),
            described().public([path]),
            described().services([SERVICE]).rule(path, Rule::authenticated()),
            described().default_rule(SERVICE, Rule::authenticated()).public([path]),
        ];
        for builder in builders {
            let error = builder.build().expect_err(path);
            assert!(
                matches!(&error, PolicyError::UnknownMethod { method } if method.as_str() == path),
                "{path}: {error:?}"
            );
            assert_eq!(text(&error), format!("in code: there is no method {path}"));
        }
    }
}

#[test]
fn an_unknown_service_is_rejected() {
    let other = "shop.v1.OrdersService";
    let path = "/shop.v1.OrdersService/GetOrder";
    let cases = [
        ("a method", described().rule(path, Rule::authenticated())),
        ("a public method", described().public([path])),
        ("a default rule", described().default_rule(other, Rule::authenticated())),
        ("served", described().services([SERVICE, other])),
        ("served alone", builder().services([other])),
        (
            "served with method rules only",
            builder().services([other]).rule(path, Rule::authenticated()),
        ),
        (
            "a method of an unserved service",
            described().services([SERVICE]).rule(path, Rule::authenticated()),
        ),
        (
            "a default rule of an unserved service",
            builder()
                .services([SERVICE])
                .default_rule(SERVICE, Rule::public())
                .default_rule(other, Rule::public()),
        ),
    ];
    for (case, builder) in cases {
        let error = builder.build().expect_err(case);
        assert!(
            matches!(&error, PolicyError::UnknownService { service, .. } if service == other),
            "{case}: {error:?}"
        );
        let known = if case.starts_with("served ") { "none" } else { SERVICE };
        let expected = format!("in code: there is no service {other}; known services: {known}");
        assert_eq!(text(&error), expected, "{case}");
    }
    // A rule for a described service that is not served is an error, too.
    let users = "shop.v1.UserService";
    let error = described().services([users]).default_rule(users, Rule::public());
    let error = error.rule(METHOD, Rule::public()).build().unwrap_err();
    assert!(matches!(error, PolicyError::UnknownService { service, .. } if service == SERVICE));
}

#[test]
fn an_invalid_rule_in_code_is_rejected_with_its_target() {
    let role = || Rule::role("a");
    let nested = |groups: usize| (0..groups).fold(role(), |rule, _| Rule::all_of([rule]));
    let cases = [
        (Rule::any_of([]), InvalidRule::EmptyGroup { group: "any_of" }),
        (Rule::all_of([]), InvalidRule::EmptyGroup { group: "all_of" }),
        (Rule::any_of([role(), Rule::all_of([])]), InvalidRule::EmptyGroup { group: "all_of" }),
        (Rule::any_of([Rule::public()]), InvalidRule::Misplaced { rule: "public" }),
        (Rule::all_of([role(), Rule::optional()]), InvalidRule::Misplaced { rule: "optional" }),
        (
            Rule::any_of([Rule::all_of([Rule::authenticated()])]),
            InvalidRule::Misplaced { rule: "authenticated" },
        ),
        (Rule::permission(""), InvalidRule::InvalidName { name: String::new() }),
        (Rule::role("a\tb"), InvalidRule::InvalidName { name: "a\tb".to_owned() }),
        (
            Rule::all_of([Rule::role("\u{7f}")]),
            InvalidRule::InvalidName { name: "\u{7f}".to_owned() },
        ),
        (nested(17), InvalidRule::TooDeep { max_depth: 16 }),
        (nested(200), InvalidRule::TooDeep { max_depth: 16 }),
    ];
    for (rule, expected) in cases {
        for (target, builder) in [
            (METHOD, described().rule(METHOD, rule.clone())),
            (METHOD, builder().rule(METHOD, rule.clone())),
            (SERVICE, described().default_rule(SERVICE, rule.clone())),
            ("fallback_rule", described().fallback_rule(rule.clone())),
        ] {
            let error = builder.build().expect_err(target);
            let PolicyError::InvalidRule { declared_in, target: named, problem } = &error else {
                panic!("{target}: {rule}: {error:?}")
            };
            assert_eq!(
                (declared_in.proto_file(), declared_in.is_default()),
                (None, false),
                "{rule}"
            );
            assert_eq!((named.as_str(), problem), (target, &expected), "{rule}");
            assert_eq!(text(&error), format!("in code: {target}: {expected}"), "{rule}");
        }
    }
    assert!(described().rule(METHOD, nested(16)).build().is_ok());
}

#[test]
fn the_first_error_is_reported() {
    let error = builder()
        .rule("GetOrder", Rule::public())
        .descriptor_set([0xff])
        .default_rule("*", Rule::public());
    assert!(matches!(error.build(), Err(PolicyError::InvalidMethodPath { .. })));
    let error = builder().descriptor_set([0xff]).rule("GetOrder", Rule::public());
    assert!(matches!(error.build(), Err(PolicyError::InvalidDescriptorSet { .. })));
    // `table` has the same errors.
    let table = described().rule("/shop.v1.OrderService/Misspelled", Rule::public()).table();
    assert!(matches!(table, Err(PolicyError::UnknownMethod { .. })));
    assert!(described().public(HEALTH).public(REFLECTION).table().is_ok());
}
