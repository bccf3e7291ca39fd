//! Error chains as one line of text.

use std::error::Error;

/// Returns an error and its sources on one line, separated by colons.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}
