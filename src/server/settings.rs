//! What a door is configured with, besides the strategy.

use std::collections::HashMap;
use std::time::Duration;

use crate::policy::MethodPath;
use crate::propagation::PropagatedField;

/// How long a stream may go on once the token that opened it has expired, by default: as long as a
/// verifier accepts such a token, by default.
const STREAM_GRACE: Duration = Duration::from_secs(30);

/// What a method needs to know of its caller.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Access {
    /// Who it is, if they say so.
    Optional,
    /// Nothing.
    Public,
    /// Who it is.
    #[default]
    Required,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The methods that do not need an authenticated caller.
    pub(super) exceptions: HashMap<MethodPath, Access>,
    /// Whether the caller's e-mail address goes into the span.
    pub(super) record_email: bool,
    /// How long a call may take at most.
    pub(super) timeout: Option<Duration>,
    /// How long a stream may go on without its token; `None`: for as long as it likes.
    pub(super) stream_grace: Option<Duration>,
    /// The further fields that go along with a call.
    pub(super) fields: Vec<PropagatedField>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            exceptions: HashMap::new(),
            record_email: false,
            timeout: None,
            stream_grace: Some(STREAM_GRACE),
            fields: Vec::new(),
        }
    }
}

impl Settings {
    pub(super) fn access(&self, path: &str) -> Access {
        if self.exceptions.is_empty() {
            return Access::default();
        }
        self.exceptions.get(path).copied().unwrap_or_default()
    }

    /// Lists fields. Of one that is listed already, what is said last counts.
    pub(super) fn propagate(&mut self, fields: impl IntoIterator<Item = PropagatedField>) {
        for field in fields {
            self.fields.retain(|listed| listed.name() != field.name());
            self.fields.push(field);
        }
    }

    pub(super) fn except(&mut self, methods: impl IntoIterator<Item = MethodPath>, access: Access) {
        self.exceptions.extend(methods.into_iter().map(|method| (method, access)));
    }
}
