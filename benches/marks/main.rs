//! Whether tonic-passport is as fast as it says, whatever comes.
//!
//! `cargo bench --bench marks` prints a table and fails when a mark is not held; `-- cold flood`
//! runs the parts whose name holds one of these words. docs/benchmarks.md says what the figures
//! mean.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]

use std::process::ExitCode;

use tonic_passport::jwt::Algorithm;

mod asked;
mod cold;
mod flat;
mod flood;
mod hop;
mod million;
mod policy;
mod warm;

#[path = "../support/bare.rs"]
mod bare;
#[expect(dead_code, reason = "the layer is measured elsewhere")]
#[path = "../support/job.rs"]
mod job;
#[expect(dead_code, reason = "the edge is measured elsewhere")]
#[path = "../support/layers.rs"]
mod layers;
#[path = "../support/many.rs"]
mod many;
#[path = "../support/methods.rs"]
mod methods;
#[path = "../support/side_by_side.rs"]
mod side_by_side;
#[path = "../support/subject.rs"]
mod subject;
#[expect(dead_code, reason = "memory is measured elsewhere")]
#[path = "../support/table.rs"]
mod table;
#[path = "../support/user.rs"]
mod user;

fn main() -> ExitCode {
    table::print(&[
        ("cold RS256", |effort| cold::rows(Algorithm::RS256, 1.15, effort)),
        ("cold ES256", |effort| cold::rows(Algorithm::ES256, 1.08, effort)),
        ("cold EdDSA", |effort| cold::rows(Algorithm::EdDSA, 1.08, effort)),
        ("warm", warm::rows),
        ("flood, keys over the network", flood::remote_keys),
        ("flood, fixed keys", flood::fixed_keys),
        ("million tokens", million::rows),
        ("keys", flat::keys),
        ("issuers", flat::issuers),
        ("hop", hop::rows),
        ("current", asked::current),
        ("permission", asked::permissions),
        ("policy", policy::rows),
        ("policy, a call", policy::whole_call),
    ])
}
