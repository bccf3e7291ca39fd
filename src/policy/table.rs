//! Table of a policy's rules, with counters.

use std::fmt;

use super::rule::{Rule, SourcedRule};
use super::source::RuleSource;

/// Rules of a policy, sorted by method, for reviews, logs and tests.
///
/// As text it is a table with a line for each rule. Columns with counts are shown if any count is
/// above zero.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleTable {
    entries: Vec<RuleEntry>,
}

/// Entry of a [`RuleTable`]: a method or pattern, its rule, and the decisions of that rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleEntry {
    pub(super) target: String,
    pub(super) rule: Option<SourcedRule>,
    pub(super) allowed: u64,
    pub(super) denied: u64,
}

impl RuleTable {
    pub(super) fn new(mut entries: Vec<RuleEntry>) -> Self {
        entries.sort_by(|one, other| one.target.cmp(&other.target));
        Self { entries }
    }

    /// Returns the entries.
    pub fn entries(&self) -> &[RuleEntry] {
        &self.entries
    }
}

impl RuleEntry {
    /// Returns the method's path, or a pattern: `/package.Service/*` is the default rule of a
    /// service without a descriptor set, and `*` the fallback rule.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the rule; `None` if the method has none, so that all calls are denied.
    pub fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref().map(|declared| &declared.rule)
    }

    /// Returns where the rule was declared.
    pub fn source(&self) -> Option<&RuleSource> {
        self.rule.as_ref().map(|declared| &declared.source)
    }

    /// Returns how many calls the rule has allowed since the policy was built.
    pub fn allowed(&self) -> u64 {
        self.allowed
    }

    /// Returns how many calls the rule has denied since the policy was built.
    pub fn denied(&self) -> u64 {
        self.denied
    }
}

impl fmt::Display for RuleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_counts = self.entries.iter().any(|entry| entry.allowed + entry.denied > 0);
        let header = ["METHOD", "RULE", "SOURCE", "ALLOWED", "DENIED"].map(str::to_owned);
        let mut lines = vec![header];
        lines.extend(self.entries.iter().map(|entry| {
            let rule = entry.rule().map_or_else(|| "none".to_owned(), Rule::to_string);
            let source = entry.source().map(RuleSource::to_string).unwrap_or_default();
            [
                entry.target.clone(),
                rule,
                source,
                entry.allowed.to_string(),
                entry.denied.to_string(),
            ]
        }));
        let columns = if has_counts { 5 } else { 3 };
        let length = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..columns)
            .map(|column| lines.iter().map(|line| length(&line[column])).max().unwrap_or_default())
            .collect();
        for line in &lines {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                // Not `{cell:width$}`: the formatter panics on a width above 65,535.
                let padding = " ".repeat(width.saturating_sub(length(cell)) + 2);
                text.push_str(cell);
                text.push_str(&padding);
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}
