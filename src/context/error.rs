//! Errors of building and reading a context, and of missing access.

/// Error of building or reading a [`UserContext`](super::UserContext).
///
/// `key` is the metadata key of the offending value, such as `x-user-roles`. The values themselves
/// are never part of an error.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A metadata key resembles a key of the context, but is not its canonical spelling:
    /// `x_user_id`, `x-userid`, `x-user-id-bin`, or two attributes that differ only in dashes.
    #[error("{key:?} is an alias of a context key")]
    Aliased {
        /// The key as it was received.
        key: String,
    },

    /// The name of an attribute is not made of lower-case letters, digits and single dashes between
    /// them, ends in `-bin`, or is an alias of a standard key.
    #[error("{name:?} is not a valid attribute name")]
    AttributeName {
        /// The name as it was given.
        name: String,
    },

    /// A value contains a control character (Unicode category Cc: NUL, CR, LF, DEL, …).
    #[error("{key} contains a control character")]
    ControlCharacter {
        /// The value's metadata key.
        key: String,
    },

    /// A value, or an item of a list, is empty.
    #[error("{key} contains an empty value")]
    Empty {
        /// The value's metadata key.
        key: String,
    },

    /// A `%` is not followed by two hexadecimal digits.
    #[error("{key} contains a malformed percent-escape")]
    MalformedEscape {
        /// The value's metadata key.
        key: String,
    },

    /// There are context keys, but no `x-user-id` among them.
    #[error("x-user-id is missing")]
    MissingId,

    /// The header map has reached its maximum number of fields, so the context cannot be added.
    #[error("the headers have too many fields to add the context")]
    HeadersFull,

    /// The decoded bytes are not UTF-8.
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

    /// The encoded context exceeds the maximum size.
    #[error("the encoded context has {size} bytes, the maximum is {max_size}")]
    TooLarge {
        /// The encoded size in bytes: name, value and 32 for each key. A reader stops counting at
        /// the key that exceeds the maximum.
        size: usize,
        /// The maximum size in bytes.
        max_size: usize,
    },

    /// A value contains a byte that must be percent-encoded: one outside of 0x20–0x7E, or a leading
    /// or trailing space.
    #[error("{key} contains a byte that must be percent-encoded")]
    Unencoded {
        /// The value's metadata key.
        key: String,
    },
}

/// Authorization failure: the user is authenticated, but lacks access.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessDenied {
    /// Access is denied for a reason other than a missing permission or role; for checks of the
    /// application.
    #[error("the user may not do this")]
    NotAllowed,

    /// The user lacks a permission.
    #[error("the permission {permission:?} is required")]
    PermissionMissing {
        /// The permission's name.
        permission: String,
    },

    /// The user does not meet a rule that combines several requirements.
    #[error("{required} is required")]
    RequirementMissing {
        /// The rule in readable form: `any of (role "admin", permission "orders:read")`.
        required: String,
    },

    /// The user lacks a role.
    #[error("the role {role:?} is required")]
    RoleMissing {
        /// The role's name.
        role: String,
    },

    /// The policy has no rule for the method.
    #[error("there is no rule for the method")]
    RuleMissing {
        /// The method's path.
        method: String,
    },
}
