//! The end of a call by its deadline, or by the expiry of its token.

use std::time::Duration;

use tokio::time::Instant;

use crate::call::{CallContext, Deadline};
use crate::rejection::Rejection;
use crate::util::DeadlineTimer;

/// Minimum grace period for a request or response body that begins after the token expired, so that
/// a unary call can still deliver its only message.
const MIN_EXPIRY_GRACE: Duration = Duration::from_secs(1);

/// Point in time at which the streams of a call end, and the cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallExpiry {
    instant: Option<Instant>,
    cause: ExpiryCause,
    /// The call's deadline, which is never extended.
    deadline: Option<Instant>,
}

/// Cause of the end of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ExpiryCause {
    Deadline,
    Token,
}

impl CallExpiry {
    /// Neither a deadline nor a token's expiry.
    pub(super) const NEVER: Self =
        Self { instant: None, cause: ExpiryCause::Deadline, deadline: None };

    /// Returns the earlier of the call's deadline and its token's expiry plus the grace period.
    pub(super) fn of(context: &CallContext, grace: Option<Duration>) -> Self {
        let deadline = context.deadline().map(Deadline::instant);
        let token_expiry = context.user().zip(grace).and_then(|(user, grace)| {
            // Zero for a token that the verifier accepted within its leeway.
            let remaining = user.time_to_expiry(grace)?;
            Instant::now().checked_add(remaining.max(MIN_EXPIRY_GRACE))
        });
        Self { deadline, ..Self::NEVER }.earliest(token_expiry)
    }

    fn earliest(self, token_expiry: Option<Instant>) -> Self {
        match (self.deadline, token_expiry) {
            (Some(deadline), Some(expiry)) if deadline <= expiry => {
                Self { instant: Some(deadline), cause: ExpiryCause::Deadline, ..self }
            }
            (_, Some(_)) => Self { instant: token_expiry, cause: ExpiryCause::Token, ..self },
            (deadline, None) => Self { instant: deadline, cause: ExpiryCause::Deadline, ..self },
        }
    }

    /// Returns the expiry for a response that begins now.
    pub(super) fn for_response(self) -> Self {
        match self {
            Self { instant: Some(instant), cause: ExpiryCause::Token, .. } => {
                self.earliest(Some(instant.max(Instant::now() + MIN_EXPIRY_GRACE)))
            }
            other => other,
        }
    }

    pub(super) fn cause(self) -> ExpiryCause {
        self.cause
    }

    /// Returns a timer that fires at this point.
    pub(super) fn timer(self) -> DeadlineTimer {
        DeadlineTimer::at(self.instant)
    }

    /// Returns a timer for the handler: the deadline only, because token expiry ends streams and
    /// not handlers.
    pub(super) fn handler_timer(self) -> DeadlineTimer {
        DeadlineTimer::at(self.deadline)
    }
}

impl ExpiryCause {
    pub(super) fn rejection(self) -> Rejection {
        match self {
            Self::Deadline => Rejection::DeadlineExceeded,
            Self::Token => Rejection::TokenExpired,
        }
    }
}
