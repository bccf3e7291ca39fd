//! Policies for tests that are about something else.

use tonic_passport::{Policy, Rule};

/// These methods are public; all others need an authenticated caller.
pub fn public(methods: impl IntoIterator<Item: AsRef<str>>) -> Policy {
    exempt(methods, &Rule::public())
}

/// Authentication is optional for these methods; all others need an authenticated caller.
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
