//! The edge: the only server that clients can reach, and the only one that ever sees a token.

use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_passport::jwt::Verifier;
use tonic_passport::policy::{HEALTH, REFLECTION};
use tonic_passport::{Gateway, JwtAuthenticator, Policy, Rule, ServerLayer};
use tower::BoxError;
use tower::util::MapRequestLayer;

use crate::proto::order_service_server::SERVICE_NAME as ORDERS;
use crate::proto::user_service_server::SERVICE_NAME as USERS;
use crate::{access_log, operations, startup};

/// Serves the gateway: verifies tokens, and relays to the two upstreams.
///
/// `InventoryService` has no route here: no client has any business with it.
pub async fn serve(
    listener: TcpListener,
    verifier: Verifier,
    orders: Channel,
    users: Channel,
) -> Result<(), BoxError> {
    let policy = Policy::builder()
        .name("gateway")
        .public(HEALTH)
        .public(REFLECTION)
        // What its callers may do is each service's own to decide.
        .fallback_rule(Rule::authenticated())
        .build()?;
    let layer = ServerLayer::new(JwtAuthenticator::new(verifier)).policy(policy);
    let gateway = Gateway::builder().route(ORDERS, orders).route(USERS, users).build()?;

    Server::builder()
        // What faces clients has limits, none of which tonic sets by itself.
        .max_concurrent_streams(1024)
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .layer(layer)
        .layer(MapRequestLayer::new(access_log::log_relayed))
        .add_routes(operations::add_to(gateway.into_routes(), &[ORDERS, USERS]).await?)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            startup::stopped(),
        )
        .await?;
    Ok(())
}
