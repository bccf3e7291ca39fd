//! Authorization by method: the [`Policy`] and its [`Rule`]s.
//!
//! Each method needs a rule. Calls to a method without one are denied. Rules are declared as
//! options in the protocol buffers and read from the compiled descriptor set, or set in code. Rules
//! in code are for services whose protocol buffers belong to others, and override declared rules.
//!
//! ```proto
//! import "passport/v1/policy.proto";
//!
//! service OrderService {
//!   option (passport.v1.default_rule) = { permission: "orders:read" };
//!
//!   rpc GetOrder(GetOrderRequest) returns (Order);
//!   rpc CreateOrder(CreateOrderRequest) returns (Order) {
//!     option (passport.v1.rule) = { permission: "orders:create" };
//!   }
//! }
//! ```
//!
//! ```
//! use tonic_passport::policy::{HEALTH, PolicyError};
//! use tonic_passport::{Authenticator, Policy, Rule, ServerLayer};
//!
//! fn layer<A: Authenticator>(
//!     authenticator: A,
//!     descriptor_set: &[u8], // written by tonic-prost-build, protox, protoc or buf
//! ) -> Result<ServerLayer<A>, PolicyError> {
//!     let policy = Policy::builder()
//!         .descriptor_set(descriptor_set)
//!         .services([order_service_server::SERVICE_NAME]) // the services of this server
//!         .public(HEALTH)
//!         .rule("/shop.v1.OrderService/GetOrder", Rule::role("auditor"))
//!         .build()?; // fails if a method has no rule
//!     Ok(ServerLayer::new(authenticator).policy(policy))
//! }
//! # mod order_service_server { pub const SERVICE_NAME: &str = "shop.v1.OrderService"; }
//! # let closure = |_: &tonic_passport::authenticate::Credentials<'_>| Ok(None);
//! # assert!(layer(closure, b"no descriptor set").is_err());
//! ```
//!
//! # Rules
//!
//! | in the protocol buffers | in code | callers who are allowed |
//! |---|---|---|
//! | `{ public: true }` | [`Rule::public`] | all; credentials are ignored, and callers are anonymous |
//! | `{ optional: true }` | [`Rule::optional`] | all; credentials are verified if present |
//! | `{ authenticated: true }` | [`Rule::authenticated`] | all authenticated callers |
//! | `{ permission: "orders:read" }` | [`Rule::permission`] | those with the permission |
//! | `{ role: "admin" }` | [`Rule::role`] | those with the role |
//! | `{ any_of: { permissions: ["a", "b"] roles: "c" } }` | [`Rule::any_of`] | those with at least one of them |
//! | `{ all_of: { permissions: "a" any_of: { … } } }` | [`Rule::all_of`] | those with all of them |
//!
//! # Coverage
//!
//! [`PolicyBuilder::build`] fails if a method of a served service has no rule, and names all such
//! methods. It also fails for rules that are contradictory, or name a method that does not exist:
//! see [`PolicyError`]. At run time, methods that the policy does not know are denied. Health and
//! reflection need a rule, too: `.public(HEALTH)` and `.public(REFLECTION)`.
//!
//! The program `passport` prints the rules of a descriptor set, and fails if a method has no rule:
//! `passport policy check FILE`.
//!
//! # Checks that depend on data
//!
//! A policy decides by method. Whether a caller may read one particular order is decided by the
//! handler: [`Guarded`] is the check, and [`Authorized`] is the proof that it was made.
//!
//! # Audit, counters, and shadow policies
//!
//! - Each decision is a [tracing] event, and is passed to the policy's [sinks](AuditSink): see
//!   [`AuditEvent`].
//! - [`Policy::table`] lists the rules, with the number of calls that each has allowed and denied.
//! - [`ServerLayer::shadow_policy`](crate::ServerLayer::shadow_policy) tries out a policy: its
//!   decisions are counted and reported, and have no effect.
//!
//! [tracing]: https://docs.rs/tracing

mod audit;
mod authorized;
mod builder;
mod descriptor;
mod engine;
mod error;
mod method_rule;
mod metrics;
mod path;
mod resolved;
mod rule;
mod rule_set;
mod source;
mod table;
mod well_known;

pub use audit::{AuditEvent, AuditSink};
pub use authorized::{Authorized, Guarded};
pub use builder::PolicyBuilder;
pub use engine::Policy;
pub use error::{InvalidRule, PolicyError};
pub(crate) use method_rule::MethodRule;
#[cfg(feature = "gateway")]
pub(crate) use path::is_service_name;
pub use path::{InvalidMethodPath, MethodPath};
pub(crate) use rule::AuthenticationMode;
pub use rule::Rule;
pub use source::RuleSource;
pub use table::{RuleEntry, RuleTable};
pub use well_known::{HEALTH, REFLECTION};
