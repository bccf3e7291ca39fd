//! The same work as `limits -- peers`, one after the other and with criterion's statistics.
#![allow(missing_docs, reason = "what criterion's macros make has none")]

use criterion::{Criterion, criterion_group, criterion_main};
use support::peers::{self, tonic_passport};

fn verify_and_write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify and write");
    group.bench_function("tonic-passport", |bencher| {
        bencher.iter(tonic_passport::verify_and_write());
    });
    group.bench_function("tonic-passport without its cache", |bencher| {
        bencher.iter(tonic_passport::verify_and_write_uncached());
    });
}

fn layer(criterion: &mut Criterion) {
    let works: [(_, Box<dyn FnMut()>); 6] = [
        ("none", Box::new(tonic_passport::nothing())),
        ("tonic-passport", Box::new(tonic_passport::layer())),
        ("jwt-authorizer", Box::new(peers::jwt_authorizer())),
        ("tower-oauth2-resource-server", Box::new(peers::tower_oauth2_resource_server())),
        ("webgates-tonic", Box::new(peers::webgates_tonic())),
        ("webgates-tonic with RS256", Box::new(peers::webgates_tonic_rs256())),
    ];
    let mut group = criterion.benchmark_group("layer");
    for (name, mut work) in works {
        group.bench_function(name, |bencher| bencher.iter(&mut work));
    }
}

criterion_group!(benches, verify_and_write, layer);
criterion_main!(benches);
