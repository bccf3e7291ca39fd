//! Paths of gRPC methods, and names of services.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

/// Canonical path of a gRPC method: `/package.Service/Method`.
///
/// | part | form |
/// |---|---|
/// | identifier | one or more ASCII letters, digits and `_` |
/// | service | one or more identifiers, joined by `.` |
/// | path | `/`, service, `/`, identifier |
///
/// There is no other spelling: no escapes, no query, no further slashes. Servers reject all other
/// paths before a policy is evaluated, so that a rule for one spelling of a method cannot be
/// evaded with another.
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

/// Error of parsing a [`MethodPath`]: the text is not the canonical path of a gRPC method.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path:?} is not of the form /package.Service/Method")]
pub struct InvalidMethodPath {
    path: String,
}

impl InvalidMethodPath {
    /// Returns the rejected text.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl MethodPath {
    /// Wraps a path that is known to be canonical.
    pub(super) const fn new_static(path: &'static str) -> Self {
        Self(Cow::Borrowed(path))
    }

    /// Returns the path as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the full name of the method's service: `package.Service`.
    pub fn service(&self) -> &str {
        service_of(&self.0)
    }

    /// Returns whether a text is the canonical path of a method.
    ///
    /// This runs for every call: a state machine reads each byte once, with one load and no branch.
    pub(crate) fn is_canonical(path: &str) -> bool {
        let state = path.bytes().fold(START, |state, byte| {
            // The remainder never changes the index. It lets the compiler omit the bounds check.
            NEXT_STATE[index(state, byte) % NEXT_STATE.len()]
        });
        state == IN_METHOD
    }
}

/// States of reading a path. [`NEXT_STATE`] has the transitions.
const START: u8 = 0;
/// At the beginning of an identifier of the service's name.
const BEFORE_SERVICE: u8 = 1;
/// In an identifier of the service's name.
const IN_SERVICE: u8 = 2;
/// At the beginning of the method's name.
const BEFORE_METHOD: u8 = 3;
/// In the method's name.
const IN_METHOD: u8 = 4;
/// Not a path. No byte leads out of this state.
const INVALID: u8 = 5;

/// The next state, by the current state (higher bits of the index) and the byte (lower eight bits).
static NEXT_STATE: [u8; 8 * 256] = next_states();

const fn next_states() -> [u8; 8 * 256] {
    let mut table = [INVALID; 8 * 256];
    let mut byte = 0;
    while byte < u8::MAX {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            table[index(BEFORE_SERVICE, byte)] = IN_SERVICE;
            table[index(IN_SERVICE, byte)] = IN_SERVICE;
            table[index(BEFORE_METHOD, byte)] = IN_METHOD;
            table[index(IN_METHOD, byte)] = IN_METHOD;
        }
        byte += 1;
    }
    table[index(START, b'/')] = BEFORE_SERVICE;
    table[index(IN_SERVICE, b'.')] = BEFORE_SERVICE;
    table[index(IN_SERVICE, b'/')] = BEFORE_METHOD;
    table
}

/// The index of the state that follows `state` on `byte`.
const fn index(state: u8, byte: u8) -> usize {
    (state as usize) << 8 | byte as usize
}

/// Returns the name of the service in a canonical path.
pub(super) fn service_of(path: &str) -> &str {
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    parts.map_or("", |(service, _)| service)
}

/// Returns whether a text is the full name of a service: identifiers joined by dots.
pub(crate) fn is_service_name(name: &str) -> bool {
    let is_identifier_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.split('.').all(|part| !part.is_empty() && part.bytes().all(is_identifier_byte))
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

/// Lets a set or map of paths be queried with a `&str`.
impl Borrow<str> for MethodPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reference implementation: splits the path, and checks its parts one after the other.
    fn is_canonical_by_parts(path: &str) -> bool {
        let is_identifier = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        parts.is_some_and(|(service, method)| {
            service.split('.').all(is_identifier) && is_identifier(method)
        })
    }

    #[test]
    fn a_canonical_path_has_a_service_and_a_method() {
        for path in ["/a/b", "/a.b/c", "/shop.v1.OrderService/GetOrder", "/_/_", "/1.2/3"] {
            assert!(MethodPath::is_canonical(path), "{path}");
            assert!(is_canonical_by_parts(path), "{path}");
        }
    }

    #[test]
    fn any_other_path_is_not_canonical() {
        let paths = [
            "", "/", "//", "///", "a", "a/b", "/a", "/a/", "//b", "/a//b", "//a/b", "/a/b/",
            "/a/b/c", "/./b", "/.a/b", "/a./b", "/a..b/c", "/a/b.c", "/a/.", "/a/.b", "/a/b.",
            "/a-b/c", "/a/b-c", "/a/b?", "/a/b?c", "/a/b c", " /a/b", "/a/b\n", "/a/%62", "/ä/b",
            "/a/ä", "/a\0/b",
        ];
        for path in paths {
            assert!(!MethodPath::is_canonical(path), "{path:?}");
            assert!(!is_canonical_by_parts(path), "{path:?}");
        }
    }

    /// Covers all texts of up to eight characters, one for each class of bytes.
    #[test]
    fn every_short_path_is_canonical_exactly_if_its_parts_are_valid() {
        let mut paths = vec![String::new()];
        for _ in 0..8 {
            let longer = |path: &String| ["a", "/", ".", "-"].map(|next| format!("{path}{next}"));
            paths = paths.iter().flat_map(longer).collect();
            for path in &paths {
                assert_eq!(MethodPath::is_canonical(path), is_canonical_by_parts(path), "{path:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_path_is_canonical_exactly_if_its_parts_are_valid(
            path in prop_oneof!["[a_9./%ä]{0,24}", "/[a.]{1,8}/[a_9]{1,8}[./?]?", any::<String>()],
        ) {
            prop_assert_eq!(MethodPath::is_canonical(&path), is_canonical_by_parts(&path));
        }
    }
}
