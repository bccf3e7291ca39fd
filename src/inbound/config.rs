//! Settings of the acceptor, except for the authenticator.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::policy::Policy;
use crate::propagation::PropagatedField;

/// Default grace period of streams after their token expires. It equals the default leeway of the
/// verifier.
const STREAM_EXPIRY_GRACE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(super) struct InboundConfig {
    pub(super) credential_names: CredentialNames,
    /// Without a policy, every method needs an authenticated caller.
    pub(super) policy: Option<Policy>,
    /// Evaluated and reported, without an effect on the call.
    pub(super) shadow_policy: Option<Policy>,
    /// Whether the e-mail address of the user is recorded in the span.
    pub(super) record_email: bool,
    /// The maximum duration of a call.
    pub(super) timeout: Option<Duration>,
    /// How long a stream may outlive its token; `None` for no limit.
    pub(super) stream_expiry_grace: Option<Duration>,
    /// Propagated fields, in addition to those that the crate always propagates.
    pub(super) propagated_fields: Vec<PropagatedField>,
}

/// The fields that hold credentials of the authenticator, besides `authorization`. Cloning and
/// dropping an empty list costs nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct CredentialNames(Option<Arc<Vec<HeaderName>>>);

impl CredentialNames {
    pub(super) fn as_slice(&self) -> &[HeaderName] {
        self.0.as_ref().map_or(&[], |names| names.as_slice())
    }
}

impl From<&[HeaderName]> for CredentialNames {
    fn from(names: &[HeaderName]) -> Self {
        Self((!names.is_empty()).then(|| Arc::new(names.to_vec())))
    }
}

impl InboundConfig {
    pub(super) fn new(credential_names: &[HeaderName]) -> Self {
        Self {
            credential_names: credential_names.into(),
            policy: None,
            shadow_policy: None,
            record_email: false,
            timeout: None,
            stream_expiry_grace: Some(STREAM_EXPIRY_GRACE),
            propagated_fields: Vec::new(),
        }
    }

    /// Adds fields. The last setting for a field replaces earlier ones.
    pub(super) fn propagate(&mut self, fields: impl IntoIterator<Item = PropagatedField>) {
        for field in fields {
            self.propagated_fields.retain(|listed| listed.name() != field.name());
            self.propagated_fields.push(field);
        }
    }
}
