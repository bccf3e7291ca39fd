//! What the tests have in common: tokens of any kind, and a service that remembers its calls.

pub mod probe;
pub mod server;
pub mod token;

pub use crate::sample::proto as shop;

use tonic::Status;
use tonic_types::StatusExt;

/// The reason in a status's `google.rpc.ErrorInfo`.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, tonic_passport::status::DOMAIN);
    info.reason.clone()
}
