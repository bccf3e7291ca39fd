//! Settings of the injector.

use std::sync::Arc;
use std::time::Duration;

use super::destination::Destination;

/// How much earlier than the incoming call's deadline outgoing calls end by default, which leaves
/// time to respond.
const DEADLINE_MARGIN: Duration = Duration::from_millis(5);

#[derive(Clone, Debug)]
pub(super) struct OutboundConfig {
    /// Whether calls without a user are made.
    pub(super) allow_anonymous: bool,
    /// Destinations that may receive the context; `None` for all.
    pub(super) destinations: Option<Arc<[Destination]>>,
    /// Whether calls to other destinations are made, without the context.
    pub(super) allow_other_destinations: bool,
    pub(super) deadline_margin: Duration,
    /// Whether calls are relayed by a gateway: fields limited to one hop are then removed from the
    /// headers.
    pub(super) is_relay: bool,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow_anonymous: false,
            destinations: None,
            allow_other_destinations: false,
            deadline_margin: DEADLINE_MARGIN,
            is_relay: false,
        }
    }
}
