//! Errors of outgoing calls.

use std::fmt;

use crate::context::ContextError;
use crate::rejection::reason;

/// Reason why an outgoing call was not made, or ended before its response was complete.
///
/// The message is for the developer of the service that makes the call.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OutboundError {
    /// The incoming call was cancelled.
    Cancelled,

    /// There is no user to propagate, and anonymous calls are not
    /// [allowed](crate::ClientLayer::allow_anonymous).
    ContextMissing,

    /// The deadline elapsed during the call, or before it was made.
    DeadlineExceeded,

    /// The destination is not among the [allowed](crate::ClientLayer::destinations) ones.
    #[non_exhaustive]
    DestinationNotAllowed {
        /// Host and port of the destination; `None` if it is unknown.
        destination: Option<String>,
    },

    /// The headers have too many fields to add the context.
    HeadersFull,

    /// The request carries a repeated or malformed `grpc-timeout`.
    TimeoutInvalid,
}

impl OutboundError {
    /// The reason code: one of [`reason`](crate::rejection::reason).
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Cancelled => reason::CALL_CANCELLED,
            Self::ContextMissing => reason::CONTEXT_NOT_PROPAGATED,
            Self::DeadlineExceeded => reason::DEADLINE_EXCEEDED,
            Self::DestinationNotAllowed { .. } => reason::DESTINATION_NOT_ALLOWED,
            Self::HeadersFull => reason::CONTEXT_TOO_LARGE,
            Self::TimeoutInvalid => reason::TIMEOUT_INVALID,
        }
    }
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the incoming call was cancelled"),
            Self::ContextMissing => f.write_str(
                "no user context to propagate: start the task with tonic_passport::spawn, make \
                 the call within CallContext::scope or UserContext::scope, put a UserContext into \
                 the request's extensions, or allow anonymous calls",
            ),
            Self::DeadlineExceeded => f.write_str("the deadline has passed"),
            Self::DestinationNotAllowed { destination: Some(name) } => {
                write!(
                    f,
                    "the user context may not be sent to {name:?}: add it to the destinations of \
                     the client layer"
                )
            }
            Self::DestinationNotAllowed { destination: None } => f.write_str(
                "the destination of the call is unknown, and the user context may only be sent to \
                 certain ones: wrap the channel with ClientLayer::wrap_with_origin, or give the \
                 client an origin",
            ),
            Self::HeadersFull => f.write_str("the headers have too many fields to add the context"),
            Self::TimeoutInvalid => f.write_str("grpc-timeout is repeated or malformed"),
        }
    }
}

impl std::error::Error for OutboundError {}

/// A valid context can fail to be written only because the header map is full.
impl From<ContextError> for OutboundError {
    fn from(_: ContextError) -> Self {
        Self::HeadersFull
    }
}
