//! Policies of many methods, and decisions about all of them.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use tonic_passport::{Policy, Rule, UserContext};

use crate::user::{PERMISSIONS, permission};

/// The number of methods of a large policy.
pub const MANY: u32 = 10_000;

/// The number of methods of a small policy.
pub const FEW: u32 = 10;

/// The number of methods of a service.
const IN_A_SERVICE: u32 = 20;

/// The last permission of the user.
pub fn last() -> Rule {
    Rule::permission(permission(PERMISSIONS - 1))
}

/// A permission that the user does not have.
pub fn missing() -> Rule {
    Rule::permission(permission(PERMISSIONS))
}

/// A role that the user does not have, or the last two permissions that they have.
pub fn nested() -> Rule {
    let both =
        [PERMISSIONS - 2, PERMISSIONS - 1].map(|number| Rule::permission(permission(number)));
    Rule::any_of([Rule::role("admin"), Rule::all_of(both)])
}

/// Builds a policy of this number of methods, each with this rule.
pub fn policy(methods: u32, rule: &Rule) -> Policy {
    (0..methods)
        .fold(Policy::builder(), |policy, number| policy.rule(path(number), rule.clone()))
        .build()
        .expect("a good policy")
}

/// Authorizes a call of this caller to one of the first `methods` methods, another one each time.
/// The order has no pattern, so that the processor cannot prefetch the policy.
pub fn decisions(
    policy: Policy,
    methods: u32,
    user: Option<UserContext>,
) -> impl FnMut() -> bool + use<> {
    let mut order: Vec<u32> = (0..MANY).collect();
    let hashes = BuildHasherDefault::<DefaultHasher>::default();
    order.sort_by_cached_key(|number| hashes.hash_one(number));
    // In memory they are in the order of use, as the path of a call has just been read.
    let paths: Vec<String> = order.into_iter().map(|number| path(number % methods)).collect();
    let mut next = 0;
    move || {
        let is_allowed = policy.authorize(&paths[next], user.as_ref()).is_ok();
        next = (next + 1) % paths.len();
        is_allowed
    }
}

/// The path of the method with this number.
fn path(number: u32) -> String {
    let (service, method) = (number / IN_A_SERVICE, number % IN_A_SERVICE);
    format!("/shop.v1.Service{service:03}/Method{method:02}")
}
