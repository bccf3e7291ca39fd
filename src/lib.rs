//! Context propagation for gRPC services built with [tonic]. The edge authenticates the caller once.
//! Every service behind it works with the same typed [`UserContext`].
//!
//! ```text
//! client ──bearer JWT──▶ edge ──x-user-*──▶ order service ──x-user-*──▶ inventory service
//! ```
//!
//! | step | type | where |
//! |---|---|---|
//! | the caller is authenticated | [`Authenticator`]: [`JwtAuthenticator`], [`ForwardedContext`], [`first_of`](authenticate::first_of) several | every entry point |
//! | a request enters a service | [`ServerLayer`] with a [`Policy`], or [`ServerInterceptor`] | every tonic server |
//! | a request leaves for another service | [`ClientLayer`], or [`ClientInterceptor`] | every tonic client |
//!
//! The edge verifies the token, strips it together with all identity that the client forged, and
//! writes the [metadata] that services read. Authentication belongs to the edge. Authorization
//! belongs to the services, by rules that [`policy`] reads from their protocol buffers. Services
//! never receive the raw token.
//!
//! # An edge, a service, a client
//!
//! ```no_run
//! use tonic::service::Routes;
//! use tonic::transport::{Channel, Endpoint, Server};
//! use tonic::{Request, Response, Status};
//! # // These stand in for the code that tonic-prost-build generates.
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
//! // The edge authenticates the caller.
//! async fn edge() -> Result<(), Box<dyn std::error::Error>> {
//!     let issuer = Issuer::oidc("https://id.example.com").audience("shop");
//!     // The services authorize the calls.
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
//! // A service trusts the metadata because only the edge and its peers can connect to it.
//! // Its policy is declared in its protocol buffers, beside each method.
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
//! // Its client for another service propagates the caller.
//! fn inventory() -> InventoryServiceClient<ClientService<Channel>> {
//!     let channel = Endpoint::from_static("http://inventory:50053").connect_lazy();
//!     InventoryServiceClient::new(ClientLayer::new().wrap(channel))
//! }
//!
//! // Its handler receives a caller whom the policy authorized.
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
//! # Context of a call
//!
//! The user is a part of the [`CallContext`], which also holds the deadline, the request id, the
//! propagated fields and the cancellation of a call:
//!
//! | part | source | effect |
//! |---|---|---|
//! | [`UserContext`] | the authenticator of the server layer | sent with outgoing calls as `x-user-*` |
//! | [`Deadline`] | `grpc-timeout`, [`ServerLayer::timeout`] | outgoing calls get the remaining time, less a margin; calls and streams end with `DEADLINE_EXCEEDED` |
//! | cancellation | the client disconnects, or the deadline elapses | ends outgoing calls, and tasks of [`spawn`] |
//! | [request id](propagation::RequestId) | `x-request-id`, or generated | recorded in every tracing span, and sent with outgoing calls |
//! | trace | `traceparent`, `tracestate`, `baggage` | sent with outgoing calls, unless an OpenTelemetry layer did so |
//! | [other fields](propagation::PropagatedField) | [`ServerLayer::propagate`] | sent with outgoing calls, for every hop or one |
//!
//! These run in the scope of their call: handlers, their response streams, the request streams that
//! they send, and tasks started with [`spawn`]. Other tasks open a scope with
//! [`CallContext::scope`]. Services that work in another task get it from a [`ScopeLayer`]. Work
//! that outlives the call is [detached](CallContext::detached).
//!
//! # Security model
//!
//! The metadata is not signed. A service that uses [`ForwardedContext`] trusts every peer that can
//! connect to it: any of them can claim to be any user. Only the edge and other services may be able to
//! connect. `docs/threat-model.md` states what is covered, and by which test.
//!
//! # Errors
//!
//! Every rejected request ends with a `tonic::Status` that carries a `google.rpc.ErrorInfo`;
//! [`rejection`] has the table of reasons. The response is generic. The exact cause is in a
//! [tracing] event at `info`; without a subscriber it is lost.
//!
//! # Observability
//!
//! A [`ServerLayer`] does all work of a call in a [tracing] span `call` at the level `info`, with the
//! fields `method` and `request_id`. The handler and its streams are part of it. A request with an
//! invalid path is rejected before the span opens.
//!
//! Each request is authenticated in a span `authenticate`. Its fields are recorded as they become known:
//!
//! | field | value |
//! |---|---|
//! | `method` | the path, if it is known |
//! | `request_id` | the id of the request that the call is part of |
//! | `outcome` | `accepted`, `anonymous`, `public`, `rejected`, or `cancelled` if the client left during authentication |
//! | `reason` | for a rejected request, its [reason code](rejection::reason) |
//! | `issuer`, `key_id` | for a token, its issuer and the key that verified it |
//! | `cache_hit` | for a token, whether it was in the cache |
//! | `user.id` | for an accepted request |
//! | `user.email` | likewise, if [`ServerLayer::record_email`] is set |
//!
//! The span has one event: `request rejected` at `info`, with the exact `cause`, or `request
//! accepted` at `debug`. Each decision of a policy is another one, with the target
//! `tonic_passport::audit` (see [`AuditEvent`](policy::AuditEvent)). Tokens are never logged. Of
//! their content, only the issuer, the key id and the user's id are logged, and the e-mail address
//! if [`ServerLayer::record_email`] is set.
//!
//! A call that ends before its response is complete has the event `call ended early`, with the
//! `reason`: at `debug` if its client disconnected, and otherwise at `info`. A field that is
//! dropped because it is malformed or too large is the event `field dropped` at `debug`.
//!
//! The feature `metrics` records these metrics with the crate of that name:
//!
//! | metric | labels | value |
//! |---|---|---|
//! | `passport_requests_total` | `outcome`, `reason` | requests, as in the span |
//! | `passport_calls_ended_total` | `reason` (`CALL_CANCELLED`, `DEADLINE_EXCEEDED`, `TOKEN_EXPIRED`) | calls, or their streams, that ended early |
//! | `passport_fields_dropped_total` | `name` (`baggage`, `listed`, `traceparent`, `tracestate`, `x-request-id`) | fields of requests that were malformed or too large |
//! | `passport_policy_denials_total` | `policy`, `method`, `mode` (`enforced`, `shadow`) | calls that a policy denied, or would deny; `method` is the target of the rule, as in the policy's [table](policy::RuleTable); empty if no rule applies |
//! | `passport_tokens_total` | `issuer`, `outcome` (`accepted`, `rejected`), `error`, `cache` (`hit`, `miss`) | verifications; `error` is the name of a [`TokenError`](jwt::TokenError), such as `signature_invalid`; `issuer` is a configured one, or empty |
//! | `passport_token_verification_duration_seconds` | `cache` | durations of verifications |
//! | `passport_key_fetches_total` | `issuer`, `outcome` (`succeeded`, `failed`) | fetches of key sets |
//! | `passport_key_fetch_duration_seconds` | `issuer` | durations of these fetches |
//!
//! # Cargo features
//!
//! - `gateway` (default): the embedded [`Gateway`].
//! - `jwt` (default, through `remote-keys`): verification of tokens. It needs a C compiler.
//!   Services that only take forwarded contexts use `default-features = false` and build no
//!   cryptography.
//! - `remote-keys` (default): key sets over the network. It includes `jwt`.
//! - `metrics`: counters and histograms.
//! - `test-util`: the test kit, module [`testing`]. It includes `remote-keys`.
//!
//! [tonic]: https://docs.rs/tonic
//! [tracing]: https://docs.rs/tracing

#![cfg_attr(docsrs, feature(doc_cfg))]

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
#[cfg(all(doctest, feature = "gateway", feature = "remote-keys"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of the guide.
#[cfg(all(doctest, feature = "gateway", feature = "remote-keys"))]
#[doc = include_str!("../docs/guide.md")]
struct Guide;
