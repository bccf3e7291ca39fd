//! Helpers that belong to no other module.

mod error_chain;

pub(crate) use error_chain::describe;
