//! Proof that somebody was found to be allowed to.

use std::ops::Deref;
use std::sync::Arc;

use crate::context::{AccessDenied, UserContext};

/// Something that only some may have, read or do: an order, for those who placed it.
///
/// What a method needs is the [policy](super::Policy)'s to say. This is for what depends on data;
/// see [`UserContext::authorize`].
pub trait Guarded {
    /// Decides whether this user may.
    ///
    /// # Errors
    ///
    /// An [`AccessDenied`] when they may not, which a handler's `?` turns into `PERMISSION_DENIED`.
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied>;
}

impl<T: Guarded + ?Sized> Guarded for &T {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        (**self).authorize(user)
    }
}

impl<T: Guarded + ?Sized> Guarded for Box<T> {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        (**self).authorize(user)
    }
}

impl<T: Guarded + ?Sized> Guarded for Arc<T> {
    fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
        (**self).authorize(user)
    }
}

/// Something, and the proof that a user was found to be allowed to have it.
///
/// There are two ways to get one, and both of them decide: [`UserContext::authorize`], and
/// [`Authorized::from_request`], for the caller whom a policy has let in. What is to be done only
/// after such a check takes one of these, and then nobody can forget it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authorized<T> {
    inner: T,
}

impl<T> Authorized<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner }
    }

    /// What it is about, without the proof.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T> Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl UserContext {
    /// Decides whether the user may have, read or do something, by what it is; and gives it back
    /// with the proof of that. A user who may not does not get it.
    ///
    /// ```
    /// use tonic_passport::{AccessDenied, Authorized, Guarded, UserContext};
    ///
    /// struct Order {
    ///     created_by: String,
    /// }
    ///
    /// /// Those who placed an order may cancel it, and administrators.
    /// struct Cancellation {
    ///     order: Order,
    /// }
    ///
    /// impl Guarded for Cancellation {
    ///     fn authorize(&self, user: &UserContext) -> Result<(), AccessDenied> {
    ///         if self.order.created_by == user.id() {
    ///             return Ok(());
    ///         }
    ///         user.require_role("admin")
    ///     }
    /// }
    ///
    /// /// Nobody gets here without having been checked, for this very order.
    /// fn cancel(cancellation: Authorized<Cancellation>) -> Order {
    ///     cancellation.into_inner().order
    /// }
    ///
    /// fn cancel_order(user: &UserContext, order: Order) -> Result<Order, AccessDenied> {
    ///     Ok(cancel(user.authorize(Cancellation { order })?))
    /// }
    /// # let order = || Order { created_by: "alice".to_owned() };
    /// # let user = |id| UserContext::builder(id).build().unwrap();
    /// # assert!(cancel_order(&user("alice"), order()).is_ok());
    /// # assert!(cancel_order(&user("bob"), order()).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// What [`Guarded::authorize`] says.
    pub fn authorize<T: Guarded>(&self, subject: T) -> Result<Authorized<T>, AccessDenied> {
        subject.authorize(self)?;
        Ok(Authorized::new(subject))
    }
}
