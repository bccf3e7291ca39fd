//! What layer and interceptor have in common.

use std::time::Duration;

use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use tracing::Span;

use super::intake::Intake;
use super::settings::Settings;
use crate::authenticate::{Authenticator, Credentials, Rejection};
use crate::call::{CallContext, Cancellation, Inner, LetIn, Life};
use crate::context::{ContextError, UserContext};
use crate::deadline::{Deadline, InvalidTimeout};
use crate::policy::{Access, Policy, Ruling};
use crate::propagation::{REQUEST_ID, RequestId};
use crate::telemetry::{self, Outcome};
use crate::util::describe;

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
    let is_authorized = method.is_some() && settings.policy.is_some();
    let request_id = Some(id);
    let context =
        CallContext::new(Inner { user, deadline, request_id, fields, life, is_authorized });
    extensions.insert(context.clone());
    if is_authorized {
        extensions.insert(LetIn);
    } else {
        extensions.remove::<LetIn>();
    }
    Ok(Admitted { context, span })
}

/// Tells by when the call must be answered, who is calling, and whether they may; and writes the
/// outcome into the log.
fn decide<'a, A: Authenticator>(
    authenticator: &A,
    settings: &'a Settings,
    method: Option<&'a str>,
    intake: &Intake<'_>,
    request_id: &RequestId,
    extensions: &Extensions,
) -> Result<(Option<Deadline>, Option<UserContext>), Rejection> {
    let span = telemetry::authenticate(method, request_id);
    let _entered = span.enter();
    let ruling = |policy: &'a Option<Policy>| Some(policy.as_ref()?.ruling(method?));
    let rulings = Rulings { enforced: ruling(&settings.policy), shadow: ruling(&settings.shadow) };
    let access = rulings.access();
    let answer = deadline(intake.timeout(), settings.timeout).and_then(|deadline| {
        let authenticate = || {
            let names = authenticator.credential_names();
            authenticator.authenticate(&Credentials::new(&intake.identity, names, extensions))
        };
        let user = if access == Access::Public { None } else { authenticate()? };
        if let Some(user) = &user {
            telemetry::record_user(&span, user, settings.record_email);
        }
        rulings.report(user.as_ref(), authenticate);
        rulings.enforce(user.as_ref(), || authenticator.challenge())?;
        Ok((deadline, user))
    });
    match &answer {
        Ok((_, Some(_))) => {
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
            tracing::info!(cause = describe(rejection), "request rejected");
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

/// What the policies say of a method.
struct Rulings<'a> {
    enforced: Option<Ruling<'a>>,
    /// That of the shadow policy.
    shadow: Option<Ruling<'a>>,
}

impl Rulings<'_> {
    fn access(&self) -> Access {
        self.enforced.map_or(Access::Required, |ruling| ruling.access())
    }

    /// Demands that this caller may call the method.
    fn enforce(
        &self,
        user: Option<&UserContext>,
        challenge: impl FnOnce() -> Rejection,
    ) -> Result<(), Rejection> {
        let Some(ruling) = self.enforced else {
            return if user.is_some() { Ok(()) } else { Err(challenge()) };
        };
        ruling.enforce(user, challenge)
    }

    /// Has the shadow policy say what it would, with what it would know of the caller.
    fn report(
        &self,
        user: Option<&UserContext>,
        authenticate: impl FnOnce() -> Result<Option<UserContext>, Rejection>,
    ) {
        let Some(ruling) = self.shadow else { return };
        match (ruling.access(), self.access()) {
            (Access::Public, _) => ruling.report(None),
            // Nobody has asked who is calling. A bad credential would have been refused.
            (_, Access::Public) => ruling.report(authenticate().ok().flatten().as_ref()),
            _ => ruling.report(user),
        }
    }
}
