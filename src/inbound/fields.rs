//! The headers of a request, sorted in one pass.

use std::mem;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::strip::is_credential;
use crate::call::{InvalidTimeout, parse_timeout};
use crate::metadata::{Reserved, field_size, is_connection_field};
use crate::propagation::{
    BAGGAGE, Hops, PropagatedField, PropagatedValue, RequestId, TRACEPARENT, TRACESTATE,
    is_baggage, is_traceparent, is_tracestate, one_hop_names,
};
use crate::telemetry;

/// The maximum size in bytes of all listed fields in total: a quarter of the metadata that tonic
/// accepts.
const MAX_LISTED_SIZE: usize = 4 * 1024;
/// The maximum size in bytes of the names that `x-passport-one-hop` may hold.
const MAX_ONE_HOP_SIZE: usize = 1024;

/// Names of fields to strip before the handler is called.
pub(super) type Names = SmallVec<[HeaderName; 1]>;

/// The fields of a request that concern the call's context.
#[derive(Default)]
pub(super) struct RequestFields<'a> {
    /// Fields with reserved or credential names.
    pub(super) identity: SmallVec<[(&'a HeaderName, &'a HeaderValue); 8]>,
    /// Other fields to strip: connection-specific and malformed ones.
    to_strip: Names,
    timeout: SingletonField<'a>,
    request_id: SingletonField<'a>,
    traceparent: SingletonField<'a>,
    tracestate: SmallVec<[&'a HeaderValue; 1]>,
    baggage: SmallVec<[&'a HeaderValue; 1]>,
    /// The values of `x-passport-one-hop`.
    one_hop: SmallVec<[&'a HeaderValue; 1]>,
    /// The fields listed for propagation.
    listed: SmallVec<[(&'a HeaderName, &'a HeaderValue); 2]>,
}

/// A field that may occur once (RFC 9110, section 5.5: singleton field).
#[derive(Clone, Copy, Default)]
enum SingletonField<'a> {
    #[default]
    Absent,
    Present(&'a HeaderValue),
    Repeated,
}

impl<'a> SingletonField<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::Present(value),
            Self::Present(_) | Self::Repeated => Self::Repeated,
        };
    }
}

impl<'a> RequestFields<'a> {
    /// Sorts the headers. Fields that fold to one of `credential_names` count as identity, and
    /// `listed` are the fields to propagate.
    pub(super) fn scan(
        &mut self,
        headers: &'a HeaderMap,
        credential_names: &[HeaderName],
        listed: &[PropagatedField],
    ) {
        for (name, value) in headers {
            let text = name.as_str();
            if Reserved::classify(text).is_some() || is_credential(text, credential_names) {
                self.identity.push((name, value));
                continue;
            }
            match text {
                "baggage" => self.baggage.push(value),
                "grpc-timeout" => self.timeout.add(value),
                "traceparent" => self.traceparent.add(value),
                "tracestate" => self.tracestate.push(value),
                "x-passport-one-hop" => {
                    self.one_hop.push(value);
                    self.to_strip.push(name.clone());
                }
                "x-request-id" => self.request_id.add(value),
                _ if is_connection_field(text) => self.to_strip.push(name.clone()),
                _ if listed.iter().any(|field| field.name() == name) => {
                    self.listed.push((name, value));
                }
                _ => {}
            }
        }
    }

    /// Returns the client's timeout.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, InvalidTimeout> {
        match self.timeout {
            SingletonField::Absent => Ok(None),
            SingletonField::Present(value) => parse_timeout(value).map(Some),
            SingletonField::Repeated => Err(InvalidTimeout),
        }
    }

    /// Returns the id that the request carries, if it is valid.
    pub(super) fn request_id(&self) -> Option<RequestId> {
        let id = match self.request_id {
            SingletonField::Absent => return None,
            SingletonField::Present(value) => RequestId::from_value(value),
            SingletonField::Repeated => None,
        };
        if id.is_none() {
            telemetry::field_dropped("x-request-id");
        }
        id
    }

    /// Returns the values to propagate. Malformed fields are added to the fields to strip.
    pub(super) fn propagated(&mut self, listed: &[PropagatedField]) -> Vec<PropagatedValue> {
        let mut fields = Vec::new();
        let mut to_strip = Names::new();
        let mut drop_field = |name: HeaderName, label: &'static str| {
            telemetry::field_dropped(label);
            to_strip.push(name);
        };
        let mut propagate = |name: &HeaderName, values: &[&HeaderValue]| {
            let hops = self.hops(name, listed);
            fields.extend(values.iter().map(|value| PropagatedValue {
                name: name.clone(),
                value: (*value).clone(),
                hops,
            }));
        };

        let parent = match self.traceparent {
            SingletonField::Absent => None,
            SingletonField::Present(value) if is_traceparent(value) => Some(value),
            SingletonField::Present(_) | SingletonField::Repeated => {
                drop_field(TRACEPARENT, "traceparent");
                None
            }
        };
        if let Some(parent) = parent {
            propagate(&TRACEPARENT, &[parent]);
        }
        if !self.tracestate.is_empty() {
            // A tracestate without its traceparent is dropped (Trace Context, section 4.3).
            if parent.is_some() && is_tracestate(&self.tracestate) {
                propagate(&TRACESTATE, &self.tracestate);
            } else {
                drop_field(TRACESTATE, "tracestate");
            }
        }
        if !self.baggage.is_empty() {
            if is_baggage(&self.baggage) {
                propagate(&BAGGAGE, &self.baggage);
            } else {
                drop_field(BAGGAGE, "baggage");
            }
        }
        let size = |(name, value): &(&HeaderName, &HeaderValue)| field_size(name, value);
        let is_within_limit = self.listed.iter().map(size).sum::<usize>() <= MAX_LISTED_SIZE;
        // All listed fields are dropped together, so that the result does not depend on their order.
        for field in listed {
            let of_this = self.listed.iter().filter(|(name, _)| *name == field.name());
            let values: SmallVec<[&HeaderValue; 4]> = of_this.map(|(_, value)| *value).collect();
            match (values.is_empty(), is_within_limit) {
                (true, _) => {}
                (false, true) => propagate(field.name(), &values),
                (false, false) => drop_field(field.name().clone(), "listed"),
            }
        }
        if !to_strip.is_empty() {
            self.to_strip.append(&mut to_strip);
        }
        fields
    }

    /// Returns for how many further hops a field is propagated.
    fn hops(&self, name: &HeaderName, listed: &[PropagatedField]) -> Hops {
        let size = self.one_hop.iter().map(|value| value.len()).sum::<usize>();
        // An oversized list is not parsed. It is treated as naming every field.
        let is_final_hop = size > MAX_ONE_HOP_SIZE
            || self
                .one_hop
                .iter()
                .any(|value| one_hop_names(value).any(|listed| listed == name.as_str().as_bytes()));
        if is_final_hop {
            return Hops::Ended;
        }
        let listed = listed.iter().find(|field| field.name() == name);
        listed.map_or(Hops::Every, PropagatedField::hops)
    }

    /// Takes the names to strip. Identity is kept only if it already equals the context to write.
    #[inline]
    pub(super) fn take_names_to_strip(&mut self, is_context_written: bool) -> Names {
        if !is_context_written {
            self.to_strip.extend(self.identity.iter().map(|(name, _)| (*name).clone()));
        }
        mem::take(&mut self.to_strip)
    }
}
