//! Descriptor sets that are malformed, incomplete, or overlapping.

use std::collections::HashMap;

use prost::Message;
use protox::prost_reflect::prost_types::FileDescriptorSet;
use tonic_passport::policy::{PolicyError, RuleTable};
use tonic_passport::{Policy, Rule};

use super::{FILE, METHOD, SERVICE, build_error, raw, service, set, text, wire};
use crate::support::descriptors::{compile, proto};

/// Asserts that the descriptor set is invalid, with this message.
#[track_caller]
fn assert_invalid_set(case: &str, error: &PolicyError, problem: &str) {
    assert!(matches!(error, PolicyError::InvalidDescriptorSet { .. }), "{case}: {error:?}");
    assert_eq!(text(error), format!("descriptor set: {problem}"), "{case}");
}

#[test]
fn input_that_is_not_a_descriptor_set_is_rejected() {
    const MALFORMED: &str = "not a valid protocol buffer message, or one of another type";
    const TRUNCATED: &str = "the message is truncated";
    const NO_SERVICE: &str = "it contains no service";
    let policy = proto("passport/v1/policy.proto");
    let rust = include_bytes!("sets.rs");
    let cases: [(&str, &[u8], &str); 12] = [
        ("no bytes", b"", NO_SERVICE),
        ("zeros", &[0; 64], MALFORMED),
        ("ones", &[0xff; 64], MALFORMED),
        ("text", b"not a descriptor set", MALFORMED),
        ("JSON", br#"{"file": []}"#, TRUNCATED),
        ("protocol buffers as text", policy.as_bytes(), MALFORMED),
        ("Rust source", rust, MALFORMED),
        ("a compressed file", &[0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3], MALFORMED),
        ("an ELF executable", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", MALFORMED),
        ("a file instead of a set", &wire::bytes(1, wire::bytes(1, [0xff])), MALFORMED),
        ("a file that is a number", &wire::number(1, 7), MALFORMED),
        ("another message", &wire::bytes(9, "text"), NO_SERVICE),
    ];
    for (case, bytes, problem) in cases {
        assert_invalid_set(case, &build_error(bytes), problem);
    }
    let without = compile(&[("passport/v1/policy.proto", &policy)]);
    assert_invalid_set("no services", &build_error(without), NO_SERVICE);
}

#[test]
fn a_missing_import_is_rejected_with_both_files() {
    let whole = set("", "option (passport.v1.rule) = { permission: 'a' };");
    let files = files(&whole);
    let [google, policy, shop] = files[..] else { panic!("{} files", files.len()) };

    let no_policy = [google, shop].concat();
    let problem = format!(
        "{FILE}: imports passport/v1/policy.proto, which is missing: include imports in the descriptor set"
    );
    assert_invalid_set("no imports at all", &build_error(shop), &problem);
    assert_invalid_set("no policy.proto", &build_error(&no_policy), &problem);
    let problem = "passport/v1/policy.proto: imports google/protobuf/descriptor.proto, which is missing: include imports in the descriptor set";
    assert_invalid_set("no descriptor.proto", &build_error([policy, shop].concat()), problem);

    // A default rule in code would hide that declared rules are missing.
    let policy = Policy::builder().descriptor_set(no_policy).default_rule(SERVICE, Rule::public());
    assert!(matches!(policy.build(), Err(PolicyError::InvalidDescriptorSet { .. })));
    // Since edition 2024, imports for options only are a field of their own.
    let error = build_error(raw(&[], &[], &wire::bytes(15, "shop/v1/options.proto")));
    let problem = format!(
        "{FILE}: imports shop/v1/options.proto, which is missing: include imports in the descriptor set"
    );
    assert_invalid_set("an import for options only", &error, &problem);
    // The order of files does not matter.
    let reversed = [shop, files[1], google].concat();
    assert!(Policy::builder().descriptor_set(reversed).build().is_ok());
}

/// Splits a descriptor set into sets of one file each.
fn files(mut set: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    while !set.is_empty() {
        // One byte for the field number, then the length as a varint.
        let digits = 1 + set[1..].iter().take_while(|byte| **byte >= 0x80).count();
        let length = (0..digits)
            .fold(0, |length, digit| length | usize::from(set[1 + digit] & 0x7f) << (7 * digit));
        let (file, rest) = set.split_at(1 + digits + length);
        files.push(file);
        set = rest;
    }
    files
}

/// Maps each method to its rule.
fn rules(table: &RuleTable) -> HashMap<&str, Option<&Rule>> {
    table.entries().iter().map(|row| (row.target(), row.rule())).collect()
}

#[test]
fn a_truncated_descriptor_set_never_allows_more() {
    let names = ["shop/v1/inventory.proto", "shop/v1/order.proto", "shop/v1/user.proto"];
    let texts = names.map(proto);
    let files: Vec<_> = names.into_iter().zip(texts.iter().map(String::as_str)).collect();
    let whole = compile(&files);
    let services = ["shop.v1.InventoryService", "shop.v1.OrderService", "shop.v1.UserService"];
    let builder = |length: usize| Policy::builder().descriptor_set(&whole[..length]);
    let expected = builder(whole.len()).services(services).build().unwrap().table();
    assert_eq!(expected.entries().len(), 11);
    let expected = rules(&expected);

    let mut ends_with_a_file = 0;
    for length in 0..whole.len() {
        let error = builder(length).services(services).build().expect_err("a part is enough");
        match builder(length).table() {
            Err(PolicyError::InvalidDescriptorSet { .. }) => {
                assert!(
                    matches!(error, PolicyError::InvalidDescriptorSet { .. }),
                    "{length}: {error:?}"
                );
            }
            Err(error) => panic!("{length}: {error:?}"),
            Ok(table) => {
                ends_with_a_file += 1;
                assert!(matches!(error, PolicyError::UnknownService { .. }), "{length}: {error:?}");
                for (method, rule) in rules(&table) {
                    assert_eq!(Some(&rule), expected.get(method), "{length}: {method}");
                }
            }
        }
    }
    assert_eq!(ends_with_a_file, 2);
}

#[test]
fn rules_in_code_do_not_replace_dropped_rules() {
    let good = set("", "option (passport.v1.rule) = { permission: 'a' };");
    // prost drops unknown fields, and the options are extensions that it does not know.
    let decoded = FileDescriptorSet::decode(good.as_slice()).unwrap();
    let lossy = decoded.encode_to_vec();
    let dropped = format!(
        "{FILE} imports passport/v1/policy.proto and has no rule: were its options dropped?"
    );
    assert_eq!(text(&build_error(&lossy)), format!("no rule for {METHOD} ({dropped})"));
    let builder = || Policy::builder().descriptor_set(&lossy);
    for builder in [
        builder().default_rule(SERVICE, Rule::authenticated()),
        builder().rule(METHOD, Rule::authenticated()),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(&error, PolicyError::RulesDropped { file } if file == FILE));
        assert_eq!(text(&error), dropped);
    }
    // Without the import, rules in code are enough.
    let imports_nothing = service("", "").replace("import \"passport/v1/policy.proto\";", "");
    let set = compile(&[(FILE, &imports_nothing)]);
    let policy = Policy::builder().descriptor_set(set).default_rule(SERVICE, Rule::public());
    assert!(policy.build().is_ok());
}

#[test]
fn descriptor_sets_may_overlap_if_they_agree() {
    let rule = "option (passport.v1.rule) = { permission: 'a' };";
    let (one, open) = (set("", rule), set("", "option (passport.v1.rule) = { public: true };"));
    let users = compile(&[("shop/v1/user.proto", &proto("shop/v1/user.proto"))]);

    let builder = || Policy::builder().descriptor_set(&one);
    let table = builder().descriptor_set(&users).descriptor_set(&one).build().unwrap().table();
    let methods: Vec<_> = table.entries().iter().map(|row| row.target().to_owned()).collect();
    assert_eq!(methods, [METHOD, "/shop.v1.UserService/GetUser", "/shop.v1.UserService/WhoAmI"]);

    let more_methods =
        "rpc List(Request) returns (Request) { option (passport.v1.rule).public = true; }
        rpc Get";
    let longer = compile(&[(FILE, &service("", rule).replace("rpc Get", more_methods))]);
    for other in [&open, &longer] {
        for (first, second) in [(&one, other), (other, &one)] {
            let policy = Policy::builder().descriptor_set(first).descriptor_set(second);
            let error = policy.build().unwrap_err();
            assert!(
                matches!(&error, PolicyError::ServiceConflict { service } if service == SERVICE)
            );
            assert_eq!(text(&error), format!("two descriptor sets differ in {SERVICE}"));
        }
        // Concatenated, the sets are one set that contains a file twice.
        let error = build_error([one.as_slice(), other.as_slice()].concat());
        let problem = format!("{FILE}: the file appears twice, with different contents");
        assert_invalid_set("joined", &error, &problem);
    }
    let joined = [one.as_slice(), &users, &one].concat();
    assert_eq!(Policy::builder().descriptor_set(joined).build().unwrap().table(), table);
}

#[test]
fn invalid_names_are_rejected_with_their_file() {
    let of_file = |name: &str, method: &str| {
        let method = wire::bytes(2, wire::bytes(1, method));
        wire::bytes(6, [wire::bytes(1, name), method].concat())
    };
    let cases = [
        (
            of_file("Two\nLines", "Get"),
            "not a valid protocol buffer message, or one of another type",
        ),
        (
            of_file("S", "Get\u{1b}[2J"),
            "not a valid protocol buffer message, or one of another type",
        ),
        (of_file("", "Get"), r#""shop.v1." is not the name of a service"#),
        (of_file("Two Words", "Get"), r#""shop.v1.Two Words" is not the name of a service"#),
        (of_file("*", "Get"), r#""shop.v1.*" is not the name of a service"#),
        (
            of_file("S", "Get/It"),
            r#""/shop.v1.S/Get/It" is not of the form /package.Service/Method"#,
        ),
        (of_file("S", ""), r#""/shop.v1.S/" is not of the form /package.Service/Method"#),
        (of_file("S", "*"), r#""/shop.v1.S/*" is not of the form /package.Service/Method"#),
        (
            wire::bytes(6, [wire::bytes(1, "S"), method("Get"), method("Get")].concat()),
            "there are two methods /shop.v1.S/Get",
        ),
    ];
    for (file, problem) in cases {
        assert_invalid_set(
            problem,
            &build_error(raw(&[], &[], &file)),
            &format!("{FILE}: {problem}"),
        );
    }
}

fn method(name: &str) -> Vec<u8> {
    wire::bytes(2, wire::bytes(1, name))
}
