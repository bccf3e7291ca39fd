//! What the callers of a method must be, or have.

use std::fmt;

use super::error::InvalidRule;
use crate::context::UserContext;

/// How deep rules may be nested.
pub(super) const MAX_DEPTH: usize = 16;

/// What the callers of a method must be, or have.
///
/// Permissions and roles are compared byte by byte; none implies another. A rule can only ask for
/// more: nobody is allowed less for having one permission more.
///
/// ```
/// use tonic_passport::Rule;
///
/// let rule = Rule::any_of([
///     Rule::role("admin"),
///     Rule::all_of([Rule::permission("orders:read"), Rule::permission("orders:export")]),
/// ]);
/// assert_eq!(
///     rule.to_string(),
///     r#"any of (role "admin", all of (permission "orders:read", permission "orders:export"))"#,
/// );
/// ```
///
/// A rule that makes no sense, such as one of an empty list, is an error when the policy
/// [is built](super::PolicyBuilder::build).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    kind: Kind,
    /// How deep it is nested, so that nothing ever has to go further down than that.
    depth: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    AllOf(Vec<Rule>),
    AnyOf(Vec<Rule>),
    Authenticated,
    Optional,
    Permission(String),
    Public,
    Role(String),
    /// In place of groups that were nested deeper than rules may be.
    TooDeep,
}

/// What a method needs to know of its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Who it is, if they say so.
    Optional,
    /// Nothing.
    Public,
    /// Who it is.
    Required,
}

impl Rule {
    /// Anybody may call, and nobody is asked who they are: no credential is looked at, and the
    /// handler has no context. Made for health, reflection, and logging in or refreshing a token,
    /// which an expired token must not stand in the way of.
    pub fn public() -> Self {
        Self::of(Kind::Public)
    }

    /// Anybody may call. Who says who they are is known, and a credential that is bad is refused.
    /// The handler asks for `UserContext::from_request(&request).ok()`.
    pub fn optional() -> Self {
        Self::of(Kind::Optional)
    }

    /// Every caller who is known may call.
    pub fn authenticated() -> Self {
        Self::of(Kind::Authenticated)
    }

    /// Callers must have this permission.
    pub fn permission(permission: impl Into<String>) -> Self {
        Self::of(Kind::Permission(permission.into()))
    }

    /// Callers must have this role.
    pub fn role(role: impl Into<String>) -> Self {
        Self::of(Kind::Role(role.into()))
    }

    /// Callers must meet at least one of these rules, which are about permissions and roles.
    ///
    /// ```
    /// use tonic_passport::Rule;
    ///
    /// let rule = Rule::any_of(["orders:read", "orders:export"].map(Rule::permission));
    /// # assert_eq!(rule.to_string().matches("permission").count(), 2);
    /// ```
    pub fn any_of(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::group(rules, Kind::AnyOf)
    }

    /// Callers must meet all of these rules, which are about permissions and roles.
    pub fn all_of(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::group(rules, Kind::AllOf)
    }

    fn of(kind: Kind) -> Self {
        Self { kind, depth: 0 }
    }

    fn group(rules: impl IntoIterator<Item = Rule>, kind: fn(Vec<Rule>) -> Kind) -> Self {
        let rules: Vec<Rule> = rules.into_iter().collect();
        let depth = rules.iter().map(|rule| rule.depth).max().unwrap_or_default() + 1;
        if depth > MAX_DEPTH {
            return Self { kind: Kind::TooDeep, depth: MAX_DEPTH };
        }
        Self { kind: kind(rules), depth }
    }

    /// The permission, if that is all that is asked for.
    pub(super) fn as_permission(&self) -> Option<&str> {
        match &self.kind {
            Kind::Permission(name) => Some(name),
            _ => None,
        }
    }

    /// The role, if that is all that is asked for.
    pub(super) fn as_role(&self) -> Option<&str> {
        match &self.kind {
            Kind::Role(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn access(&self) -> Access {
        match self.kind {
            Kind::Optional => Access::Optional,
            Kind::Public => Access::Public,
            _ => Access::Required,
        }
    }

    /// Whether a caller who is known may call.
    pub(super) fn is_met_by(&self, user: &UserContext) -> bool {
        match &self.kind {
            Kind::AllOf(rules) => rules.iter().all(|rule| rule.is_met_by(user)),
            Kind::AnyOf(rules) => rules.iter().any(|rule| rule.is_met_by(user)),
            Kind::Authenticated | Kind::Optional | Kind::Public => true,
            Kind::Permission(name) => user.has_permission(name),
            Kind::Role(name) => user.has_role(name),
            Kind::TooDeep => false,
        }
    }

    /// Demands that the rule can be what was meant.
    pub(super) fn validate(&self) -> Result<(), InvalidRule> {
        match &self.kind {
            Kind::AllOf(rules) => validate_group("all_of", rules),
            Kind::AnyOf(rules) => validate_group("any_of", rules),
            Kind::Authenticated | Kind::Optional | Kind::Public => Ok(()),
            // The names that a context can hold.
            Kind::Permission(name) | Kind::Role(name) => {
                if name.is_empty() || name.chars().any(char::is_control) {
                    return Err(InvalidRule::InvalidName { name: name.clone() });
                }
                Ok(())
            }
            Kind::TooDeep => Err(InvalidRule::TooDeep { limit: MAX_DEPTH }),
        }
    }
}

fn validate_group(group: &'static str, rules: &[Rule]) -> Result<(), InvalidRule> {
    if rules.is_empty() {
        return Err(InvalidRule::EmptyGroup { group });
    }
    rules.iter().try_for_each(|rule| match rule.kind {
        Kind::Authenticated => Err(InvalidRule::Misplaced { rule: "authenticated" }),
        Kind::Optional => Err(InvalidRule::Misplaced { rule: "optional" }),
        Kind::Public => Err(InvalidRule::Misplaced { rule: "public" }),
        _ => rule.validate(),
    })
}

/// The rule for people: `permission "orders:create"`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |name: &str, rules: &[Rule], f: &mut fmt::Formatter<'_>| {
            write!(f, "{name} (")?;
            for (index, rule) in rules.iter().enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                write!(f, "{separator}{rule}")?;
            }
            f.write_str(")")
        };
        match &self.kind {
            Kind::AllOf(rules) => group("all of", rules, f),
            Kind::AnyOf(rules) => group("any of", rules, f),
            Kind::Authenticated => f.write_str("authenticated"),
            Kind::Optional => f.write_str("optional"),
            Kind::Permission(name) => write!(f, "permission {name:?}"),
            Kind::Public => f.write_str("public"),
            Kind::Role(name) => write!(f, "role {name:?}"),
            Kind::TooDeep => f.write_str("nested too deeply"),
        }
    }
}
