//! The measured work, and the table that a run prints. The programs in `benches/` measure it, and
//! `tests/` counts its allocations.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "nothing here serves requests: a setup that fails ends the run"
)]

pub mod job;
pub mod layers;
pub mod many;
pub mod methods;
#[cfg(feature = "peers")]
pub mod peers;
pub mod side_by_side;
pub mod signature;
pub mod subject;
pub mod table;
pub mod user;
