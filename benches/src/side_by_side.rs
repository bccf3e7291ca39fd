//! Comparison of two pieces of work, measured in turns: a temporary slowdown of the machine affects
//! both, and the ratio of adjacent turns stays the same.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The duration of a turn.
const TURN: Duration = Duration::from_micros(1500);

/// The times of two pieces of work.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// The time of the first, in nanoseconds.
    pub one_ns: f64,
    /// The time of the second, in nanoseconds.
    pub other_ns: f64,
    /// The second's time as a multiple of the first's: the median over the rounds, not the quotient
    /// of the medians above.
    pub ratio: f64,
}

/// Runs two pieces of work in short rounds (one, other; other, one; …), each repeated until its
/// turn lasts about 1.5 ms, and compares them round by round. The compiler must take the
/// results as used. The medians over all rounds, of which there must be one, are the result.
pub fn side_by_side<A, B>(
    rounds: u32,
    mut one: impl FnMut() -> A,
    mut other: impl FnMut() -> B,
) -> Comparison {
    let one_calls = calls_in_a_turn(&mut one);
    let other_calls = calls_in_a_turn(&mut other);

    let mut one_times = Vec::new();
    let mut other_times = Vec::new();
    let mut ratios = Vec::new();
    for round in 0..rounds {
        // The second finds the caches as the first left them: each side is second as often.
        let (one_time, other_time) = if round.is_multiple_of(2) {
            let one_time = time_once(&mut one, one_calls);
            (one_time, time_once(&mut other, other_calls))
        } else {
            let other_time = time_once(&mut other, other_calls);
            (time_once(&mut one, one_calls), other_time)
        };
        one_times.push(one_time);
        other_times.push(other_time);
        ratios.push(other_time / one_time);
    }
    Comparison { one_ns: median(one_times), other_ns: median(other_times), ratio: median(ratios) }
}

/// Returns the number of calls that fill a turn. It doubles them until they do, which also warms
/// up.
fn calls_in_a_turn<T>(work: &mut impl FnMut() -> T) -> u32 {
    let mut calls = 1;
    while calls < u32::MAX / 2 && time_once(work, calls) * f64::from(calls) < nanoseconds(TURN) {
        calls *= 2;
    }
    calls
}

/// Returns the time of one of so many calls, in nanoseconds.
fn time_once<T>(work: &mut impl FnMut() -> T, calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    nanoseconds(start.elapsed()) / f64::from(calls)
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// Returns the median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}
