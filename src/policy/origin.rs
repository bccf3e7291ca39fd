//! Where a rule comes from.

use std::fmt;

use super::rule::Rule;

/// A rule, if there is one, and where it comes from.
pub(super) type Found = Option<(Rule, RuleSource)>;

/// Where a rule comes from. As text, it is the name of a file, or `in code`; and `(default)` after
/// it says that it is the one for all methods that have none of their own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleSource {
    file: Option<String>,
    is_default: bool,
}

impl RuleSource {
    pub(super) fn code() -> Self {
        Self { file: None, is_default: false }
    }

    pub(super) fn file(file: &str) -> Self {
        Self { file: Some(file.to_owned()), is_default: false }
    }

    /// The same, for a rule for all methods that have none of their own.
    pub(super) fn of_default(self) -> Self {
        Self { is_default: true, ..self }
    }

    /// The file that declares it; `None` for a rule in code.
    pub fn proto_file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Whether it is the one for all methods that have none of their own.
    pub fn is_default(&self) -> bool {
        self.is_default
    }
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.is_default { " (default)" } else { "" };
        write!(f, "{}{default}", self.file.as_deref().unwrap_or("in code"))
    }
}
