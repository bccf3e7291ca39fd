//! The context of a call, and how tasks and services share it.
//!
//! A call's context holds its user, its [`Deadline`], its request id, the fields that are
//! propagated, and its cancellation. It is ambient: [`CallContext::current`] returns the context of
//! the scope that the running task is in.
//!
//! - [`ServerLayer`](crate::ServerLayer) opens a scope around each handler and its streams.
//! - [`spawn`] starts a task in the scope of the current one.
//! - [`CallContext::scope`] opens a scope around any future, [`CallContext::sync_scope`] around a
//!   closure.
//! - [`ScopeLayer`] carries the context into services that work in another task.
//!
//! The ambient context is a thread-local of this crate, which is swapped in and out around each
//! poll. `tokio::task_local!` would clone the context for each poll, and panics when a value is
//! dropped while the thread's locals are destroyed.

mod ambient;
mod cancellation;
mod context;
mod deadline;
mod scope_layer;
mod spawn;

pub use ambient::Scoped;
pub(crate) use ambient::enter;
pub(crate) use cancellation::Cancellation;
pub use context::CallContext;
pub(crate) use context::{CallData, CancelSource, PolicyPermit};
pub use deadline::Deadline;
pub(crate) use deadline::{GRPC_TIMEOUT, InvalidTimeout, parse_timeout, write_timeout};
pub use scope_layer::{ScopeLayer, ScopeService};
pub use spawn::spawn;
