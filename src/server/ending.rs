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

/// How long a request, or an answer, may take that begins when its token has had its time: it may be
/// the only message of a call, and the answer to one that has done its work.
const LATE: Duration = Duration::from_secs(1);

/// The time at which streams are ended, and what for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    time: Option<Instant>,
    cause: Cause,
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    Deadline,
    TokenExpiry,
}

impl Ending {
    /// At this deadline.
    pub(crate) fn at(deadline: Option<Deadline>) -> Self {
        Self { time: deadline.map(Deadline::time), cause: Cause::Deadline }
    }

    /// At the deadline of the call, but not later than its token, and some grace, allow. `now` is
    /// what the time is to whoever accepted the token.
    pub(super) fn of(
        context: &CallContext,
        grace: Option<Duration>,
        now: impl FnOnce() -> SystemTime,
    ) -> Self {
        let deadline = context.deadline().map(Deadline::time);
        let until = context.user().and_then(UserContext::expires_at);
        let expiry = until.zip(grace).and_then(|(until, grace)| {
            // A token that has expired was accepted with some leeway.
            let left = until.checked_add(grace)?.duration_since(now()).unwrap_or_default();
            Instant::now().checked_add(left.max(LATE))
        });
        match (deadline, expiry) {
            (Some(deadline), Some(expiry)) if deadline <= expiry => {
                Self { time: Some(deadline), cause: Cause::Deadline }
            }
            (_, Some(expiry)) => Self { time: Some(expiry), cause: Cause::TokenExpiry },
            (deadline, None) => Self { time: deadline, cause: Cause::Deadline },
        }
    }

    /// That of an answer which begins now.
    pub(super) fn of_answer(self) -> Self {
        match self {
            Self { time: Some(time), cause: Cause::TokenExpiry } => {
                Self { time: Some(time.max(Instant::now() + LATE)), ..self }
            }
            other => other,
        }
    }

    /// What goes off at the time, and why.
    pub(super) fn alarm(self) -> (Alarm, Cause) {
        (Alarm::at(self.time), self.cause)
    }
}

impl Cause {
    /// What the caller is told.
    pub(super) fn status(self) -> Status {
        self.rejection().into()
    }

    /// The reason that the caller is told.
    pub(super) fn reason(self) -> &'static str {
        self.rejection().reason()
    }

    fn rejection(self) -> Rejection {
        match self {
            Self::Deadline => Rejection::DeadlineExceeded,
            Self::TokenExpiry => Rejection::Token(TokenError::Expired),
        }
    }
}
