//! The whole shop in one process: an identity provider, the gateway, and three services.
//!
//! ```text
//! cargo run --bin shop
//! ```
//!
//! It listens on five ports of loopback, and prints calls to try once all parts are ready. Each
//! part is a program of its own too, as in a deployment.

use clap::Parser;

use shop::in_process::{Addresses, Shop};
use shop::proto;
use shop::startup::{self, Failure};

/// Runs a sample shop on loopback: an identity provider, a gateway, and the order, inventory and
/// user services behind it.
#[derive(Parser)]
struct Args {
    /// The first of five ports: identity provider, gateway, orders, inventory, users.
    #[arg(long, default_value_t = 50050, value_parser = clap::value_parser!(u16).range(1..=65531))]
    port_base: u16,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    startup::log();

    let shop = Shop::bind(args.port_base).await.map_err(|error| {
        // Another program may use the port.
        format!("{error:?} (--port-base chooses other ports)")
    })?;
    let addresses = shop.addresses()?;
    let verifier = shop.verifier();
    let announced = async {
        verifier.wait_until_ready().await;
        addresses.ready().await?;
        println!("ready\n{}", calls_to_try(&addresses));
        std::future::pending().await
    };
    tokio::select! {
        served = shop.serve(proto::FILE_DESCRIPTOR_SET) => Ok(served?),
        announced = announced => announced,
    }
}

fn calls_to_try(addresses: &Addresses) -> String {
    let Addresses { identity_provider, gateway, orders, .. } = addresses;
    format!(
        r#"
A buyer creates an order:

  TOKEN=$(curl -s {identity_provider}/token/buyer)
  grpcurl -plaintext -H "authorization: Bearer $TOKEN" \
    -d '{{"items":[{{"sku":"tea","quantity":1}}]}}' {gateway} shop.v1.OrderService/CreateOrder

A viewer may not create one, and a forged x-user-id does not help:

  TOKEN=$(curl -s {identity_provider}/token/viewer)
  grpcurl -plaintext -H "authorization: Bearer $TOKEN" -H 'x-user-id: admin' \
    -d '{{"items":[{{"sku":"tea","quantity":1}}]}}' {gateway} shop.v1.OrderService/CreateOrder

The metadata that a service receives:

  grpcurl -plaintext -H "authorization: Bearer $TOKEN" {gateway} shop.v1.UserService/WhoAmI

A token that has expired:

  TOKEN=$(curl -s '{identity_provider}/token/buyer?expires_in=-1')
  grpcurl -plaintext -H "authorization: Bearer $TOKEN" {gateway} shop.v1.OrderService/ListOrders

A call straight to a service, past the gateway:

  grpcurl -plaintext {orders} shop.v1.OrderService/ListOrders
"#
    )
}
