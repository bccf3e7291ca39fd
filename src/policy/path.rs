//! The path of a method.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use crate::util::byte_set::ByteSet;

/// The path of a gRPC method: `/package.Service/Method`.
///
/// Only the canonical spelling is one: letters, digits, `_` and `.`, exactly two slashes, no query
/// and no escapes. What else may reach a server as a path is refused before any decision is made,
/// because a rule for one spelling must not be evaded with another.
///
/// ```
/// use tonic_passport::policy::MethodPath;
///
/// assert!("/shop.v1.OrderService/GetOrder".parse::<MethodPath>().is_ok());
/// assert!("/shop.v1.OrderService/GetOrder/".parse::<MethodPath>().is_err());
/// assert!("/shop.v1.OrderService/%47etOrder".parse::<MethodPath>().is_err());
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MethodPath(Cow<'static, str>);

/// The text is not the canonical path of a gRPC method.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path:?} is not of the form /package.Service/Method")]
pub struct InvalidMethodPath {
    path: String,
}

impl InvalidMethodPath {
    /// The text.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl MethodPath {
    pub(super) const fn new_static(path: &'static str) -> Self {
        Self(Cow::Borrowed(path))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full name of the method's service: `package.Service`.
    pub fn service(&self) -> &str {
        service_of(&self.0)
    }

    /// Whether this text is the canonical path of a method.
    pub(crate) fn is_canonical(path: &str) -> bool {
        let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        parts.is_some_and(|(service, method)| is_service_name(service) && is_identifier(method))
    }
}

/// The part of a path that names the service.
pub(super) fn service_of(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// The bytes that an identifier has.
static IDENTIFIER: ByteSet = ByteSet::alphanumeric_and(b"_");

/// Whether this is the full name of a service: identifiers joined by dots.
pub(crate) fn is_service_name(name: &str) -> bool {
    let mut before = b'.';
    for byte in name.bytes() {
        if !IDENTIFIER.contains(byte) && (byte != b'.' || before == b'.') {
            return false;
        }
        before = byte;
    }
    before != b'.'
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && IDENTIFIER.contains_all(name.as_bytes())
}

impl FromStr for MethodPath {
    type Err = InvalidMethodPath;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        if Self::is_canonical(path) {
            Ok(Self(Cow::Owned(path.to_owned())))
        } else {
            Err(InvalidMethodPath { path: path.to_owned() })
        }
    }
}

impl TryFrom<&str> for MethodPath {
    type Error = InvalidMethodPath;

    fn try_from(path: &str) -> Result<Self, Self::Error> {
        path.parse()
    }
}

impl AsRef<str> for MethodPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MethodPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes and compares as its text does, so that a set of paths can be asked for a `&str`.
impl Borrow<str> for MethodPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}
