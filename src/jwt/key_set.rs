//! Key sets, and how a token finds its key.

use std::collections::HashMap;

use super::algorithm::Algorithm;
use super::error::KeyError;
use super::json::{Json, Object};
use super::key::VerificationKey;

/// The maximum number of keys that are kept of a fetched set.
#[cfg(feature = "remote-keys")]
const MAX_REMOTE_KEYS: usize = 100;

/// The keys of one issuer, indexed by id.
///
/// A token's key is the one with its `kid`; if there is none, the key of its algorithm that has no
/// id. A token without `kid` is verified with the only key of its algorithm.
#[derive(Clone, Debug)]
pub struct KeySet {
    by_id: HashMap<String, VerificationKey>,
    /// At most one for each algorithm, so that lookups are unambiguous.
    without_id: Vec<VerificationKey>,
    rejected: Vec<(Option<String>, KeyError)>,
}

impl KeySet {
    /// Creates a set of these keys.
    ///
    /// # Errors
    ///
    /// [`KeyError::Empty`] without a key, [`KeyError::DuplicateKeyId`] when two have the same id,
    /// and [`KeyError::Ambiguous`] when two of one algorithm have no id.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, KeyError> {
        Self::build(keys, Vec::new())
    }

    /// Parses a JWK Set (RFC 7517, section 5) whose keys each name their algorithm in `alg`.
    ///
    /// Issuers publish keys for other purposes in the same set. So an unusable key does not make
    /// the set invalid: it is skipped, logged as a warning, and listed in
    /// [`rejected`](Self::rejected).
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] when this is not a JWK Set, [`KeyError::Empty`] when it contains no
    /// key, [`KeyError::NoneUsable`] when all are unusable, and the errors of [`new`](Self::new).
    pub fn from_jwks(jwks: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(jwks.as_ref(), None, usize::MAX)
    }

    /// Parses a JWK Set like [`from_jwks`](Self::from_jwks), where keys without `alg` are keys of
    /// this algorithm.
    ///
    /// # Errors
    ///
    /// The errors of [`from_jwks`](Self::from_jwks).
    pub fn from_jwks_for(algorithm: Algorithm, jwks: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(jwks.as_ref(), Some(algorithm), usize::MAX)
    }

    /// Parses a fetched set. At most [`MAX_REMOTE_KEYS`] are kept.
    #[cfg(feature = "remote-keys")]
    pub(super) fn parse_remote(
        jwks: &[u8],
        algorithm: Option<Algorithm>,
    ) -> Result<Self, KeyError> {
        Self::parse(jwks, algorithm, MAX_REMOTE_KEYS)
    }

    /// The keys of a JWK Set that are unusable: their `kid`, if they have one, and the reason.
    pub fn rejected(&self) -> impl Iterator<Item = (Option<&str>, &KeyError)> {
        self.rejected.iter().map(|(key_id, error)| (key_id.as_deref(), error))
    }

    /// The keys of the set, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &VerificationKey> {
        self.by_id.values().chain(&self.without_id)
    }

    /// Finds the key for a token with this `kid` and `alg`.
    pub(super) fn find(&self, key_id: Option<&str>, algorithm: &str) -> Option<&VerificationKey> {
        let has_algorithm = |key: &&VerificationKey| key.algorithm().has_name(algorithm);
        if let Some(key) = key_id.and_then(|key_id| self.by_id.get(key_id)) {
            return Some(key);
        }
        if let Some(key) = self.without_id.iter().find(has_algorithm) {
            return Some(key);
        }
        if key_id.is_some() {
            return None;
        }
        let mut candidates = self.by_id.values().filter(has_algorithm);
        candidates.next().filter(|_| candidates.next().is_none())
    }

    /// Whether both sets contain the same keys, in any order.
    #[cfg(feature = "remote-keys")]
    pub(super) fn has_same_keys(&self, other: &Self) -> bool {
        let same = |key: &VerificationKey| other.keys().any(|candidate| candidate.is_same(key));
        self.keys().count() == other.keys().count() && self.keys().all(same)
    }

    fn parse(jwks: &[u8], algorithm: Option<Algorithm>, max_keys: usize) -> Result<Self, KeyError> {
        let malformed = |problem| KeyError::Malformed { field: "keys", problem };
        let set = Object::parse(jwks)
            .map_err(|_| malformed("not a JSON object without duplicate names"))?;
        let Some(Json::Array(members)) = set.get("keys") else {
            return Err(malformed("not an array"));
        };

        let mut keys = Vec::new();
        let mut rejected = Vec::new();
        for member in members.iter().take(max_keys) {
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
            tracing::warn!(?key_id, %error, "unusable key of a key set skipped");
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
                None if without_id.iter().any(|other| other.algorithm() == key.algorithm()) => {
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

/// A set of a single key.
impl From<VerificationKey> for KeySet {
    fn from(key: VerificationKey) -> Self {
        let (by_id, without_id) = match key.key_id().map(str::to_owned) {
            Some(key_id) => (HashMap::from([(key_id, key)]), Vec::new()),
            None => (HashMap::new(), vec![key]),
        };
        Self { by_id, without_id, rejected: Vec::new() }
    }
}
