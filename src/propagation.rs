//! What goes along with a call besides who is calling: ids, traces, and fields of your own.
//!
//! | field | what it is | how far it goes |
//! |---|---|---|
//! | `x-request-id` | the [`RequestId`]; made where the request comes in without one | every hop |
//! | `traceparent`, `tracestate` | where the call stands in a trace (W3C Trace Context) | every hop |
//! | `baggage` | what the trace's makers sent along (W3C Baggage) | every hop |
//! | a [`PropagatedField`] | what [`ServerLayer::propagate`](crate::ServerLayer::propagate) lists | every hop, or one |
//! | `x-passport-one-hop` | the names of the fields, joined by commas, that their receiver does not send on | one hop |
//!
//! A server layer takes them from the request, and a client layer writes them into the calls that
//! are made on behalf of it. A field that a call brings along already stays as it is: what an
//! OpenTelemetry layer wrote is never replaced by what came in, whichever of the two layers is the
//! outer one. A `tracestate` goes along with its own `traceparent` only.
//!
//! What is malformed or too large is dropped, counted
//! (`passport_fields_dropped_total`), and the call goes on.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};

use crate::metadata::{is_connection_field, is_reserved};

mod request_id;
mod w3c;

pub use request_id::{InvalidRequestId, REQUEST_ID, RequestId};
pub(crate) use w3c::{BAGGAGE, TRACEPARENT, TRACESTATE, is_baggage, is_traceparent, is_tracestate};

/// Names the fields of a request that its receiver does not send any further.
pub(crate) const ONE_HOP: HeaderName = HeaderName::from_static("x-passport-one-hop");

/// A metadata field that goes along with a call: its name, and how far it goes.
///
/// ```
/// use tonic_passport::propagation::PropagatedField;
/// use tonic_passport::{ForwardedContext, ServerLayer};
///
/// # fn main() -> Result<(), tonic_passport::propagation::InvalidField> {
/// let layer = ServerLayer::new(ForwardedContext::trust_private_network()).propagate([
///     PropagatedField::every_hop("x-experiment")?,
///     PropagatedField::one_hop("x-debug")?,
/// ]);
/// # drop(layer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PropagatedField {
    name: HeaderName,
    hops: Hops,
}

/// How far a field goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hops {
    Every,
    One,
    /// No further: it has arrived.
    None,
}

/// The name is not one that a field may be propagated by.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidField {
    /// It is not the name of a metadata field at all.
    #[error("{name:?} is not the name of a metadata field")]
    Malformed {
        /// The name as it was given.
        name: String,
    },

    /// Somebody else decides about this field: it speaks of identity
    /// ([reserved](crate::metadata::is_reserved)), or it belongs to gRPC, HTTP or this crate.
    #[error("{name:?} cannot be propagated: it is reserved")]
    Reserved {
        /// The name as it was given.
        name: String,
    },
}

impl PropagatedField {
    /// A field that goes with every call that is made on behalf of a request, and with those that
    /// are made on behalf of them in turn, as far as the services in between list it too.
    ///
    /// # Errors
    ///
    /// An [`InvalidField`] when nothing can be propagated by this name.
    pub fn every_hop(name: &str) -> Result<Self, InvalidField> {
        Self::new(name, Hops::Every)
    }

    /// A field that goes with every call that is made on behalf of a request, and no further: the
    /// services that are called have it in their metadata, and do not send it on, even when they
    /// list it themselves.
    ///
    /// # Errors
    ///
    /// An [`InvalidField`] when nothing can be propagated by this name.
    pub fn one_hop(name: &str) -> Result<Self, InvalidField> {
        Self::new(name, Hops::One)
    }

    fn new(text: &str, hops: Hops) -> Result<Self, InvalidField> {
        let name = HeaderName::from_str(text)
            .map_err(|_| InvalidField::Malformed { name: text.to_owned() })?;
        if is_reserved(text) || is_protocol_field(&name) {
            return Err(InvalidField::Reserved { name: text.to_owned() });
        }
        Ok(Self { name, hops })
    }

    /// The field's name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    pub(crate) fn hops(&self) -> Hops {
        self.hops
    }
}

/// Whether nobody has to list a field: it says how a message is transferred, and a message that is
/// sent on has such fields of its own; or it goes every hop in any case.
fn is_protocol_field(name: &HeaderName) -> bool {
    const PROTOCOL: [&str; 6] =
        ["content-length", "content-type", "host", "te", "trailer", "user-agent"];
    name.as_str().starts_with("grpc-")
        || PROTOCOL.contains(&name.as_str())
        || is_connection_field(name.as_str())
        || *name == ONE_HOP
        || *name == REQUEST_ID
}

/// A field on its way.
#[derive(Clone, Debug)]
pub(crate) struct PropagatedValue {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    pub(crate) hops: Hops,
}

/// The names of fields that go one hop, as [`ONE_HOP`] holds them.
pub(crate) fn one_hop_names(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

impl fmt::Display for PropagatedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())
    }
}
