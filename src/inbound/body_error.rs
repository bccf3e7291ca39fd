//! The error of a body that belongs to an accepted call.

use tower::BoxError;

use crate::rejection::Rejection;

/// Error of a body that belongs to an accepted call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError<E = BoxError> {
    /// The body itself failed.
    #[error("the body failed: {0}")]
    Body(E),
    /// The deadline elapsed or the token expired.
    #[error("the call has ended")]
    Rejected(#[source] Rejection),
}
