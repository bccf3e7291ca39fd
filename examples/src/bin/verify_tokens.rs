//! Verifies tokens, one per line, and prints the result of each.
//!
//! ```text
//! cargo run --bin verify_tokens -- \
//!     --jwks keys.json --issuer https://id.example.com --audience shop < tokens
//! ```
//!
//! A line of output is `accepted` and the user's id, or `refused` and the reason, separated by a
//! tab.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use tonic_passport::jwt::{Issuer, KeySet, Verifier};

/// Verifies the tokens on standard input.
#[derive(Parser)]
struct Args {
    /// The file of the issuer's keys, a JWK Set.
    #[arg(long)]
    jwks: PathBuf,
    /// The issuer of the tokens: the exact value of `iss`.
    #[arg(long)]
    issuer: String,
    /// An accepted audience: a value that `aud` may contain. May be given several times.
    #[arg(long, required = true)]
    audience: Vec<String>,
    /// The maximum difference between the issuer's clock and this one, in seconds.
    #[arg(long, default_value_t = 30)]
    leeway: u64,
    /// The time to verify the tokens at, in seconds since 1970; the current time by default.
    #[arg(long)]
    at: Option<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let keys = KeySet::from_jwks(fs::read(args.jwks)?)?;
    for (key_id, error) in keys.rejected() {
        eprintln!("the key {key_id:?} is left out: {error}");
    }
    let issuer = Issuer::new(args.issuer, keys).leeway(Duration::from_secs(args.leeway));
    let verifier = Verifier::new([args.audience.into_iter().fold(issuer, Issuer::audience)])?;

    let mut out = BufWriter::new(io::stdout().lock());
    // Split at line feeds only: a carriage return is part of the token, and makes it invalid.
    for token in io::stdin().lock().split(b'\n') {
        let token = String::from_utf8(token?)?;
        let now = args.at.map_or_else(SystemTime::now, |at| UNIX_EPOCH + Duration::from_secs(at));
        match verifier.verify_at(&token, now) {
            Ok(token) => writeln!(out, "accepted\t{}", token.context().id())?,
            Err(error) => writeln!(out, "refused\t{error}")?,
        }
    }
    Ok(out.flush()?)
}
