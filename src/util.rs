//! Helpers that do not belong to one module.

pub(crate) mod byte_set;
mod error_chain;
mod optional_body;
mod timer;

pub(crate) use error_chain::describe;
pub(crate) use optional_body::OptionalBody;
pub(crate) use timer::DeadlineTimer;
