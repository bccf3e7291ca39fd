//! Mapping of [`Rejection`] and [`OutboundError`] to `tonic::Status`.
//!
//! Each status carries a `google.rpc.ErrorInfo` with the [reason](crate::rejection) and the
//! [domain](crate::rejection::DOMAIN), a `google.rpc.RetryInfo` where a later attempt may succeed,
//! and `www-authenticate` (RFC 6750, section 3) where a token is missing or was refused.

use std::collections::HashMap;

use http::HeaderMap;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::context::AccessDenied;
use crate::inbound::BodyError;
use crate::outbound::OutboundError;
use crate::rejection::{DOMAIN, Rejection, RejectionKind};

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let mut details = error_info(rejection.reason(), rejection.requirement());
        if let Some(delay) = rejection.retry_after() {
            details.set_retry_info(Some(delay));
        }
        let mut metadata = MetadataMap::new();
        if let Some(challenge) = rejection.www_authenticate() {
            metadata.insert("www-authenticate", MetadataValue::from_static(challenge));
        }
        let (code, message) = (code(rejection.kind()), rejection.message());
        Status::with_error_details_and_metadata(code, message, details, metadata)
    }
}

impl From<AccessDenied> for Status {
    fn from(denied: AccessDenied) -> Self {
        Rejection::from(denied).into()
    }
}

impl From<OutboundError> for Status {
    fn from(error: OutboundError) -> Self {
        let code = match error {
            OutboundError::Cancelled => Code::Cancelled,
            OutboundError::ContextMissing | OutboundError::DestinationNotAllowed { .. } => {
                Code::Internal
            }
            OutboundError::DeadlineExceeded => Code::DeadlineExceeded,
            OutboundError::HeadersFull => Code::ResourceExhausted,
            OutboundError::TimeoutInvalid => Code::InvalidArgument,
        };
        let details = error_info(error.reason(), None);
        Status::with_error_details(code, error.to_string(), details)
    }
}

/// The error of a request's body, as the handler receives it.
impl From<BodyError> for Status {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Body(error) => Status::from_error(error),
            BodyError::Rejected(rejection) => rejection.into(),
        }
    }
}

fn code(kind: RejectionKind) -> Code {
    match kind {
        RejectionKind::DeadlineExceeded => Code::DeadlineExceeded,
        RejectionKind::Internal => Code::Internal,
        RejectionKind::InvalidArgument => Code::InvalidArgument,
        RejectionKind::PermissionDenied => Code::PermissionDenied,
        RejectionKind::ResourceExhausted => Code::ResourceExhausted,
        RejectionKind::Unauthenticated => Code::Unauthenticated,
        RejectionKind::Unavailable => Code::Unavailable,
        RejectionKind::Unimplemented => Code::Unimplemented,
    }
}

fn error_info(reason: &str, requirement: Option<(&str, &str)>) -> ErrorDetails {
    let metadata: HashMap<String, String> =
        requirement.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

/// Returns a status as the trailers that end a stream.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // `add_header` fails on values that are invalid in a header. Statuses of this crate have none.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, u16::from(status.code() as u8).into());
    }
    trailers
}
