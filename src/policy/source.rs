//! The source of a rule.

use std::fmt;

/// Source of a rule: a proto file, or the code of the server.
///
/// As text it is the name of the file, or `in code`. The suffix ` (default)` marks the default
/// rule of a service, and the fallback rule.
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

    /// Marks the source as a default rule's.
    pub(super) fn into_default(self) -> Self {
        Self { is_default: true, ..self }
    }

    /// Returns the name of the proto file that declares the rule, or `None` for a rule in code.
    pub fn proto_file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Returns whether the rule applies to all methods without their own rule.
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
