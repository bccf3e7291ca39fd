//! Time of each part of verification, with criterion's statistics: `cargo bench -p benches --bench
//! verification`. The limits are in `limits`.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]
#![allow(missing_docs, reason = "what criterion's macros make has none")]

use std::slice;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tonic_passport::jwt::{Algorithm, Verifier};
use tonic_passport::{CallContext, JwtAuthenticator, ServerLayer};

use support::job::{self, Handler, USER};
use support::subject::Subject;
use support::{many, signature};

/// Verification without the cache, and the signature alone.
fn cold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cold");
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let subject = Subject::new(algorithm);
        let token = subject.token(0);
        let verifier = subject.verifier().max_cached_tokens(0);
        group.bench_function(algorithm.as_str(), |bencher| {
            bencher.iter(|| verifier.verify(&token).expect("a good token"));
        });
        group.bench_function(format!("{algorithm}, the signature alone"), |bencher| {
            bencher.iter(signature::verification(subject.issuer.key(), slice::from_ref(&token)));
        });
    }
}

/// A token that is known.
fn warm(criterion: &mut Criterion) {
    let subject = Subject::new(Algorithm::RS256);
    let (verifier, token) = (subject.verifier(), subject.token(0));
    let mut group = criterion.benchmark_group("warm");
    group.bench_function("verified", |bencher| {
        bencher.iter(|| verifier.verify(&token).expect("a good token"));
    });
    group.bench_function("verified and written", |bencher| {
        bencher.iter(job::verify_and_write(verifier.clone(), token.clone()));
    });
}

/// A token of one issuer with many keys.
fn keys(criterion: &mut Criterion) {
    one_of_many(criterion, "keys", many::keys);
}

/// A token of one issuer among many.
fn issuers(criterion: &mut Criterion) {
    one_of_many(criterion, "issuers", many::issuers);
}

fn one_of_many(criterion: &mut Criterion, what: &str, verifier: fn(&Subject, u32) -> Verifier) {
    // HS256 takes the least time of all algorithms, so that what is looked up weighs most.
    let subject = Subject::new(Algorithm::HS256);
    let token = subject.token(0);
    let mut group = criterion.benchmark_group(what);
    for count in [1, 10, 100] {
        let warm = verifier(&subject, count);
        let cold = warm.clone().max_cached_tokens(0);
        for (state, verifier) in [("cold", cold), ("warm", warm)] {
            group.bench_function(BenchmarkId::new(state, count), |bencher| {
                bencher.iter(|| verifier.verify(&token).expect("a good token"));
            });
        }
    }
}

/// A whole request with a known token, through the layer and to a handler.
fn layer(criterion: &mut Criterion) {
    let subject = Subject::new(Algorithm::RS256);
    let token = subject.token(0);
    let handler = Handler::new(|extensions| Some(extensions.get::<CallContext>()?.user()?.id()));
    let service = ServerLayer::new(JwtAuthenticator::new(subject.verifier())).wrap(handler);
    let mut group = criterion.benchmark_group("layer");
    group.bench_function("none", |bencher| {
        bencher.iter(job::calls(Handler::new(|_| Some(USER)), &token));
    });
    group.bench_function("server layer", |bencher| {
        bencher.iter(job::calls(service.clone(), &token));
    });
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = cold, warm, keys, issuers, layer
}
criterion_main!(benches);
