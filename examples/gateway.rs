//! The shop's gateway, on its own.
//!
//! It reads the issuer's key set from a file:
//!
//! ```text
//! curl -s http://127.0.0.1:50050/jwks.json > jwks.json
//! cargo run --example gateway -- --jwks jwks.json
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Uri};
use tonic_passport::jwt::{Issuer, KeySet};
use tower::BoxError;

#[path = "shop"]
mod shop {
    pub(crate) mod gateway;
    pub(crate) mod logging;
    pub(crate) mod operations;
    pub(crate) mod proto;
}

use shop::{gateway, logging};

/// Verifies tokens, and relays calls to the services on behalf of their users.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// The issuer of the tokens: exactly their `iss`.
    #[arg(long, default_value = "http://127.0.0.1:50050")]
    issuer: String,
    /// Whom the tokens must be for: what their `aud` must hold.
    #[arg(long, default_value = "shop")]
    audience: String,
    /// A file with the issuer's key set (RFC 7517).
    #[arg(long)]
    jwks: PathBuf,
    /// Where `OrderService` is.
    #[arg(long, default_value = "http://127.0.0.1:50052")]
    orders: Uri,
    /// Where `UserService` is.
    #[arg(long, default_value = "http://127.0.0.1:50054")]
    users: Uri,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    logging::init();
    let jwks = std::fs::read(&args.jwks)
        .map_err(|error| format!("--jwks {}: {error}", args.jwks.display()))?;
    let issuer = Issuer::new(args.issuer, KeySet::from_jwks(jwks)?).audience(args.audience);
    let listener = TcpListener::bind(args.listen).await?;
    let orders = Channel::builder(args.orders).connect_lazy();
    let users = Channel::builder(args.users).connect_lazy();
    gateway::serve(listener, issuer, orders, users).await
}
