//! Strict JSON: objects with a duplicate name, at any depth, are refused (RFC 8725, section 2.4;
//! RFC 8259, section 4). Parsers differ in which of the duplicates they use, so that two programs
//! could read two identities in one token.
//!
//! Strings without escapes are borrowed from the input: allocating all names and values of a token
//! would cost more than parsing it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value.
pub(super) enum Json<'a> {
    Array(Vec<Json<'a>>),
    Bool,
    Null,
    /// A number that is not an unsigned integer.
    Number(f64),
    Object(Object<'a>),
    Text(Cow<'a, str>),
    Unsigned(u64),
}

/// The members of an object, in the order of [`by_length`].
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl Json<'_> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<'a> Object<'a> {
    /// Parses one object. Trailing data is refused.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        // Validating all of it at once is faster than validating each string.
        let text = str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
        match serde_json::from_str(text)? {
            Json::Object(object) => Ok(object),
            _ => Err(serde_json::Error::custom("not an object")),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let index = self.0.binary_search_by(|(own, _)| by_length(own, name)).ok()?;
        Some(&self.0[index].1)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    fn new(mut members: Vec<(Cow<'a, str>, Json<'a>)>) -> Option<Self> {
        members.sort_unstable_by(|(one, _), (other, _)| by_length(one, other));
        let repeated = members.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!repeated).then_some(Self(members))
    }
}

/// Orders shorter names first: most comparisons are then decided by the length alone.
fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "called for negative numbers only, which no claim may be"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = entries.next_entry()? {
            members.push((name, value));
        }
        let object = Object::new(members);
        object.map(Json::Object).ok_or_else(|| A::Error::custom("duplicate name"))
    }
}

/// Name of a member.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(JsonVisitor)? {
            Json::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("not a name")),
        }
    }
}
