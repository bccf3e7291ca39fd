//! Gateway: the only server that clients can reach, and the only one that sees their tokens.

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

/// Serves the gateway, which verifies tokens and relays calls to the two upstreams.
///
/// `InventoryService` has no route: clients may not call it.
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
        // Each service authorizes its callers by its own policy.
        .fallback_rule(Rule::authenticated())
        .build()?;
    let layer = ServerLayer::new(JwtAuthenticator::new(verifier)).policy(policy);
    let gateway = Gateway::builder().route(ORDERS, orders).route(USERS, users).build()?;

    Server::builder()
        // A server that clients reach needs limits, and tonic sets none by default.
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
