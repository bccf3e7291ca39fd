//! The steps of acceptance, in their order.

use std::time::Duration;

use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use tracing::Span;

use super::accepted::Accepted;
use super::config::InboundConfig;
use super::expiry::CallExpiry;
use super::fields::{Names, RequestFields};
use super::guard::CallGuard;
use super::rules::MethodRules;
use crate::authenticate::{Authentication, Credentials, PendingAuthentication};
use crate::call::{
    CallContext, CallData, CancelSource, Cancellation, Deadline, InvalidTimeout, PolicyPermit,
};
use crate::context::{ContextError, UserContext};
use crate::propagation::{PropagatedValue, REQUEST_ID, RequestId};
use crate::rejection::Rejection;
use crate::telemetry::{self, RequestOutcome};
use crate::util::describe;

/// Inputs of acceptance. They are the same when it is resumed.
pub(super) struct Steps<'a> {
    pub(super) config: &'a InboundConfig,
    /// The canonical path; `None` if the method is unknown.
    pub(super) method: Option<&'a str>,
}

/// The result of the steps.
pub(super) enum Outcome {
    Accepted(Accepted),
    Rejected(Rejection),
    /// The authenticator returned a future. Acceptance resumes with its result and this progress.
    Pending(PendingAuthentication, Progress),
}

/// State that is saved while the authenticator is pending.
pub(super) struct Progress {
    request_id: RequestId,
    /// Whether the request carried no valid id.
    is_new_id: bool,
    pub(super) deadline: Option<Deadline>,
    /// The span around all work of the call.
    call_span: Span,
    /// The span around authentication and authorization.
    span: Span,
}

impl Steps<'_> {
    /// Runs all steps after the path check. `resumed` is the state saved while the authenticator
    /// was pending.
    pub(super) fn run(
        &self,
        resumed: Option<Progress>,
        authenticate: impl FnOnce(&Credentials<'_>) -> Authentication,
        challenge: impl FnOnce() -> Rejection,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
    ) -> Outcome {
        let config = self.config;
        let mut fields = RequestFields::default();
        let credential_names = config.credential_names.as_slice();
        fields.scan(headers, credential_names, &config.propagated_fields);
        let rules = MethodRules::find(config, self.method);
        let (mut progress, deadline) = if let Some(progress) = resumed {
            let deadline = progress.deadline;
            (progress, Ok(deadline))
        } else {
            let deadline = determine_deadline(fields.timeout(), config.timeout);
            (Progress::begin(self.method, fields.request_id()), deadline)
        };
        progress.deadline = *deadline.as_ref().unwrap_or(&None);

        let decision = progress.in_spans(|span| {
            let credentials = Credentials::new(&fields.identity, credential_names, extensions);
            let authentication = match deadline {
                Err(rejection) => rejection.into(),
                Ok(_) => rules.authenticate(&credentials, authenticate),
            };
            let authenticated = match authentication {
                Authentication::Ready(authenticated) => authenticated,
                Authentication::Pending(future) => return Err(future),
            };
            Ok(authenticated.and_then(|user| rules.authorize(user, span, config, challenge)))
        });
        let user = match decision {
            Ok(Ok(user)) => user,
            Ok(Err(rejection)) => return progress.reject(rejection),
            Err(future) => return Outcome::Pending(future, progress),
        };

        let propagated = fields.propagated(&config.propagated_fields);
        // A forwarded context that is already encoded in the headers is kept.
        let is_written = user.as_ref().is_some_and(|user| user.is_written_as(&fields.identity));
        let names = fields.take_names_to_strip(is_written);
        // They borrow the headers.
        drop(fields);
        strip_identity(headers, &names);
        let written = write_context(headers, user.as_ref().filter(|_| !is_written), &progress);
        if let Err(error) = written {
            return progress.reject(error.into());
        }
        progress.log_accepted(user.as_ref(), rules.is_public());
        let call = self.open_call(user, propagated, progress, extensions);
        Outcome::Accepted(call)
    }

    /// Creates the call, and puts its context into the extensions.
    fn open_call(
        &self,
        user: Option<UserContext>,
        fields: Vec<PropagatedValue>,
        progress: Progress,
        extensions: &mut Extensions,
    ) -> Accepted {
        let is_authorized = self.method.is_some() && self.config.policy.is_some();
        let context = CallContext::new(CallData {
            user,
            deadline: progress.deadline,
            request_id: Some(progress.request_id),
            fields,
            cancel_source: CancelSource::Call(Cancellation::default()),
            is_authorized,
        });
        extensions.insert(context.clone());
        if is_authorized {
            extensions.insert(PolicyPermit);
        } else {
            extensions.remove::<PolicyPermit>();
        }
        let expiry = CallExpiry::of(&context, self.config.stream_expiry_grace);
        Accepted::new(
            CallGuard::new(context, progress.call_span),
            expiry,
            self.config.credential_names.clone(),
        )
    }
}

impl Progress {
    fn begin(method: Option<&str>, known_id: Option<RequestId>) -> Self {
        let is_new_id = known_id.is_none();
        let request_id = known_id.unwrap_or_else(RequestId::random);
        let call_span =
            method.map_or_else(Span::none, |method| telemetry::call_span(method, &request_id));
        let span = call_span.in_scope(|| telemetry::authenticate_span(method, &request_id));
        Self { request_id, is_new_id, deadline: None, call_span, span }
    }

    /// Rejects the request, and logs and counts it.
    fn reject(&self, rejection: Rejection) -> Outcome {
        telemetry::record_outcome(&self.span, RequestOutcome::Rejected(rejection.reason()));
        tracing::info!(parent: &self.span, cause = describe(&rejection), "request rejected");
        Outcome::Rejected(rejection)
    }

    /// Logs and counts an accepted request.
    fn log_accepted(&self, user: Option<&UserContext>, is_public: bool) {
        let outcome = match user {
            Some(_) => RequestOutcome::Accepted,
            None if is_public => RequestOutcome::Public,
            None => RequestOutcome::Anonymous,
        };
        telemetry::record_outcome(&self.span, outcome);
        tracing::debug!(parent: &self.span, "request accepted");
    }

    /// Runs a function in the spans of the call and of authentication.
    pub(super) fn in_spans<R>(&self, f: impl FnOnce(&Span) -> R) -> R {
        let _call = self.call_span.enter();
        let _authentication = self.span.enter();
        f(&self.span)
    }
}

/// Determines the deadline of a call: the client's timeout, limited by the configured one.
fn determine_deadline(
    client_timeout: Result<Option<Duration>, InvalidTimeout>,
    max_timeout: Option<Duration>,
) -> Result<Option<Deadline>, Rejection> {
    let client_timeout = client_timeout.map_err(|InvalidTimeout| Rejection::TimeoutInvalid)?;
    let Some(timeout) = client_timeout.into_iter().chain(max_timeout).min() else {
        return Ok(None);
    };
    if timeout.is_zero() {
        return Err(Rejection::DeadlineExceeded);
    }
    Ok(Some(Deadline::from_timeout(Instant::now(), timeout)))
}

/// Strips identity, the raw token included, and the other fields to strip from the headers.
fn strip_identity(headers: &mut HeaderMap, names: &Names) {
    for name in names {
        headers.remove(name);
    }
}

/// Writes the user context, and a new request id, into the headers.
fn write_context(
    headers: &mut HeaderMap,
    user: Option<&UserContext>,
    progress: &Progress,
) -> Result<(), ContextError> {
    if let Some(user) = user {
        user.append_to(headers)?;
    }
    if progress.is_new_id {
        let id = progress.request_id.value().clone();
        headers.try_insert(REQUEST_ID, id).map_err(|_| ContextError::HeadersFull)?;
    }
    Ok(())
}
