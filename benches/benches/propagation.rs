//! Time to propagate the user's context, with criterion's statistics: `cargo bench -p benches
//! --bench propagation`. The limits are in `limits`.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]
#![allow(missing_docs, reason = "what criterion's macros make has none")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tonic_passport::UserContext;
use tonic_passport::jwt::Algorithm;

use support::job;
use support::layers::{self, TRACED};
use support::subject::Subject;
use support::user::{PERMISSIONS, permission, user};

/// A service accepts a call and makes another one, for the same user.
fn hop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hop");
    for (besides, fields) in [("four keys", &[][..]), ("four keys, traced", &TRACED)] {
        group.bench_function(BenchmarkId::new("no layers", besides), |bencher| {
            bencher.iter(layers::hop_without_layers(fields));
        });
        group.bench_function(BenchmarkId::new("layers", besides), |bencher| {
            bencher.iter(layers::hop(fields));
        });
    }
}

/// The edge is called with a token that is known.
fn edge(criterion: &mut Criterion) {
    let subject = Subject::new(Algorithm::RS256);
    let token = subject.token(0);
    let mut group = criterion.benchmark_group("edge");
    group.bench_function("no layer", |bencher| {
        bencher.iter(layers::edge_without_layer(&token));
    });
    group.bench_function("layer", |bencher| {
        bencher.iter(layers::edge(subject.verifier(), &token));
    });
}

/// Who the user is.
fn current(criterion: &mut Criterion) {
    let measured = async {
        criterion.bench_function("current", |bencher| bencher.iter(UserContext::current));
    };
    job::ready(user().scope(measured));
}

/// Whether the user has a permission.
fn permissions(criterion: &mut Criterion) {
    let user = user();
    let mut group = criterion.benchmark_group("permission");
    for (which, number) in [("first", 0), ("last", PERMISSIONS - 1), ("missing", PERMISSIONS)] {
        let permission = permission(number);
        group.bench_function(which, |bencher| {
            bencher.iter(|| user.require_permission(&permission).is_ok());
        });
    }
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = hop, edge, current, permissions
}
criterion_main!(benches);
