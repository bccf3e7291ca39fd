//! Metadata fields that are propagated besides the user: request id, trace, baggage, listed fields.
//!
//! | field | content | propagated |
//! |---|---|---|
//! | `x-request-id` | the [`RequestId`]; generated if a request has none | on every hop |
//! | `traceparent`, `tracestate` | the position in a trace (W3C Trace Context) | on every hop |
//! | `baggage` | application data of the trace (W3C Baggage) | on every hop |
//! | a [`PropagatedField`] | fields listed with [`ServerLayer::propagate`](crate::ServerLayer::propagate) | on every hop, or on one |
//! | `x-passport-one-hop` | the names, joined by commas, of the fields that the receiver must not propagate | on one hop |
//!
//! - A server layer reads the fields from an incoming request. A client layer writes them into
//!   outgoing calls.
//! - A field that an outgoing call has already is not replaced. So the fields of an OpenTelemetry
//!   layer are kept, both outside and inside of the client layer.
//! - `tracestate` is propagated with its own `traceparent` only.
//! - A malformed or oversized field is dropped and counted in `passport_fields_dropped_total`. The
//!   call continues.
//!
//! ```
//! use tonic_passport::propagation::{InvalidField, PropagatedField};
//!
//! # fn main() -> Result<(), InvalidField> {
//! let field = PropagatedField::every_hop("X-Experiment")?;
//! assert_eq!(field.name(), "x-experiment");
//!
//! // Identity is never propagated as a listed field.
//! let error = PropagatedField::every_hop("x-user-id").unwrap_err();
//! assert_eq!(error, InvalidField::Reserved { name: "x-user-id".to_owned() });
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};

use crate::metadata::{is_connection_field, is_reserved};

mod request_id;
mod w3c;

pub(crate) use request_id::REQUEST_ID;
pub use request_id::{InvalidRequestId, RequestId};
pub(crate) use w3c::{BAGGAGE, TRACEPARENT, TRACESTATE, is_baggage, is_traceparent, is_tracestate};

/// The field with the names of the fields that the receiver of a request must not propagate.
pub(crate) const ONE_HOP: HeaderName = HeaderName::from_static("x-passport-one-hop");

/// Metadata field to propagate with outgoing calls: its name, and for how many hops.
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

/// For how many hops a field is propagated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hops {
    Every,
    One,
    /// The field was sent for one hop, which ended at this service.
    Ended,
}

/// Error for a name that cannot be propagated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidField {
    /// The name is not a valid metadata key.
    #[error("{name:?} is not a valid metadata key")]
    Malformed {
        /// The name as it was given.
        name: String,
    },

    /// The field is [reserved](crate::metadata::is_reserved) for identity, or belongs to gRPC, HTTP
    /// or this crate.
    #[error("{name:?} cannot be propagated: it is reserved")]
    Reserved {
        /// The name as it was given.
        name: String,
    },
}

impl PropagatedField {
    /// A field that is propagated on every hop, as long as the services on the way list it too.
    ///
    /// # Errors
    ///
    /// An [`InvalidField`] if a field with this name cannot be propagated.
    pub fn every_hop(name: &str) -> Result<Self, InvalidField> {
        Self::new(name, Hops::Every)
    }

    /// A field that is propagated on one hop. The services called on behalf of the request receive
    /// it in their metadata, but do not propagate it, even if they list it themselves.
    ///
    /// # Errors
    ///
    /// An [`InvalidField`] if a field with this name cannot be propagated.
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

/// Whether a field cannot be listed because it describes the transfer of a single message (gRPC and
/// HTTP fields), or because this crate propagates it already.
fn is_protocol_field(name: &HeaderName) -> bool {
    const PROTOCOL: [&str; 6] =
        ["content-length", "content-type", "host", "te", "trailer", "user-agent"];
    name.as_str().starts_with("grpc-")
        || PROTOCOL.contains(&name.as_str())
        || is_connection_field(name.as_str())
        || *name == ONE_HOP
        || *name == REQUEST_ID
}

/// One value of a propagated field.
#[derive(Clone, Debug)]
pub(crate) struct PropagatedValue {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    pub(crate) hops: Hops,
}

/// The field names in a value of [`ONE_HOP`].
pub(crate) fn one_hop_names(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

impl fmt::Display for PropagatedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())
    }
}
