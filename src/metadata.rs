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

use crate::context::{ContextError, ContextFields, UserContext, UserContextBuilder};

mod encoding;
mod names;

pub(crate) use names::{ContextKey, Reserved, folded, is_connection_field, remove, strip};
pub use names::{EMAIL, PERMISSIONS, PREFIX, ROLES, USER_ID, is_reserved};

/// What gRPC counts for a key besides the bytes of its name and value.
const OVERHEAD: usize = 32;

impl UserContextBuilder {
    /// Makes the context.
    ///
    /// # Errors
    ///
    /// A [`ContextError`] that names the key when a value is empty or holds a control character,
    /// when an attribute's name is not one, or when the whole is larger than its budget.
    pub fn build(self) -> Result<UserContext, ContextError> {
        let Self { fields, budget } = self;
        let mut encoded = Vec::with_capacity(4 + fields.attributes.len());

        encoded.push((USER_ID, encoding::encode(&USER_ID, &fields.id)?));
        if let Some(email) = &fields.email {
            encoded.push((EMAIL, encoding::encode(&EMAIL, email)?));
        }
        for (key, list) in [(ROLES, &fields.roles), (PERMISSIONS, &fields.permissions)] {
            if !list.is_empty() {
                let value = encoding::encode_list(&key, list)?;
                encoded.push((key, value));
            }
        }
        for (name, value) in &fields.attributes {
            let key = names::attribute_key(name)?;
            let value = encoding::encode(&key, value)?;
            reject_alias(&encoded, &key)?;
            encoded.push((key, value));
        }

        let size = encoded.iter().map(|(key, value)| field_size(key, value)).sum();
        if size > budget {
            return Err(ContextError::TooLarge { size, budget });
        }
        Ok(UserContext::from_parts(fields, encoded.into_boxed_slice()))
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
        let encoded = self.encoded();
        encoded.len() == fields.len()
            && encoded.iter().all(|(key, value)| {
                fields.iter().any(|(name, written)| *name == key && *written == value)
            })
    }

    /// Writes the context into headers that have been stripped already: all of it, or nothing.
    pub(crate) fn append_to(&self, headers: &mut HeaderMap) -> Result<(), ContextError> {
        for (key, value) in self.encoded() {
            if headers.try_insert(key, value.clone()).is_err() {
                strip(headers, |kind| kind == Reserved::Context);
                return Err(ContextError::NoRoom);
            }
        }
        Ok(())
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
    /// [`DEFAULT_BUDGET`](Self::DEFAULT_BUDGET).
    pub fn read_from(headers: &HeaderMap) -> Result<Option<UserContext>, ContextError> {
        read(headers, Self::DEFAULT_BUDGET)
    }
}

/// Reads a context of up to `budget` bytes; fields that are none of its keys are passed over.
pub(crate) fn read<'a>(
    headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    budget: usize,
) -> Result<Option<UserContext>, ContextError> {
    let mut fields = ContextFields::default();
    let mut encoded: Vec<(HeaderName, HeaderValue)> = Vec::new();
    let mut size = 0;

    for (key, value) in headers {
        let Some(context_key) = ContextKey::parse(key)? else {
            continue;
        };
        // The size comes before the content: what is too large is not worth decoding.
        size += field_size(key, value);
        if size > budget {
            return Err(ContextError::TooLarge { size, budget });
        }
        reject_alias(&encoded, key)?;
        match context_key {
            ContextKey::Id => fields.id = encoding::decode(key, value)?,
            ContextKey::Email => fields.email = Some(encoding::decode(key, value)?),
            ContextKey::Roles => fields.roles = encoding::decode_list(key, value)?,
            ContextKey::Permissions => fields.permissions = encoding::decode_list(key, value)?,
            ContextKey::Attribute(name) => {
                fields.attributes.insert(name.to_owned(), encoding::decode(key, value)?);
            }
        }
        encoded.push((key.clone(), value.clone()));
    }

    match (encoded.is_empty(), fields.id.is_empty()) {
        (true, _) => Ok(None),
        (false, true) => Err(ContextError::MissingId),
        (false, false) => Ok(Some(UserContext::from_parts(fields, encoded.into_boxed_slice()))),
    }
}

/// Refuses a key that is already there, or differs from one that is in dashes only.
fn reject_alias(
    present: &[(HeaderName, HeaderValue)],
    key: &HeaderName,
) -> Result<(), ContextError> {
    for (other, _) in present {
        if other == key {
            return Err(ContextError::Repeated { key: key.to_string() });
        }
        if names::folded(other.as_str()).eq(names::folded(key.as_str())) {
            return Err(ContextError::Aliased { key: key.to_string() });
        }
    }
    Ok(())
}

fn field_size(key: &HeaderName, value: &HeaderValue) -> usize {
    key.as_str().len() + value.len() + OVERHEAD
}
