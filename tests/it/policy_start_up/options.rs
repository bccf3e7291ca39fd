//! Modified copies of `passport/v1/policy.proto`, and other options that could be confused with it.

use tonic_passport::Policy;
use tonic_passport::policy::{InvalidRule, PolicyError};

use super::{FILE, METHOD, build_error, service, text};
use crate::support::descriptors::{compile, proto};

const POLICY: &str = "passport/v1/policy.proto";

/// Texts to replace, and their replacements.
type Replacements<'a> = &'a [(&'a str, &'a str)];

/// Compiles the service with these option statements, against a modified policy.proto.
fn modified(
    replacements: Replacements<'_>,
    service_options: &str,
    method_options: &str,
) -> Vec<u8> {
    let policy = replacements.iter().fold(proto(POLICY), |policy, (before, after)| {
        assert!(policy.contains(before), "{before}");
        policy.replacen(before, after, 1)
    });
    compile(&[(POLICY, &policy), (FILE, &service(service_options, method_options))])
}

const RULE: &str = "  Rule rule = 50905;";
const DEFAULT_RULE: &str = "  Rule default_rule = 50905;";

#[test]
fn an_option_with_another_type_is_rejected() {
    let other = "message Other { string permission = 4; }\nmessage Rule {";
    let cases: [(&str, Replacements<'_>, &str); 8] = [
        ("text", &[(RULE, "  string rule = 50905;")], "rule"),
        ("several", &[(RULE, "  repeated Rule rule = 50905;")], "rule"),
        ("another message", &[(RULE, "  Other rule = 50905;"), ("message Rule {", other)], "rule"),
        (
            "of messages",
            &[("extend google.protobuf.MethodOptions", "extend google.protobuf.MessageOptions")],
            "rule",
        ),
        ("text", &[(DEFAULT_RULE, "  string default_rule = 50905;")], "default_rule"),
        ("several", &[(DEFAULT_RULE, "  repeated Rule default_rule = 50905;")], "default_rule"),
        (
            "another message",
            &[(DEFAULT_RULE, "  Other default_rule = 50905;"), ("message Rule {", other)],
            "default_rule",
        ),
        (
            "of files",
            &[("extend google.protobuf.ServiceOptions", "extend google.protobuf.FileOptions")],
            "default_rule",
        ),
    ];
    for (case, changes, name) in cases {
        let error = build_error(modified(changes, "", ""));
        let PolicyError::OptionTypeMismatch { file, option } = &error else {
            panic!("{case}: {error:?}")
        };
        assert_eq!((file.as_str(), option), (POLICY, &format!("passport.v1.{name}")), "{case}");
        assert_eq!(
            text(&error),
            format!(
                "{POLICY}: the option passport.v1.{name} is not the one of passport/v1/policy.proto"
            ),
            "{case}"
        );
    }
}

#[test]
fn options_are_identified_by_name_not_by_number() {
    let changes = [
        (RULE, "  Rule rule = 51234;"),
        (DEFAULT_RULE, "  Rule default_rule = 60000;"),
        ("string permission = 4;", "string permission = 40;"),
        ("Requirements any_of = 6;", "Requirements any_of = 4;"),
        ("repeated string roles = 2;", "repeated string roles = 7;"),
    ];
    for (service_options, method_options, expected) in [
        ("", "option (passport.v1.rule) = { permission: 'a' };", r#"permission "a""#),
        ("", "option (passport.v1.rule).any_of.roles = 'b';", r#"any of (role "b")"#),
        ("option (passport.v1.default_rule) = { permission: 'c' };", "", r#"permission "c""#),
    ] {
        let set = modified(&changes, service_options, method_options);
        let table = Policy::builder().descriptor_set(set).build().unwrap().table();
        assert_eq!(table.entries()[0].rule().unwrap().to_string(), expected);
    }
}

#[test]
fn a_foreign_option_with_the_same_number_is_not_a_rule() {
    let other = r#"
        syntax = "proto3";
        package other.v1;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.MethodOptions { Rule rule = 50905; }
        message Rule { bool public = 1; }
    "#;
    let method_options = "option (other.v1.rule) = { public: true };";
    let service = service("", method_options).replace(POLICY, "other/v1/policy.proto");
    let set = compile(&[("other/v1/policy.proto", other), (FILE, &service)]);
    let error = build_error(set);
    assert!(matches!(error, PolicyError::Uncovered { .. }), "{error:?}");
}

/// The value of the other option would be taken for a rule.
#[test]
fn a_foreign_option_with_the_same_number_is_rejected_if_both_are_declared() {
    let within = |of: &str| format!("message Cache {{ bool enabled = 1; {of} }}");
    let beside = |of: &str| format!("message Cache {{ bool enabled = 1; }} {of}");
    let of_methods = "extend google.protobuf.MethodOptions { Cache cache = 50905; }";
    let of_services = "extend google.protobuf.ServiceOptions { Cache cache = 50905; }";
    let deeper = format!("message Deeper {{ {of_methods} }}");
    let policy = compile(&[(POLICY, &proto(POLICY))]);
    for (declared, name, service_options, method_options) in [
        (beside(of_methods), "cache", "", "option (acme.v1.cache).enabled = true;"),
        (within(of_methods), "Cache.cache", "", "option (acme.v1.Cache.cache).enabled = true;"),
        (within(&deeper), "Cache.Deeper.cache", "", ""),
        (beside(of_services), "cache", "option (acme.v1.cache).enabled = true;", ""),
    ] {
        let cache = format!(
            r#"syntax = "proto3"; package acme.v1;
            import "google/protobuf/descriptor.proto"; {declared}"#
        );
        let service =
            service(service_options, method_options).replace(POLICY, "acme/v1/cache.proto");
        let acme = compile(&[("acme/v1/cache.proto", &cache), (FILE, &service)]);
        let error = build_error([acme.as_slice(), &policy].concat());
        let PolicyError::OptionNumberConflict { file, option, number: 50905 } = &error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!((file.as_str(), option), ("acme/v1/cache.proto", &format!("acme.v1.{name}")));
        // In separate descriptor sets, the options cannot be confused.
        let apart = Policy::builder().descriptor_set(&acme);
        let apart = apart.descriptor_set(compile(&[("shop/v1/user.proto", USERS)])).build();
        assert!(matches!(apart, Err(PolicyError::Uncovered { .. })), "{apart:?}");
    }
}

const USERS: &str = r#"
    syntax = "proto3";
    package shop.v1;
    import "passport/v1/policy.proto";
    service UserService { option (passport.v1.default_rule) = { authenticated: true }; }
"#;

/// The rule would be ignored, and the default rule apply instead.
#[test]
fn an_option_of_type_rule_with_another_name_is_rejected() {
    let default = "option (passport.v1.default_rule) = { authenticated: true };";
    for (after, name) in [
        ("  Rule method_rule = 50907;", "passport.v1.method_rule"),
        (
            "}\nmessage X { extend google.protobuf.MethodOptions { Rule rule = 50907; }",
            "passport.v1.X.rule",
        ),
    ] {
        let method_options = format!("option ({name}) = {{ role: 'admin' }};");
        let error = build_error(modified(&[(RULE, after)], default, &method_options));
        let PolicyError::OptionTypeMismatch { file, option } = &error else { panic!("{error:?}") };
        assert_eq!((file.as_str(), option.as_str()), (POLICY, name));
    }
}

#[test]
fn a_field_of_a_newer_version_is_rejected_if_it_is_set() {
    let rule = ("  Requirements all_of = 7;", "  Requirements all_of = 7;\n  string tenant = 9;");
    let within = (
        "  repeated Requirements all_of = 4;",
        "  repeated Requirements all_of = 4;\n  repeated string tenants = 9;",
    );
    let newer = [rule, within];
    let known = modified(&newer, "", "option (passport.v1.rule) = { permission: 'a' };");
    assert!(Policy::builder().descriptor_set(known).build().is_ok());

    for (rule, field) in [
        ("{ tenant: 'a' }", "tenant"),
        ("{ permission: 'a' tenant: 'b' }", "tenant"),
        ("{ public: true tenant: 'b' }", "tenant"),
        ("{ any_of: { roles: 'a' tenants: 'b' } }", "tenants"),
        ("{ any_of: { roles: 'a' all_of: { roles: 'b' tenants: 'c' } } }", "tenants"),
    ] {
        let set = modified(&newer, "", &format!("option (passport.v1.rule) = {rule};"));
        let error = build_error(set);
        let PolicyError::InvalidRule { target, problem, .. } = &error else {
            panic!("{rule}: {error:?}")
        };
        assert_eq!(target, METHOD, "{rule}");
        assert_eq!(*problem, InvalidRule::UnknownField { field: field.to_owned() }, "{rule}");
        assert_eq!(
            text(&error),
            format!("{FILE}: {METHOD}: {field} is unknown to this version, or has another type"),
            "{rule}"
        );
    }
}

#[test]
fn a_field_with_another_type_is_rejected_if_it_is_set() {
    let cases = [
        ("bool public = 1;", "string public = 1;", "{ public: 'true' }", "public"),
        ("bool public = 1;", "repeated bool public = 1;", "{ public: true }", "public"),
        ("string role = 5;", "bytes role = 5;", "{ role: 'a' }", "role"),
        ("string role = 5;", "repeated string role = 5;", "{ role: ['a', 'b'] }", "role"),
        ("Requirements any_of = 6;", "Rule any_of = 6;", "{ any_of: { role: 'a' } }", "any_of"),
        (
            "Requirements all_of = 7;",
            "repeated Requirements all_of = 7;",
            "{ all_of: { roles: 'a' } }",
            "all_of",
        ),
        ("repeated string roles = 2;", "string roles = 2;", "{ any_of: { roles: 'a' } }", "roles"),
        (
            "repeated Requirements any_of = 3;",
            "map<string, Requirements> any_of = 3;",
            "{ all_of: { any_of: { key: 'a' value: { roles: 'a' } } } }",
            "any_of",
        ),
    ];
    for (before, after, rule, field) in cases {
        let method_options = format!("option (passport.v1.rule) = {rule};");
        let error = build_error(modified(&[(before, after)], "", &method_options));
        assert_eq!(
            text(&error),
            format!("{FILE}: {METHOD}: {field} is unknown to this version, or has another type"),
            "{after}"
        );
    }
}
