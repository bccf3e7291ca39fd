//! An internal hop: a service accepts a call and makes another one, for the same user.

use support::layers::{hop, hop_without_layers};
use support::side_by_side::side_by_side;
use support::table::{Row, time};

/// Number of rounds; they take about a second.
const ROUNDS: u32 = 300;

/// Maximum time that the layers add, in nanoseconds.
const MOST_NS: f64 = 1000.0;

/// Accepts a call and makes another, beside the same without layers. The limit is for the
/// difference.
pub(crate) fn rows(effort: u32) -> Vec<Row> {
    let found = side_by_side(ROUNDS * effort, hop_without_layers(&[]), hop(&[]));
    let layers_ns = found.other_ns - found.one_ns;
    vec![
        Row::new("one internal hop: what the layers add", time(layers_ns))
            .beside("the calls alone", &time(found.one_ns))
            .ratio(found.ratio)
            .time_at_most(layers_ns, MOST_NS),
    ]
}
