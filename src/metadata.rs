//! The user context as metadata: `x-user-*`.
//!
//! | key | value |
//! |---|---|
//! | `x-user-id` | the user's id; required |
//! | `x-user-email` | one address |
//! | `x-user-roles` | a list |
//! | `x-user-permissions` | a list |
//! | `x-user-<name>` | a further attribute |
//!
//! Values are text. What ASCII cannot show, `%`, a space at either end, and a `,` within a list's
//! item are percent-encoded; a list joins its items with `,`. No key appears twice. The whole
//! format, with test vectors for other languages, is in `docs/wire-format.md`.
//!
//! ```
//! use tonic_passport::UserContext;
//!
//! # fn main() -> Result<(), tonic_passport::ContextError> {
//! let user = UserContext::builder("user-42").roles(["buyer", "Zürich, west"]).build()?;
//!
//! let mut headers = http::HeaderMap::new();
//! user.write_to(&mut headers)?;
//! assert_eq!(headers["x-user-id"], "user-42");
//! assert_eq!(headers["x-user-roles"], "buyer,Z%C3%BCrich%2C west");
//!
//! assert_eq!(UserContext::read_from(&headers)?, Some(user));
//! # Ok(())
//! # }
//! ```

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::context::{
    Attribute, ContextError, ContextFields, ContextParts, List, UserContext, UserContextBuilder,
};

mod encoding;
mod names;

pub(crate) use names::{ContextKey, Reserved, folded, is_connection_field, remove, strip};
pub use names::{EMAIL, PERMISSIONS, PREFIX, ROLES, USER_ID, is_reserved};

/// What gRPC counts for a key besides the bytes of its name and value.
const OVERHEAD: usize = 32;

/// No budget is larger, so that 32 bits tell where in a value something is.
const LARGEST: usize = u32::MAX as usize;

impl UserContextBuilder {
    /// Makes the context.
    ///
    /// # Errors
    ///
    /// A [`ContextError`] that names the key when a value is empty or holds a control character,
    /// when an attribute's name is not one, or when the whole is larger than its budget.
    pub fn build(self) -> Result<UserContext, ContextError> {
        let Self { fields, budget } = self;
        let ContextFields { id, email, roles, permissions, attributes, expires_at, clock } = fields;
        let list = |key, items: Vec<String>| {
            if items.is_empty() { Ok(List::default()) } else { encoding::encode_list(&key, &items) }
        };

        let id = encoding::encode(&USER_ID, id)?;
        let email = email.map(|email| encoding::encode(&EMAIL, email)).transpose()?;
        let roles = list(ROLES, roles)?;
        let permissions = list(PERMISSIONS, permissions)?;
        let mut encoded = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            let key = names::attribute_key(&name)?;
            let text = encoding::encode(&key, value)?;
            reject_alias(&encoded, &key)?;
            encoded.push(Attribute { key, name_at: PREFIX.len(), text });
        }

        let attributes = encoded;
        let context = UserContext::from_parts(ContextParts {
            id,
            email,
            roles,
            permissions,
            attributes,
            expires_at,
            clock,
        });
        let mut size = 0;
        context.try_each_field(|key, value| {
            size += field_size(&key, value);
            true
        });
        let budget = budget.min(LARGEST);
        if size > budget {
            return Err(ContextError::TooLarge { size, budget });
        }
        Ok(context)
    }
}

impl UserContext {
    /// Writes the context into headers, in place of whatever identity they held: names that read
    /// like `x-user-*`, whatever their spelling, are removed first.
    ///
    /// # Errors
    ///
    /// [`ContextError::NoRoom`] when the headers hold tens of thousands of other fields. They hold
    /// no context then.
    pub fn write_to(&self, headers: &mut HeaderMap) -> Result<(), ContextError> {
        strip(headers, |kind| kind == Reserved::Context);
        self.append_to(headers)
    }

    /// Whether these fields are the context as it is written: all of it, and nothing else.
    pub(crate) fn is_written_as(&self, fields: &[(&HeaderName, &HeaderValue)]) -> bool {
        let mut count = 0;
        let all = self.try_each_field(|key, value| {
            count += 1;
            fields.iter().any(|(name, written)| {
                // What was read from these fields shares their bytes.
                let shared = value.as_bytes().as_ptr() == written.as_bytes().as_ptr();
                shared && value.len() == written.len() && **name == key
            })
        });
        all && count == fields.len()
    }

    /// Writes the context into headers that have been stripped already: all of it, or nothing.
    pub(crate) fn append_to(&self, headers: &mut HeaderMap) -> Result<(), ContextError> {
        let written =
            self.try_each_field(|key, value| headers.try_insert(key, value.clone()).is_ok());
        if written {
            return Ok(());
        }
        strip(headers, |kind| kind == Reserved::Context);
        Err(ContextError::NoRoom)
    }

    /// How many fields it is written as, at most.
    pub(crate) fn fields(&self) -> usize {
        4 + self.parts().attributes.len()
    }

    /// Shows each field that the context is written as, for as long as the answer is `true`. Whether
    /// it was to the end.
    fn try_each_field(&self, mut f: impl FnMut(HeaderName, &HeaderValue) -> bool) -> bool {
        let ContextParts { id, email, roles, permissions, attributes, .. } = self.parts();
        f(USER_ID, id.value())
            && email.as_ref().is_none_or(|email| f(EMAIL, email.value()))
            && roles.value().is_none_or(|roles| f(ROLES, roles))
            && permissions.value().is_none_or(|permissions| f(PERMISSIONS, permissions))
            && attributes.iter().all(|own| f(own.key.clone(), own.text.value()))
    }

    /// Reads a context from headers of a trusted sender; `None` when they hold no key of one.
    ///
    /// This checks the form, not the sender. Servers use
    /// [`ForwardedContext`](crate::ForwardedContext), which says why it may trust.
    ///
    /// # Errors
    ///
    /// A [`ContextError`] that names the key when one is repeated, aliased or malformed, when
    /// `x-user-id` is missing among others, or when the whole is larger than
    /// [`DEFAULT_MAX_SIZE`](Self::DEFAULT_MAX_SIZE).
    pub fn read_from(headers: &HeaderMap) -> Result<Option<UserContext>, ContextError> {
        read(headers, Self::DEFAULT_MAX_SIZE)
    }
}

/// Reads a context of up to `budget` bytes; fields that are none of its keys are passed over.
pub(crate) fn read<'a>(
    headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    budget: usize,
) -> Result<Option<UserContext>, ContextError> {
    UserContext::try_filled(|parts| read_parts(parts, headers, budget))
}

/// Reads the parts of a context; `false` when there are none.
fn read_parts<'a>(
    parts: &mut ContextParts,
    headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    budget: usize,
) -> Result<bool, ContextError> {
    let mut size = 0;
    let budget = budget.min(LARGEST);

    for (key, value) in headers {
        let context_key = match own_key(key.as_str()) {
            Some(own) => own,
            None => match ContextKey::parse(key)? {
                Some(other) => other,
                None => continue,
            },
        };
        // The size comes before the content: what is too large is not worth decoding.
        size += field_size(key, value);
        if size > budget {
            return Err(ContextError::TooLarge { size, budget });
        }
        let once = |is_first: bool| {
            if is_first { Ok(()) } else { Err(ContextError::Repeated { key: key.to_string() }) }
        };
        match context_key {
            ContextKey::Id => {
                once(parts.id.is_empty())?;
                parts.id = encoding::decode(key, value)?;
            }
            ContextKey::Email => {
                once(parts.email.is_none())?;
                parts.email = Some(encoding::decode(key, value)?);
            }
            ContextKey::Roles => {
                once(parts.roles.is_empty())?;
                encoding::decode_list(key, value, &mut parts.roles)?;
            }
            ContextKey::Permissions => {
                once(parts.permissions.is_empty())?;
                encoding::decode_list(key, value, &mut parts.permissions)?;
            }
            ContextKey::Attribute(_) => {
                reject_alias(&parts.attributes, key)?;
                let text = encoding::decode(key, value)?;
                let name_at = PREFIX.len();
                parts.attributes.push(Attribute { key: key.clone(), name_at, text });
            }
        }
    }

    if size > 0 && parts.id.is_empty() {
        return Err(ContextError::MissingId);
    }
    parts.attributes.sort_unstable_by(|one, other| one.name().cmp(other.name()));
    Ok(size > 0)
}

/// One of the context's own keys, told without folding it.
#[inline]
fn own_key(name: &str) -> Option<ContextKey<'_>> {
    match name {
        "x-user-id" => Some(ContextKey::Id),
        "x-user-email" => Some(ContextKey::Email),
        "x-user-roles" => Some(ContextKey::Roles),
        "x-user-permissions" => Some(ContextKey::Permissions),
        _ => None,
    }
}

/// Refuses an attribute that is already there, or differs from one that is in dashes only. None
/// differs in them only from a key of the context's own.
fn reject_alias(present: &[Attribute], key: &HeaderName) -> Result<(), ContextError> {
    for other in present {
        if other.key == key {
            return Err(ContextError::Repeated { key: key.to_string() });
        }
        if names::folded(other.key.as_str()).eq(names::folded(key.as_str())) {
            return Err(ContextError::Aliased { key: key.to_string() });
        }
    }
    Ok(())
}

pub(crate) fn field_size(key: &HeaderName, value: &HeaderValue) -> usize {
    key.as_str().len() + value.len() + OVERHEAD
}
