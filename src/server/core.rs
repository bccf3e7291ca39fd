//! What layer and interceptor have in common.

use std::time::Duration;

use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use tracing::Span;

use super::intake::Intake;
use super::settings::{Access, Settings};
use crate::authenticate::{Authenticator, Credentials, Rejection};
use crate::call::{CallContext, Cancellation, Inner, Life};
use crate::context::{ContextError, UserContext};
use crate::deadline::{Deadline, InvalidTimeout};
use crate::propagation::{REQUEST_ID, RequestId};
use crate::status;
use crate::telemetry::{self, Outcome};

/// A call that may be made.
pub(super) struct Admitted {
    pub(super) context: CallContext,
    /// Around all that is done for it; there is none where the method is not known.
    pub(super) span: Span,
}

/// Decides whether a call may be made, and by whom. Whatever the request's metadata and extensions
/// held about identity, they hold what was found out when this returns.
///
/// `method` is its path, where that is known. A request that is refused is not fit to be used.
pub(super) fn admit<A: Authenticator>(
    authenticator: &A,
    settings: &Settings,
    method: Option<&str>,
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
) -> Result<Admitted, Rejection> {
    extensions.remove::<UserContext>();
    let mut intake = Intake::of(headers, authenticator.credential_names(), &settings.fields);
    let known_id = intake.request_id();
    let has_id = known_id.is_some();
    let id = known_id.unwrap_or_else(RequestId::random);

    let span = method.map_or_else(Span::none, |method| telemetry::call(method, &id));
    let entered = span.enter();
    let (deadline, user) = decide(authenticator, settings, method, &intake, &id, extensions)?;
    drop(entered);

    let fields = intake.fields(&settings.fields);
    // A context that was forwarded is in the metadata already, and is left alone.
    let is_written = user.as_ref().is_some_and(|user| user.is_written_as(&intake.identity));
    for name in intake.unwanted(is_written) {
        headers.remove(name);
    }
    if let Some(user) = user.as_ref().filter(|_| !is_written) {
        user.append_to(headers)?;
    }
    if !has_id {
        let inserted = headers.try_insert(REQUEST_ID, id.value().clone());
        inserted.map_err(|_| ContextError::NoRoom)?;
    }
    let life = Life::Call(Cancellation::default());
    let context = CallContext::new(Inner { user, deadline, request_id: Some(id), fields, life });
    extensions.insert(context.clone());
    Ok(Admitted { context, span })
}

/// Tells by when the call must be answered and who is calling, and writes the outcome into the log.
fn decide<A: Authenticator>(
    authenticator: &A,
    settings: &Settings,
    method: Option<&str>,
    intake: &Intake<'_>,
    request_id: &RequestId,
    extensions: &Extensions,
) -> Result<(Option<Deadline>, Option<UserContext>), Rejection> {
    let span = telemetry::authenticate(method, request_id);
    let _entered = span.enter();
    let access = method.map_or(Access::Required, |method| settings.access(method));
    let answer = deadline(intake.timeout(), settings.timeout).and_then(|deadline| {
        Ok((deadline, authenticate(authenticator, access, intake, extensions)?))
    });
    match &answer {
        Ok((_, Some(user))) => {
            telemetry::record_user(&span, user, settings.record_email);
            telemetry::record_outcome(&span, Outcome::Accepted);
            tracing::debug!("request accepted");
        }
        Ok((_, None)) => {
            let public = access == Access::Public;
            let outcome = if public { Outcome::Public } else { Outcome::Anonymous };
            telemetry::record_outcome(&span, outcome);
            tracing::debug!("request accepted");
        }
        Err(rejection) => {
            telemetry::record_outcome(&span, Outcome::Rejected(rejection.reason()));
            tracing::info!(cause = status::describe(rejection), "request rejected");
        }
    }
    answer
}

/// By when a call must be answered: what the client says, but not later than is allowed here.
fn deadline(
    asked: Result<Option<Duration>, InvalidTimeout>,
    allowed: Option<Duration>,
) -> Result<Option<Deadline>, Rejection> {
    let asked = asked.map_err(|InvalidTimeout| Rejection::TimeoutInvalid)?;
    let Some(timeout) = asked.into_iter().chain(allowed).min() else {
        return Ok(None);
    };
    if timeout.is_zero() {
        return Err(Rejection::DeadlineExceeded);
    }
    Ok(Some(Deadline::counted_from(Instant::now(), timeout)))
}

fn authenticate<A: Authenticator>(
    authenticator: &A,
    access: Access,
    intake: &Intake<'_>,
    extensions: &Extensions,
) -> Result<Option<UserContext>, Rejection> {
    if access == Access::Public {
        return Ok(None);
    }
    let names = authenticator.credential_names();
    match authenticator.authenticate(&Credentials::new(&intake.identity, names, extensions))? {
        Some(user) => Ok(Some(user)),
        None if access == Access::Optional => Ok(None),
        None => Err(authenticator.challenge()),
    }
}
