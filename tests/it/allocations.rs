//! What the layers allocate for a call, on top of what the call allocates without them.

use allocation_counter::measure;

use crate::layers::{self, TRACED};

/// How many allocations a call takes, once everything is there that is made once.
fn allocations(mut call: impl FnMut()) -> u64 {
    for _ in 0..8 {
        call();
    }
    let first = measure(&mut call).count_total;
    let second = measure(&mut call).count_total;
    assert_eq!(first, second, "it is not the same each time");
    first
}

/// The service accepts a call on behalf of a user with four keys, and makes another for them.
///
/// There should be six at most. Two more are those of the outgoing request's metadata: it has room for
/// six fields, and the request's id is its seventh. docs/benchmarks.md has the list.
#[test]
fn a_hop_takes_no_more_allocations_than_it_has_reasons_for() {
    let cases = [
        ("four keys and an id", &[][..], 8),
        // The time that is left is written as text, and the fields of the trace are in a list.
        ("a deadline and a trace besides", &TRACED, 10),
    ];
    for (case, besides, at_most) in cases {
        let bare = allocations(layers::hop_without_layers(besides));
        let layered = allocations(layers::hop(besides));
        let added = layered - bare;
        assert!(added <= at_most, "{case}: {added} of {layered}, which were {bare} without layers");
    }
}

#[test]
fn a_policy_allocates_nothing_for_a_call_that_it_allows() {
    assert_eq!(allocations(layers::served_by_policy()), allocations(layers::served()));
}
