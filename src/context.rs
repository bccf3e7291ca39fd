//! Who is calling, and what they may do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderName;

mod error;
mod list;
mod text;
mod words;

pub use error::{AccessDenied, ContextError};
pub(crate) use list::{Hash, Item, ItemVec, List};
pub(crate) use text::Text;
use text::heap;
pub(crate) use words::{equal, splat, word_at, words};

/// What `Debug` shows of an e-mail address.
const REDACTED: &str = "[redacted]";

/// The authenticated user on whose behalf a call is made.
///
/// A context is made once: by the edge from a verified token, or by a [`UserContextBuilder`] in
/// tests, scheduled jobs and the like. It never changes afterwards, and cloning it copies a
/// pointer. What exists as a `UserContext` can be written as metadata: it has an id, no empty
/// values, no control characters, and fits its budget.
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
    parts: Arc<ContextParts>,
}

/// What a context consists of. Each part knows how it is written into metadata.
#[derive(Default)]
pub(crate) struct ContextParts {
    pub(crate) id: Text,
    pub(crate) email: Option<Text>,
    pub(crate) roles: List,
    pub(crate) permissions: List,
    /// Sorted by name.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) expires_at: Option<SystemTime>,
    /// The clock that `expires_at` is compared with; the system's by default.
    pub(crate) clock: Option<Clock>,
}

/// Source of the current time.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A further attribute.
pub(crate) struct Attribute {
    pub(crate) key: HeaderName,
    /// Where in the key the name begins.
    pub(crate) name_at: usize,
    pub(crate) text: Text,
}

/// The plain data that a context is made of.
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

/// Makes a [`UserContext`]; see [`UserContext::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct UserContextBuilder {
    pub(crate) fields: ContextFields,
    pub(crate) budget: usize,
}

impl UserContext {
    /// The size in bytes that an encoded context may have by default: 4 KiB, a quarter of what
    /// tonic accepts for all metadata of a call.
    pub const DEFAULT_MAX_SIZE: usize = 4 * 1024;

    /// Starts a context for the user with this id (in a token: the subject).
    pub fn builder(id: impl Into<String>) -> UserContextBuilder {
        UserContextBuilder {
            fields: ContextFields { id: id.into(), ..ContextFields::default() },
            budget: Self::DEFAULT_MAX_SIZE,
        }
    }

    pub(crate) fn from_parts(parts: ContextParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Makes a context of the parts that `fill` finds, if it tells that it has found any. They are
    /// put where they stay, as they are many bytes to move.
    pub(crate) fn try_filled<E>(
        fill: impl FnOnce(&mut ContextParts) -> Result<bool, E>,
    ) -> Result<Option<Self>, E> {
        let mut parts = Arc::default();
        // Nobody shares them yet.
        let is_filled = Arc::get_mut(&mut parts).map_or(Ok(false), fill)?;
        Ok(is_filled.then_some(Self { parts }))
    }

    pub(crate) fn parts(&self) -> &ContextParts {
        &self.parts
    }

    /// An upper estimate of the bytes that the context takes up.
    pub(crate) fn size(&self) -> usize {
        let ContextParts { id, email, roles, permissions, attributes, .. } = self.parts();
        // A key of more than a few bytes is allocated and shared, as a value is.
        let attribute = |own: &Attribute| own.text.size() + own.key.as_str().len() + 3 * heap(0);
        size_of::<ContextParts>()
            + heap(0)
            + id.size()
            + email.as_ref().map_or(0, Text::size)
            + roles.size()
            + permissions.size()
            + heap(attributes.capacity() * size_of::<Attribute>())
            + attributes.iter().map(attribute).sum::<usize>()
    }

    /// The user's id; never empty.
    pub fn id(&self) -> &str {
        self.parts.id.as_str()
    }

    /// The user's e-mail address, if the token carried one. An address is a means of contact; to
    /// tell users apart, use [`id`](Self::id).
    pub fn email(&self) -> Option<&str> {
        self.parts.email.as_ref().map(Text::as_str)
    }

    /// The user's roles, in the order the issuer gave.
    pub fn roles(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.parts.roles.iter()
    }

    /// The user's permissions, in the order the issuer gave.
    pub fn permissions(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.parts.permissions.iter()
    }

    /// A further attribute, such as `tenant`, which travels as `x-user-tenant`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let own = self.parts.attributes.iter().find(|own| own.name() == name)?;
        Some(own.text.as_str())
    }

    /// All further attributes, sorted by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.attributes.iter().map(|own| (own.name(), own.text.as_str()))
    }

    /// Until when this is known to be so: when the token that says it expires, without leeway. It
    /// is not part of the metadata, so only the edge knows it, and it does not matter to equality.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.parts.expires_at
    }

    /// Returns the time until the context expires, plus a grace period; zero if that has passed. `None`
    /// for a context that does not expire.
    pub(crate) fn time_to_expiry(&self, grace: Duration) -> Option<Duration> {
        let now = self.parts.clock.as_ref().map_or_else(SystemTime::now, |clock| clock());
        let expires_at = self.parts.expires_at?.checked_add(grace)?;
        Some(expires_at.duration_since(now).unwrap_or_default())
    }

    /// Whether the user has this role. Roles are compared byte by byte.
    pub fn has_role(&self, role: &str) -> bool {
        self.parts.roles.contains(role)
    }

    /// Whether the user has this permission. Permissions are compared byte by byte; none implies
    /// another.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.parts.permissions.contains(permission)
    }

    /// Demands a role.
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

    /// Demands a permission.
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
        let ContextParts { id, email, roles, permissions, attributes, .. } = self.parts();
        let other = other.parts();
        (id, email, roles, permissions, attributes)
            == (&other.id, &other.email, &other.roles, &other.permissions, &other.attributes)
    }
}

impl Eq for UserContext {}

/// Shows what a log may hold: the id, roles and permissions, but neither the e-mail address nor
/// the values of attributes.
impl fmt::Debug for UserContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserContext")
            .field("id", &self.id())
            .field("email", &self.email().map(|_| REDACTED))
            .field("roles", &self.parts.roles.iter())
            .field("permissions", &self.parts.permissions.iter())
            .field("attributes", &self.attributes().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

/// Shows no more than the context itself does.
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
        &self.key.as_str()[self.name_at..]
    }
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.text == other.text
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

    /// Sets a further attribute, which travels as `x-user-<name>`. The name is lower-case letters,
    /// digits and single dashes between them.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets until when this is known to be so; see [`UserContext::expires_at`].
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.fields.expires_at = Some(time);
        self
    }

    /// Sets the size in bytes that the encoded context may have, in place of
    /// [`UserContext::DEFAULT_MAX_SIZE`]. Each key counts as gRPC counts metadata: its name, its
    /// value, and 32.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }
}
