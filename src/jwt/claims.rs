//! Mapping of claims to the fields of a user context.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::error::TokenError;
use super::json::{Json, Object};
use crate::context::{Clock, ContextFields, UserContext, UserContextBuilder};

/// Path of a value in the claims.
///
/// A `&str` is the name of a claim, taken literally: names with dots and slashes need no escaping.
/// An array of names is a path into nested objects.
///
/// ```
/// use tonic_passport::jwt::ClaimPath;
///
/// let plain = ClaimPath::from("roles");
/// let namespaced = ClaimPath::from("https://shop.example.com/roles");
/// let nested = ClaimPath::from(["resource_access", "shop", "roles"]);
/// let scope = ClaimPath::from("scope").space_delimited();
/// # drop((plain, namespaced, nested, scope));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimPath {
    names: Vec<String>,
    space_delimited: bool,
}

/// Mapping of claims to the fields of the [`UserContext`].
///
/// By default the id is `sub`, and `email`, `roles` and `permissions` are the claims of these
/// names. There are no attributes.
///
/// - The id is a string, and required.
/// - The e-mail address and attributes are strings. If the claim is absent or `null`, so is the
///   field.
/// - Roles and permissions are arrays of strings, or strings with
///   [`space_delimited`](ClaimPath::space_delimited). If the claim is absent or `null`, the list is
///   empty.
/// - A claim of another type makes the token invalid.
///
/// ```
/// use tonic_passport::jwt::{ClaimMapping, ClaimPath};
///
/// let keycloak = ClaimMapping::default()
///     .roles(["realm_access", "roles"])
///     .permissions(ClaimPath::from("scope").space_delimited())
///     .attribute("tenant", "tenant_id");
/// # drop(keycloak);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a mapping does nothing until an issuer uses it"]
pub struct ClaimMapping {
    id: ClaimPath,
    email: ClaimPath,
    roles: ClaimPath,
    permissions: ClaimPath,
    attributes: Vec<(String, ClaimPath)>,
}

impl ClaimPath {
    /// Creates a path into nested objects, with a length that is known at run time only.
    pub fn nested(names: impl IntoIterator<Item: Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), space_delimited: false }
    }

    /// Reads a list from a string of space-delimited items, such as `scope` (RFC 8693,
    /// section 4.2).
    #[must_use]
    pub fn space_delimited(mut self) -> Self {
        self.space_delimited = true;
        self
    }

    fn find<'a>(&self, claims: &'a Object<'a>) -> Result<Option<&'a Json<'a>>, TokenError> {
        let Some((last, parents)) = self.names.split_last() else {
            return Ok(None);
        };
        let mut object = claims;
        for name in parents {
            object = match object.get(name) {
                None | Some(Json::Null) => return Ok(None),
                Some(Json::Object(inner)) => inner,
                Some(_) => return Err(self.invalid("a parent is not an object")),
            };
        }
        Ok(object.get(last).filter(|value| !value.is_null()))
    }

    fn text(&self, claims: &Object<'_>) -> Result<Option<String>, TokenError> {
        match self.find(claims)? {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(self.invalid("not a string")),
        }
    }

    fn list(&self, claims: &Object<'_>) -> Result<Vec<String>, TokenError> {
        match (self.find(claims)?, self.space_delimited) {
            (None, _) => Ok(Vec::new()),
            (Some(Json::Text(text)), true) => {
                Ok(text.split(' ').filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            (Some(_), true) => Err(self.invalid("not a string")),
            (Some(Json::Array(items)), false) => {
                // Collecting into a `Result` would not allocate the exact capacity.
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let text = item.as_str();
                    list.push(
                        text.ok_or_else(|| self.invalid("not an array of strings"))?.to_owned(),
                    );
                }
                Ok(list)
            }
            (Some(_), false) => Err(self.invalid("not an array of strings")),
        }
    }

    fn invalid(&self, problem: &'static str) -> TokenError {
        TokenError::ClaimInvalid { claim: self.names.join("."), problem }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() || self.names.iter().any(String::is_empty)
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self::nested([name])
    }
}

impl From<String> for ClaimPath {
    fn from(name: String) -> Self {
        Self::nested([name])
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self::nested(names)
    }
}

impl Default for ClaimMapping {
    fn default() -> Self {
        Self {
            id: "sub".into(),
            email: "email".into(),
            roles: "roles".into(),
            permissions: "permissions".into(),
            attributes: Vec::new(),
        }
    }
}

impl ClaimMapping {
    /// Sets the claim that the user's id is read from. Each token must have it.
    pub fn id(mut self, path: impl Into<ClaimPath>) -> Self {
        self.id = path.into();
        self
    }

    /// Sets the claim that the e-mail address is read from.
    pub fn email(mut self, path: impl Into<ClaimPath>) -> Self {
        self.email = path.into();
        self
    }

    /// Sets the claim that the roles are read from.
    pub fn roles(mut self, path: impl Into<ClaimPath>) -> Self {
        self.roles = path.into();
        self
    }

    /// Sets the claim that the permissions are read from.
    pub fn permissions(mut self, path: impl Into<ClaimPath>) -> Self {
        self.permissions = path.into();
        self
    }

    /// Adds an attribute, which is propagated as `x-user-<name>`, and the claim that it is read
    /// from.
    pub fn attribute(mut self, name: impl Into<String>, path: impl Into<ClaimPath>) -> Self {
        self.attributes.push((name.into(), path.into()));
        self
    }

    /// Creates the context, which expires at `expires_at` by the clock. `max_size` is its maximum
    /// size in bytes.
    pub(super) fn apply(
        &self,
        claims: &Object<'_>,
        expires_at: SystemTime,
        clock: Option<Clock>,
        max_size: usize,
    ) -> Result<UserContext, TokenError> {
        let mut fields = ContextFields {
            id: self.id.text(claims)?.ok_or_else(|| self.id.invalid("missing"))?,
            email: self.email.text(claims)?,
            roles: self.roles.list(claims)?,
            permissions: self.permissions.list(claims)?,
            attributes: BTreeMap::new(),
            expires_at: Some(expires_at),
            clock,
        };
        for (name, path) in &self.attributes {
            if let Some(value) = path.text(claims)? {
                fields.attributes.insert(name.clone(), value);
            }
        }
        Ok(UserContextBuilder { fields, max_size }.build()?)
    }

    /// Finds an invalid setting: its name, and the problem.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let fields = [
            ("claims.id", &self.id),
            ("claims.email", &self.email),
            ("claims.roles", &self.roles),
            ("claims.permissions", &self.permissions),
        ];
        let attributes = self.attributes.iter().map(|(_, path)| ("claims.attribute", path));
        if let Some((field, _)) = fields.into_iter().chain(attributes).find(|(_, p)| p.is_empty()) {
            return Some((field, "the name of a claim is empty".to_owned()));
        }

        let texts = [("claims.id", &self.id), ("claims.email", &self.email)];
        let attributes = self.attributes.iter().map(|(_, path)| ("claims.attribute", path));
        if let Some((field, _)) =
            texts.into_iter().chain(attributes).find(|(_, p)| p.space_delimited)
        {
            return Some((field, "is not a list and cannot be space-delimited".to_owned()));
        }

        let mut trial: UserContextBuilder = UserContext::builder("-").max_size(usize::MAX);
        for (index, (name, _)) in self.attributes.iter().enumerate() {
            if self.attributes[..index].iter().any(|(other, _)| other == name) {
                return Some(("claims.attribute", format!("{name:?} is mapped twice")));
            }
            trial = trial.attribute(name, "-");
        }
        trial.build().err().map(|error| ("claims.attribute", error.to_string()))
    }
}
