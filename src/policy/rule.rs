//! Requirements for the callers of a method.

use std::fmt;

use super::error::InvalidRule;
use super::source::RuleSource;
use crate::context::UserContext;

/// Maximum nesting depth of groups.
pub(super) const MAX_DEPTH: usize = 16;

/// Requirement that callers of a method must meet.
///
/// Permissions and roles are compared byte by byte, and none implies another. Rules are monotonic:
/// an additional permission or role never takes access away.
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
/// A meaningless rule, such as an empty group, is an error when the policy
/// [is built](super::PolicyBuilder::build).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    kind: Kind,
    /// Nesting depth, which bounds the recursion of all functions that walk the rule.
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
    /// Placeholder for groups nested deeper than [`MAX_DEPTH`], which are not kept.
    TooDeep,
}

/// Rule, and where it was declared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SourcedRule {
    pub(super) rule: Rule,
    pub(super) source: RuleSource,
}

/// Whether the callers of a method are authenticated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AuthenticationMode {
    /// Anonymous callers are allowed. A credential that is present is verified.
    Optional,
    /// Callers need a valid credential.
    Required,
    /// Credentials are ignored, and all callers are anonymous.
    Skipped,
}

impl Rule {
    /// Rule that allows all callers, without authentication: credentials are ignored, and the
    /// handler has no [`UserContext`]. Meant for health checks, reflection, login, and token
    /// refresh, which must work with an expired token in the request.
    pub fn public() -> Self {
        Self::new(Kind::Public)
    }

    /// Rule that allows all callers, with optional authentication: a credential is verified if
    /// present, and the call is rejected if it is invalid. The handler uses
    /// `UserContext::from_request(&request).ok()`.
    pub fn optional() -> Self {
        Self::new(Kind::Optional)
    }

    /// Rule that allows all authenticated callers.
    pub fn authenticated() -> Self {
        Self::new(Kind::Authenticated)
    }

    /// Rule that requires this permission.
    pub fn permission(permission: impl Into<String>) -> Self {
        Self::new(Kind::Permission(permission.into()))
    }

    /// Rule that requires this role.
    pub fn role(role: impl Into<String>) -> Self {
        Self::new(Kind::Role(role.into()))
    }

    /// Rule that requires at least one of these rules to be met. Each is a permission, a role, or a
    /// group.
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

    /// Rule that requires all of these rules to be met. Each is a permission, a role, or a group.
    pub fn all_of(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::group(rules, Kind::AllOf)
    }

    fn new(kind: Kind) -> Self {
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

    /// Returns the permission, if the rule is a single permission.
    pub(super) fn as_permission(&self) -> Option<&str> {
        match &self.kind {
            Kind::Permission(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the role, if the rule is a single role.
    pub(super) fn as_role(&self) -> Option<&str> {
        match &self.kind {
            Kind::Role(name) => Some(name),
            _ => None,
        }
    }

    /// Returns whether callers are authenticated under this rule.
    pub(super) fn authentication_mode(&self) -> AuthenticationMode {
        match self.kind {
            Kind::Optional => AuthenticationMode::Optional,
            Kind::Public => AuthenticationMode::Skipped,
            _ => AuthenticationMode::Required,
        }
    }

    /// Returns whether an authenticated caller meets the rule.
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

    /// Checks that groups are not empty, names are valid, and nesting is bounded.
    pub(super) fn validate(&self) -> Result<(), InvalidRule> {
        match &self.kind {
            Kind::AllOf(rules) => validate_group("all_of", rules),
            Kind::AnyOf(rules) => validate_group("any_of", rules),
            Kind::Authenticated | Kind::Optional | Kind::Public => Ok(()),
            // A `UserContext` cannot contain any other name.
            Kind::Permission(name) | Kind::Role(name) => {
                if name.is_empty() || name.chars().any(char::is_control) {
                    return Err(InvalidRule::InvalidName { name: name.clone() });
                }
                Ok(())
            }
            Kind::TooDeep => Err(InvalidRule::TooDeep { max_depth: MAX_DEPTH }),
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

/// Human-readable form: `permission "orders:create"`.
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
