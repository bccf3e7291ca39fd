//! The `x-user-*` metadata format: encoder, decoder and reserved names.
//!
//! | key | value |
//! |---|---|
//! | `x-user-id` | the user's id; required |
//! | `x-user-email` | one e-mail address |
//! | `x-user-roles` | a list |
//! | `x-user-permissions` | a list |
//! | `x-user-<name>` | an additional attribute |
//!
//! - Values are text. All bytes outside of 0x20–0x7E, `%`, a leading or trailing space, and `,`
//!   within an item of a list are percent-encoded.
//! - A list joins its items with `,`. An empty list is not written.
//! - A key appears once. A repeated key is an error; the values are never joined.
//! - All names that [fold](is_reserved) to `xuser…` are reserved: written by this crate only, and
//!   stripped from what a client sends.
//! - A malformed or oversized context is rejected as a whole, never repaired or truncated.
//!
//! `docs/wire-format.md` has the full specification, with test vectors for other languages.
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
    Attribute, ContextError, ContextFields, EncodedContext, EncodedList, UserContext,
    UserContextBuilder,
};

mod encoding;
mod names;

pub use names::is_reserved;
use names::{ContextKey, EMAIL, PERMISSIONS, PREFIX, ROLES, USER_ID};
pub(crate) use names::{Reserved, folded, is_connection_field, remove, strip};

/// The bytes that gRPC counts for a field in addition to its name and value (RFC 9113, section
/// 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// The upper bound of any maximum size: positions within a value are stored in 32 bits.
const MAX_SIZE_LIMIT: usize = u32::MAX as usize;

impl UserContextBuilder {
    /// Builds the context.
    ///
    /// # Errors
    ///
    /// A [`ContextError`] that names the key if a value is empty or contains a control character,
    /// if the name of an attribute is invalid, or if the encoded context exceeds its maximum size.
    pub fn build(self) -> Result<UserContext, ContextError> {
        let Self { fields, max_size } = self;
        let ContextFields { id, email, roles, permissions, attributes, expires_at, clock } = fields;
        let encode_list = |key, items: Vec<String>| {
            if items.is_empty() {
                Ok(EncodedList::default())
            } else {
                encoding::encode_list(&key, &items)
            }
        };

        let id = encoding::encode(&USER_ID, id)?;
        let email = email.map(|email| encoding::encode(&EMAIL, email)).transpose()?;
        let roles = encode_list(ROLES, roles)?;
        let permissions = encode_list(PERMISSIONS, permissions)?;
        let mut encoded = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            let key = names::attribute_key(&name)?;
            let value = encoding::encode(&key, value)?;
            reject_duplicate(&encoded, &key)?;
            encoded.push(Attribute { key, prefix_len: PREFIX.len(), value });
        }

        let attributes = encoded;
        let context = UserContext::from_encoded(EncodedContext {
            id,
            email,
            roles,
            permissions,
            attributes,
            expires_at,
            clock,
        });
        let mut size = 0;
        context.try_for_each_field(|key, value| {
            size += field_size(&key, value);
            true
        });
        let max_size = max_size.min(MAX_SIZE_LIMIT);
        if size > max_size {
            return Err(ContextError::TooLarge { size, max_size });
        }
        Ok(context)
    }
}

impl UserContext {
    /// Writes the context into headers. Identity that they have already is removed first, in any
    /// spelling: all names that fold to `xuser…`.
    ///
    /// # Errors
    ///
    /// [`ContextError::HeadersFull`] if the headers have tens of thousands of other fields. No part of
    /// the context is written then.
    pub fn write_to(&self, headers: &mut HeaderMap) -> Result<(), ContextError> {
        strip(headers, |kind| kind == Reserved::Context);
        self.append_to(headers)
    }

    /// Whether these fields are exactly the encoded context that was read from them: all of its
    /// fields and no others. If so, they need not be rewritten.
    pub(crate) fn is_written_as(&self, fields: &[(&HeaderName, &HeaderValue)]) -> bool {
        let mut count = 0;
        let all = self.try_for_each_field(|key, value| {
            count += 1;
            fields.iter().any(|(name, written)| {
                // A value that was read from a field shares its bytes, so that comparing the
                // addresses is enough.
                let is_shared = value.as_bytes().as_ptr() == written.as_bytes().as_ptr();
                is_shared && value.len() == written.len() && **name == key
            })
        });
        all && count == fields.len()
    }

    /// Writes the context into headers whose reserved fields are stripped already. If there is no
    /// room for all fields, none is written.
    pub(crate) fn append_to(&self, headers: &mut HeaderMap) -> Result<(), ContextError> {
        let is_written =
            self.try_for_each_field(|key, value| headers.try_insert(key, value.clone()).is_ok());
        if is_written {
            return Ok(());
        }
        strip(headers, |kind| kind == Reserved::Context);
        Err(ContextError::HeadersFull)
    }

    /// An upper bound of the number of fields that the context is written as.
    pub(crate) fn max_field_count(&self) -> usize {
        4 + self.encoded().attributes.len()
    }

    /// Calls `f` with each encoded field until it returns `false`. Returns whether all calls
    /// returned `true`.
    fn try_for_each_field(&self, mut f: impl FnMut(HeaderName, &HeaderValue) -> bool) -> bool {
        let EncodedContext { id, email, roles, permissions, attributes, .. } = self.encoded();
        f(USER_ID, id.encoded())
            && email.as_ref().is_none_or(|email| f(EMAIL, email.encoded()))
            && roles.encoded().is_none_or(|roles| f(ROLES, roles))
            && permissions.encoded().is_none_or(|permissions| f(PERMISSIONS, permissions))
            && attributes
                .iter()
                .all(|attribute| f(attribute.key.clone(), attribute.value.encoded()))
    }

    /// Reads a context from the headers of a trusted sender; `None` if they have no key of one.
    ///
    /// This validates the format only, and does not authenticate the sender. Servers use
    /// [`ForwardedContext`](crate::ForwardedContext), whose constructor names the reason for trust.
    ///
    /// # Errors
    ///
    /// A [`ContextError`] that names the key if one is repeated, aliased or malformed, if
    /// `x-user-id` is missing but another key is there, or if the context is larger than
    /// [`DEFAULT_MAX_SIZE`](Self::DEFAULT_MAX_SIZE).
    pub fn read_from(headers: &HeaderMap) -> Result<Option<UserContext>, ContextError> {
        read(headers, Self::DEFAULT_MAX_SIZE)
    }
}

/// Reads a context of up to `max_size` bytes. Fields that are not part of a context are ignored.
pub(crate) fn read<'a>(
    headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    max_size: usize,
) -> Result<Option<UserContext>, ContextError> {
    UserContext::try_init(|encoded| read_into(encoded, headers, max_size))
}

/// Reads the values of a context into an empty one. Returns `false` if there are none.
fn read_into<'a>(
    encoded: &mut EncodedContext,
    headers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    max_size: usize,
) -> Result<bool, ContextError> {
    let mut size = 0;
    let max_size = max_size.min(MAX_SIZE_LIMIT);

    for (key, value) in headers {
        let context_key = match standard_key(key.as_str()) {
            Some(standard) => standard,
            None => match ContextKey::parse(key)? {
                Some(other) => other,
                None => continue,
            },
        };
        // The size is checked before decoding, so that an oversized value costs no work.
        size += field_size(key, value);
        if size > max_size {
            return Err(ContextError::TooLarge { size, max_size });
        }
        let once = |is_first: bool| {
            if is_first { Ok(()) } else { Err(ContextError::Repeated { key: key.to_string() }) }
        };
        match context_key {
            ContextKey::Id => {
                once(encoded.id.is_empty())?;
                encoded.id = encoding::decode(key, value)?;
            }
            ContextKey::Email => {
                once(encoded.email.is_none())?;
                encoded.email = Some(encoding::decode(key, value)?);
            }
            ContextKey::Roles => {
                once(encoded.roles.is_empty())?;
                encoding::decode_list(key, value, &mut encoded.roles)?;
            }
            ContextKey::Permissions => {
                once(encoded.permissions.is_empty())?;
                encoding::decode_list(key, value, &mut encoded.permissions)?;
            }
            ContextKey::Attribute(_) => {
                reject_duplicate(&encoded.attributes, key)?;
                let value = encoding::decode(key, value)?;
                let prefix_len = PREFIX.len();
                encoded.attributes.push(Attribute { key: key.clone(), prefix_len, value });
            }
        }
    }

    if size > 0 && encoded.id.is_empty() {
        return Err(ContextError::MissingId);
    }
    encoded.attributes.sort_unstable_by(|one, other| one.name().cmp(other.name()));
    Ok(size > 0)
}

/// Returns the standard key with exactly this name. Avoids folding the name, which only attributes
/// and aliases need.
#[inline]
fn standard_key(name: &str) -> Option<ContextKey<'_>> {
    match name {
        "x-user-id" => Some(ContextKey::Id),
        "x-user-email" => Some(ContextKey::Email),
        "x-user-roles" => Some(ContextKey::Roles),
        "x-user-permissions" => Some(ContextKey::Permissions),
        _ => None,
    }
}

/// Rejects an attribute that is present already, or that differs from a present one only in dashes.
/// Aliases of the standard keys are rejected where a key is parsed.
fn reject_duplicate(present: &[Attribute], key: &HeaderName) -> Result<(), ContextError> {
    for other in present {
        if other.key == key {
            return Err(ContextError::Repeated { key: key.to_string() });
        }
        if folded(other.key.as_str()).eq(folded(key.as_str())) {
            return Err(ContextError::Aliased { key: key.to_string() });
        }
    }
    Ok(())
}

/// The size of a field in bytes, as gRPC and HTTP/2 count it.
pub(crate) fn field_size(key: &HeaderName, value: &HeaderValue) -> usize {
    key.as_str().len() + value.len() + FIELD_OVERHEAD
}
