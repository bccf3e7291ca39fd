//! What a request's metadata holds, found out in one pass over it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::call::Fields;
use crate::deadline::{InvalidTimeout, parse_timeout};
use crate::metadata::{Reserved, field_size, folded, is_connection_field};
use crate::propagation::{
    BAGGAGE, Hops, PropagatedField, PropagatedValue, RequestId, TRACEPARENT, TRACESTATE,
    is_baggage, is_traceparent, is_tracestate, one_hop_names,
};
use crate::telemetry;

/// How much may be carried of the fields that are listed, in bytes: a quarter of what is taken of all
/// metadata, as of the user.
const MAX_LISTED: usize = 4 * 1024;
/// How much is read of the names of fields that go no further, in bytes.
const MAX_ONE_HOP: usize = 1024;

/// Names of fields that the handler must not see.
pub(super) type Names = SmallVec<[HeaderName; 4]>;

/// The fields that matter to a door, as they are in the metadata.
#[derive(Default)]
pub(super) struct Intake<'a> {
    /// Everything about identity: all that a client may have forged, and the credentials by which it
    /// can be told who is calling.
    pub(super) identity: SmallVec<[(&'a HeaderName, &'a HeaderValue); 8]>,
    /// What goes no further besides: fields of one connection, and what was malformed.
    unwanted: Names,
    timeout: Single<'a>,
    request_id: Single<'a>,
    traceparent: Single<'a>,
    tracestate: SmallVec<[&'a HeaderValue; 1]>,
    baggage: SmallVec<[&'a HeaderValue; 1]>,
    /// Where the senders said which fields go no further.
    one_hop: SmallVec<[&'a HeaderValue; 1]>,
    /// What else is listed.
    listed: SmallVec<[(&'a HeaderName, &'a HeaderValue); 2]>,
}

/// A field that is there once at most.
#[derive(Clone, Copy, Default)]
enum Single<'a> {
    #[default]
    Absent,
    Once(&'a HeaderValue),
    Repeated,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }
}

impl<'a> Intake<'a> {
    /// Sorts the metadata. `credentials` are further names of fields about identity, in whatever
    /// spelling, and `listed` those that go along with the call.
    pub(super) fn of(
        headers: &'a HeaderMap,
        credentials: &[HeaderName],
        listed: &[PropagatedField],
    ) -> Self {
        let is_credential =
            |name: &str| credentials.iter().any(|own| folded(own.as_str()).eq(folded(name)));
        let mut intake = Self::default();
        for (name, value) in headers {
            let text = name.as_str();
            if Reserved::classify(text).is_some() || is_credential(text) {
                intake.identity.push((name, value));
                continue;
            }
            match text {
                "baggage" => intake.baggage.push(value),
                "grpc-timeout" => intake.timeout.add(value),
                "traceparent" => intake.traceparent.add(value),
                "tracestate" => intake.tracestate.push(value),
                "x-passport-one-hop" => {
                    intake.one_hop.push(value);
                    intake.unwanted.push(name.clone());
                }
                "x-request-id" => intake.request_id.add(value),
                _ if is_connection_field(text) => intake.unwanted.push(name.clone()),
                _ if listed.iter().any(|field| field.name() == name) => {
                    intake.listed.push((name, value));
                }
                _ => {}
            }
        }
        intake
    }

    /// How long the client waits.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, InvalidTimeout> {
        match self.timeout {
            Single::Absent => Ok(None),
            Single::Once(value) => parse_timeout(value).map(Some),
            Single::Repeated => Err(InvalidTimeout),
        }
    }

    /// The id that the request came with, if it is one.
    pub(super) fn request_id(&self) -> Option<RequestId> {
        let id = match self.request_id {
            Single::Absent => return None,
            Single::Once(value) => RequestId::from_value(value),
            Single::Repeated => None,
        };
        if id.is_none() {
            telemetry::field_dropped("x-request-id");
        }
        id
    }

    /// The fields that go along with the call.
    pub(super) fn fields(&mut self, listed: &[PropagatedField]) -> Fields {
        let mut fields = Fields::new();
        let mut unwanted = Names::new();
        let mut drop_field = |name: HeaderName, label: &'static str| {
            telemetry::field_dropped(label);
            unwanted.push(name);
        };
        let mut carry = |name: &HeaderName, values: &[&HeaderValue]| {
            let hops = self.hops(name, listed);
            fields.extend(values.iter().map(|value| PropagatedValue {
                name: name.clone(),
                value: (*value).clone(),
                hops,
            }));
        };

        let parent = match self.traceparent {
            Single::Absent => None,
            Single::Once(value) if is_traceparent(value) => Some(value),
            Single::Once(_) | Single::Repeated => {
                drop_field(TRACEPARENT, "traceparent");
                None
            }
        };
        if let Some(parent) = parent {
            carry(&TRACEPARENT, &[parent]);
        }
        if !self.tracestate.is_empty() {
            // The state of a trace is worth nothing without the trace (Trace Context, section 4.3).
            if parent.is_some() && is_tracestate(&self.tracestate) {
                carry(&TRACESTATE, &self.tracestate);
            } else {
                drop_field(TRACESTATE, "tracestate");
            }
        }
        if !self.baggage.is_empty() {
            if is_baggage(&self.baggage) {
                carry(&BAGGAGE, &self.baggage);
            } else {
                drop_field(BAGGAGE, "baggage");
            }
        }
        let size = |(name, value): &(&HeaderName, &HeaderValue)| field_size(name, value);
        let is_small = self.listed.iter().map(size).sum::<usize>() <= MAX_LISTED;
        // What is too large together is dropped together: nobody has to guess what is missing.
        for field in listed {
            let of_this = self.listed.iter().filter(|(name, _)| *name == field.name());
            let values: SmallVec<[&HeaderValue; 4]> = of_this.map(|(_, value)| *value).collect();
            match (values.is_empty(), is_small) {
                (true, _) => {}
                (false, true) => carry(field.name(), &values),
                (false, false) => drop_field(field.name().clone(), "listed"),
            }
        }
        if !unwanted.is_empty() {
            self.unwanted.append(&mut unwanted);
        }
        fields
    }

    /// How far a field goes from here.
    fn hops(&self, name: &HeaderName, listed: &[PropagatedField]) -> Hops {
        let size = self.one_hop.iter().map(|value| value.len()).sum::<usize>();
        // What is too large to be read may name any of them.
        let has_arrived = size > MAX_ONE_HOP
            || self
                .one_hop
                .iter()
                .any(|value| one_hop_names(value).any(|own| own == name.as_str().as_bytes()));
        if has_arrived {
            return Hops::None;
        }
        let listed = listed.iter().find(|field| field.name() == name);
        listed.map_or(Hops::Every, PropagatedField::hops)
    }

    /// The names that must be gone before the handler is called: those about identity, too, unless
    /// they are written as they should be.
    pub(super) fn unwanted(mut self, is_written: bool) -> Names {
        if !is_written {
            self.unwanted.extend(self.identity.iter().map(|(name, _)| (*name).clone()));
        }
        self.unwanted
    }
}
