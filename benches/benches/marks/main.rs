//! Measured times, and their limits.
//!
//! `cargo bench -p benches --bench marks` prints a table and fails when a limit is exceeded; `-- cold
//! flood` runs the parts whose name contains one of these words. With `--features peers`, it
//! compares with other crates that do the same job. docs/benchmarks.md explains the figures.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]

use std::process::ExitCode;

use support::table;
use tonic_passport::jwt::Algorithm;

mod asked;
mod cold;
mod flat;
mod flood;
mod hop;
mod million;
#[cfg(feature = "peers")]
mod peers;
mod policy;
mod warm;

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
        #[cfg(feature = "peers")]
        ("peers, verify and write", peers::verify_and_write),
        #[cfg(feature = "peers")]
        ("peers, layer", peers::layer),
    ])
}
