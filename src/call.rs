//! What goes along with a call: the [`CallContext`].

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::context::UserContext;
use crate::deadline::Deadline;
use crate::propagation::{PropagatedValue, RequestId};

pub(crate) mod ambient;
mod layer;
mod spawn;

pub use ambient::Scoped;
pub use layer::{ScopeLayer, ScopeService};
pub use spawn::spawn;

/// What goes along with a call without anyone carrying it: who is calling, by when, as part of which
/// request, and whether anybody still waits.
///
/// A server layer makes one for each request, and handlers run in its scope; so do their response
/// streams, the request streams that they send, and the tasks that they start with
/// [`spawn`](crate::spawn). The calls that are made there take it along. Elsewhere a context comes
/// from where the work was started:
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
///         // A set's tasks are tasks of their own: each is given the context of this one.
///         prices.spawn(CallContext::current().scope(price(sku)));
///     }
///     prices.join_all().await
/// };
///
/// let alice = UserContext::builder("alice").build()?;
/// let asked_by = alice.clone().scope(handler).await;
/// assert!(asked_by.iter().all(|user| user.as_ref() == Some(&alice)));
/// # Ok(())
/// # }
/// ```
///
/// Cloning it copies a pointer. The default one is that of a task that no call started: it is empty.
#[derive(Clone, Default)]
pub struct CallContext {
    inner: Option<Arc<Inner>>,
}

/// What a context is made of.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) user: Option<UserContext>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) fields: Fields,
    pub(crate) life: Life,
    /// Whether a policy has let in the call that the context came in with.
    pub(crate) is_authorized: bool,
}

/// In the extensions of a request: it is the very one that a policy has let in, and not another
/// that is made on its behalf, for which another rule may hold.
#[derive(Clone, Copy)]
pub(crate) struct LetIn;

/// Further fields that go along with a call.
pub(crate) type Fields = Vec<PropagatedValue>;

/// For how long a context is of use.
#[derive(Default)]
pub(crate) enum Life {
    /// For as long as there is work to do.
    #[default]
    Unbounded,
    /// Until the call is cancelled.
    Call(Cancellation),
    /// As long as that of the context it was made from.
    Within(CallContext),
}

/// Whether a call was cancelled. It costs nothing until somebody wants to be told.
#[derive(Default)]
pub(crate) struct Cancellation {
    token: OnceLock<CancellationToken>,
}

impl CallContext {
    /// The context of the running task; an empty one where there is none.
    pub fn current() -> Self {
        ambient::current()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Some(Arc::new(inner)) }
    }

    /// On whose behalf the call is made; `None` for an anonymous one.
    pub fn user(&self) -> Option<&UserContext> {
        self.inner.as_ref()?.user.as_ref()
    }

    /// By when it must be answered, if anybody said so.
    pub fn deadline(&self) -> Option<Deadline> {
        self.inner.as_ref()?.deadline
    }

    /// Which request it is part of.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.inner.as_ref()?.request_id.as_ref()
    }

    /// Whether a policy has let the call in.
    pub(crate) fn is_authorized(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.is_authorized)
    }

    pub(crate) fn fields(&self) -> &[PropagatedValue] {
        self.inner.as_ref().map_or(&[], |inner| &inner.fields)
    }

    /// The same for another user. Deadline, ids and cancellation remain those of the call.
    #[must_use]
    pub fn with_user(self, user: UserContext) -> Self {
        self.derive(|inner| inner.user = Some(user))
    }

    /// The same with a deadline: the earlier one of this and the call's own. The calls that are made
    /// have to be answered by then; work that waits for something else is not ended by it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tonic_passport::{CallContext, Deadline, UserContext};
    ///
    /// # async fn rebuild_index() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tonic_passport::ContextError> {
    /// // A scheduled job: nobody called, so it says who it is, and how long it waits for others.
    /// let job = CallContext::default()
    ///     .with_user(UserContext::builder("nightly-index").permissions(["orders:read"]).build()?)
    ///     .with_deadline(Deadline::after(Duration::from_secs(60)));
    /// job.scope(rebuild_index()).await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_deadline(self, deadline: Deadline) -> Self {
        self.derive(|inner| {
            inner.deadline = Some(inner.deadline.map_or(deadline, |own| own.min(deadline)));
        })
    }

    /// The same with this id of the request.
    #[must_use]
    pub fn with_request_id(self, id: RequestId) -> Self {
        self.derive(|inner| inner.request_id = Some(id))
    }

    /// The same for work that goes on when the call is over: without its deadline, and whether the
    /// call is cancelled or not. It is still done on behalf of the same user, as part of the same
    /// request.
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
        self.derive(|inner| {
            inner.deadline = None;
            inner.life = Life::Unbounded;
        })
    }

    /// Whether the call that the work is done for was cancelled: its caller left, or its time was over
    /// (its deadline, or that of its token), before it was answered to the end. Work that does not wait for anything should ask now and
    /// then.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation().is_some_and(Cancellation::is_cancelled)
    }

    /// Waits until the call that the work is done for is cancelled; forever, when that does not
    /// happen.
    pub async fn cancelled(&self) {
        match self.cancellation() {
            Some(cancellation) => cancellation.token().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// What is known of the call's cancellation, if it can be cancelled.
    pub(crate) fn cancellation(&self) -> Option<&Cancellation> {
        match &self.inner.as_ref()?.life {
            Life::Unbounded => None,
            Life::Call(cancellation) => Some(cancellation),
            Life::Within(context) => context.cancellation(),
        }
    }

    /// Waits for the call to be cancelled, if whoever asks would not be dropped then: that is what
    /// happens to all that a handler itself waits for.
    pub(crate) fn watch(&self) -> Option<WaitForCancellationFutureOwned> {
        let cancellation = self.cancellation()?;
        if cancellation.token.get().is_none() && ambient::is_within(cancellation) {
            return None;
        }
        Some(cancellation.token().clone().cancelled_owned())
    }

    /// Another context, with changes to this one.
    fn derive(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = match &self.inner {
            None => Inner::default(),
            Some(own) => Inner {
                user: own.user.clone(),
                deadline: own.deadline,
                request_id: own.request_id.clone(),
                fields: own.fields.clone(),
                life: match &own.life {
                    Life::Unbounded => Life::Unbounded,
                    Life::Within(context) => Life::Within(context.clone()),
                    Life::Call(_) => Life::Within(self.clone()),
                },
                // That was said of the call as it came in.
                is_authorized: false,
            },
        };
        change(&mut inner);
        Self::new(inner)
    }
}

impl Cancellation {
    pub(crate) fn cancel(&self) {
        self.token().cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.token.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// What tells of it, for everyone who wants to be told.
    pub(crate) fn token(&self) -> &CancellationToken {
        self.token.get_or_init(CancellationToken::new)
    }
}

/// Shows what a log may hold.
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
