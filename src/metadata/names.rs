//! The context's keys, and the names that nobody else may use.
//!
//! Names are compared *folded*: letters lower-cased, everything but letters and digits dropped.
//! Whatever turns dashes into underscores, dots or nothing on the way to a reader (CGI, WSGI,
//! message brokers, hand-written code) folds `x_user_id` and `X.User--Id` into the same name, so
//! all of them are treated as one.

use http::header::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use crate::context::ContextError;

/// The key of the user's id.
pub const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
/// The key of the user's e-mail address.
pub const EMAIL: HeaderName = HeaderName::from_static("x-user-email");
/// The key of the list of roles.
pub const ROLES: HeaderName = HeaderName::from_static("x-user-roles");
/// The key of the list of permissions.
pub const PERMISSIONS: HeaderName = HeaderName::from_static("x-user-permissions");
/// What every key of the context begins with.
pub const PREFIX: &str = "x-user-";

/// What a reserved name is reserved for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reserved {
    /// The user context: what folds to `xuser…`.
    Context,
    /// What proves an identity to the edge, and goes no further: `authorization…`,
    /// `proxy-authorization…`.
    Credential,
    /// Transaction tokens (draft-ietf-oauth-transaction-tokens): `txn-token…`.
    TransactionToken,
}

impl Reserved {
    /// What the name is reserved for, if it is. Most names are told by their first two letters.
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

/// Whether a name is reserved for identity, so that a request from outside must not bring it along:
/// all that folds to `xuser…`, `txntoken…`, `authorization…` or `proxyauthorization…`.
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

/// Removes the reserved fields that `which` picks.
pub(crate) fn strip(headers: &mut HeaderMap, which: impl Fn(Reserved) -> bool) {
    remove(headers, |name| Reserved::classify(name.as_str()).is_some_and(&which));
}

/// Removes the fields that `which` picks.
pub(crate) fn remove(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let names: SmallVec<[HeaderName; 4]> =
        headers.keys().filter(|name| which(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether a field is for one HTTP/1 connection only (RFC 9110, section 7.6.1). HTTP/2 knows none of
/// them, and hyper removes the fields that `connection` names when it sends a request over HTTP/2: a
/// client could take away what was written about it.
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
    /// `None` for a name that has nothing to do with the context; an error for an alias.
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

/// The key of an attribute.
pub(super) fn attribute_key(name: &str) -> Result<HeaderName, ContextError> {
    let invalid = || ContextError::AttributeName { name: name.to_owned() };
    if !is_attribute_name(name) {
        return Err(invalid());
    }
    HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| invalid())
}

/// Lower-case letters, digits and single dashes between them; not `-bin`, which gRPC would take
/// for binary metadata; nothing that folds to a key of the context.
fn is_attribute_name(name: &str) -> bool {
    let words = name.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
    });
    let binary = name == "bin" || name.ends_with("-bin");
    let alias =
        ["id", "email", "roles", "permissions"].into_iter().any(|own| folded(name).eq(own.bytes()));
    words && !binary && !alias
}

/// The letters and digits of a name, lower-cased.
pub(crate) fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

fn folds_to_prefix(name: &str, prefix: &[u8]) -> bool {
    let mut folded = folded(name);
    prefix.iter().all(|expected| folded.next() == Some(*expected))
}
