//! What layer and interceptor have in common.

use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};
use smallvec::SmallVec;
use tokio::time::Instant;
use tonic::Status;

use super::destination::Place;
use super::settings::{Settings, Without};
use crate::authenticate::Rejection;
use crate::call::{CallContext, LetIn};
use crate::context::{ContextError, UserContext};
use crate::deadline::{Deadline, GRPC_TIMEOUT, InvalidTimeout, parse_timeout, write_timeout};
use crate::metadata::{Reserved, is_connection_field};
use crate::propagation::{Hops, ONE_HOP, PropagatedValue, REQUEST_ID, TRACEPARENT, TRACESTATE};
use crate::status;

/// Where a call goes, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Route<'a> {
    /// What the channel was wrapped for.
    pub(super) channel: Option<&'a Place>,
    /// What the request says.
    pub(super) request: Option<&'a Uri>,
}

/// A call that may be made.
pub(super) struct Outgoing {
    pub(super) context: CallContext,
    /// By when it must be answered.
    pub(super) deadline: Option<Deadline>,
}

/// Puts what goes along with the call, and no other identity, into an outgoing request.
pub(super) fn propagate(
    settings: &Settings,
    route: Route<'_>,
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
) -> Result<Outgoing, Status> {
    let Own { timeout, has_id } = strip(headers)?;
    let context = context(extensions);
    if context.is_cancelled() {
        return Err(status::call_cancelled());
    }
    // The context of a call is sent to the places that it is meant for, and nowhere else.
    let is_meant = match settings.permit(route) {
        Ok(()) => true,
        Err(elsewhere) if settings.elsewhere == Without::Refuse => {
            return Err(told(status::destination_not_allowed(elsewhere.as_deref()), route));
        }
        Err(_) => false,
    };
    let user = context.user().filter(|_| is_meant);
    if user.is_none() && is_meant && settings.anonymous == Without::Refuse {
        return Err(told(status::not_propagated(), route));
    }

    if settings.relays {
        remove_arrived(headers, &context);
    }
    let outer = context.deadline();
    let deadline = deadline(headers, extensions, timeout, outer, settings.deadline_margin)?;
    if is_meant {
        write(headers, has_id, user, &context).map_err(Rejection::from)?;
    } else {
        remove_copies(headers, &context);
    }
    Ok(Outgoing { context, deadline })
}

impl Settings {
    /// Says whether the context may be sent there, or else where it may not be sent, if that is
    /// known. Where it is said twice where a call goes, both count.
    fn permit(&self, route: Route<'_>) -> Result<(), Option<String>> {
        let Some(destinations) = &self.destinations else {
            return Ok(());
        };
        let said = [route.channel.cloned(), route.request.and_then(Place::of)];
        let mut places = said.into_iter().flatten().peekable();
        if places.peek().is_none() {
            return Err(None);
        }
        let is_elsewhere = |place: &Place| !destinations.iter().any(|own| own.includes(place));
        match places.find(is_elsewhere) {
            Some(place) => Err(Some(place.without_user().to_owned())),
            None => Ok(()),
        }
    }
}

/// The context that was given to this call, or else the one of the task that makes it.
fn context(extensions: &mut Extensions) -> CallContext {
    let context = match extensions.get().cloned() {
        Some(given) => {
            // It may be relayed within the process. Where it goes, another policy decides.
            extensions.remove::<LetIn>();
            given
        }
        None => CallContext::current(),
    };
    match extensions.get::<UserContext>() {
        Some(user) => context.with_user(user.clone()),
        None => context,
    }
}

/// What a request says itself.
struct Own {
    timeout: Option<Duration>,
    has_id: bool,
}

/// Takes out what must not be sent.
fn strip(headers: &mut HeaderMap) -> Result<Own, Status> {
    let mut has_id = false;
    let mut names: SmallVec<[HeaderName; 4]> = SmallVec::new();
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
            has_id = true;
        }
    }
    for name in names {
        headers.remove(name);
    }
    match timeout.transpose() {
        Ok(timeout) if timeouts <= 1 => Ok(Own { timeout, has_id }),
        Ok(_) | Err(InvalidTimeout) => Err(Rejection::TimeoutInvalid.into()),
    }
}

/// By when a call must be answered, as it says itself: in its extensions, for the layers that each
/// attempt of it passes in turn.
#[derive(Clone, Copy)]
struct OwnDeadline(Deadline);

/// By when a call must be answered: what it says itself, but not later than the one that it is made
/// for, less a margin.
fn deadline(
    headers: &mut HeaderMap,
    extensions: &mut Extensions,
    own: Option<Duration>,
    outer: Option<Deadline>,
    margin: Duration,
) -> Result<Option<Deadline>, Status> {
    if own.is_none() && outer.is_none() {
        return Ok(None);
    }
    let now = Instant::now();
    let begun = own.and_then(|_| extensions.get()).map(|OwnDeadline(own)| own.remaining_at(now));
    let left = outer.map(|outer| outer.remaining_at(now).saturating_sub(margin));
    let left = left.into_iter().chain(begun).min();
    let (value, timeout) = match (own, left) {
        (Some(own), left) if left.is_none_or(|left| own <= left) => (None, own),
        (_, left) => {
            let (value, written) = write_timeout(left.unwrap_or_default());
            (Some(value), written)
        }
    };
    if timeout.is_zero() {
        return Err(Rejection::DeadlineExceeded.into());
    }
    let deadline = Deadline::counted_from(now, timeout);
    match value {
        Some(value) => insert(headers, GRPC_TIMEOUT, value).map_err(Rejection::from)?,
        None => {
            extensions.insert(OwnDeadline(deadline));
        }
    }
    Ok(Some(deadline))
}

/// Writes the context. What the request says itself, of the trace for instance, is left alone.
fn write(
    headers: &mut HeaderMap,
    has_id: bool,
    user: Option<&UserContext>,
    context: &CallContext,
) -> Result<(), ContextError> {
    // Room for all of it at once, before there is much to move.
    let own = user.map_or(0, UserContext::max_field_count) + context.fields().len() + 1;
    headers.try_reserve(own).map_err(|_| ContextError::NoRoom)?;
    if let Some(user) = user {
        user.append_to(headers)?;
    }
    if let Some(id) = context.request_id().filter(|_| !has_id) {
        insert(headers, REQUEST_ID, id.value().clone())?;
    }

    let fields = context.fields();
    if fields.is_empty() {
        return Ok(());
    }
    // The state of a trace goes along with that trace, and with no other.
    let takes_trace = !headers.contains_key(TRACEPARENT)
        && fields.iter().any(|field| field.name == TRACEPARENT && field.hops != Hops::None);
    let is_new = |PropagatedValue { name, hops, .. }: &PropagatedValue| {
        *hops != Hops::None && !headers.contains_key(name) && (takes_trace || *name != TRACESTATE)
    };
    let is_new: SmallVec<[bool; 4]> = fields.iter().map(is_new).collect();
    for (PropagatedValue { name, value, .. }, _) in
        fields.iter().zip(is_new).filter(|(_, new)| *new)
    {
        headers.try_append(name, value.clone()).map_err(|_| ContextError::NoRoom)?;
    }
    // Whoever wrote it: a relayed call has it already. Another value begins to travel here.
    let is_last = |PropagatedValue { name, value, hops }: &&PropagatedValue| {
        *hops == Hops::One && headers.get_all(name).iter().any(|sent| sent == value)
    };
    let mut last: Vec<&str> =
        fields.iter().filter(is_last).map(|field| field.name.as_str()).collect();
    last.dedup();
    if !last.is_empty() {
        // Names of fields joined by commas are always the value of one.
        let value = HeaderValue::try_from(last.join(",")).map_err(|_| ContextError::NoRoom)?;
        insert(headers, ONE_HOP, value)?;
    }
    Ok(())
}

/// Takes out what goes no further than here.
fn remove_arrived(headers: &mut HeaderMap, context: &CallContext) {
    for field in context.fields().iter().filter(|field| field.hops == Hops::None) {
        headers.remove(&field.name);
    }
}

/// Takes out what a request holds of the context already: the metadata of the call that it is made
/// for, copied.
fn remove_copies(headers: &mut HeaderMap, context: &CallContext) {
    let id = context.request_id().map(|id| (REQUEST_ID, id.value()));
    let fields = context.fields().iter().map(|field| (field.name.clone(), &field.value));
    for (name, value) in fields.chain(id) {
        if headers.get_all(&name).iter().any(|own| own == value) {
            headers.remove(name);
        }
    }
}

fn insert(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), ContextError> {
    headers.try_insert(name, value).map(drop).map_err(|_| ContextError::NoRoom)
}

/// Says in the log, too, what the developer of a service has to mend.
fn told(status: Status, route: Route<'_>) -> Status {
    tracing::error!(method = route.request.map(Uri::path), "{}", status.message());
    status
}
