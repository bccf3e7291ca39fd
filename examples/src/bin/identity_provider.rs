//! The shop's identity provider, as a program of its own.
//!
//! ```text
//! cargo run --bin identity_provider
//! ```

use std::net::SocketAddr;

use clap::Parser;

use shop::identity_provider::IdentityProvider;
use shop::startup::{self, Failure};

/// Serves an identity provider that issues a token to every caller.
#[derive(Parser)]
struct Args {
    /// The address to listen on. Every client that can connect can get a token of any account.
    #[arg(long, default_value = "127.0.0.1:50050")]
    listen: SocketAddr,
    /// The audience of the tokens.
    #[arg(long, default_value = "shop")]
    audience: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    startup::log();
    let listener = startup::bind("the identity provider", args.listen).await?;
    let issuer = format!("http://{}", listener.local_addr()?);
    tracing::info!(issuer, "signing key generated");
    Ok(IdentityProvider::new(issuer, args.audience)?.serve(listener).await?)
}
