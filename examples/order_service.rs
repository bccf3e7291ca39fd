//! The shop's order service, on its own.
//!
//! ```text
//! cargo run --example order_service
//! ```

use std::net::SocketAddr;

use clap::Parser;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Uri};
use tower::BoxError;

#[path = "shop"]
mod shop {
    pub(crate) mod access_log;
    pub(crate) mod logging;
    pub(crate) mod operations;
    pub(crate) mod order_service;
    pub(crate) mod proto;
}

use shop::{logging, order_service};

/// Serves `OrderService`.
#[derive(Parser)]
struct Args {
    /// Where to listen. Only the gateway and other services may be able to connect to it.
    #[arg(long, default_value = "127.0.0.1:50052")]
    listen: SocketAddr,
    /// Where `InventoryService` is.
    #[arg(long, default_value = "http://127.0.0.1:50053")]
    inventory: Uri,
    /// Where `UserService` is.
    #[arg(long, default_value = "http://127.0.0.1:50054")]
    users: Uri,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    logging::init();
    let listener = TcpListener::bind(args.listen).await?;
    let inventory = Channel::builder(args.inventory).connect_lazy();
    let users = Channel::builder(args.users).connect_lazy();
    order_service::serve(listener, inventory, users).await
}
