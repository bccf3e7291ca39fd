//! The authenticated user: [`UserContext`], its builder and its errors.
//!
//! - A context is immutable, and valid by construction: every value can be written as metadata.
//! - Each value is stored in its encoded form, so that writing a context into a request shares
//!   bytes and encodes nothing.
//! - The `x-user-*` format itself is defined in [`metadata`](crate::metadata).
//!
//! ```
//! use tonic_passport::{AccessDenied, UserContext};
//!
//! # fn main() -> Result<(), tonic_passport::ContextError> {
//! let user = UserContext::builder("user-42").permissions(["orders:read"]).build()?;
//! assert_eq!(user.require_permission("orders:read"), Ok(()));
//!
//! let denied = AccessDenied::PermissionMissing { permission: "orders:create".to_owned() };
//! assert_eq!(user.require_permission("orders:create"), Err(denied));
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderName;

mod error;
mod list;
mod swar;
mod value;

pub use error::{AccessDenied, ContextError};
pub(crate) use list::{EncodedList, ItemHash, ListItem, ListItems};
pub(crate) use swar::{equal, splat, word_at, words};
pub(crate) use value::EncodedValue;
use value::allocation_size;

/// The text that `Debug` shows in place of an e-mail address.
const REDACTED: &str = "[redacted]";

/// The authenticated user on whose behalf a call is made.
///
/// A context is created once: by the edge from a verified token, or by a [`UserContextBuilder`] in
/// tests, scheduled jobs and the like. It is immutable, and cloning it copies a pointer. Every
/// `UserContext` can be written as metadata: it has an id, no empty values, no control characters,
/// and does not exceed its maximum size.
///
/// Some methods are implemented in other modules, because those depend on this one:
/// [`read_from`](Self::read_from) and [`write_to`](Self::write_to) in `metadata`,
/// [`current`](Self::current) and [`scope`](Self::scope) in `call`,
/// [`from_request`](Self::from_request) in `server`, [`authorize`](Self::authorize) in `policy`.
///
/// ```
/// use tonic_passport::UserContext;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let user = UserContext::builder("user-42")
///     .email("alice@example.com")
///     .roles(["buyer"])
///     .permissions(["orders:create", "orders:read"])
///     .attribute("tenant", "acme")
///     .build()?;
///
/// assert_eq!(user.id(), "user-42");
/// assert!(user.has_role("buyer"));
/// assert!(user.require_permission("orders:create").is_ok());
/// assert!(user.require_permission("orders:delete").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UserContext {
    encoded: Arc<EncodedContext>,
}

/// The values of a context, each in its encoded form.
#[derive(Default)]
pub(crate) struct EncodedContext {
    pub(crate) id: EncodedValue,
    pub(crate) email: Option<EncodedValue>,
    pub(crate) roles: EncodedList,
    pub(crate) permissions: EncodedList,
    /// Sorted by name.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) expires_at: Option<SystemTime>,
    /// The clock that `expires_at` is compared with; the system's by default.
    pub(crate) clock: Option<Clock>,
}

/// Source of the current time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// An additional attribute.
pub(crate) struct Attribute {
    /// The metadata key, `x-user-<name>`.
    pub(crate) key: HeaderName,
    /// The length of the key's prefix, before the name.
    pub(crate) prefix_len: usize,
    pub(crate) value: EncodedValue,
}

/// The values of a context that is not built yet, as plain text.
#[derive(Clone, Default)]
pub(crate) struct ContextFields {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) permissions: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) clock: Option<Clock>,
}

/// Builder for a [`UserContext`]; see [`UserContext::builder`].
///
/// [`build`](Self::build) is implemented in the module `metadata`, which has the encoder.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct UserContextBuilder {
    pub(crate) fields: ContextFields,
    pub(crate) max_size: usize,
}

impl UserContext {
    /// The default maximum size of an encoded context, in bytes: 4 KiB, a quarter of what tonic
    /// accepts for all metadata of a call.
    pub const DEFAULT_MAX_SIZE: usize = 4 * 1024;

    /// Returns a builder for the context of the user with this id (the subject of a token).
    pub fn builder(id: impl Into<String>) -> UserContextBuilder {
        UserContextBuilder {
            fields: ContextFields { id: id.into(), ..ContextFields::default() },
            max_size: Self::DEFAULT_MAX_SIZE,
        }
    }

    pub(crate) fn from_encoded(encoded: EncodedContext) -> Self {
        Self { encoded: Arc::new(encoded) }
    }

    /// Creates a context from the values that `fill` stores, or `None` if `fill` returns `false`.
    /// The values are stored in their final allocation, because the struct is large to move.
    pub(crate) fn try_init<E>(
        fill: impl FnOnce(&mut EncodedContext) -> Result<bool, E>,
    ) -> Result<Option<Self>, E> {
        let mut encoded = Arc::default();
        // The only reference, so that `get_mut` returns `Some`.
        let is_filled = Arc::get_mut(&mut encoded).map_or(Ok(false), fill)?;
        Ok(is_filled.then_some(Self { encoded }))
    }

    pub(crate) fn encoded(&self) -> &EncodedContext {
        &self.encoded
    }

    /// An upper estimate of the memory of the context, in bytes.
    #[cfg_attr(not(feature = "jwt"), expect(dead_code, reason = "only the verifier caches users"))]
    pub(crate) fn size(&self) -> usize {
        let EncodedContext { id, email, roles, permissions, attributes, .. } = self.encoded();
        // A custom `HeaderName` is a shared allocation, as a value is.
        let attribute = |attribute: &Attribute| {
            attribute.value.size() + attribute.key.as_str().len() + 3 * allocation_size(0)
        };
        size_of::<EncodedContext>()
            + allocation_size(0)
            + id.size()
            + email.as_ref().map_or(0, EncodedValue::size)
            + roles.size()
            + permissions.size()
            + allocation_size(attributes.capacity() * size_of::<Attribute>())
            + attributes.iter().map(attribute).sum::<usize>()
    }

    /// The user's id; never empty.
    pub fn id(&self) -> &str {
        self.encoded.id.as_str()
    }

    /// The user's e-mail address, if the token has one. It is for contact only: to identify a user,
    /// use the [`id`](Self::id).
    pub fn email(&self) -> Option<&str> {
        self.encoded.email.as_ref().map(EncodedValue::as_str)
    }

    /// The user's roles, in the issuer's order.
    pub fn roles(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.encoded.roles.iter()
    }

    /// The user's permissions, in the issuer's order.
    pub fn permissions(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.encoded.permissions.iter()
    }

    /// The value of an additional attribute, such as `tenant` (the metadata key `x-user-tenant`).
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.encoded.attributes.iter().find(|attribute| attribute.name() == name)?;
        Some(found.value.as_str())
    }

    /// All additional attributes, sorted by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let attributes = self.encoded.attributes.iter();
        attributes.map(|attribute| (attribute.name(), attribute.value.as_str()))
    }

    /// The expiry of the token that the context was created from, without leeway. It is not part
    /// of the metadata, so only the edge knows it, and equality ignores it.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.encoded.expires_at
    }

    /// Returns the time until the context expires, plus a grace period; zero if that has passed. `None`
    /// for a context that does not expire.
    pub(crate) fn time_to_expiry(&self, grace: Duration) -> Option<Duration> {
        let now = self.encoded.clock.as_ref().map_or_else(SystemTime::now, |clock| clock());
        let expires_at = self.encoded.expires_at?.checked_add(grace)?;
        Some(expires_at.duration_since(now).unwrap_or_default())
    }

    /// Whether the user has this role. Roles are compared byte by byte.
    pub fn has_role(&self, role: &str) -> bool {
        self.encoded.roles.contains(role)
    }

    /// Whether the user has this permission. Permissions are compared byte by byte; there is no
    /// hierarchy among them.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.encoded.permissions.contains(permission)
    }

    /// Requires a role.
    ///
    /// # Errors
    ///
    /// [`AccessDenied::RoleMissing`], which a handler's `?` turns into `PERMISSION_DENIED`.
    pub fn require_role(&self, role: &str) -> Result<(), AccessDenied> {
        if self.has_role(role) {
            Ok(())
        } else {
            Err(AccessDenied::RoleMissing { role: role.to_owned() })
        }
    }

    /// Requires a permission.
    ///
    /// # Errors
    ///
    /// [`AccessDenied::PermissionMissing`], which a handler's `?` turns into `PERMISSION_DENIED`.
    pub fn require_permission(&self, permission: &str) -> Result<(), AccessDenied> {
        if self.has_permission(permission) {
            Ok(())
        } else {
            Err(AccessDenied::PermissionMissing { permission: permission.to_owned() })
        }
    }
}

impl PartialEq for UserContext {
    fn eq(&self, other: &Self) -> bool {
        let EncodedContext { id, email, roles, permissions, attributes, .. } = self.encoded();
        let other = other.encoded();
        (id, email, roles, permissions, attributes)
            == (&other.id, &other.email, &other.roles, &other.permissions, &other.attributes)
    }
}

impl Eq for UserContext {}

/// Shows only what is safe to log: the id, roles, permissions and the names of attributes, but
/// neither the e-mail address nor the values of attributes.
impl fmt::Debug for UserContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserContext")
            .field("id", &self.id())
            .field("email", &self.email().map(|_| REDACTED))
            .field("roles", &self.encoded.roles.iter())
            .field("permissions", &self.encoded.permissions.iter())
            .field("attributes", &self.attributes().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

/// Shows the same fields as the `Debug` of the context.
impl fmt::Debug for UserContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.debug("UserContextBuilder", f)
    }
}

impl ContextFields {
    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("id", &self.id)
            .field("email", &self.email.as_ref().map(|_| REDACTED))
            .field("roles", &self.roles)
            .field("permissions", &self.permissions)
            .field("attributes", &self.attributes.keys())
            .finish()
    }
}

impl Attribute {
    pub(crate) fn name(&self) -> &str {
        &self.key.as_str()[self.prefix_len..]
    }
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl UserContextBuilder {
    /// Sets the e-mail address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.fields.email = Some(email.into());
        self
    }

    /// Adds roles.
    pub fn roles<I>(mut self, roles: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.fields.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Adds permissions.
    pub fn permissions<I>(mut self, permissions: I) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.fields.permissions.extend(permissions.into_iter().map(Into::into));
        self
    }

    /// Sets an additional attribute, with the metadata key `x-user-<name>`. The name consists of
    /// lower-case letters, digits and single dashes between them.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the expiry; see [`UserContext::expires_at`].
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.fields.expires_at = Some(time);
        self
    }

    /// Sets the maximum size of the encoded context in bytes, instead of
    /// [`UserContext::DEFAULT_MAX_SIZE`]. Counted as gRPC counts metadata: for each key the bytes
    /// of its name, of its value, and 32.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }
}
