//! What the claims say about the user.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::error::TokenError;
use super::json::{Json, Object};
use crate::context::{Clock, ContextFields, UserContext, UserContextBuilder};

/// Where a value is found among the claims.
///
/// A `&str` is the name of a claim, taken literally, so that names with dots and slashes need no
/// escaping. An array is a path into nested objects.
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

/// Which claims become which part of the [`UserContext`].
///
/// By default `sub`, `email`, `roles` and `permissions`, each under its own name. Lists are arrays
/// of strings. A claim that is absent or `null` is absent from the context, or an empty list; one
/// of another type makes the token invalid.
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
    /// A path into nested objects, of names that are known at run time only.
    pub fn nested(names: impl IntoIterator<Item: Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), space_delimited: false }
    }

    /// Reads a list from one string, its items separated by spaces, as in `scope` (RFC 8693,
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
                Some(_) => return Err(self.invalid("not an object on the way")),
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
                // Exactly as long as it gets: collecting into an `Option` would have it grow.
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
    /// Takes the user's id from this claim. The claim must be there in every token.
    pub fn id(mut self, path: impl Into<ClaimPath>) -> Self {
        self.id = path.into();
        self
    }

    /// Takes the e-mail address from this claim.
    pub fn email(mut self, path: impl Into<ClaimPath>) -> Self {
        self.email = path.into();
        self
    }

    /// Takes the roles from this claim.
    pub fn roles(mut self, path: impl Into<ClaimPath>) -> Self {
        self.roles = path.into();
        self
    }

    /// Takes the permissions from this claim.
    pub fn permissions(mut self, path: impl Into<ClaimPath>) -> Self {
        self.permissions = path.into();
        self
    }

    /// Adds a further attribute, which travels as `x-user-<name>`, from a claim that is a string.
    pub fn attribute(mut self, name: impl Into<String>, path: impl Into<ClaimPath>) -> Self {
        self.attributes.push((name.into(), path.into()));
        self
    }

    /// Builds the context of claims that expire at `expires_at`, of at most `max_size` bytes.
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

    /// Tells what in the mapping cannot work: the setting, and the problem.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        let fields = [
            ("claims.id", &self.id),
            ("claims.email", &self.email),
            ("claims.roles", &self.roles),
            ("claims.permissions", &self.permissions),
        ];
        let attributes = self.attributes.iter().map(|(_, path)| ("claims.attribute", path));
        if let Some((field, _)) = fields.into_iter().chain(attributes).find(|(_, p)| p.is_empty()) {
            return Some((field, "a claim's name is empty".to_owned()));
        }

        let texts = [("claims.id", &self.id), ("claims.email", &self.email)];
        let attributes = self.attributes.iter().map(|(_, path)| ("claims.attribute", path));
        if let Some((field, _)) =
            texts.into_iter().chain(attributes).find(|(_, p)| p.space_delimited)
        {
            return Some((field, "is no list, and cannot be space-delimited".to_owned()));
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
