//! Reading the user in a handler.

use std::hint::black_box;

use tonic_passport::UserContext;

use support::job::ready;
use support::side_by_side::side_by_side;
use support::table::{Row, time};
use support::user::{PERMISSIONS, permission, user};

/// Number of rounds; they take about half a second.
const ROUNDS: u32 = 150;

/// The limit of a read, in nanoseconds.
const MOST_NS: f64 = 30.0;

/// Reading the current user, compared with a clone that was passed in.
pub(crate) fn current(effort: u32) -> Vec<Row> {
    let passed = user();
    let compared = async { side_by_side(ROUNDS * effort, || passed.clone(), UserContext::current) };
    let found = ready(user().scope(compared));
    vec![
        Row::new("current", time(found.other_ns))
            .beside("a clone", &time(found.one_ns))
            .ratio(found.ratio)
            .time_at_most(found.other_ns, MOST_NS),
    ]
}

/// Checking a permission that is the first of many, the last, or missing.
pub(crate) fn permissions(effort: u32) -> Vec<Row> {
    let user = user();
    let demand = |number| {
        let (user, permission) = (user.clone(), permission(number));
        move || black_box(&user).require_permission(black_box(&permission)).is_ok()
    };
    let mut rows = Vec::new();
    for (which, number) in [("first", 0), ("last", PERMISSIONS - 1), ("missing", PERMISSIONS)] {
        let found = side_by_side(ROUNDS * effort, demand(0), demand(number));
        rows.push(
            Row::new(format!("permission, {which} of {PERMISSIONS}"), time(found.other_ns))
                .beside("the first", &time(found.one_ns))
                .ratio(found.ratio)
                .time_at_most(found.other_ns, MOST_NS),
        );
    }
    rows
}
