//! The rules of a policy, to look at.

use std::fmt;

use super::origin::{Found, RuleSource};
use super::rule::Rule;

/// The rules of a policy, sorted by method: for reviews, logs and tests. As text, it has a line for
/// each, and how often it was asked where any of them was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleTable {
    rows: Vec<RuleEntry>,
}

/// A method, and its rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleEntry {
    pub(super) method: String,
    pub(super) rule: Found,
    pub(super) allowed: u64,
    pub(super) denied: u64,
}

impl RuleTable {
    pub(super) fn new(mut rows: Vec<RuleEntry>) -> Self {
        rows.sort_by(|one, other| one.method.cmp(&other.method));
        Self { rows }
    }

    /// All of them.
    pub fn rows(&self) -> &[RuleEntry] {
        &self.rows
    }
}

impl RuleEntry {
    /// The method's path. `/package.Service/*` stands for all methods of a service that is not
    /// described, and `*` for those of all other services.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What callers must be, or have; `None` when there is no rule, and nobody may call.
    pub fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref().map(|(rule, _)| rule)
    }

    /// Where the rule comes from.
    pub fn origin(&self) -> Option<&RuleSource> {
        self.rule.as_ref().map(|(_, origin)| origin)
    }

    /// How many calls it has allowed since the policy was built.
    pub fn allowed(&self) -> u64 {
        self.allowed
    }

    /// How many calls it has denied since the policy was built.
    pub fn denied(&self) -> u64 {
        self.denied
    }
}

/// With counts where there are any.
impl fmt::Display for RuleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_asked = self.rows.iter().any(|row| row.allowed + row.denied > 0);
        let head = ["METHOD", "RULE", "ORIGIN", "ALLOWED", "DENIED"].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(|row| {
            let rule = row.rule().map_or_else(|| "none".to_owned(), Rule::to_string);
            let origin = row.origin().map(RuleSource::to_string).unwrap_or_default();
            [row.method.clone(), rule, origin, row.allowed.to_string(), row.denied.to_string()]
        }));
        let columns = if is_asked { 5 } else { 3 };
        let length = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..columns)
            .map(|column| lines.iter().map(|line| length(&line[column])).max().unwrap_or_default())
            .collect();
        for line in &lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                // Not by a width of the formatter's: it has a limit, and panics beyond.
                let padding = " ".repeat(width.saturating_sub(length(cell)) + 2);
                text.push_str(cell);
                text.push_str(&padding);
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}
