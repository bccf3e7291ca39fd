//! The table that a run prints: what was measured, and what it had to be.

use std::env;
use std::fmt;
use std::process::ExitCode;

/// A part of a run: its name, and what measures its rows with so many times the usual effort.
pub(crate) type Part = (&'static str, fn(u32) -> Vec<Row>);

/// How many times the usual effort a second attempt is worth.
const MORE_EFFORT: u32 = 3;

/// The lines above the rows.
const HEAD: &str = "| what | measured | beside | times as much | at most | mark |\n\
                    |---|--:|---|--:|--:|---|";

/// Measures the parts whose name holds one of the words that the program was given, or all of them
/// without a word, and prints their rows. A part that misses a mark is measured once more, for
/// longer; the program fails when one is missed then, too.
pub(crate) fn print(parts: &[Part]) -> ExitCode {
    // Cargo adds a flag of its own.
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let chosen = |part: &str| words.is_empty() || words.iter().any(|word| part.contains(word));

    println!("{HEAD}");
    let mut held = Vec::new();
    for (_, measure) in parts.iter().filter(|(name, _)| chosen(name)) {
        let mut rows = measure(1);
        if let Some(missed) = rows.iter().find(|row| !row.holds()) {
            eprintln!("once more, and for longer, as a mark was missed: {missed}");
            rows = measure(MORE_EFFORT);
        }
        for row in rows {
            println!("{row}");
            held.push(row.holds());
        }
    }
    if held.is_empty() {
        eprintln!("no part's name holds any of these words: {words:?}");
        return ExitCode::FAILURE;
    }
    if held.iter().all(|holds| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A row: what was measured, and what it had to be.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    what: String,
    measured: String,
    beside: String,
    ratio: Option<f64>,
    mark: Option<Mark>,
}

/// The most that something may be.
#[derive(Clone, Debug)]
struct Mark {
    holds: bool,
    text: String,
}

impl Row {
    /// A row of this name, for something that measured so much, with its unit.
    pub(crate) fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            beside: String::new(),
            ratio: None,
            mark: None,
        }
    }

    /// Says what it is compared with, and how that measured.
    #[must_use]
    pub(crate) fn beside(mut self, what: &str, measured: &str) -> Self {
        self.beside = format!("{what} {measured}");
        self
    }

    /// Says how many times as much it is.
    #[must_use]
    pub(crate) fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// Says how many times as much it is, and may be.
    #[must_use]
    pub(crate) fn ratio_at_most(self, ratio: f64, most: f64) -> Self {
        self.ratio(ratio).mark(ratio <= most, format!("{most} times"))
    }

    /// Says how long it took and may take, in nanoseconds. A difference that is less than nothing
    /// was not measured well enough to tell.
    #[must_use]
    pub(crate) fn time_at_most(self, ns: f64, most_ns: f64) -> Self {
        self.mark((0.0..=most_ns).contains(&ns), time(most_ns))
    }

    /// Says how many bytes it took and may take.
    #[must_use]
    pub(crate) fn bytes_at_most(self, bytes: u64, most: u64) -> Self {
        self.mark(bytes <= most, size(most))
    }

    /// Whether it is within its mark, if it has one.
    fn holds(&self) -> bool {
        self.mark.as_ref().is_none_or(|mark| mark.holds)
    }

    fn mark(mut self, holds: bool, text: String) -> Self {
        self.mark = Some(Mark { holds, text });
        self
    }
}

/// The row as a line of Markdown.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, beside, ratio, mark } = self;
        let ratio = ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
        let (most, mark) = match mark {
            None => ("", ""),
            Some(Mark { text, holds: true }) => (text.as_str(), "held"),
            Some(Mark { text, holds: false }) => (text.as_str(), "**not held**"),
        };
        write!(f, "| {what} | {measured} | {beside} | {ratio} | {most} | {mark} |")
    }
}

/// A time for the table.
pub(crate) fn time(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        ..1e6 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}

/// A size for the table.
#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
