//! The table that a run prints: measured values and their limits.

use std::env;
use std::fmt;
use std::process::ExitCode;

/// A part of a run: its name, and the function that measures its rows with a multiple of the usual
/// effort.
pub type Part = (&'static str, fn(u32) -> Vec<Row>);

/// The effort of a second attempt.
const MORE_EFFORT: u32 = 3;

/// The lines above the rows.
const HEAD: &str = "| work | measured | compared with | ratio | limit | result |\n\
                    |---|--:|---|--:|--:|---|";

/// Measures the parts whose name contains one of the words on the command line, or all of them
/// without a word, and prints their rows. A part that exceeds a limit is measured once more, for
/// longer; the program fails when a limit is exceeded then, too.
pub fn print(parts: &[Part]) -> ExitCode {
    // Cargo adds a flag of its own.
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let chosen = |part: &str| words.is_empty() || words.iter().any(|word| part.contains(word));

    println!("{HEAD}");
    let mut held = Vec::new();
    for (_, measure) in parts.iter().filter(|(name, _)| chosen(name)) {
        let mut rows = measure(1);
        if let Some(missed) = rows.iter().find(|row| !row.holds()) {
            eprintln!("measuring for longer, as a limit was exceeded: {missed}");
            rows = measure(MORE_EFFORT);
        }
        for row in rows {
            println!("{row}");
            held.push(row.holds());
        }
    }
    if held.is_empty() {
        eprintln!("no part's name contains any of these words: {words:?}");
        return ExitCode::FAILURE;
    }
    if held.iter().all(|holds| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A row of the table: a measured value, with its limits.
#[derive(Clone, Debug)]
pub struct Row {
    what: String,
    measured: String,
    beside: String,
    ratio: Option<f64>,
    limit: Option<Limit>,
}

/// The limits of a value, and whether the value is within them.
#[derive(Clone, Debug)]
struct Limit {
    holds: bool,
    text: String,
}

impl Row {
    /// Creates a row of this name, for a measured value with its unit.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            beside: String::new(),
            ratio: None,
            limit: None,
        }
    }

    /// Adds what it is compared with, and the measured value of that.
    #[must_use]
    pub fn beside(mut self, what: &str, measured: &str) -> Self {
        self.beside = format!("{what} {measured}");
        self
    }

    /// Adds the ratio to what it is compared with.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// Adds the ratio to what it is compared with, and the upper limit of that.
    #[must_use]
    pub fn ratio_at_most(self, ratio: f64, max: f64) -> Self {
        self.ratio(ratio).limit(ratio <= max, format!("≤ {max} times"))
    }

    /// Adds the ratio to what it is compared with, and the lower limit of that.
    #[must_use]
    pub fn ratio_at_least(self, ratio: f64, min: f64) -> Self {
        self.ratio(ratio).limit(ratio >= min, format!("≥ {min} times"))
    }

    /// Adds the upper limit of a time in nanoseconds. A difference below zero fails too: it was not
    /// measured well enough.
    #[must_use]
    pub fn time_at_most(self, ns: f64, max_ns: f64) -> Self {
        self.limit((0.0..=max_ns).contains(&ns), format!("≤ {}", time(max_ns)))
    }

    /// Adds the upper limit of a size in bytes.
    #[must_use]
    pub fn bytes_at_most(self, bytes: u64, max: u64) -> Self {
        self.limit(bytes <= max, format!("≤ {}", size(max)))
    }

    /// Returns whether it is within its limits.
    fn holds(&self) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.holds)
    }

    fn limit(mut self, holds: bool, text: String) -> Self {
        self.limit = Some(match self.limit {
            None => Limit { holds, text },
            Some(other) => {
                Limit { holds: holds && other.holds, text: format!("{}, {text}", other.text) }
            }
        });
        self
    }
}

/// The row as a line of Markdown.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, beside, ratio, limit } = self;
        let ratio = ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
        let (limit, result) = match limit {
            None => ("", ""),
            Some(Limit { text, holds: true }) => (text.as_str(), "held"),
            Some(Limit { text, holds: false }) => (text.as_str(), "**exceeded**"),
        };
        write!(f, "| {what} | {measured} | {beside} | {ratio} | {limit} | {result} |")
    }
}

/// A time for the table.
pub fn time(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        ..1e6 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}

/// A size for the table.
#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
