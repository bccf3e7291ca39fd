//! Who is calling, and what they may do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

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
    inner: Arc<Inner>,
}

struct Inner {
    fields: ContextFields,
    /// The fields as they are written into metadata, prepared when the context is made.
    encoded: Box<[(HeaderName, HeaderValue)]>,
}

/// The plain data of a context.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct ContextFields {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) permissions: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// Makes a [`UserContext`]; see [`UserContext::builder`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct UserContextBuilder {
    pub(crate) fields: ContextFields,
    pub(crate) budget: usize,
}

/// Why something is not a [`UserContext`].
///
/// `key` is the metadata key of the value in question, such as `x-user-roles`. The values
/// themselves are never part of an error.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A metadata key that reads like one of the context, but is not written like it:
    /// `x_user_id`, `x-userid`, `x-user-id-bin`, or two attributes that differ in dashes only.
    #[error("{key:?} is an alias of a context key")]
    Aliased {
        /// The key as it was received.
        key: String,
    },

    /// The name of an attribute is not lower-case letters, digits and single dashes between them,
    /// ends in `-bin`, or stands for one of the context's own keys.
    #[error("{name:?} is not a name for an attribute")]
    AttributeName {
        /// The name as it was given.
        name: String,
    },

    /// A value holds a control character (Unicode category Cc: NUL, CR, LF, DEL, …).
    #[error("{key} holds a control character")]
    ControlCharacter {
        /// The value's metadata key.
        key: String,
    },

    /// A value, or an item of a list, is empty.
    #[error("{key} holds an empty value")]
    Empty {
        /// The value's metadata key.
        key: String,
    },

    /// A `%` is not followed by two hexadecimal digits.
    #[error("{key} holds a malformed percent-escape")]
    MalformedEscape {
        /// The value's metadata key.
        key: String,
    },

    /// There are context keys, but no `x-user-id` among them.
    #[error("x-user-id is missing")]
    MissingId,

    /// The headers hold so many other fields that there is no room for the context.
    #[error("the headers hold too many fields")]
    NoRoom,

    /// The unescaped bytes are not UTF-8.
    #[error("{key} is not UTF-8")]
    NotUtf8 {
        /// The value's metadata key.
        key: String,
    },

    /// A key appears more than once.
    #[error("{key} is repeated")]
    Repeated {
        /// The metadata key.
        key: String,
    },

    /// The encoded context is larger than its budget.
    #[error("the context has {size} bytes, {budget} are allowed")]
    TooLarge {
        /// The encoded size in bytes: name, value and 32 for each key. A reader stops counting at
        /// the key that goes over the budget.
        size: usize,
        /// The budget in bytes.
        budget: usize,
    },

    /// A value holds a byte that must be percent-encoded: one outside of 0x20–0x7E, or a leading
    /// or trailing space.
    #[error("{key} holds a byte that must be percent-encoded")]
    Unencoded {
        /// The value's metadata key.
        key: String,
    },
}

/// The user is known, but may not do this.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessDenied {
    /// The user lacks a permission.
    #[error("the permission {permission:?} is required")]
    PermissionMissing {
        /// The permission's name.
        permission: String,
    },

    /// The user lacks a role.
    #[error("the role {role:?} is required")]
    RoleMissing {
        /// The role's name.
        role: String,
    },
}

impl UserContext {
    /// The size in bytes that an encoded context may have by default: 4 KiB, a quarter of what
    /// tonic accepts for all metadata of a call.
    pub const DEFAULT_BUDGET: usize = 4 * 1024;

    /// Starts a context for the user with this id (in a token: the subject).
    pub fn builder(id: impl Into<String>) -> UserContextBuilder {
        UserContextBuilder {
            fields: ContextFields { id: id.into(), ..ContextFields::default() },
            budget: Self::DEFAULT_BUDGET,
        }
    }

    pub(crate) fn from_parts(
        fields: ContextFields,
        encoded: Box<[(HeaderName, HeaderValue)]>,
    ) -> Self {
        Self { inner: Arc::new(Inner { fields, encoded }) }
    }

    pub(crate) fn encoded(&self) -> &[(HeaderName, HeaderValue)] {
        &self.inner.encoded
    }

    /// An upper estimate of the bytes that the context takes up.
    pub(crate) fn size(&self) -> usize {
        let Inner { fields, encoded } = &*self.inner;
        // The least that an allocator hands out, and what it keeps beside it.
        let heap = |bytes: usize| (bytes + 16).max(32);
        let text = |text: &String| size_of::<String>() + heap(text.capacity());
        let list = |list: &Vec<String>| {
            let slots = list.capacity() * size_of::<String>();
            slots + list.iter().map(|item| heap(item.capacity())).sum::<usize>()
        };
        let field = size_of::<(HeaderName, HeaderValue)>();
        size_of::<Inner>()
            + fields.id.capacity()
            + fields.email.as_ref().map_or(0, String::capacity)
            + list(&fields.roles)
            + list(&fields.permissions)
            // A map's nodes are half empty, and hold pointers besides.
            + fields.attributes.iter().map(|(k, v)| 3 * (text(k) + text(v))).sum::<usize>()
            // A value is counted with what sharing it takes.
            + encoded.iter().map(|(_, v)| field + heap(v.len()) + 2 * heap(0)).sum::<usize>()
    }

    pub(crate) fn expires_at(&self) -> Option<std::time::SystemTime> {
        None
    }

    /// The user's id; never empty.
    pub fn id(&self) -> &str {
        &self.inner.fields.id
    }

    /// The user's e-mail address, if the token carried one. An address is a means of contact; to
    /// tell users apart, use [`id`](Self::id).
    pub fn email(&self) -> Option<&str> {
        self.inner.fields.email.as_deref()
    }

    /// The user's roles, in the order the issuer gave.
    pub fn roles(&self) -> &[String] {
        &self.inner.fields.roles
    }

    /// The user's permissions, in the order the issuer gave.
    pub fn permissions(&self) -> &[String] {
        &self.inner.fields.permissions
    }

    /// A further attribute, such as `tenant`, which travels as `x-user-tenant`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.inner.fields.attributes.get(name).map(String::as_str)
    }

    /// All further attributes, sorted by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.fields.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the user has this role. Roles are compared byte by byte.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|own| own == role)
    }

    /// Whether the user has this permission. Permissions are compared byte by byte; none implies
    /// another.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions().iter().any(|own| own == permission)
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
        self.inner.fields == other.inner.fields
    }
}

impl Eq for UserContext {}

/// Shows what a log may hold: the id, roles and permissions, but neither the e-mail address nor
/// the values of attributes.
impl fmt::Debug for UserContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fields.debug("UserContext", f)
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
            .field("email", &self.email.as_ref().map(|_| "[redacted]"))
            .field("roles", &self.roles)
            .field("permissions", &self.permissions)
            .field("attributes", &self.attributes.keys())
            .finish()
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

    /// Sets the size in bytes that the encoded context may have, in place of
    /// [`UserContext::DEFAULT_BUDGET`]. Each key counts as gRPC counts metadata: its name, its
    /// value, and 32.
    pub fn budget(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }
}
