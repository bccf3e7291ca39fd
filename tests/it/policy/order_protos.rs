//! Descriptor sets of the shop's order service, with other rules.

use std::fmt::Write;

use crate::support::descriptors::{compile, proto};

pub const SERVICE: &str = "shop.v1.OrderService";

const FILE: &str = "shop/v1/order.proto";
const OPTION: &str = "option (passport.v1.rule)";

/// Descriptor set in which each method declares this rule.
pub fn each_method(rule: &str) -> Vec<u8> {
    orders(None, |_| Some(rule.to_owned()))
}

/// Descriptor set in which only the service declares a rule.
pub fn whole_service(rule: &str) -> Vec<u8> {
    orders(Some(rule), |_| None)
}

/// Descriptor set with a default rule, if there is one, and a rule for each method by name.
pub fn orders(default: Option<&str>, rule: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let (mut text, mut method, mut methods) = (String::new(), String::new(), 0);
    for line in proto(FILE).lines() {
        let (first, rest) = line.trim_start().split_once(' ').unwrap_or_default();
        if first == "rpc" {
            rest.split('(').next().unwrap_or_default().clone_into(&mut method);
        }
        if line.trim_start().starts_with(OPTION) {
            methods += 1;
            if let Some(rule) = rule(&method) {
                writeln!(text, "{OPTION} = {rule};").unwrap();
            }
        } else {
            writeln!(text, "{line}").unwrap();
        }
        if let ("service", Some(default)) = (first, default) {
            writeln!(text, "option (passport.v1.default_rule) = {default};").unwrap();
        }
    }
    assert_eq!(methods, 5, "{text}");
    compile(&[(FILE, &text)])
}
