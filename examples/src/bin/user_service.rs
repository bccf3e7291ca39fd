//! The shop's user service, as a program of its own.
//!
//! ```text
//! cargo run --bin user_service
//! ```

use std::net::SocketAddr;

use clap::Parser;

use shop::proto::FILE_DESCRIPTOR_SET;
use shop::startup::{self, Failure};
use shop::user_service;

/// Serves `UserService`.
#[derive(Parser)]
struct Args {
    /// The address to listen on. Only the gateway and other services may be able to connect to it.
    #[arg(long, default_value = "127.0.0.1:50054")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    startup::log();
    let listener = startup::bind("the user service", args.listen).await?;
    Ok(user_service::serve(listener, FILE_DESCRIPTOR_SET).await?)
}
