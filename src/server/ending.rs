//! When a call is over before it has come to its end.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tonic::Status;

use crate::alarm::Alarm;
use crate::authenticate::Rejection;
use crate::call::CallContext;
use crate::context::UserContext;
use crate::deadline::Deadline;
use crate::jwt::TokenError;
use crate::telemetry;

/// The time at which a stream is ended, and what for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    time: Option<Instant>,
    cause: Cause,
}

#[derive(Clone, Copy, Debug)]
enum Cause {
    Deadline,
    TokenExpiry,
}

impl Ending {
    /// At this deadline.
    pub(crate) fn at(deadline: Option<Deadline>) -> Self {
        Self { time: deadline.map(Deadline::time), cause: Cause::Deadline }
    }

    /// At the deadline of the call, but not later than its token, and some grace, allow.
    pub(super) fn of(context: &CallContext, grace: Option<Duration>) -> Self {
        let deadline = context.deadline().map(Deadline::time);
        let until = context.user().and_then(UserContext::expires_at);
        let expiry = until.zip(grace).and_then(|(until, grace)| {
            let left = until.checked_add(grace)?.duration_since(SystemTime::now());
            Instant::now().checked_add(left.unwrap_or_default())
        });
        match (deadline, expiry) {
            (Some(deadline), Some(expiry)) if deadline <= expiry => {
                Self { time: Some(deadline), cause: Cause::Deadline }
            }
            (_, Some(expiry)) => Self { time: Some(expiry), cause: Cause::TokenExpiry },
            (deadline, None) => Self { time: deadline, cause: Cause::Deadline },
        }
    }

    pub(crate) fn alarm(self) -> Alarm {
        Alarm::at(self.time)
    }

    /// What the caller is told when the time has come.
    pub(crate) fn status(self) -> Status {
        let rejection = match self.cause {
            Cause::Deadline => Rejection::DeadlineExceeded,
            Cause::TokenExpiry => Rejection::Token(TokenError::Expired),
        };
        telemetry::call_ended(rejection.reason());
        rejection.into()
    }
}
