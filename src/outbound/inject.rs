//! Injection of the call context into an outgoing request.

use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::config::OutboundConfig;
use super::destination::{Destination, TargetAuthority};
use super::error::OutboundError;
use super::injected::Injected;
use super::target::CallTarget;
use crate::call::{
    CallContext, Deadline, GRPC_TIMEOUT, InvalidTimeout, PolicyPermit, parse_timeout, write_timeout,
};
use crate::context::UserContext;
use crate::metadata::{Reserved, is_connection_field};
use crate::propagation::{Hops, ONE_HOP, PropagatedValue, REQUEST_ID, TRACEPARENT, TRACESTATE};

/// Injector of the call context: its settings. See the [module](super).
///
/// [`ClientLayer`](crate::ClientLayer) documents the settings.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    config: Arc<OutboundConfig>,
}

impl Outbound {
    /// Creates an injector that refuses calls without a user, with
    /// [`OutboundError::ContextMissing`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows calls without a user: see
    /// [`ClientLayer::allow_anonymous`](crate::ClientLayer::allow_anonymous).
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.config_mut().allow_anonymous = true;
        self
    }

    /// Restricts the destinations: see
    /// [`ClientLayer::destinations`](crate::ClientLayer::destinations).
    #[must_use]
    pub fn destinations(mut self, destinations: impl IntoIterator<Item = Destination>) -> Self {
        self.config_mut().destinations = Some(destinations.into_iter().collect());
        self
    }

    /// Allows calls to other destinations without the context: see
    /// [`ClientLayer::allow_other_destinations`](crate::ClientLayer::allow_other_destinations).
    #[must_use]
    pub fn allow_other_destinations(mut self) -> Self {
        self.config_mut().allow_other_destinations = true;
        self
    }

    /// Sets the margin of deadlines: see
    /// [`ClientLayer::deadline_margin`](crate::ClientLayer::deadline_margin).
    #[must_use]
    pub fn deadline_margin(mut self, margin: Duration) -> Self {
        self.config_mut().deadline_margin = margin;
        self
    }

    /// Creates an injector for calls that a gateway relays.
    #[cfg(feature = "gateway")]
    pub(crate) fn relay() -> Self {
        let mut outbound = Self::new().allow_anonymous();
        outbound.config_mut().is_relay = true;
        outbound
    }

    /// Whether calls are relayed by a gateway.
    pub(crate) fn is_relay(&self) -> bool {
        self.config.is_relay
    }

    fn config_mut(&mut self) -> &mut OutboundConfig {
        Arc::make_mut(&mut self.config)
    }

    /// Injects the call context into the headers of an outgoing request.
    ///
    /// The context is the [`CallContext`] or [`UserContext`] in `extensions`, or the current one.
    /// `extensions` must be those that are sent with the request, so that a retried attempt keeps its
    /// deadline.
    ///
    /// # Errors
    ///
    /// An [`OutboundError`] when the call must not be made. The headers are then in an unspecified
    /// state and must not be sent.
    pub fn inject(
        &self,
        target: CallTarget<'_>,
        headers: &mut HeaderMap,
        extensions: &mut Extensions,
    ) -> Result<Injected, OutboundError> {
        let config = &*self.config;
        let explicit = strip_identity(headers)?;
        let context = find_context(extensions);
        if context.is_cancelled() {
            return Err(OutboundError::Cancelled);
        }
        let may_receive_context = match check_destination(config, target) {
            Ok(()) => true,
            Err(_) if config.allow_other_destinations => false,
            Err(error) => return Err(log_misuse(error, target)),
        };
        let user = context.user().filter(|_| may_receive_context);
        if user.is_none() && may_receive_context && !config.allow_anonymous {
            return Err(log_misuse(OutboundError::ContextMissing, target));
        }

        if config.is_relay {
            remove_final_hop_fields(headers, &context);
        }
        let outer = context.deadline();
        let margin = config.deadline_margin;
        let deadline = shorten_deadline(headers, extensions, explicit.timeout, outer, margin)?;
        if may_receive_context {
            write_context(headers, explicit.has_request_id, user, &context)?;
        } else {
            remove_copies(headers, &context);
        }
        Ok(Injected::new(context, deadline))
    }
}

/// Checks that the context may be sent to the target. If origin and request URI are both known,
/// both must be allowed.
fn check_destination(config: &OutboundConfig, target: CallTarget<'_>) -> Result<(), OutboundError> {
    let Some(allowed) = &config.destinations else {
        return Ok(());
    };
    let not_allowed = |destination| OutboundError::DestinationNotAllowed { destination };
    let uris = [target.origin, target.request_uri].into_iter().flatten();
    let mut authorities = uris.filter_map(TargetAuthority::of).peekable();
    if authorities.peek().is_none() {
        return Err(not_allowed(None));
    }
    let is_other =
        |target: &TargetAuthority<'_>| !allowed.iter().any(|pattern| pattern.matches(*target));
    match authorities.find(is_other) {
        Some(other) => Err(not_allowed(Some(other.host_and_port().to_owned()))),
        None => Ok(()),
    }
}

/// Returns the context in the request's extensions, or that of the running task.
fn find_context(extensions: &mut Extensions) -> CallContext {
    let context = match extensions.get().cloned() {
        Some(explicit) => {
            // The permit was granted for the received request. If the outgoing one stays in the
            // process, another rule may apply to it.
            extensions.remove::<PolicyPermit>();
            explicit
        }
        None => CallContext::current(),
    };
    match extensions.get::<UserContext>() {
        Some(user) => context.with_user(user.clone()),
        None => context,
    }
}

/// Fields of the request that take precedence over the context.
struct ExplicitFields {
    timeout: Option<Duration>,
    has_request_id: bool,
}

/// Removes identity and connection-specific fields from the headers.
fn strip_identity(headers: &mut HeaderMap) -> Result<ExplicitFields, OutboundError> {
    let mut has_request_id = false;
    let mut names: SmallVec<[HeaderName; 1]> = SmallVec::new();
    let mut timeouts = 0;
    let mut timeout = None;
    for (name, value) in &*headers {
        let text = name.as_str();
        if text == "grpc-timeout" {
            timeouts += 1;
            timeout = Some(parse_timeout(value));
        } else if Reserved::classify(text).is_some()
            || is_connection_field(text)
            || text == "x-passport-one-hop"
        {
            names.push(name.clone());
        } else if text == "x-request-id" {
            has_request_id = true;
        }
    }
    for name in names {
        headers.remove(name);
    }
    match timeout.transpose() {
        Ok(timeout) if timeouts <= 1 => Ok(ExplicitFields { timeout, has_request_id }),
        Ok(_) | Err(InvalidTimeout) => Err(OutboundError::TimeoutInvalid),
    }
}

/// Deadline computed from the request's own `grpc-timeout`, kept in the extensions: a retried
/// attempt passes this layer again, and must not restart the timeout.
#[derive(Clone, Copy)]
struct ExplicitDeadline(Deadline);

/// Determines the deadline of a call and writes it as `grpc-timeout`: the request's own timeout,
/// limited by the remaining time of the incoming call less the margin.
fn shorten_deadline(
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
    explicit_timeout: Option<Duration>,
    outer: Option<Deadline>,
    margin: Duration,
) -> Result<Option<Deadline>, OutboundError> {
    if explicit_timeout.is_none() && outer.is_none() {
        return Ok(None);
    }
    let now = Instant::now();
    let of_earlier_attempt = explicit_timeout
        .and_then(|_| extensions.get())
        .map(|ExplicitDeadline(deadline)| deadline.remaining_at(now));
    let of_outer = outer.map(|outer| outer.remaining_at(now).saturating_sub(margin));
    let remaining = of_outer.into_iter().chain(of_earlier_attempt).min();
    let (value, timeout) = match (explicit_timeout, remaining) {
        (Some(explicit), remaining) if remaining.is_none_or(|remaining| explicit <= remaining) => {
            (None, explicit)
        }
        (_, remaining) => {
            let (value, written) = write_timeout(remaining.unwrap_or_default());
            (Some(value), written)
        }
    };
    if timeout.is_zero() {
        return Err(OutboundError::DeadlineExceeded);
    }
    let deadline = Deadline::from_timeout(now, timeout);
    match value {
        Some(value) => insert(headers, GRPC_TIMEOUT, value)?,
        None => {
            extensions.insert(ExplicitDeadline(deadline));
        }
    }
    Ok(Some(deadline))
}

/// Writes the context into the headers. Fields that the request already has, such as a trace, are
/// kept.
fn write_context(
    headers: &mut HeaderMap,
    has_request_id: bool,
    user: Option<&UserContext>,
    context: &CallContext,
) -> Result<(), OutboundError> {
    // Reserving once moves the entries of the map at most once.
    let count = user.map_or(0, UserContext::max_field_count) + context.fields().len() + 1;
    headers.try_reserve(count).map_err(|_| OutboundError::HeadersFull)?;
    if let Some(user) = user {
        user.append_to(headers)?;
    }
    if let Some(id) = context.request_id().filter(|_| !has_request_id) {
        insert(headers, REQUEST_ID, id.value().clone())?;
    }

    let fields = context.fields();
    if fields.is_empty() {
        return Ok(());
    }
    // A tracestate belongs to the traceparent that it came with.
    let takes_trace = !headers.contains_key(TRACEPARENT)
        && fields.iter().any(|field| field.name == TRACEPARENT && field.hops != Hops::Ended);
    let is_new = |PropagatedValue { name, hops, .. }: &PropagatedValue| {
        *hops != Hops::Ended && !headers.contains_key(name) && (takes_trace || *name != TRACESTATE)
    };
    let is_new: SmallVec<[bool; 4]> = fields.iter().map(is_new).collect();
    for (PropagatedValue { name, value, .. }, _) in
        fields.iter().zip(is_new).filter(|(_, is_new)| *is_new)
    {
        headers.try_append(name, value.clone()).map_err(|_| OutboundError::HeadersFull)?;
    }
    // A relayed request already carries the value, limited to one hop. A different value was set by
    // this service and starts its own first hop.
    let ends_at_receiver = |PropagatedValue { name, value, hops }: &&PropagatedValue| {
        *hops == Hops::One && headers.get_all(name).iter().any(|sent| sent == value)
    };
    let mut one_hop: Vec<&str> =
        fields.iter().filter(ends_at_receiver).map(|field| field.name.as_str()).collect();
    one_hop.dedup();
    if !one_hop.is_empty() {
        // Field names joined by commas are a valid header value.
        let value =
            HeaderValue::try_from(one_hop.join(",")).map_err(|_| OutboundError::HeadersFull)?;
        insert(headers, ONE_HOP, value)?;
    }
    Ok(())
}

/// Removes fields whose last hop ended at this service.
fn remove_final_hop_fields(headers: &mut HeaderMap, context: &CallContext) {
    for field in context.fields().iter().filter(|field| field.hops == Hops::Ended) {
        headers.remove(&field.name);
    }
}

/// Removes values of the context from the headers: a handler may have copied the metadata of the
/// incoming request.
fn remove_copies(headers: &mut HeaderMap, context: &CallContext) {
    let id = context.request_id().map(|id| (REQUEST_ID, id.value()));
    let fields = context.fields().iter().map(|field| (field.name.clone(), &field.value));
    for (name, value) in fields.chain(id) {
        if headers.get_all(&name).iter().any(|sent| sent == value) {
            headers.remove(name);
        }
    }
}

fn insert(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), OutboundError> {
    headers.try_insert(name, value).map(drop).map_err(|_| OutboundError::HeadersFull)
}

/// Logs an error that the developer of the service has to fix.
fn log_misuse(error: OutboundError, target: CallTarget<'_>) -> OutboundError {
    tracing::error!(method = target.request_uri.map(Uri::path), "{error}");
    error
}
