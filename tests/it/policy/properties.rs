//! Properties of all rules, tested with generated ones.

use std::fmt::Write;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use tonic_passport::{Policy, Rule, UserContext};

use crate::support::descriptors::compile;

const METHOD: &str = "/x.Service/Method";

/// Rule, with the order of fields that protocol buffers have.
#[derive(Clone, Debug)]
enum Declared {
    Public,
    Optional,
    Authenticated,
    Permission(String),
    Role(String),
    AnyOf(Group),
    AllOf(Group),
}

/// A `passport.v1.Requirements` that is not empty.
#[derive(Clone, Debug)]
struct Group {
    permissions: Vec<String>,
    roles: Vec<String>,
    any_of: Vec<Group>,
    all_of: Vec<Group>,
}

impl Declared {
    fn rule(&self) -> Rule {
        match self {
            Self::Public => Rule::public(),
            Self::Optional => Rule::optional(),
            Self::Authenticated => Rule::authenticated(),
            Self::Permission(name) => Rule::permission(name),
            Self::Role(name) => Rule::role(name),
            Self::AnyOf(group) => Rule::any_of(group.rules()),
            Self::AllOf(group) => Rule::all_of(group.rules()),
        }
    }

    /// Value of the option, in the text format.
    fn text(&self) -> String {
        match self {
            Self::Public => "{ public: true }".to_owned(),
            Self::Optional => "{ optional: true }".to_owned(),
            Self::Authenticated => "{ authenticated: true }".to_owned(),
            Self::Permission(name) => format!("{{ permission: {} }}", quoted(name)),
            Self::Role(name) => format!("{{ role: {} }}", quoted(name)),
            Self::AnyOf(group) => format!("{{ any_of: {} }}", group.text()),
            Self::AllOf(group) => format!("{{ all_of: {} }}", group.text()),
        }
    }

    /// Reference implementation: whether a user with these permissions and roles may call.
    fn allows(&self, permissions: &[&str], roles: &[&str]) -> bool {
        match self {
            Self::Public | Self::Optional | Self::Authenticated => true,
            Self::Permission(name) => permissions.contains(&name.as_str()),
            Self::Role(name) => roles.contains(&name.as_str()),
            Self::AnyOf(group) => group.met(permissions, roles).contains(&true),
            Self::AllOf(group) => !group.met(permissions, roles).contains(&false),
        }
    }
}

impl Group {
    fn rules(&self) -> Vec<Rule> {
        let permissions = self.permissions.iter().map(Rule::permission);
        let roles = self.roles.iter().map(Rule::role);
        let any_of = self.any_of.iter().map(|group| Rule::any_of(group.rules()));
        let all_of = self.all_of.iter().map(|group| Rule::all_of(group.rules()));
        permissions.chain(roles).chain(any_of).chain(all_of).collect()
    }

    fn text(&self) -> String {
        let mut text = "{".to_owned();
        for (field, names) in [("permissions", &self.permissions), ("roles", &self.roles)] {
            for name in names {
                write!(text, " {field}: {}", quoted(name)).unwrap();
            }
        }
        for (field, groups) in [("any_of", &self.any_of), ("all_of", &self.all_of)] {
            for group in groups {
                write!(text, " {field}: {}", group.text()).unwrap();
            }
        }
        text + " }"
    }

    /// Evaluates each of the requirements.
    fn met(&self, permissions: &[&str], roles: &[&str]) -> Vec<bool> {
        let has_permission = self.permissions.iter().map(|name| permissions.contains(&&**name));
        let has_role = self.roles.iter().map(|name| roles.contains(&&**name));
        let any_of = self.any_of.iter().map(|group| group.met(permissions, roles).contains(&true));
        let all_of =
            self.all_of.iter().map(|group| !group.met(permissions, roles).contains(&false));
        has_permission.chain(has_role).chain(any_of).chain(all_of).collect()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', r"\\").replace('"', r#"\""#))
}

/// Rules whose permissions and roles have names of this strategy.
fn declared(name: BoxedStrategy<String>) -> impl Strategy<Value = Declared> {
    let names = vec(name.clone(), 0..3).boxed();
    let leaf =
        (names.clone(), names.clone(), name.clone()).prop_map(|(mut permissions, roles, name)| {
            if permissions.is_empty() && roles.is_empty() {
                permissions.push(name);
            }
            Group { permissions, roles, any_of: Vec::new(), all_of: Vec::new() }
        });
    let group = leaf.prop_recursive(4, 16, 3, move |group| {
        let groups = vec(group.clone(), 0..2);
        (names.clone(), names.clone(), groups.clone(), groups, group).prop_map(
            |(permissions, roles, any_of, mut all_of, group)| {
                all_of.push(group);
                Group { permissions, roles, any_of, all_of }
            },
        )
    });
    let group = group.boxed();
    prop_oneof![
        1 => Just(Declared::Public),
        1 => Just(Declared::Optional),
        1 => Just(Declared::Authenticated),
        2 => name.clone().prop_map(Declared::Permission),
        2 => name.prop_map(Declared::Role),
        6 => group.clone().prop_map(Declared::AnyOf),
        6 => group.prop_map(Declared::AllOf),
    ]
}

/// A small set, so that callers often meet a rule. Permissions and roles share it.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn common() -> BoxedStrategy<String> {
    select(NAMES.as_slice()).prop_map(str::to_owned).boxed()
}

/// All names that a permission or role can have.
fn any() -> BoxedStrategy<String> {
    let odd = select(["\"", "\\", "'", "\\n", "{ }", "orders:*", " ", "ü", "注文"].as_slice());
    prop_oneof![odd.prop_map(str::to_owned), "\\PC{1,12}", "[a-z:]{1,12}"].boxed()
}

fn policy(rule: Rule) -> Policy {
    Policy::builder().rule(METHOD, rule).build().unwrap()
}

fn user(permissions: &[&str], roles: &[&str]) -> UserContext {
    let user = UserContext::builder("alice").permissions(permissions.iter().copied());
    user.roles(roles.iter().copied()).build().unwrap()
}

type Names = std::collections::BTreeSet<&'static str>;

fn names() -> impl Strategy<Value = Names> {
    btree_set(select(NAMES.as_slice()), 0..NAMES.len())
}

fn list(names: &Names) -> Vec<&'static str> {
    names.iter().copied().collect()
}

fn with_cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(with_cases(256))]

    #[test]
    fn more_permissions_and_roles_never_take_access_away(
        declared in declared(common()),
        (permissions, more_permissions) in (names(), names()),
        (roles, more_roles) in (names(), names()),
    ) {
        let policy = policy(declared.rule());
        let fewer = user(&list(&permissions), &list(&roles));
        let both = |one: &Names, other: &Names| list(&one.union(other).copied().collect());
        let more = user(&both(&permissions, &more_permissions), &both(&roles, &more_roles));
        if policy.authorize(METHOD, Some(&fewer)).is_ok() {
            prop_assert!(policy.authorize(METHOD, Some(&more)).is_ok());
        }
    }

    #[test]
    fn an_anonymous_caller_is_never_allowed_more_than_an_authenticated_one(
        declared in declared(common()),
    ) {
        let policy = policy(declared.rule());
        if policy.authorize(METHOD, None).is_ok() {
            prop_assert!(policy.authorize(METHOD, Some(&user(&[], &[]))).is_ok());
            prop_assert!(matches!(declared, Declared::Public | Declared::Optional));
        }
    }

    #[test]
    fn a_caller_is_allowed_exactly_if_the_rule_is_met(
        declared in declared(common()), permissions in names(), roles in names(),
    ) {
        let (permissions, roles) = (list(&permissions), list(&roles));
        let response = policy(declared.rule()).authorize(METHOD, Some(&user(&permissions, &roles)));
        prop_assert_eq!(response.is_ok(), declared.allows(&permissions, &roles));
    }
}

proptest! {
    #![proptest_config(with_cases(12))]

    /// Many rules in a file, because compiling a file is slow.
    #[test]
    fn a_declared_rule_equals_the_same_rule_in_code(
        default in declared(any()), rules in vec(declared(any()), 30),
    ) {
        let mut text = r#"
            syntax = "proto3";
            package x;
            import "passport/v1/policy.proto";
            message Nothing {}
            service Service {
        "#.to_owned();
        writeln!(text, "option (passport.v1.default_rule) = {};", default.text()).unwrap();
        text += "rpc Default(Nothing) returns (Nothing);\n";
        for (number, rule) in rules.iter().enumerate() {
            let method = format!("rpc Method{number:02}(Nothing) returns (Nothing)");
            writeln!(text, "{method} {{ option (passport.v1.rule) = {}; }}", rule.text()).unwrap();
        }
        let set = compile(&[("x.proto", &(text + "}"))]);
        let table = Policy::builder().descriptor_set(set).build().unwrap().table();

        let found = table.entries().iter().map(|row| row.rule().unwrap().clone());
        let expected = [default].iter().chain(&rules).map(Declared::rule).collect::<Vec<_>>();
        prop_assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
