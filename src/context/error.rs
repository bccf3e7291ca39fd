//! What is no context, and what a user may not do.

/// Why something is not a [`UserContext`](super::UserContext).
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
    /// The user may not do this, for a reason that is no permission or role: for checks of your
    /// own.
    #[error("the user may not do this")]
    NotAllowed,

    /// The user lacks a permission.
    #[error("the permission {permission:?} is required")]
    PermissionMissing {
        /// The permission's name.
        permission: String,
    },

    /// The user lacks what a rule of several parts asks for.
    #[error("{required} is required")]
    RequirementMissing {
        /// The rule, for people: `any of (role "admin", permission "orders:read")`.
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
