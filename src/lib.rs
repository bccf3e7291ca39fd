//! Context propagation for gRPC services with [tonic]: a caller is identified once, at the edge,
//! and everything behind the edge works with the same [`UserContext`].
//!
//! ```text
//! client ──bearer JWT──▶ edge ──x-user-*──▶ order service ──x-user-*──▶ inventory service
//! ```
//!
//! | what happens | type | where |
//! |---|---|---|
//! | a caller becomes a [`UserContext`] | [`Authenticator`]: [`BearerToken`], [`ForwardedContext`] | every entry point |
//! | a request passes a service's door | [`ServerLayer`], [`EdgeInterceptor`] | every tonic server |
//! | a request leaves for another service | [`ClientLayer`], [`PropagateInterceptor`] | every tonic client |
//!
//! The edge verifies the token, strips it and whatever identity the client forged, and writes the
//! [metadata] that the services read. Authentication ("who are you") is the edge's; authorization
//! ("what may you do") is the services'. Raw tokens never travel inside.
//!
//! # An edge, a service, a client
//!
//! ```no_run
//! use tonic::transport::{Channel, Endpoint, Server};
//! use tonic::{Request, Response, Status};
//! use tonic_passport::jwt::{Issuer, KeySet, Verifier};
//! use tonic_passport::policy::HEALTH;
//! use tonic_passport::{
//!     BearerToken, ClientLayer, ForwardedContext, Gateway, ServerLayer, UserContext,
//! };
//! use tower::ServiceBuilder;
//!
//! // The edge: whom the token speaks of is established here, and nowhere else.
//! async fn edge(jwks: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//!     let issuer = Issuer::new("https://id.example.com", KeySet::from_jwks(jwks)?)
//!         .audience("shop");
//!     let layer = ServerLayer::new(BearerToken::new(Verifier::new([issuer])?))
//!         .public_methods(HEALTH);
//!     let orders = Endpoint::from_static("http://orders:50052").connect_lazy();
//!     let gateway = Gateway::builder().route("shop.v1.OrderService", orders).build()?;
//!
//!     let routes = gateway.into_routes();
//!     Server::builder().layer(layer).add_routes(routes).serve("0.0.0.0:50051".parse()?).await?;
//!     Ok(())
//! }
//!
//! // A service: it trusts the metadata because only the edge and its peers can reach it.
//! async fn order_service(orders: tonic::service::Routes) -> Result<(), Box<dyn std::error::Error>> {
//!     let layer = ServerLayer::new(ForwardedContext::trust_private_network());
//!     Server::builder().layer(layer).add_routes(orders).serve("10.0.0.2:50052".parse()?).await?;
//!     Ok(())
//! }
//!
//! // A handler: who may do this is decided here.
//! async fn create_order(request: Request<()>) -> Result<Response<String>, Status> {
//!     let user = UserContext::from_request(&request)?;
//!     user.require_permission("orders:create")?;
//!     // Calls through `inventory()` carry the same user.
//!     Ok(Response::new(user.id().to_owned()))
//! }
//!
//! // A client: calls made while a request is handled go out on behalf of the same user.
//! fn inventory() -> impl tonic::client::GrpcService<tonic::body::Body> {
//!     let channel: Channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
//!     ServiceBuilder::new().layer(ClientLayer::new()).service(channel)
//! }
//! # let _ = (edge, order_service, create_order, inventory);
//! ```
//!
//! # What it does not protect from
//!
//! [`ForwardedContext`] believes what it reads. A service that uses it must be out of reach for
//! everyone but the edge and its peers: whoever can connect to it can claim to be anyone.
//!
//! # Errors
//!
//! Everything that is turned away gets a `tonic::Status` with a `google.rpc.ErrorInfo`; [status]
//! has the table of reasons. Callers are told little; the exact cause is a [`tracing`] event.
//!
//! # Cargo features
//!
//! None are needed. `samples` compiles the protocol buffers of the examples, and is of no use to a
//! user of the library.
//!
//! [tonic]: https://docs.rs/tonic

mod body;
mod context;

pub mod authenticate;
pub mod client;
pub mod gateway;
pub mod jwt;
pub mod metadata;
pub mod policy;
pub mod server;
pub mod status;

pub use authenticate::{Authenticator, BearerToken, ForwardedContext};
pub use client::{ClientLayer, PropagateInterceptor};
pub use context::{AccessDenied, ContextError, UserContext, UserContextBuilder};
pub use gateway::Gateway;
pub use server::{EdgeInterceptor, ServerLayer};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
