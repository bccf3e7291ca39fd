//! The shop's identity provider for development, on its own.
//!
//! ```text
//! cargo run --bin identity_provider
//! ```

use std::net::SocketAddr;

use clap::Parser;

use shop::identity_provider::IdentityProvider;
use shop::startup::{self, Failure};

/// Serves an identity provider that gives a token to whoever asks.
#[derive(Parser)]
struct Args {
    /// Where to listen. Whoever can connect to it can be anyone.
    #[arg(long, default_value = "127.0.0.1:50050")]
    listen: SocketAddr,
    /// Whom the tokens are for.
    #[arg(long, default_value = "shop")]
    audience: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    startup::log();
    let listener = startup::bind("the identity provider", args.listen).await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    tracing::info!(issuer, "its key is new");
    Ok(IdentityProvider::new(issuer, args.audience)?.serve(listener).await?)
}
