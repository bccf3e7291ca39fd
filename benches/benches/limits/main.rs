//! Measured times, and their limits.
//!
//! `cargo bench -p benches --bench limits` prints a table and fails when a limit is exceeded; `--
//! cold flood` runs the parts whose name contains one of these words. With `--features peers`, it
//! compares with other crates that do the same job. docs/benchmarks.md explains the figures.

#![allow(clippy::expect_used, clippy::panic, reason = "what cannot be set up ends the run")]

use std::process::ExitCode;

use support::table;
use tonic_passport::jwt::Algorithm;

mod cached;
mod current_user;
mod eviction;
mod hop;
mod invalid_tokens;
#[cfg(feature = "peers")]
mod peers;
mod policy;
mod scaling;
mod uncached;

fn main() -> ExitCode {
    table::print(&[
        ("cold RS256", |effort| uncached::rows(Algorithm::RS256, 1.15, effort)),
        ("cold ES256", |effort| uncached::rows(Algorithm::ES256, 1.08, effort)),
        ("cold EdDSA", |effort| uncached::rows(Algorithm::EdDSA, 1.08, effort)),
        ("warm", cached::rows),
        ("flood, keys over the network", invalid_tokens::remote_keys),
        ("flood, fixed keys", invalid_tokens::fixed_keys),
        ("million tokens", eviction::rows),
        ("keys", scaling::keys),
        ("issuers", scaling::issuers),
        ("hop", hop::rows),
        ("current", current_user::current),
        ("permission", current_user::permissions),
        ("policy", policy::rows),
        ("policy, a call", policy::whole_call),
        #[cfg(feature = "peers")]
        ("peers, verify and write", peers::verify_and_write),
        #[cfg(feature = "peers")]
        ("peers, layer", peers::layer),
    ])
}
