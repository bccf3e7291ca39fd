//! Revocation: tokens that are refused before they expire.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use papaya::{Equivalent, HashMap};

use super::issuer::MAX_LEEWAY;
use super::time::to_unix_seconds;
use super::token::VerifiedToken;

/// Revocation check, called for each valid token.
///
/// It is called on each verification, for cached tokens too, and must not block: it should read
/// memory that another task keeps up to date. [`RevocationList`] does that. A closure is enough for
/// simple checks:
///
/// ```
/// use tonic_passport::jwt::{Verifier, VerifiedToken};
/// # fn verifier(verifier: Verifier) -> Verifier {
/// verifier.revocation(|token: &VerifiedToken| token.subject() == "user-42")
/// # }
/// ```
pub trait Revocation: Send + Sync + 'static {
    /// Whether this token, which is valid otherwise, was revoked.
    fn is_revoked(&self, token: &VerifiedToken) -> bool;
}

impl<F> Revocation for F
where
    F: Fn(&VerifiedToken) -> bool + Send + Sync + 'static,
{
    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        self(token)
    }
}

impl<T: Revocation + ?Sized> Revocation for Arc<T> {
    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        (**self).is_revoked(token)
    }
}

/// In-memory revocation list.
///
/// - [`revoke_token`](Self::revoke_token) revokes a single token by its id.
/// - [`revoke_subject`](Self::revoke_subject) and [`revoke_issuer`](Self::revoke_issuer) revoke all
///   tokens of a subject or an issuer that were issued up to a time.
/// - [`remove_expired`](Self::remove_expired) removes the entries that have no effect any more. It
///   must be called periodically.
///
/// Cloning it copies a pointer: one clone is for the [`Verifier`](super::Verifier), another for the
/// task that receives revocations. Lookups take no lock, and do not wait for writers. A revocation
/// takes effect when the call returns, for cached tokens too.
///
/// ```
/// use std::time::SystemTime;
/// use tonic_passport::jwt::RevocationList;
/// # use tonic_passport::jwt::{Issuer, KeySet, Verifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let jwks = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"1",
/// #     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// # let issuer = Issuer::new("https://id.example.com", KeySet::from_jwks(jwks)?).audience("shop");
/// let revocations = RevocationList::new();
/// let verifier = Verifier::new([issuer])?.revocation(revocations.clone());
///
/// // A user logs out everywhere: all tokens issued up to now are revoked.
/// revocations.revoke_subject("https://id.example.com", "user-42", SystemTime::now());
/// # drop(verifier);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct RevocationList {
    maps: Arc<RevocationMaps>,
}

/// Times are in seconds since 1970.
#[derive(Default)]
struct RevocationMaps {
    /// The expiry of each revoked token.
    tokens: HashMap<EntryKey, u64>,
    /// The time up to which the tokens of a subject are revoked.
    subjects: HashMap<EntryKey, u64>,
    /// The time up to which the tokens of an issuer are revoked.
    issuers: HashMap<String, u64>,
}

/// Key of a map: the id of a token or a subject, which is unique within its issuer only.
#[derive(Eq, Hash, PartialEq)]
struct EntryKey {
    issuer: String,
    id: String,
}

/// Borrowed [`EntryKey`], for lookups without allocation. It must hash like one.
#[derive(Hash)]
struct EntryKeyRef<'a> {
    issuer: &'a str,
    id: &'a str,
}

impl Equivalent<EntryKey> for EntryKeyRef<'_> {
    fn equivalent(&self, key: &EntryKey) -> bool {
        (self.issuer, self.id) == (&key.issuer, &key.id)
    }
}

impl RevocationList {
    /// Creates an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Revokes one token, by its `jti`. `expires_at` is its `exp`: after that,
    /// [`remove_expired`](Self::remove_expired) removes the entry.
    pub fn revoke_token(&self, issuer: &str, token_id: &str, expires_at: SystemTime) {
        insert_latest(
            &self.maps.tokens,
            EntryKey::new(issuer, token_id),
            to_unix_seconds(expires_at),
        );
    }

    /// Revokes all tokens of a subject (`sub`) that were issued up to and including this time, in
    /// whole seconds. A token without `iat` is revoked too.
    pub fn revoke_subject(&self, issuer: &str, subject: &str, issued_until: SystemTime) {
        let key = EntryKey::new(issuer, subject);
        insert_latest(&self.maps.subjects, key, to_unix_seconds(issued_until));
    }

    /// Revokes all tokens of an issuer that were issued up to and including this time, like
    /// [`revoke_subject`](Self::revoke_subject).
    pub fn revoke_issuer(&self, issuer: &str, issued_until: SystemTime) {
        insert_latest(&self.maps.issuers, issuer.to_owned(), to_unix_seconds(issued_until));
    }

    /// Removes the entries whose tokens have all expired, by `now` and the maximum leeway. Call it
    /// periodically, for example every few minutes, so that the list does not grow without bound.
    ///
    /// `max_lifetime` must be at least the largest [`max_lifetime`](super::Issuer::max_lifetime) of
    /// all issuers. If an issuer has no maximum, a token can outlive its revocation by subject or
    /// issuer, and is then accepted again.
    ///
    /// If `now` is before 1970, the clock is broken, and nothing is removed.
    pub fn remove_expired(&self, now: SystemTime, max_lifetime: Duration) {
        if now < UNIX_EPOCH {
            return;
        }
        let leeway = MAX_LEEWAY.as_secs();
        let now = to_unix_seconds(now);
        let is_live = |expires_at: u64| expires_at.saturating_add(leeway) >= now;
        let lifetime = max_lifetime.as_secs();
        let may_live = |issued: u64| is_live(issued.saturating_add(lifetime));
        self.maps.tokens.pin().retain(|_, expires_at| is_live(*expires_at));
        self.maps.subjects.pin().retain(|_, issued_until| may_live(*issued_until));
        self.maps.issuers.pin().retain(|_, issued_until| may_live(*issued_until));
    }

    /// The number of entries. It is approximate while other threads write.
    pub fn len(&self) -> usize {
        self.maps.tokens.len() + self.maps.subjects.len() + self.maps.issuers.len()
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Revocation for RevocationList {
    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        let RevocationMaps { tokens, subjects, issuers } = &*self.maps;
        let issuer = token.issuer();
        let issued_at = token.issued_at().map(to_unix_seconds);
        // A token without `iat` can have been issued at any time.
        let is_issued_until = |until: &u64| issued_at.is_none_or(|issued_at| issued_at <= *until);

        // No shortcut for maps of size 0: while other threads write, the size is approximate.
        let is_listed = |id| tokens.pin().contains_key(&EntryKeyRef { issuer, id });
        let subject = EntryKeyRef { issuer, id: token.subject() };
        token.token_id().is_some_and(is_listed)
            || subjects.pin().get(&subject).is_some_and(is_issued_until)
            || issuers.pin().get(issuer).is_some_and(is_issued_until)
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("tokens", &self.maps.tokens.len())
            .field("subjects", &self.maps.subjects.len())
            .field("issuers", &self.maps.issuers.len())
            .finish()
    }
}

impl EntryKey {
    fn new(issuer: &str, id: &str) -> Self {
        Self { issuer: issuer.to_owned(), id: id.to_owned() }
    }
}

/// Inserts a time, unless the entry has a later one: revocations may arrive in any order.
fn insert_latest<K: Eq + std::hash::Hash>(times: &HashMap<K, u64>, key: K, time: u64) {
    times.pin().update_or_insert(key, |current| time.max(*current), time);
}
