//! Error chains, as text for logs.

use std::error::Error;

/// Formats an error with its sources, on one line.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}
