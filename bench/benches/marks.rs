//! Whether tonic-passport is as fast as it says, compared with each peer in turns.
//!
//! `cargo bench --manifest-path bench/Cargo.toml --bench marks` prints a table and fails when a
//! mark is not held; `-- webgates` runs the rows that hold this word.

use std::env;
use std::process::ExitCode;

use tonic_passport_bench::{ours, peers};

#[path = "../../benches/support/side_by_side.rs"]
mod side_by_side;

use side_by_side::{Comparison, side_by_side};

/// How long it may take to verify a token that is known and to write the metadata, in nanoseconds.
const MOST_NS: f64 = 600.0;

/// How many times longer each peer takes for the job, at least.
const LEAST_RATIO: f64 = 20.0;

/// In so many rounds, which take about a second.
const ROUNDS: u32 = 200;

type Work = Box<dyn FnMut()>;

/// A name in the table, and what sets up the work.
type Side = (&'static str, fn() -> Work);

/// What tonic-passport does of the job, and whether the marks are for it. They are for verifying
/// and writing. The whole layer also does what none of its peers does, and is compared without.
const OURS: [(Side, bool); 2] = [
    (("verify and write", || Box::new(ours::verify_and_write())), true),
    (("layer", || Box::new(ours::layer())), false),
];

/// The peers' layers.
const THEIRS: [Side; 4] = [
    ("jwt-authorizer", || Box::new(peers::jwt_authorizer())),
    ("tower-oauth2-resource-server", || Box::new(peers::tower_oauth2_resource_server())),
    ("webgates-tonic", || Box::new(peers::webgates_tonic())),
    ("webgates-tonic with RS256", || Box::new(peers::webgates_tonic_rs256())),
];

fn main() -> ExitCode {
    // Cargo adds a flag of its own.
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let chosen = |row: &str| words.is_empty() || words.iter().any(|word| row.contains(word));

    println!("| tonic-passport | ns | peer's layer | ns | times as long | marks |");
    println!("|---|--:|---|--:|--:|---|");
    let mut held = Vec::new();
    for ((job, ours), marked) in OURS {
        for (peer, theirs) in THEIRS {
            if !chosen(&format!("{job} {peer}")) {
                continue;
            }
            let Comparison { one_ns: ours_ns, other_ns: theirs_ns, ratio } =
                side_by_side(ROUNDS, ours(), theirs());
            let holds = ours_ns <= MOST_NS && ratio >= LEAST_RATIO;
            let mark = match (marked, holds) {
                (true, true) => "held",
                (true, false) => "**not held**",
                (false, _) => "none",
            };
            println!("| {job} | {ours_ns:.0} | {peer} | {theirs_ns:.0} | {ratio:.1} | {mark} |");
            held.push(holds || !marked);
        }
    }
    if held.is_empty() {
        eprintln!("no row holds any of these words: {words:?}");
        return ExitCode::FAILURE;
    }
    if held.iter().all(|holds| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
