//! Policies for tests whose subject is not the policy.

use tonic_passport::{Policy, Rule};

/// Returns a policy in which these methods are public. All others need an authenticated caller.
pub fn public(methods: impl IntoIterator<Item: AsRef<str>>) -> Policy {
    exempt(methods, &Rule::public())
}

/// Returns a policy in which authentication is optional for these methods. All others
/// need an authenticated caller.
pub fn optional(methods: impl IntoIterator<Item: AsRef<str>>) -> Policy {
    exempt(methods, &Rule::optional())
}

fn exempt(methods: impl IntoIterator<Item: AsRef<str>>, rule: &Rule) -> Policy {
    let builder = Policy::builder()
        .default_rule("shop.v1.OrderService", Rule::authenticated())
        .fallback_rule(Rule::authenticated());
    let add = |builder: tonic_passport::policy::PolicyBuilder, method: _| {
        builder.rule(method, rule.clone())
    };
    methods.into_iter().fold(builder, add).build().unwrap()
}
