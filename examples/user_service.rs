//! The shop's user service, on its own.
//!
//! ```text
//! cargo run --example user_service
//! ```

use std::net::SocketAddr;

use clap::Parser;
use tokio::net::TcpListener;
use tower::BoxError;

#[path = "shop"]
mod shop {
    pub(crate) mod access_log;
    pub(crate) mod logging;
    pub(crate) mod operations;
    pub(crate) mod proto;
    pub(crate) mod user_service;
}

use shop::{logging, user_service};

/// Serves `UserService`.
#[derive(Parser)]
struct Args {
    /// Where to listen. Only the gateway and other services may be able to connect to it.
    #[arg(long, default_value = "127.0.0.1:50054")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    logging::init();
    user_service::serve(TcpListener::bind(args.listen).await?).await
}
