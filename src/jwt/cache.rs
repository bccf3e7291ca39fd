//! Cache of verified tokens.

use ahash::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::token::VerifiedToken;

/// Bytes of an entry besides the token and its content: the slot in the cache's tables, and the
/// allocator's overhead.
const ENTRY_OVERHEAD: usize = 512;

/// Cache of verified tokens, limited by number and by bytes.
///
/// No operation blocks: while another thread writes to the same shard, [`get`](Self::get) returns
/// `None`, and [`insert`](Self::insert) does nothing. The hash is randomly keyed for each cache,
/// and keys are compared byte by byte.
pub(super) struct TokenCache {
    tokens: Cache<Box<str>, VerifiedToken, EntryWeighter, RandomState>,
}

/// Weighs an entry by its bytes.
#[derive(Clone)]
struct EntryWeighter {
    /// The maximum weight of the cache, divided by its maximum number of entries. As no entry
    /// weighs less, the limit by weight also limits the number.
    min_weight: u64,
}

impl Weighter<Box<str>, VerifiedToken> for EntryWeighter {
    fn weight(&self, token: &Box<str>, verified: &VerifiedToken) -> u64 {
        let bytes = token.len() + verified.size() + ENTRY_OVERHEAD;
        self.min_weight.max(bytes as u64)
    }
}

impl TokenCache {
    /// Creates a cache; `None` when a maximum is 0.
    pub(super) fn new(max_tokens: usize, max_bytes: usize) -> Option<Self> {
        if max_tokens == 0 || max_bytes == 0 {
            return None;
        }
        let options = OptionsBuilder::new()
            .estimated_items_capacity(max_tokens)
            .weight_capacity(max_bytes as u64)
            .build()
            .ok()?;
        let weighter = EntryWeighter { min_weight: (max_bytes as u64).div_ceil(max_tokens as u64) };
        let tokens =
            Cache::with_options(options, weighter, RandomState::new(), DefaultLifecycle::default());
        Some(Self { tokens })
    }

    pub(super) fn get(&self, token: &str) -> Option<VerifiedToken> {
        self.tokens.try_get(token).ok().flatten()
    }

    pub(super) fn insert(&self, token: &str, verified: &VerifiedToken) {
        // An error means that the shard was locked: the token is then not cached this time.
        drop(self.tokens.try_insert(token.into(), verified.clone()));
    }

    pub(super) fn remove(&self, token: &str) {
        // An error means that the shard was locked. The entry stays, which is harmless: entries are
        // checked on each lookup.
        drop(self.tokens.try_remove(token));
    }

    /// The number of tokens.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}
