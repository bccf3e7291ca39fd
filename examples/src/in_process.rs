//! The whole shop in one process, each part on its own listener.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_passport::jwt::{Issuer, RemoteKeys, Verifier};
use tower::BoxError;

use crate::identity_provider::IdentityProvider;
use crate::startup::{self, Failure};
use crate::{behind_gateway, gateway, inventory_service, order_service, user_service};

/// The audience that tokens must have.
const AUDIENCE: &str = "shop";

/// The listeners of the five parts, and the verifier of the gateway.
#[derive(Debug)]
pub struct Shop {
    verifier: Verifier,
    identity_provider: TcpListener,
    gateway: TcpListener,
    orders: TcpListener,
    inventory: TcpListener,
    users: TcpListener,
}

/// The addresses of the five parts.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The identity provider.
    pub identity_provider: SocketAddr,
    /// The gateway, which clients call.
    pub gateway: SocketAddr,
    /// The order service.
    pub orders: SocketAddr,
    /// The inventory service.
    pub inventory: SocketAddr,
    /// The user service.
    pub users: SocketAddr,
}

impl Shop {
    /// Binds five consecutive ports on loopback, starting at `port_base`; 0 takes any free ports.
    pub async fn bind(port_base: u16) -> Result<Self, Failure> {
        let address = |offset| {
            let port = if port_base == 0 { 0 } else { port_base.saturating_add(offset) };
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        };
        let identity_provider = startup::bind("the identity provider", address(0)).await?;
        let url = format!("http://{}", identity_provider.local_addr()?);
        Ok(Self {
            verifier: verifier(&url)?,
            identity_provider,
            gateway: startup::bind("the gateway", address(1)).await?,
            orders: startup::bind("the order service", address(2)).await?,
            inventory: startup::bind("the inventory service", address(3)).await?,
            users: startup::bind("the user service", address(4)).await?,
        })
    }

    /// Returns the verifier of the gateway. It finds the keys by discovery, once the identity
    /// provider responds.
    pub fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }

    /// Returns the addresses of the listeners.
    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses {
            identity_provider: self.identity_provider.local_addr()?,
            gateway: self.gateway.local_addr()?,
            orders: self.orders.local_addr()?,
            inventory: self.inventory.local_addr()?,
            users: self.users.local_addr()?,
        })
    }

    /// Serves all five by the rules of this descriptor set, until the program is stopped or the
    /// first of them fails.
    pub async fn serve(self, descriptor_set: &[u8]) -> Result<(), BoxError> {
        let addresses = self.addresses()?;
        let url = format!("http://{}", addresses.identity_provider);
        let provider = IdentityProvider::new(url, AUDIENCE.to_owned())?;

        tokio::try_join!(
            provider.serve(self.identity_provider),
            gateway::serve(
                self.gateway,
                self.verifier,
                channel(addresses.orders)?,
                channel(addresses.users)?
            ),
            order_service::serve(
                self.orders,
                descriptor_set,
                channel(addresses.inventory)?,
                channel(addresses.users)?
            ),
            inventory_service::serve(self.inventory, descriptor_set),
            user_service::serve(self.users, descriptor_set),
        )?;
        Ok(())
    }
}

fn verifier(url: &str) -> Result<Verifier, BoxError> {
    let keys = RemoteKeys::discovery()
        // By default, keys are not fetched from private addresses ...
        .allow_host("127.0.0.1")
        // ... and fetches are further apart, which suits a real issuer.
        .min_interval(Duration::from_millis(100));
    let issuer = Issuer::remote(url, keys)
        .audience(AUDIENCE)
        // Issuer and gateway read the same clock: a token is refused as soon as it has expired.
        .leeway(Duration::ZERO);
    Ok(Verifier::new([issuer])?)
}

impl Addresses {
    /// Waits until each part responds to a health check.
    pub async fn ready(&self) -> Result<(), BoxError> {
        for address in [self.gateway, self.orders, self.inventory, self.users] {
            let mut health = HealthClient::new(channel(address)?);
            health.check(HealthCheckRequest::default()).await?;
        }
        Ok(())
    }
}

fn channel(address: SocketAddr) -> Result<Channel, String> {
    behind_gateway::channel(&format!("http://{address}"))
}
