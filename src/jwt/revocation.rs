//! Tokens that are refused before they expire.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use papaya::{Equivalent, HashMap};

use super::registered_claims::seconds;
use super::token::VerifiedToken;

/// Tells which good tokens are to be refused all the same.
///
/// It is asked for every token, also for one that is cached, so it must answer from memory and
/// quickly: a watcher of its own keeps that up to date. [`RevocationList`] is made for that. For
/// what needs less, a closure will do:
///
/// ```
/// use tonic_passport::jwt::{Verifier, VerifiedToken};
/// # fn verifier(verifier: Verifier) -> Verifier {
/// verifier.revocation(|token: &VerifiedToken| token.subject() == "user-42")
/// # }
/// ```
pub trait Revocation: Send + Sync + 'static {
    /// Whether this token, which is good otherwise, was revoked.
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

/// What was revoked, in memory: single tokens, all of a subject's up to some time, all of an
/// issuer's up to some time.
///
/// Cloning it copies a pointer: one clone goes to the [`Verifier`](super::Verifier), another to
/// whatever learns of revocations. Asking takes no lock and never waits for a writer. A revocation
/// holds from the moment that the call returns, for cached tokens too.
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
/// // A user logs out everywhere: their tokens up to now are worth nothing any more.
/// revocations.revoke_subject("https://id.example.com", "user-42", SystemTime::now());
/// # drop(verifier);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct RevocationList {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Single tokens, and when each expires.
    tokens: HashMap<Key, u64>,
    /// Up to when a subject's tokens must have been issued to be refused.
    subjects: HashMap<Key, u64>,
    issuers: HashMap<String, u64>,
}

/// Something of an issuer's: the id of a token, or a subject.
#[derive(Eq, Hash, PartialEq)]
struct Key {
    issuer: String,
    name: String,
}

/// A [`Key`] to look one up by.
#[derive(Hash)]
struct KeyRef<'a> {
    issuer: &'a str,
    name: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        (self.issuer, self.name) == (&key.issuer, &key.name)
    }
}

impl RevocationList {
    /// Nothing is revoked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Revokes one token, by its `jti`. It is remembered until
    /// [`remove_expired`](Self::remove_expired) finds that the token has expired; `expires_at` is
    /// its `exp`.
    pub fn revoke_token(&self, issuer: &str, token_id: &str, expires_at: SystemTime) {
        raise(&self.inner.tokens, Key::new(issuer, token_id), seconds(expires_at));
    }

    /// Revokes all tokens of a subject (`sub`) that were issued up to this time, in whole seconds,
    /// that second included. A token that does not say when it was issued counts as issued before.
    pub fn revoke_subject(&self, issuer: &str, subject: &str, issued_until: SystemTime) {
        raise(&self.inner.subjects, Key::new(issuer, subject), seconds(issued_until));
    }

    /// Revokes all tokens of an issuer that were issued up to this time, as
    /// [`revoke_subject`](Self::revoke_subject) does.
    pub fn revoke_issuer(&self, issuer: &str, issued_until: SystemTime) {
        raise(&self.inner.issuers, issuer.to_owned(), seconds(issued_until));
    }

    /// Removes what has no effect any more, so that the list does not grow without end: single
    /// tokens that expired, and subjects and issuers whose tokens all have. What an issuer's leeway
    /// may still let pass is kept.
    ///
    /// `max_lifetime` must be no less than the [`max_lifetime`](super::Issuer::max_lifetime) of any
    /// issuer concerned. Of an issuer without one, a token may outlive its revocation by subject or
    /// issuer, and be accepted again.
    ///
    /// Call it now and then, every few minutes for example. A clock before 1970 is broken, and
    /// nothing is removed.
    pub fn remove_expired(&self, now: SystemTime, max_lifetime: Duration) {
        if now < UNIX_EPOCH {
            return;
        }
        let leeway = super::issuer::MAX_LEEWAY.as_secs();
        let now = seconds(now);
        let is_live = |expires_at: u64| expires_at.saturating_add(leeway) >= now;
        let lifetime = max_lifetime.as_secs();
        let may_live = |issued: u64| is_live(issued.saturating_add(lifetime));
        self.inner.tokens.pin().retain(|_, expires_at| is_live(*expires_at));
        self.inner.subjects.pin().retain(|_, issued_until| may_live(*issued_until));
        self.inner.issuers.pin().retain(|_, issued_until| may_live(*issued_until));
    }

    /// How many revocations are remembered; more or less, while others write.
    pub fn len(&self) -> usize {
        self.inner.tokens.len() + self.inner.subjects.len() + self.inner.issuers.len()
    }

    /// Whether nothing is revoked, as [`len`](Self::len) tells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Revocation for RevocationList {
    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        let Inner { tokens, subjects, issuers } = &*self.inner;
        let issuer = token.issuer();
        let issued_at = token.issued_at().map(seconds);
        // A token that does not say when it was issued may have been at any time.
        let is_before = |until: &u64| issued_at.is_none_or(|issued_at| issued_at <= *until);

        // Each is asked, whatever it says of its size: while others write, that is a guess.
        let by_id = |name| tokens.pin().contains_key(&KeyRef { issuer, name });
        token.token_id().is_some_and(by_id)
            || subjects.pin().get(&KeyRef { issuer, name: token.subject() }).is_some_and(is_before)
            || issuers.pin().get(issuer).is_some_and(is_before)
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("tokens", &self.inner.tokens.len())
            .field("subjects", &self.inner.subjects.len())
            .field("issuers", &self.inner.issuers.len())
            .finish()
    }
}

impl Key {
    fn new(issuer: &str, name: &str) -> Self {
        Self { issuer: issuer.to_owned(), name: name.to_owned() }
    }
}

/// Sets a time, unless a later one is there: revocations may arrive in any order.
fn raise<K: Eq + std::hash::Hash>(times: &HashMap<K, u64>, key: K, time: u64) {
    times.pin().update_or_insert(key, |own| time.max(*own), time);
}
