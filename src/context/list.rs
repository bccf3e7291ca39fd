//! A list of a context (roles, permissions): its items, and a fast membership test.

use std::{fmt, slice};

use http::HeaderValue;
use smallvec::SmallVec;

use super::swar::words;
use super::value::{EncodedValue, allocation_size};

/// A list of a context. An empty one is not written into metadata.
#[derive(Default, PartialEq)]
pub(crate) struct EncodedList {
    /// All items, separated by one byte (a comma) each.
    pub(crate) value: EncodedValue,
    pub(crate) items: ListItems,
}

/// The items of a list. Up to eight are stored inline, without an allocation.
pub(crate) type ListItems = SmallVec<[ListItem; 8]>;

/// The position of an item within the text of its list, and its hash.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct ListItem {
    hash: u32,
    end: u32,
}

/// A hash of an item, computed from eight bytes at a time; the last word is padded with zeros.
///
/// It is not keyed: equal hashes only cause a comparison byte by byte, so with colliding items, a
/// lookup only costs as much as one without hashes.
#[derive(Clone, Copy, Default)]
pub(crate) struct ItemHash(u64);

/// Iterator over the items of a list, in their order.
#[derive(Clone)]
pub(super) struct Iter<'a> {
    text: &'a str,
    rest: slice::Iter<'a, ListItem>,
    start: usize,
}

impl EncodedList {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The encoded form, as it is written into metadata; `None` for an empty list.
    pub(crate) fn encoded(&self) -> Option<&HeaderValue> {
        (!self.is_empty()).then(|| self.value.encoded())
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        Iter { text: self.value.as_str(), rest: self.items.iter(), start: 0 }
    }

    /// Whether the list has this item. Only items with the same hash are compared byte by byte.
    pub(super) fn contains(&self, wanted: &str) -> bool {
        let hash = ItemHash::of(wanted.as_bytes()).finish();
        let mut first = 0;
        // Eight hashes at a time without an early exit, so that the compiler vectorizes the loop.
        for eight in self.items.as_chunks::<8>().0 {
            if eight.iter().any(|item| item.hash == hash)
                && (first..first + 8).any(|index| self.is_at(index, hash, wanted))
            {
                return true;
            }
            first += 8;
        }
        (first..self.items.len()).any(|index| self.is_at(index, hash, wanted))
    }

    /// Whether the item at this index is the wanted one.
    fn is_at(&self, index: usize, hash: u32, wanted: &str) -> bool {
        let item = self.items[index];
        if item.hash != hash {
            return false;
        }
        let start = index.checked_sub(1).map_or(0, |before| self.items[before].end as usize + 1);
        self.value.as_bytes()[start..item.end as usize] == *wanted.as_bytes()
    }

    /// An upper estimate of the heap memory of the list, in bytes.
    pub(super) fn size(&self) -> usize {
        let items = self.items.capacity() * size_of::<ListItem>();
        self.value.size() + if self.items.spilled() { allocation_size(items) } else { 0 }
    }
}

impl ListItem {
    /// An item that ends at this byte of its list's text.
    #[inline]
    pub(crate) fn new(hash: ItemHash, end: usize) -> Self {
        // The maximum size of a context is below 4 GiB, so the conversion does not saturate.
        Self { hash: hash.finish(), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }
}

impl ItemHash {
    /// The hash of a whole item.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Self {
        words(text, 0).fold(Self::default(), Self::with)
    }

    /// The hash after one more word.
    #[inline]
    #[must_use]
    pub(crate) fn with(self, word: u64) -> Self {
        // Multiplicative hashing with 2^64 divided by the golden ratio, an odd number without a
        // bit pattern (Knuth, The Art of Computer Programming, volume 3, section 6.4).
        Self((self.0.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn finish(self) -> u32 {
        // All lower bits contribute to the higher half of a product.
        (self.0 >> 32) as u32
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let end = self.rest.next()?.end as usize;
        let item = &self.text[self.start..end];
        self.start = end + 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
