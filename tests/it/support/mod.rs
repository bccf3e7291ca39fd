//! What the tests have in common: tokens of any kind, and a service that remembers its calls.

pub mod edges;
pub mod forged;
pub mod log;
pub mod probe;
pub mod raw;
pub mod server;
pub mod token;

pub use crate::sample::proto as shop;

use std::fmt::Debug;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use probe::Probe;

/// The reason in a status's `google.rpc.ErrorInfo`.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, tonic_passport::status::DOMAIN);
    info.reason.clone()
}

/// Demands that a call was refused with this code and reason, and reached no handler.
#[track_caller]
pub fn assert_refused<T: Debug>(
    answer: Result<T, Status>,
    (code, expected): (Code, &str),
    probe: &Probe,
    case: &str,
) {
    let status = answer.expect_err(case);
    assert_eq!(status.code(), code, "{case}: {status:?}");
    assert_eq!(reason(&status), expected, "{case}");
    assert_eq!(probe.calls(), 0, "{case}");
}
