//! Authorization by data: [`Guarded`] subjects, and [`Authorized`] as the proof of a check.

use std::ops::Deref;
use std::sync::Arc;

use crate::context::{AccessDenied, UserContext};

/// Subject of an access check that depends on data, such as an order that only its owner may read.
///
/// Checks that depend only on the method belong in the [policy](super::Policy). See
/// [`UserContext::authorize`] for an example.
pub trait Guarded {
    /// Checks whether the user may access the subject.
    ///
    /// # Errors
    ///
    /// [`AccessDenied`] if not. A handler's `?` turns it into `PERMISSION_DENIED`.
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

/// Value with the proof that a user was authorized for it.
///
/// It is created only by a successful check: [`UserContext::authorize`] for data, or
/// [`Authorized::from_request`] for a caller whom a policy has allowed. A function that takes an
/// `Authorized<T>` therefore cannot be called without the check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authorized<T> {
    inner: T,
}

impl<T> Authorized<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner }
    }

    /// Returns the value, without the proof.
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
    /// Checks whether the user may access a subject, and returns it as [`Authorized`].
    ///
    /// ```
    /// use tonic_passport::{AccessDenied, Authorized, Guarded, UserContext};
    ///
    /// struct Order {
    ///     created_by: String,
    /// }
    ///
    /// /// An order may be cancelled by its creator, and by administrators.
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
    /// /// Cannot be called without a check for this order.
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
    /// The error of [`Guarded::authorize`].
    pub fn authorize<T: Guarded>(&self, subject: T) -> Result<Authorized<T>, AccessDenied> {
        subject.authorize(self)?;
        Ok(Authorized::new(subject))
    }
}
