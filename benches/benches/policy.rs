//! Time of a policy decision, with criterion's statistics: `cargo bench -p benches --bench policy`.
//! The limits are in `limits`.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]
#![allow(missing_docs, reason = "what criterion's macros make has none")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use support::layers;
use support::methods::{FEW, MANY, decisions, last, missing, nested, policy};
use support::user::user;

/// Whether a caller may call a method, of which there are a few or many.
fn deciding(criterion: &mut Criterion) {
    let cases = [
        ("last permission", last(), Some(user())),
        ("missing permission", missing(), Some(user())),
        ("nested", nested(), Some(user())),
        ("anonymous", last(), None),
    ];
    let mut group = criterion.benchmark_group("policy");
    for (what, rule, user) in cases {
        for methods in [FEW, MANY] {
            group.bench_function(BenchmarkId::new(what, methods), |bencher| {
                bencher.iter(decisions(policy(methods, &rule), methods, user.clone()));
            });
        }
    }
}

/// A service is called, with a policy that allows it and without.
fn served(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    group.bench_function("no policy", |bencher| bencher.iter(layers::served()));
    group.bench_function("policy", |bencher| bencher.iter(layers::served_by_policy()));
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = deciding, served
}
criterion_main!(benches);
