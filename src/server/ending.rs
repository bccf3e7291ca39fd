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
    /// The deadline, which nothing puts off.
    deadline: Option<Instant>,
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
        let deadline = deadline.map(Deadline::instant);
        Self { time: deadline, cause: Cause::Deadline, deadline }
    }

    /// At the deadline of the call, but not later than its token, and some grace, allow. `now` is
    /// what the time is to whoever accepted the token.
    pub(super) fn of(
        context: &CallContext,
        grace: Option<Duration>,
        now: impl FnOnce() -> SystemTime,
    ) -> Self {
        let deadline = context.deadline().map(Deadline::instant);
        let until = context.user().and_then(UserContext::expires_at);
        let expiry = until.zip(grace).and_then(|(until, grace)| {
            // A token that has expired was accepted with some leeway.
            let left = until.checked_add(grace)?.duration_since(now()).unwrap_or_default();
            Instant::now().checked_add(left.max(LATE))
        });
        Self { time: deadline, cause: Cause::Deadline, deadline }.or_expiry_at(expiry)
    }

    /// At the deadline, or when the token has had its time: whichever is earlier.
    fn or_expiry_at(self, expiry: Option<Instant>) -> Self {
        match (self.deadline, expiry) {
            (Some(deadline), Some(expiry)) if deadline <= expiry => {
                Self { time: Some(deadline), cause: Cause::Deadline, ..self }
            }
            (_, Some(_)) => Self { time: expiry, cause: Cause::TokenExpiry, ..self },
            (deadline, None) => Self { time: deadline, cause: Cause::Deadline, ..self },
        }
    }

    /// That of an answer which begins now.
    pub(super) fn of_answer(self) -> Self {
        match self {
            Self { time: Some(time), cause: Cause::TokenExpiry, .. } => {
                self.or_expiry_at(Some(time.max(Instant::now() + LATE)))
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
