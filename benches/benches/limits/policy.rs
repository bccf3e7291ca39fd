//! Policy decisions among many methods.

use tonic_passport::{Rule, UserContext};

use support::layers::{served, served_by_policy};
use support::methods::{FEW, MANY, decisions, last, missing, nested, policy};
use support::side_by_side::side_by_side;
use support::table::{Row, time};
use support::user::{PERMISSIONS, user};

/// Number of rounds; they take about half a second.
const ROUNDS: u32 = 150;

/// Maximum time of a decision, in nanoseconds.
const MOST_NS: f64 = 100.0;

/// Maximum ratio to a small policy, when as many methods of the large policy are called.
const MOST: f64 = 1.1;

/// The time that a policy adds to a call that it allows, beside the same service without a policy.
pub(crate) fn whole_call(effort: u32) -> Vec<Row> {
    let found = side_by_side(2 * ROUNDS * effort, served(), served_by_policy());
    let policy_ns = found.other_ns - found.one_ns;
    vec![
        Row::new("a call: what the policy adds", time(policy_ns))
            .beside("the call without it", &time(found.one_ns))
            .ratio(found.ratio)
            .time_at_most(policy_ns, MOST_NS),
    ]
}

/// Decides among many methods, beside the same among a few.
pub(crate) fn rows(effort: u32) -> Vec<Row> {
    let compare = |what: &str, called, rule: &Rule, user: Option<&UserContext>| {
        let few = decisions(policy(FEW, rule), FEW, user.cloned());
        let many = decisions(policy(MANY, rule), called, user.cloned());
        let found = side_by_side(ROUNDS * effort, few, many);
        let row = Row::new(format!("policy of {MANY} methods, {what}"), time(found.other_ns))
            .beside(&format!("of {FEW}"), &time(found.one_ns))
            .ratio(found.ratio);
        (row, found)
    };
    let user = user();
    let allowed = format!("last of {PERMISSIONS}");
    let (row, found) = compare(&allowed, MANY, &last(), Some(&user));
    let mut rows = vec![row.time_at_most(found.other_ns, MOST_NS)];
    let allowed = format!("{FEW} of them called: {allowed}");
    let (row, found) = compare(&allowed, FEW, &last(), Some(&user));
    rows.push(row.ratio_at_most(found.ratio, MOST));
    for (what, rule, user) in [
        ("nested", nested(), Some(&user)),
        (&format!("missing of {PERMISSIONS}"), missing(), Some(&user)),
        ("anonymous", last(), None),
    ] {
        rows.push(compare(what, MANY, &rule, user).0);
    }
    rows
}
