//! Tokens that were found good.

use ahash::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::token::VerifiedToken;

/// What an entry takes up besides the token and what it says: the slot in the cache's tables and
/// what the allocator adds.
const OVERHEAD: usize = 512;

/// Remembers verified tokens, so many and no more, and never more bytes than allowed.
///
/// Neither reading nor writing ever waits: when another thread is just writing to the same part of
/// the cache, a token counts as unknown, and one to be kept is not. Tokens are found by a hash that
/// is keyed afresh for each cache, and compared byte by byte.
pub(super) struct TokenCache {
    tokens: Cache<Box<str>, VerifiedToken, Weigh, RandomState>,
}

/// Weighs entries in bytes. None weighs less than its share of the whole, so that there are never
/// more than allowed.
#[derive(Clone)]
struct Weigh {
    least: u64,
}

impl Weighter<Box<str>, VerifiedToken> for Weigh {
    fn weight(&self, token: &Box<str>, verified: &VerifiedToken) -> u64 {
        let bytes = token.len() + verified.size() + OVERHEAD;
        self.least.max(bytes as u64)
    }
}

impl TokenCache {
    /// A cache for so many tokens in so many bytes; `None` when that is none.
    pub(super) fn new(max_tokens: usize, max_bytes: usize) -> Option<Self> {
        if max_tokens == 0 || max_bytes == 0 {
            return None;
        }
        let options = OptionsBuilder::new()
            .estimated_items_capacity(max_tokens)
            .weight_capacity(max_bytes as u64)
            .build()
            .ok()?;
        let weigh = Weigh { least: (max_bytes as u64).div_ceil(max_tokens as u64) };
        let tokens =
            Cache::with_options(options, weigh, RandomState::new(), DefaultLifecycle::default());
        Some(Self { tokens })
    }

    pub(super) fn get(&self, token: &str) -> Option<VerifiedToken> {
        self.tokens.try_get(token).ok().flatten()
    }

    pub(super) fn insert(&self, token: &str, verified: &VerifiedToken) {
        // An error hands the token back because it would have had to wait.
        drop(self.tokens.try_insert(token.into(), verified.clone()));
    }

    pub(super) fn remove(&self, token: &str) {
        // What stays because this would have had to wait is refused again when it is asked for.
        drop(self.tokens.try_remove(token));
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}
