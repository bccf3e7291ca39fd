//! Context propagation for gRPC services with [tonic]: a caller is identified once, at the edge,
//! and everything behind the edge works with the same [`UserContext`].
//!
//! ```text
//! client ──bearer JWT──▶ edge ──x-user-*──▶ order service ──x-user-*──▶ inventory service
//! ```
//!
//! | what happens | type | where |
//! |---|---|---|
//! | a caller becomes a [`UserContext`] | [`Authenticator`]: [`JwtAuthenticator`], [`ForwardedContext`] | every entry point |
//! | a request passes a service's door | [`ServerLayer`] with a [`Policy`], [`ServerInterceptor`] | every tonic server |
//! | a request leaves for another service | [`ClientLayer`], [`ClientInterceptor`] | every tonic client |
//!
//! The edge verifies the token, strips it and whatever identity the client forged, and writes the
//! [metadata] that the services read. Authentication ("who are you") is the edge's; authorization
//! ("what may you do") is the services', by the rules that [`policy`] reads from their protocol
//! buffers. Raw tokens never travel inside.
//!
//! # An edge, a service, a client
//!
//! ```no_run
//! use tonic::service::Routes;
//! use tonic::transport::{Channel, Endpoint, Server};
//! use tonic::{Request, Response, Status};
//! # // Stand in for what tonic-prost-build makes of a shop's protocol buffers.
//! # use tonic_health::pb::HealthCheckRequest as ReserveRequest;
//! # use tonic_health::pb::HealthCheckResponse as Order;
//! # use tonic_health::pb::health_client::HealthClient as InventoryServiceClient;
//! use tonic_passport::client::ClientService;
//! use tonic_passport::jwt::{Issuer, Verifier};
//! use tonic_passport::policy::HEALTH;
//! use tonic_passport::{
//!     Authorized, JwtAuthenticator, ClientLayer, ForwardedContext, Gateway, Policy, Rule, ServerLayer,
//! };
//!
//! // The edge: the caller is identified here, and nowhere else.
//! async fn edge() -> Result<(), Box<dyn std::error::Error>> {
//!     let issuer = Issuer::oidc("https://id.example.com").audience("shop");
//!     // What callers may do is for the services to decide.
//!     let policy = Policy::builder().public(HEALTH).fallback_rule(Rule::authenticated()).build()?;
//!     let layer = ServerLayer::new(JwtAuthenticator::new(Verifier::new([issuer])?)).policy(policy);
//!     let orders = Endpoint::from_static("http://orders:50052").connect_lazy();
//!     let gateway = Gateway::builder().route("shop.v1.OrderService", orders).build()?;
//!
//!     let routes = gateway.into_routes();
//!     Server::builder().layer(layer).add_routes(routes).serve("0.0.0.0:50051".parse()?).await?;
//!     Ok(())
//! }
//!
//! // A service: it trusts the metadata because only the edge and its peers can reach it.
//! // Its policy is what its protocol buffers say of each method.
//! async fn order_service(
//!     routes: Routes,
//!     descriptor_set: &[u8],
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let policy = Policy::builder().descriptor_set(descriptor_set).public(HEALTH).build()?;
//!     let layer = ServerLayer::new(ForwardedContext::trust_private_network()).policy(policy);
//!     Server::builder().layer(layer).add_routes(routes).serve("10.0.0.2:50052".parse()?).await?;
//!     Ok(())
//! }
//!
//! // Its client of another service: calls go out on behalf of whoever called this one.
//! fn inventory() -> InventoryServiceClient<ClientService<Channel>> {
//!     let channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
//!     InventoryServiceClient::new(ClientLayer::new().wrap(channel))
//! }
//!
//! // Its handler: the caller is one whom the policy has let in.
//! async fn create_order(request: Request<()>) -> Result<Response<Order>, Status> {
//!     let user = Authorized::from_request(&request)?;
//!     tracing::info!(user = user.id(), "an order");
//! #   trait Reserve { async fn reserve(&mut self, _: ReserveRequest) -> Result<Response<Order>, Status>; }
//! #   impl Reserve for InventoryServiceClient<ClientService<Channel>> {
//! #       async fn reserve(&mut self, request: ReserveRequest) -> Result<Response<Order>, Status> {
//! #           self.check(request).await
//! #       }
//! #   }
//!     inventory().reserve(ReserveRequest::default()).await
//! }
//! # let _ = (edge, order_service, create_order);
//! ```
//!
//! # What goes along with a call
//!
//! The user is a part of the [`CallContext`]: by when the call must be answered, which request it is
//! part of, and whether anybody still waits go along as well, without anyone carrying them.
//!
//! | | where it comes from | what it does |
//! |---|---|---|
//! | [`UserContext`] | the strategy of the server layer | is sent on as `x-user-*` |
//! | [`Deadline`] | `grpc-timeout`, [`ServerLayer::timeout`] | calls are given what remains, less a margin; calls and streams end by then, with `DEADLINE_EXCEEDED` |
//! | cancellation | the client leaves, or the deadline passes | ends outgoing calls, and tasks of [`spawn`] |
//! | [request id](propagation::RequestId) | `x-request-id`, or made anew | is in every tracing span, and sent on |
//! | trace | `traceparent`, `tracestate`, `baggage` | are sent on, unless an OpenTelemetry layer did so |
//! | [further fields](propagation::PropagatedField) | [`ServerLayer::propagate`] | are sent on, for every hop or one |
//!
//! Handlers run in its scope, and so do their response streams, the request streams that they send,
//! and tasks of [`spawn`]. Other tasks are given it by [`CallContext::scope`], and services whose work
//! is done elsewhere by a [`ScopeLayer`]. Work that shall go on when the call is over is
//! [detached](CallContext::detached). `docs/propagation.md` shows the whole of it on a page.
//!
//! # What it does not protect from
//!
//! [`ForwardedContext`] believes what it reads. A service that uses it must be out of reach for
//! everyone but the edge and its peers: whoever can connect to it can claim to be anyone.
//!
//! # Errors
//!
//! Everything that is turned away gets a [`Status`][tonic] with a `google.rpc.ErrorInfo`; [status]
//! has the table of reasons. Callers are told little; the exact cause is a
//! [tracing] event, at the level `info`: without a subscriber, nobody reads it.
//!
//! # What operators see
//!
//! All that a [`ServerLayer`] does for a call, the handler and its streams included, is done in a
//! [tracing] span `call`, at the level `info`, with the fields `method` and `request_id`.
//!
//! Each request is identified in a span `authenticate`. Its fields are recorded as they become known:
//!
//! | field | |
//! |---|---|
//! | `method` | the path, where it is known |
//! | `request_id` | which request the call is part of |
//! | `outcome` | `accepted`, `anonymous`, `public` or `rejected` |
//! | `reason` | of a rejection: what the caller was told, one of [`status::reason`] |
//! | `issuer`, `key_id` | of a token: whose it is, and which of the issuer's keys verified it |
//! | `cache_hit` | of a token: whether it was known already |
//! | `user.id` | of an accepted request |
//! | `user.email` | the same, where [`ServerLayer::record_email`] asks for it |
//!
//! Within it there is one event: `request rejected`, at `info`, with the exact `cause`, or `request
//! accepted`, at `debug`; and one for each decision of a policy, with the target
//! `tonic_passport::audit` (see [`AuditEvent`](policy::AuditEvent)). A token is never written, nor
//! any part of one but its issuer and key id.
//!
//! What ends a call before its time is the event `call ended early`, with the `reason` that the caller
//! is told; at `info`, and at `debug` when it was the caller who left. A field of a request that is
//! malformed is the event `field dropped`, at `debug`.
//!
//! With the feature `metrics`, the facade of that name is given these:
//!
//! | metric | labels | |
//! |---|---|---|
//! | `passport_requests_total` | `outcome`, `reason` | requests, as in the span |
//! | `passport_calls_ended_total` | `reason` (`CALL_CANCELLED`, `DEADLINE_EXCEEDED`, `TOKEN_EXPIRED`) | calls, or their streams, that were ended before they came to their end |
//! | `passport_fields_dropped_total` | `name` (`baggage`, `listed`, `traceparent`, `tracestate`, `x-request-id`) | fields of requests that were malformed or too large |
//! | `passport_policy_denials_total` | `policy`, `method`, `mode` (`enforced`, `shadow`) | calls that a policy denied, or would have; the method is that of the rule, as in the policy's [table](policy::RuleTable), and empty where there is none |
//! | `passport_tokens_total` | `issuer`, `outcome` (`accepted`, `rejected`), `error`, `cache` (`hit`, `miss`) | verifications; the error is the name of a [`TokenError`](jwt::TokenError), such as `signature_invalid`; the issuer is one that is configured, or empty |
//! | `passport_token_verification_duration_seconds` | `cache` | how long they took |
//! | `passport_key_fetches_total` | `issuer`, `outcome` (`succeeded`, `failed`) | fetches of key sets |
//! | `passport_key_fetch_duration_seconds` | `issuer` | how long they took |
//!
//! # Cargo features
//!
//! - `metrics`: counters and histograms.
//! - `remote-keys` (on by default): key sets over the network. A service that only takes forwarded
//!   contexts can do without, and without the HTTP client that it brings.
//! - `test-util`: the test kit, the module [`testing`], for the tests of your services.
//!
//! [tonic]: https://docs.rs/tonic
//! [tracing]: https://docs.rs/tracing

mod context;
mod telemetry;
mod util;

pub mod authenticate;
pub mod call;
pub mod client;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod inbound;
#[cfg(feature = "jwt")]
pub mod jwt;
pub mod metadata;
pub mod outbound;
pub mod policy;
pub mod propagation;
pub mod rejection;
pub mod server;
mod status;
#[cfg(feature = "test-util")]
pub mod testing;

#[cfg(feature = "jwt")]
pub use authenticate::JwtAuthenticator;
pub use authenticate::{Authenticator, ForwardedContext};
pub use call::{CallContext, Deadline, ScopeLayer, spawn};
pub use client::{ClientInterceptor, ClientLayer};
pub use context::{AccessDenied, ContextError, UserContext, UserContextBuilder};
#[cfg(feature = "gateway")]
pub use gateway::Gateway;
pub use policy::{Authorized, Guarded, Policy, Rule};
pub use rejection::Rejection;
pub use server::{ServerInterceptor, ServerLayer};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide.md")]
struct Guide;
