//! Two pieces of work, measured in turns: what slows the machine down for a while slows both, and
//! the ratio of neighbouring turns stays what it is.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one side works before the other has its turn.
const TURN: Duration = Duration::from_micros(1500);

/// Runs two pieces of work in short rounds (ours, theirs; theirs, ours; …), each repeated until its
/// turn lasts about 1.5 ms, and compares them round by round. What the work returns is taken as
/// used. The medians over all rounds are the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SideBySide {
    name: &'static str,
    rounds: u32,
}

/// What [`SideBySide`] found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    /// The name that was given.
    pub(crate) name: &'static str,
    /// How long ours takes once, in nanoseconds.
    pub(crate) ours_ns: f64,
    /// How long theirs takes once, in nanoseconds.
    pub(crate) theirs_ns: f64,
    /// How many times longer theirs takes: the median over the rounds, not the quotient of the
    /// medians above.
    pub(crate) ratio: f64,
}

impl SideBySide {
    /// A comparison of this name, in 200 rounds.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, rounds: 200 }
    }

    /// Sets the number of rounds, in place of 200; there is always one.
    #[must_use]
    pub(crate) fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// Measures both.
    pub(crate) fn run<A, B>(
        self,
        mut ours: impl FnMut() -> A,
        mut theirs: impl FnMut() -> B,
    ) -> Comparison {
        let our_calls = calls_in_a_turn(&mut ours);
        let their_calls = calls_in_a_turn(&mut theirs);

        let mut our_times = Vec::new();
        let mut their_times = Vec::new();
        let mut ratios = Vec::new();
        for round in 0..self.rounds {
            // Whoever goes second finds the caches as the other left them: each is second as often.
            let (our_time, their_time) = if round.is_multiple_of(2) {
                let our_time = time_once(&mut ours, our_calls);
                (our_time, time_once(&mut theirs, their_calls))
            } else {
                let their_time = time_once(&mut theirs, their_calls);
                (time_once(&mut ours, our_calls), their_time)
            };
            our_times.push(our_time);
            their_times.push(their_time);
            ratios.push(their_time / our_time);
        }
        Comparison {
            name: self.name,
            ours_ns: median(our_times),
            theirs_ns: median(their_times),
            ratio: median(ratios),
        }
    }
}

/// How many calls fill a turn. Doubles the calls until they do, which warms up what is measured.
fn calls_in_a_turn<T>(work: &mut impl FnMut() -> T) -> u32 {
    let mut calls = 1;
    while calls < u32::MAX / 2 && time_once(work, calls) * f64::from(calls) < nanoseconds(TURN) {
        calls *= 2;
    }
    calls
}

/// How long one of so many calls takes, in nanoseconds.
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}
