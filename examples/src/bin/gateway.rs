//! The shop's gateway, as a program of its own.
//!
//! ```text
//! cargo run --bin gateway
//! ```
//!
//! It finds the issuer's keys by discovery, and starts even if the issuer cannot be reached.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use tonic_passport::jwt::{Issuer, RemoteKeys, Verifier};

use shop::behind_gateway::channel;
use shop::gateway;
use shop::startup::{self, Failure};

/// Verifies tokens, and relays calls to the services on behalf of their users.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// The issuer of the tokens: the exact value of `iss`.
    #[arg(long, default_value = "http://127.0.0.1:50050")]
    issuer: String,
    /// The audience of the tokens: a value that `aud` must contain.
    #[arg(long, default_value = "shop")]
    audience: String,
    /// The maximum difference between the issuer's clock and this one, in seconds.
    #[arg(long, default_value_t = 0)]
    leeway: u64,
    /// A host that keys may be fetched from over plain HTTP, and at a private address.
    #[arg(long, default_value = "127.0.0.1")]
    allow_host: String,
    /// The minimum time between two fetches of the issuer's keys, in seconds. Tokens signed with a
    /// new key may be refused for that long.
    #[arg(long, default_value_t = 30)]
    min_fetch_interval: u64,
    /// The address of `OrderService`.
    #[arg(long, default_value = "http://127.0.0.1:50052")]
    orders: String,
    /// The address of `UserService`.
    #[arg(long, default_value = "http://127.0.0.1:50054")]
    users: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    startup::log();
    let keys = RemoteKeys::discovery()
        .allow_host(args.allow_host)
        .min_interval(Duration::from_secs(args.min_fetch_interval));
    let issuer = Issuer::remote(args.issuer, keys)
        .audience(args.audience)
        .leeway(Duration::from_secs(args.leeway));
    let verifier = Verifier::new([issuer])?;
    let listener = startup::bind("the gateway", args.listen).await?;
    let orders = channel(&args.orders)?;
    let users = channel(&args.users)?;
    Ok(gateway::serve(listener, verifier, orders, users).await?)
}
