//! The rules of a policy, to look at.

use std::fmt;

use super::rule::{Rule, RuleOrigin};

/// The rules of a policy, sorted by method: for reviews, logs and tests. As text, it has a line for
/// each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    rows: Vec<Row>,
}

/// A method, and its rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub(super) method: String,
    pub(super) rule: Option<(Rule, RuleOrigin)>,
    pub(super) allowed: u64,
    pub(super) denied: u64,
}

impl Table {
    pub(super) fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_by(|one, other| one.method.cmp(&other.method));
        Self { rows }
    }

    /// All of them.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Row {
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
    pub fn origin(&self) -> Option<&RuleOrigin> {
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

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.rows.iter().map(|row| {
            let rule = row.rule().map_or_else(|| "none".to_owned(), Rule::to_string);
            let origin = row.origin().map(RuleOrigin::to_string).unwrap_or_default();
            [row.method.clone(), rule, origin]
        });
        let head = ["METHOD", "RULE", "ORIGIN"].map(str::to_owned);
        let lines: Vec<[String; 3]> = std::iter::once(head).chain(texts).collect();
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let (first, second) = (width(0), width(1));
        for [method, rule, origin] in &lines {
            let line = format!("{method:first$}  {rule:second$}  {origin}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
