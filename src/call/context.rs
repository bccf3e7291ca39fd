//! The context of a call.

use std::fmt;
use std::sync::Arc;

use super::cancellation::Cancellation;
use super::deadline::Deadline;
use crate::context::UserContext;
use crate::propagation::{PropagatedValue, RequestId};

/// Context of a call: its user, deadline, request id, propagated fields and cancellation.
///
/// [`ServerLayer`](crate::ServerLayer) creates one for each request. The handler runs in its scope,
/// as do its response stream, the request streams that it sends, and the tasks that it starts with
/// [`spawn`](crate::spawn). [`ClientLayer`](crate::ClientLayer) writes it into every call that is
/// made in the scope. Other tasks open their own scope:
///
/// ```
/// use tokio::task::JoinSet;
/// use tonic_passport::{CallContext, UserContext};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tonic_passport::ContextError> {
/// # async fn price(sku: u32) -> Option<UserContext> { UserContext::current() }
/// let handler = async {
///     let mut prices = JoinSet::new();
///     for sku in 0..3 {
///         // The tasks of a set do not inherit the scope.
///         prices.spawn(CallContext::current().scope(price(sku)));
///     }
///     prices.join_all().await
/// };
///
/// let alice = UserContext::builder("alice").build()?;
/// let callers = alice.clone().scope(handler).await;
/// assert!(callers.iter().all(|user| user.as_ref() == Some(&alice)));
/// # Ok(())
/// # }
/// ```
///
/// Cloning copies a pointer. The default context is empty: it is the current context outside of any
/// scope. The methods `current`, `scope` and `sync_scope` are implemented in `call::ambient`, and
/// `from_request` in `server`.
#[derive(Clone, Default)]
pub struct CallContext {
    data: Option<Arc<CallData>>,
}

/// The contents of a [`CallContext`].
#[derive(Default)]
pub(crate) struct CallData {
    pub(crate) user: Option<UserContext>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) fields: Vec<PropagatedValue>,
    pub(crate) cancel_source: CancelSource,
    /// Whether a policy authorized the request that this context was created for.
    pub(crate) is_authorized: bool,
}

/// Marker in the extensions of a request that a policy authorized. Outgoing requests do not inherit
/// it: another rule may apply to them.
#[derive(Clone, Copy)]
pub(crate) struct PolicyPermit;

/// The cancellation that a context observes.
#[derive(Default)]
pub(crate) enum CancelSource {
    /// The context is never cancelled.
    #[default]
    Never,
    /// The context belongs to this call.
    Call(Cancellation),
    /// The context is derived from another one.
    Parent(CallContext),
}

impl CallContext {
    pub(super) const EMPTY: Self = Self { data: None };

    pub(crate) fn new(data: CallData) -> Self {
        Self { data: Some(Arc::new(data)) }
    }

    /// The user of the call; `None` for an anonymous call.
    pub fn user(&self) -> Option<&UserContext> {
        self.data.as_ref()?.user.as_ref()
    }

    /// The deadline of the call, if it has one.
    pub fn deadline(&self) -> Option<Deadline> {
        self.data.as_ref()?.deadline
    }

    /// The id of the request that the call is part of.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.data.as_ref()?.request_id.as_ref()
    }

    /// Whether a policy authorized the request that this context was created for.
    pub(crate) fn is_authorized(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.is_authorized)
    }

    pub(crate) fn fields(&self) -> &[PropagatedValue] {
        self.data.as_ref().map_or(&[], |data| &data.fields)
    }

    /// Returns the context with another user. Deadline, request id and cancellation are unchanged.
    #[must_use]
    pub fn with_user(self, user: UserContext) -> Self {
        self.derive(|data| data.user = Some(user))
    }

    /// Limits the deadline: keeps the earlier of the present deadline and this one. It ends
    /// outgoing calls, but no other work in the scope.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tonic_passport::{CallContext, Deadline, UserContext};
    ///
    /// # async fn rebuild_index() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tonic_passport::ContextError> {
    /// // A scheduled job has no caller, so it states its identity and its deadline.
    /// let job = CallContext::default()
    ///     .with_user(UserContext::builder("nightly-index").permissions(["orders:read"]).build()?)
    ///     .with_deadline(Deadline::after(Duration::from_secs(60)));
    /// job.scope(rebuild_index()).await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_deadline(self, deadline: Deadline) -> Self {
        self.derive(|data| {
            data.deadline = Some(data.deadline.map_or(deadline, |present| present.min(deadline)));
        })
    }

    /// Returns the context with another request id.
    #[must_use]
    pub fn with_request_id(self, id: RequestId) -> Self {
        self.derive(|data| data.request_id = Some(id))
    }

    /// Returns the context for work that outlives the call: without deadline and cancellation, for
    /// the same user and as part of the same request.
    ///
    /// ```
    /// use tonic_passport::CallContext;
    ///
    /// # async fn send_confirmation() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // In a handler: the customer does not wait for the e-mail.
    /// let sent = tokio::spawn(CallContext::current().detached().scope(send_confirmation()));
    /// # sent.await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn detached(self) -> Self {
        self.derive(|data| {
            data.deadline = None;
            data.cancel_source = CancelSource::Never;
        })
    }

    /// Whether the call was cancelled: its client disconnected, or its deadline or token expired,
    /// before the response was complete. Work that never awaits should check this regularly.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation().is_some_and(Cancellation::is_cancelled)
    }

    /// Completes when the call is cancelled. A context without a call is never cancelled.
    pub async fn cancelled(&self) {
        match self.cancellation() {
            Some(cancellation) => cancellation.token().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The cancellation of the call, if the context belongs to one.
    pub(crate) fn cancellation(&self) -> Option<&Cancellation> {
        match &self.data.as_ref()?.cancel_source {
            CancelSource::Never => None,
            CancelSource::Call(cancellation) => Some(cancellation),
            CancelSource::Parent(context) => context.cancellation(),
        }
    }

    fn derive(self, change: impl FnOnce(&mut CallData)) -> Self {
        let mut data = match &self.data {
            None => CallData::default(),
            Some(source) => CallData {
                user: source.user.clone(),
                deadline: source.deadline,
                request_id: source.request_id.clone(),
                fields: source.fields.clone(),
                cancel_source: match &source.cancel_source {
                    CancelSource::Never => CancelSource::Never,
                    CancelSource::Parent(context) => CancelSource::Parent(context.clone()),
                    CancelSource::Call(_) => CancelSource::Parent(self.clone()),
                },
                // The policy decided about the original context only.
                is_authorized: false,
            },
        };
        change(&mut data);
        Self::new(data)
    }
}

/// Shows what may be logged: of the propagated fields, only the names.
impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields().iter().map(|field| &field.name).collect();
        f.debug_struct("CallContext")
            .field("user", &self.user())
            .field("deadline", &self.deadline())
            .field("request_id", &self.request_id())
            .field("fields", &names)
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}
