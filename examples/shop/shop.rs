//! The whole shop in one process, each part on a listener of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_passport::jwt::{Issuer, RemoteKeys, Verifier};
use tower::BoxError;

use super::identity_provider::IdentityProvider;
use super::startup::{self, Failure};
use super::{behind_gateway, gateway, inventory_service, order_service, user_service};

/// Whom tokens must be made for to be of any use here.
const AUDIENCE: &str = "shop";

/// The listeners of the five parts, and what verifies the tokens.
pub(crate) struct Shop {
    verifier: Verifier,
    identity_provider: TcpListener,
    gateway: TcpListener,
    orders: TcpListener,
    inventory: TcpListener,
    users: TcpListener,
}

/// Where the five parts listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) identity_provider: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) orders: SocketAddr,
    pub(crate) inventory: SocketAddr,
    pub(crate) users: SocketAddr,
}

impl Shop {
    /// Binds five ports on loopback, one after the other from `port_base` on; with 0, any that are
    /// free.
    pub(crate) async fn bind(port_base: u16) -> Result<Self, Failure> {
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

    /// What the gateway verifies tokens with: it finds the keys by discovery, once the identity
    /// provider answers.
    pub(crate) fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }

    pub(crate) fn addresses(&self) -> io::Result<Addresses> {
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
    pub(crate) async fn serve(self, descriptor_set: &[u8]) -> Result<(), BoxError> {
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
        // Loopback is no place for the keys of a real issuer ...
        .allow_host("127.0.0.1")
        // ... and none is as impatient as whoever tries this out.
        .min_interval(Duration::from_millis(100));
    let issuer = Issuer::remote(url, keys)
        .audience(AUDIENCE)
        // Both read the same clock, and a token that expires here shall be seen to expire.
        .leeway(Duration::ZERO);
    Ok(Verifier::new([issuer])?)
}

impl Addresses {
    /// Waits until each part answers.
    pub(crate) async fn ready(&self) -> Result<(), BoxError> {
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
