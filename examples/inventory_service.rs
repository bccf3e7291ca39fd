//! The shop's inventory service, on its own.
//!
//! ```text
//! cargo run --example inventory_service
//! ```

use std::net::SocketAddr;

use clap::Parser;
use tokio::net::TcpListener;
use tower::BoxError;

#[path = "shop"]
mod shop {
    pub(crate) mod access_log;
    pub(crate) mod inventory_service;
    pub(crate) mod logging;
    pub(crate) mod operations;
    pub(crate) mod proto;
}

use shop::{inventory_service, logging};

/// Serves `InventoryService`.
#[derive(Parser)]
struct Args {
    /// Where to listen. Only the gateway and other services may be able to connect to it.
    #[arg(long, default_value = "127.0.0.1:50053")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    logging::init();
    inventory_service::serve(TcpListener::bind(args.listen).await?).await
}
