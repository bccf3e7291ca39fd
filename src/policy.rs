//! Which method needs what: the [`Policy`].
//!
//! Every method has a [`Rule`], and what has none is called by nobody. The rules are declared
//! beside the methods, as an option in their protocol buffers, and read from the compiled
//! descriptor set; or in code, for those who do not own the protocol buffers, and to override what
//! is declared there.
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
//!     descriptor_set: &[u8], // what tonic-prost-build, protox, protoc or buf have written
//! ) -> Result<ServerLayer<A>, PolicyError> {
//!     let policy = Policy::builder()
//!         .descriptor_set(descriptor_set)
//!         .services([order_service_server::SERVICE_NAME]) // what this server serves
//!         .public(HEALTH)
//!         .rule("/shop.v1.OrderService/GetOrder", Rule::role("auditor"))
//!         .build()?; // an error when a method has no rule
//!     Ok(ServerLayer::new(authenticator).policy(policy))
//! }
//! # mod order_service_server { pub const SERVICE_NAME: &str = "shop.v1.OrderService"; }
//! # let closure = |_: &tonic_passport::authenticate::Credentials<'_>| Ok(None);
//! # assert!(layer(closure, b"no descriptor set").is_err());
//! ```
//!
//! | in the protocol buffers | in code | who may call |
//! |---|---|---|
//! | `{ public: true }` | [`Rule::public`] | anybody; no credential is looked at, and nobody is known |
//! | `{ optional: true }` | [`Rule::optional`] | anybody; who says who they are is known |
//! | `{ authenticated: true }` | [`Rule::authenticated`] | every known caller |
//! | `{ permission: "orders:read" }` | [`Rule::permission`] | who has the permission |
//! | `{ role: "admin" }` | [`Rule::role`] | who has the role |
//! | `{ any_of: { permissions: ["a", "b"] roles: "c" } }` | [`Rule::any_of`] | who has at least one of them |
//! | `{ all_of: { permissions: "a" any_of: { … } } }` | [`Rule::all_of`] | who has all of them |
//!
//! # Coverage
//!
//! [`PolicyBuilder::build`] fails when a method of a descriptor set, or of the services that
//! [`PolicyBuilder::services`] names, has no rule, and names all that have none. It fails for every
//! rule that cannot be what was meant, too: see [`PolicyError`]. At run time, a method that the
//! policy does not know is denied. Health and reflection are exempt by rules that are explicit,
//! too: `.public(HEALTH)` and `.public(REFLECTION)`.
//!
//! `passport policy check FILE`, a program of this package, prints the table of a descriptor set,
//! and fails when a method has no rule.
//!
//! # What depends on data
//!
//! Whether a caller may read this order is not the method's to say. [`Guarded`] is for what only
//! some may have, and [`Authorized`] is the proof that a caller was found to be one of them.
//!
//! # Audit, counts, and shadow policies
//!
//! Each decision is an event of [tracing], and is shown to the policy's [sinks](AuditSink): see
//! [`AuditEvent`]. [`Policy::table`] has the rules, and how often each of them allowed a call or
//! denied one. [`ServerLayer::shadow_policy`](crate::ServerLayer::shadow_policy) takes a policy
//! that decides and reports in the same way, and denies nothing.
//!
//! [tracing]: https://docs.rs/tracing

mod audit;
mod authorized;
mod builder;
mod descriptor;
mod engine;
mod error;
mod metrics;
mod option;
mod origin;
mod path;
mod rule;
mod table;
mod wire;

pub use audit::{AuditEvent, AuditSink};
pub use authorized::{Authorized, Guarded};
pub use builder::PolicyBuilder;
pub use engine::Policy;
pub(crate) use engine::Ruling;
pub use error::{InvalidRule, PolicyError};
pub use origin::RuleSource;
pub(crate) use path::is_service_name;
pub use path::{InvalidMethodPath, MethodPath};
pub(crate) use rule::Access;
pub use rule::Rule;
pub use table::{RuleEntry, RuleTable};

/// The methods of the standard health service (`grpc.health.v1.Health`).
pub const HEALTH: &[MethodPath] = &[
    MethodPath::new_static("/grpc.health.v1.Health/Check"),
    MethodPath::new_static("/grpc.health.v1.Health/List"),
    MethodPath::new_static("/grpc.health.v1.Health/Watch"),
];

/// The methods of the standard reflection service, in both of its versions.
///
/// Reflection tells anyone who may call it what services, methods and messages there are, and what
/// the options of methods say.
pub const REFLECTION: &[MethodPath] = &[
    MethodPath::new_static("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    MethodPath::new_static("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_made_lists_hold_canonical_paths() {
        for path in HEALTH.iter().chain(REFLECTION) {
            assert!(MethodPath::is_canonical(path.as_str()), "{path}");
        }
    }
}
