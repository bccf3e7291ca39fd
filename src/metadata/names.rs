//! The keys of the context, reserved names, and how they are compared and stripped.
//!
//! Names are compared *folded*: letters in lower case, everything but letters and digits dropped.
//! Software between a proxy and a service (CGI, WSGI, message brokers, hand-written code) replaces
//! or drops dashes, so that a reader may take `x_user_id` or `X.User--Id` for `x-user-id`. Folding
//! treats all these spellings as the same name.

use http::header::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use crate::context::ContextError;

/// The key of the user's id.
pub(super) const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
/// The key of the user's e-mail address.
pub(super) const EMAIL: HeaderName = HeaderName::from_static("x-user-email");
/// The key of the list of roles.
pub(super) const ROLES: HeaderName = HeaderName::from_static("x-user-roles");
/// The key of the list of permissions.
pub(super) const PERMISSIONS: HeaderName = HeaderName::from_static("x-user-permissions");
/// The prefix of all keys of the context.
pub(super) const PREFIX: &str = "x-user-";

/// The kinds of reserved names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reserved {
    /// The user context: folds to `xuser…`.
    Context,
    /// Credentials that the edge authenticates and strips: folds to `authorization…` or
    /// `proxyauthorization…`.
    Credential,
    /// Transaction tokens (draft-ietf-oauth-transaction-tokens): folds to `txntoken…`.
    TransactionToken,
}

impl Reserved {
    /// Returns the kind of a reserved name, or `None`. The first two letters rule out most names
    /// without folding.
    pub(crate) fn classify(name: &str) -> Option<Self> {
        let (first, second) = match *name.as_bytes() {
            [b'x', b'-', b'u', b's', b'e', b'r', ..] => return Some(Self::Context),
            _ if name == "authorization" => return Some(Self::Credential),
            [first, b'-', second, ..] | [first, second, ..] => (first, second),
            _ => return Self::classify_folded(name),
        };
        let is_other = first.is_ascii_lowercase()
            && second.is_ascii_lowercase()
            && !matches!((first, second), (b'a' | b'x', b'u') | (b'p', b'r') | (b't', b'x'));
        if is_other { None } else { Self::classify_folded(name) }
    }

    fn classify_folded(name: &str) -> Option<Self> {
        const FOLDED: [(&[u8], Reserved); 4] = [
            (b"xuser", Reserved::Context),
            (b"authorization", Reserved::Credential),
            (b"proxyauthorization", Reserved::Credential),
            (b"txntoken", Reserved::TransactionToken),
        ];
        FOLDED.into_iter().find(|(prefix, _)| folds_to_prefix(name, prefix)).map(|(_, kind)| kind)
    }
}

/// Whether a field name is reserved for identity, and therefore not accepted from clients.
///
/// A name is compared folded: letters in lower case, everything but letters and digits dropped. It
/// is reserved if the result starts with `xuser`, `txntoken`, `authorization` or
/// `proxyauthorization`.
///
/// ```
/// use tonic_passport::metadata::is_reserved;
///
/// for name in ["x-user-id", "x_user_id", "X.User--Roles", "x user id", "authorization"] {
///     assert!(is_reserved(name), "{name}");
/// }
/// for name in ["x-request-id", "user-id", "x-us", "traceparent"] {
///     assert!(!is_reserved(name), "{name}");
/// }
/// ```
pub fn is_reserved(name: &str) -> bool {
    Reserved::classify(name).is_some()
}

/// Removes the reserved fields whose kind matches `which`.
pub(crate) fn strip(headers: &mut HeaderMap, which: impl Fn(Reserved) -> bool) {
    remove(headers, |name| Reserved::classify(name.as_str()).is_some_and(&which));
}

/// Removes the fields whose name matches `which`.
pub(crate) fn remove(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    // Most headers hold none, and then nothing is collected.
    if !headers.keys().any(&which) {
        return;
    }
    let names: SmallVec<[HeaderName; 4]> =
        headers.keys().filter(|name| which(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether a field is connection-specific (RFC 9110, section 7.6.1), and not allowed in HTTP/2.
///
/// hyper removes all fields that `connection` lists when it sends a request over HTTP/2. A client
/// that sends `connection: x-user-id` could thereby remove the metadata that the edge has written.
pub(crate) fn is_connection_field(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

/// A key of the context, in its canonical spelling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ContextKey<'a> {
    Id,
    Email,
    Roles,
    Permissions,
    Attribute(&'a str),
}

impl<'a> ContextKey<'a> {
    /// Parses a field name. Returns `None` for a name that is unrelated to the context, and an
    /// error for an alias.
    pub(crate) fn parse(name: &'a HeaderName) -> Result<Option<Self>, ContextError> {
        if Reserved::classify(name.as_str()) != Some(Reserved::Context) {
            return Ok(None);
        }
        let aliased = || ContextError::Aliased { key: name.to_string() };
        let suffix = name.as_str().strip_prefix(PREFIX).ok_or_else(aliased)?;
        match suffix {
            "id" => Ok(Some(Self::Id)),
            "email" => Ok(Some(Self::Email)),
            "roles" => Ok(Some(Self::Roles)),
            "permissions" => Ok(Some(Self::Permissions)),
            name if is_attribute_name(name) => Ok(Some(Self::Attribute(name))),
            _ => Err(aliased()),
        }
    }
}

/// The metadata key of the attribute with this name.
pub(super) fn attribute_key(name: &str) -> Result<HeaderName, ContextError> {
    let invalid = || ContextError::AttributeName { name: name.to_owned() };
    if !is_attribute_name(name) {
        return Err(invalid());
    }
    HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| invalid())
}

/// Whether an attribute may have this name: lower-case letters, digits and single dashes between
/// them; no suffix `-bin`, which marks binary metadata in gRPC; no alias of a standard key.
fn is_attribute_name(name: &str) -> bool {
    let is_well_formed = name.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
    });
    let is_binary = name == "bin" || name.ends_with("-bin");
    let is_alias =
        ["id", "email", "roles", "permissions"].into_iter().any(|key| folded(name).eq(key.bytes()));
    is_well_formed && !is_binary && !is_alias
}

/// The folded form of a name: its ASCII letters and digits, in lower case.
pub(crate) fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

fn folds_to_prefix(name: &str, prefix: &[u8]) -> bool {
    let mut folded = folded(name);
    prefix.iter().all(|expected| folded.next() == Some(*expected))
}
