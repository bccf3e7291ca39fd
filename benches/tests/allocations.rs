//! Allocations that the layers add to a call.

use allocation_counter::measure;

use support::layers::{self, TRACED};

/// Returns the number of allocations of a call, after warm-up.
fn allocations(mut call: impl FnMut()) -> u64 {
    for _ in 0..8 {
        call();
    }
    let first = measure(&mut call).count_total;
    let second = measure(&mut call).count_total;
    assert_eq!(first, second, "the number of allocations differs from call to call");
    first
}

/// The service accepts a call on behalf of a user with four keys, and makes a call for that user.
///
/// The goal is six. Two more come from the outgoing request's metadata, which is allocated with
/// room for six fields, and has the request id as its seventh. docs/benchmarks.md has the list.
#[test]
fn the_layers_add_a_bounded_number_of_allocations_to_a_hop() {
    let cases = [
        ("four keys and an id", &[][..], 8),
        // The remaining time is formatted as text, and the trace fields are kept in a list.
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
