//! The configuration of an outbound seam.

use std::sync::Arc;
use std::time::Duration;

use super::destination::Destination;

/// The default margin between the deadline of a call and those of its outgoing calls. It leaves time
/// to respond.
const DEADLINE_MARGIN: Duration = Duration::from_millis(5);

#[derive(Clone, Debug)]
pub(super) struct OutboundConfig {
    /// Whether calls without a user are made.
    pub(super) allow_anonymous: bool,
    /// Where the context may be sent; `None` for every destination.
    pub(super) destinations: Option<Arc<[Destination]>>,
    /// Whether calls to other destinations are made, without the context.
    pub(super) allow_other_destinations: bool,
    pub(super) deadline_margin: Duration,
    /// Whether calls are relayed instead of made: a field that was to go one hop is removed.
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
