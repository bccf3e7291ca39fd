//! The job of the edge, as this library does it and as each peer's layer does it.

use support::peers::{
    jwt_authorizer, tonic_passport, tower_oauth2_resource_server, webgates_tonic,
    webgates_tonic_rs256,
};
use support::side_by_side::{Comparison, side_by_side};
use support::table::{Row, time};

/// Number of rounds; they take about a second.
const ROUNDS: u32 = 200;

/// The limit for verifying a known token and writing the metadata, in nanoseconds.
const MAX_NS: f64 = 600.0;

/// Minimum ratio of each peer's time to this library's.
const MIN_RATIO: f64 = 20.0;

type Work = Box<dyn FnMut()>;

/// The name of a peer, and the function that sets its work up.
type Peer = (&'static str, fn() -> Work);

/// The layers of the peers.
const PEERS: [Peer; 4] = [
    ("jwt-authorizer", || Box::new(jwt_authorizer())),
    ("tower-oauth2-resource-server", || Box::new(tower_oauth2_resource_server())),
    ("webgates-tonic", || Box::new(webgates_tonic())),
    ("webgates-tonic with RS256", || Box::new(webgates_tonic_rs256())),
];

/// Verifies a known token and writes the metadata, beside each peer's layer.
pub(crate) fn verify_and_write(effort: u32) -> Vec<Row> {
    let compared =
        compare("verify and write", || Box::new(tonic_passport::verify_and_write()), effort);
    compared
        .map(|(row, found)| {
            row.ratio_at_least(found.ratio, MIN_RATIO).time_at_most(found.one_ns, MAX_NS)
        })
        .collect()
}

/// The whole layer, beside each peer's. It has no limit, because it also does what no peer does.
pub(crate) fn layer(effort: u32) -> Vec<Row> {
    let compared = compare("layer", || Box::new(tonic_passport::layer()), effort);
    compared.map(|(row, found)| row.ratio(found.ratio)).collect()
}

fn compare(what: &str, ours: fn() -> Work, effort: u32) -> impl Iterator<Item = (Row, Comparison)> {
    PEERS.into_iter().map(move |(peer, theirs)| {
        let found = side_by_side(ROUNDS * effort, ours(), theirs());
        let row = Row::new(what, time(found.one_ns)).beside(peer, &time(found.other_ns));
        (row, found)
    })
}
