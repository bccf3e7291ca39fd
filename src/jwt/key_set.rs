use std::collections::HashMap;

use super::algorithm::Algorithm;
use super::error::KeyError;
use super::json::{Json, Object};
use super::key::VerificationKey;

/// How many keys of a set that was fetched are kept.
#[cfg(feature = "remote-keys")]
const MAX_REMOTE_KEYS: usize = 100;

/// The keys of one issuer, each found by its id.
#[derive(Clone, Debug)]
pub struct KeySet {
    by_id: HashMap<String, VerificationKey>,
    /// At most one for each algorithm, so that there is never a choice.
    without_id: Vec<VerificationKey>,
    rejected: Vec<(Option<String>, KeyError)>,
}

impl KeySet {
    /// A set of these keys.
    ///
    /// # Errors
    ///
    /// [`KeyError::Empty`] without a key; [`KeyError::DuplicateKeyId`] when two have the same id,
    /// [`KeyError::Ambiguous`] when two of one algorithm have none.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, KeyError> {
        Self::build(keys, Vec::new())
    }

    /// A JWK Set (RFC 7517, section 5) whose keys each name their algorithm in `alg`.
    ///
    /// Issuers publish keys for other purposes in the same set, so a key that cannot be used here
    /// is left out, with a warning in the log; [`rejected`](Self::rejected) tells which and why.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] when this is not a JWK Set, [`KeyError::Empty`] when it holds no key,
    /// [`KeyError::NoneUsable`] when all are left out, and as [`new`](Self::new).
    pub fn from_jwks(jwks: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(jwks.as_ref(), None, usize::MAX)
    }

    /// A JWK Set whose keys need not name their algorithm: those that name none are for this one.
    ///
    /// # Errors
    ///
    /// As [`from_jwks`](Self::from_jwks).
    pub fn from_jwks_for(algorithm: Algorithm, jwks: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(jwks.as_ref(), Some(algorithm), usize::MAX)
    }

    /// A set that was fetched, of which no more than [`MAX_REMOTE_KEYS`] are kept.
    #[cfg(feature = "remote-keys")]
    pub(super) fn parse_remote(
        jwks: &[u8],
        algorithm: Option<Algorithm>,
    ) -> Result<Self, KeyError> {
        Self::parse(jwks, algorithm, MAX_REMOTE_KEYS)
    }

    /// The keys of a JWK Set that were left out: the `kid`, if there is one, and the reason.
    pub fn rejected(&self) -> impl Iterator<Item = (Option<&str>, &KeyError)> {
        self.rejected.iter().map(|(key_id, error)| (key_id.as_deref(), error))
    }

    /// The keys of the set, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.by_id.values().chain(&self.without_id)
    }

    /// The key for a token: the one with the token's `kid`. When no key has it, the one of the
    /// token's algorithm that has no id; and for a token without `kid`, the only one of its
    /// algorithm.
    pub(super) fn find(&self, key_id: Option<&str>, algorithm: &str) -> Option<&VerificationKey> {
        let fits = |key: &&VerificationKey| key.algorithm().is_called(algorithm);
        if let Some(key) = key_id.and_then(|key_id| self.by_id.get(key_id)) {
            return Some(key);
        }
        if let Some(key) = self.without_id.iter().find(fits) {
            return Some(key);
        }
        if key_id.is_some() {
            return None;
        }
        let mut fitting = self.by_id.values().filter(fits);
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// Whether the keys of both sets are the same, in whatever order.
    #[cfg(feature = "remote-keys")]
    pub(super) fn has_same_keys(&self, other: &Self) -> bool {
        let same = |key: &VerificationKey| other.keys().any(|candidate| candidate.is_same(key));
        self.keys().count() == other.keys().count() && self.keys().all(same)
    }

    fn parse(jwks: &[u8], algorithm: Option<Algorithm>, limit: usize) -> Result<Self, KeyError> {
        let malformed = |problem| KeyError::Malformed { field: "keys", problem };
        let set = Object::parse(jwks)
            .map_err(|_| malformed("not a JSON object, or a name is there twice"))?;
        let Some(Json::Array(members)) = set.get("keys") else {
            return Err(malformed("not an array"));
        };

        let mut keys = Vec::new();
        let mut rejected = Vec::new();
        for member in members.iter().take(limit) {
            let Json::Object(jwk) = member else {
                rejected.push((None, malformed("not an object")));
                continue;
            };
            match VerificationKey::from_jwk_object(jwk, algorithm) {
                Ok(key) if key.is_symmetric() => {
                    rejected.push((key.key_id().map(str::to_owned), KeyError::Symmetric));
                }
                Ok(key) => keys.push(key),
                Err(error) => {
                    let key_id = jwk.get("kid").and_then(Json::as_str).map(str::to_owned);
                    rejected.push((key_id, error));
                }
            }
        }
        for (key_id, error) in &rejected {
            tracing::warn!(?key_id, %error, "a key of the set is left out");
        }
        Self::build(keys, rejected)
    }

    fn build(
        keys: impl IntoIterator<Item = VerificationKey>,
        rejected: Vec<(Option<String>, KeyError)>,
    ) -> Result<Self, KeyError> {
        let mut by_id = HashMap::new();
        let mut without_id: Vec<VerificationKey> = Vec::new();
        for key in keys {
            match key.key_id().map(str::to_owned) {
                Some(key_id) => {
                    if by_id.insert(key_id.clone(), key).is_some() {
                        return Err(KeyError::DuplicateKeyId { key_id });
                    }
                }
                None if without_id.iter().any(|own| own.algorithm() == key.algorithm()) => {
                    return Err(KeyError::Ambiguous { algorithm: key.algorithm() });
                }
                None => without_id.push(key),
            }
        }
        if by_id.is_empty() && without_id.is_empty() {
            return Err(match rejected.into_iter().next() {
                Some((_, first)) => KeyError::NoneUsable { first: Box::new(first) },
                None => KeyError::Empty,
            });
        }
        Ok(Self { by_id, without_id, rejected })
    }
}

/// A single key is a set.
impl From<VerificationKey> for KeySet {
    fn from(key: VerificationKey) -> Self {
        let (by_id, without_id) = match key.key_id().map(str::to_owned) {
            Some(key_id) => (HashMap::from([(key_id, key)]), Vec::new()),
            None => (HashMap::new(), vec![key]),
        };
        Self { by_id, without_id, rejected: Vec::new() }
    }
}
