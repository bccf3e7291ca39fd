//! Known tokens on one core, while the other core verifies invalid ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::runtime;
use tonic_passport::jwt::{Algorithm, Verifier};
use tonic_passport::testing::{IdentityProvider, SigningKey, TestIssuer};

use support::job::verify_and_write;
use support::side_by_side::median;
use support::subject::{AUDIENCE, Subject};
use support::table::{Row, time};

/// Number of rounds; they take about three seconds.
const ROUNDS: u32 = 200;

/// Number of calls in each of the three windows of a round.
const CALLS: usize = 10_000;

/// Maximum ratio to the same percentile without the flood.
const MOST: f64 = 1.2;

/// Number of distinct tokens of the flood.
const TOKENS: u32 = 512;

/// Keys over the network: an unknown key id triggers a fetch, at most once per minimum interval.
pub(crate) fn remote_keys(effort: u32) -> Vec<Row> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let provider = IdentityProvider::start().await.audience(AUDIENCE);
        let key = SigningKey::generate(Algorithm::ES256, "2026-1");
        provider.publish([&key]);
        let issuer = TestIssuer::new(provider.url()).audience(AUDIENCE).signed_by(&key);
        let keys = provider.remote_keys().min_interval(Duration::from_secs(1));
        let verifier = Verifier::new([provider.issuer_with(keys)]).expect("a good configuration");
        verifier.wait_until_ready().await;
        rows("keys over the network", &Subject::of(issuer), &verifier, effort)
    })
}

/// Keys that never change.
pub(crate) fn fixed_keys(effort: u32) -> Vec<Row> {
    let subject = Subject::new(Algorithm::ES256);
    rows("fixed keys", &subject, &subject.verifier(), effort)
}

fn rows(keys: &str, subject: &Subject, verifier: &Verifier, effort: u32) -> Vec<Row> {
    let bad = bad_tokens(&subject.issuer);
    let refuse = |verifier: &Verifier| {
        for token in &bad {
            assert!(verifier.verify(token).is_err(), "a bad token");
        }
    };
    // Shares nothing with the measured verifier but the time at which it runs.
    let elsewhere = subject.verifier();
    let mut warm = verify_and_write(verifier.clone(), subject.token(0));

    let (mut idle, mut flooded, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS * effort {
        let mut windows = [0, 1, 2];
        windows.rotate_left(round as usize % 3);
        for window in windows {
            match window {
                0 => idle.push(p99(&mut warm)),
                1 => flooded.push(beside(|| refuse(verifier), || p99(&mut warm))),
                _ => busy.push(beside(|| refuse(&elsewhere), || p99(&mut warm))),
            }
        }
    }

    let row = |what: &str, windows: &[f64]| {
        let ratios = flooded.iter().zip(windows).map(|(flooded, window)| flooded / window);
        let row = Row::new(format!("flood, {keys}: p99, warm"), time(median(flooded.clone())))
            .beside(what, &time(median(windows.to_vec())));
        (row, median(ratios.collect()))
    };
    let (beside_idle, ratio) = row("idle", &idle);
    let beside_idle = beside_idle.ratio_at_most(ratio, MOST);
    let (beside_busy, ratio) = row("a flood elsewhere", &busy);
    vec![beside_idle, beside_busy.ratio(ratio)]
}

/// Tokens of the usual size. Half of them are well-formed, of the issuer, and name a key that does
/// not exist; the others are noise, in three parts or in one.
fn bad_tokens(issuer: &TestIssuer) -> Vec<String> {
    let token = |number| match number % 4 {
        0 => noise(495),
        1 => format!("{}.{}.{}", noise(36), noise(393), noise(64)),
        _ => issuer.token(noise(200)).header("kid", noise(12)).sign_with(|_| random(64)),
    };
    (0..TOKENS).map(token).collect()
}

/// Returns random bytes.
fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// Returns random bytes in base64url.
fn noise(length: usize) -> String {
    URL_SAFE_NO_PAD.encode(random(length))
}

/// Returns the 99th percentile of the calls' times in nanoseconds, including reading the clock.
fn p99(work: &mut impl FnMut()) -> f64 {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        work();
        times.push(start.elapsed());
    }
    let (_, slow, _) = times.select_nth_unstable(CALLS * 99 / 100);
    slow.as_secs_f64() * 1e9
}

/// Runs `work` while another thread runs `neighbour` repeatedly.
fn beside<T>(neighbour: impl Fn() + Sync, work: impl FnOnce() -> T) -> T {
    let (busy, done) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let _ends = SetWhenDropped(&done);
        scope.spawn(|| {
            neighbour();
            busy.store(true, Ordering::Relaxed);
            while !done.load(Ordering::Relaxed) {
                neighbour();
            }
        });
        while !busy.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        work()
    })
}

/// Ends the other thread, also when this one panics.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
