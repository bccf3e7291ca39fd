//! What a way out is configured with.

use std::sync::Arc;
use std::time::Duration;

use super::destination::Destination;

/// How much earlier than a call itself the calls that it makes have to be answered, by default: so
/// that there is time left to answer it.
const DEADLINE_MARGIN: Duration = Duration::from_millis(5);

/// What to do with a call that takes no context along.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Without {
    Allow,
    #[default]
    Refuse,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// A call without a user.
    pub(super) anonymous: Without,
    /// Where the context may be sent; `None`: wherever the channel goes.
    pub(super) destinations: Option<Arc<[Destination]>>,
    /// A call to elsewhere.
    pub(super) elsewhere: Without,
    pub(super) deadline_margin: Duration,
    /// Whether calls are those of others, as they are: what was one hop on its way has arrived, and
    /// whoever reads an answer ends it when its time is over.
    pub(super) relays: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            anonymous: Without::default(),
            destinations: None,
            elsewhere: Without::default(),
            deadline_margin: DEADLINE_MARGIN,
            relays: false,
        }
    }
}
