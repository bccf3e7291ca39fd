//! What a door is configured with, besides the strategy.

use std::time::Duration;

use crate::policy::Policy;
use crate::propagation::PropagatedField;

/// How long a stream may go on once the token that opened it has expired, by default: as long as a
/// verifier accepts such a token, by default.
const STREAM_GRACE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Which method needs what. Without it, they all need an authenticated caller.
    pub(super) policy: Option<Policy>,
    /// A policy that reports what it would do, and does nothing.
    pub(super) shadow: Option<Policy>,
    /// Whether the caller's e-mail address goes into the span.
    pub(super) record_email: bool,
    /// How long a call may take at most.
    pub(super) timeout: Option<Duration>,
    /// How long a stream may go on without its token; `None`: for as long as it likes.
    pub(super) stream_expiry_grace: Option<Duration>,
    /// The further fields that go along with a call.
    pub(super) fields: Vec<PropagatedField>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: None,
            shadow: None,
            record_email: false,
            timeout: None,
            stream_expiry_grace: Some(STREAM_GRACE),
            fields: Vec::new(),
        }
    }
}

impl Settings {
    /// Lists fields. Of one that is listed already, what is said last counts.
    pub(super) fn propagate(&mut self, fields: impl IntoIterator<Item = PropagatedField>) {
        for field in fields {
            self.fields.retain(|listed| listed.name() != field.name());
            self.fields.push(field);
        }
    }
}
