//! The shop's order service, as a program of its own.
//!
//! ```text
//! cargo run --bin order_service
//! ```

use std::net::SocketAddr;

use clap::Parser;

use shop::behind_gateway::channel;
use shop::order_service;
use shop::proto::FILE_DESCRIPTOR_SET;
use shop::startup::{self, Failure};

/// Serves `OrderService`.
#[derive(Parser)]
struct Args {
    /// The address to listen on. Only the gateway and other services may be able to connect to it.
    #[arg(long, default_value = "127.0.0.1:50052")]
    listen: SocketAddr,
    /// The address of `InventoryService`.
    #[arg(long, default_value = "http://127.0.0.1:50053")]
    inventory: String,
    /// The address of `UserService`.
    #[arg(long, default_value = "http://127.0.0.1:50054")]
    users: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    startup::log();
    let listener = startup::bind("the order service", args.listen).await?;
    let inventory = channel(&args.inventory)?;
    let users = channel(&args.users)?;
    Ok(order_service::serve(listener, FILE_DESCRIPTOR_SET, inventory, users).await?)
}
