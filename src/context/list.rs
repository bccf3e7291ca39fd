//! The items of a list, and whether one is among them.

use std::{fmt, slice};

use http::HeaderValue;
use smallvec::SmallVec;

use super::text::{Text, heap};
use super::words::words;

/// A list of a context. One without items is not written.
#[derive(Default, PartialEq)]
pub(crate) struct List {
    /// All items, one byte between any two of them.
    pub(crate) text: Text,
    pub(crate) items: ItemVec,
}

/// A few items are kept where the list itself is.
pub(crate) type ItemVec = SmallVec<[Item; 8]>;

/// Where an item of a list ends, and what tells it from most others.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Item {
    hash: u32,
    end: u32,
}

/// A hash of a text, made of its words, filled up with zeros.
///
/// Whoever looks for texts with the same one gains nothing but that they are compared byte by byte.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hash(u64);

/// The items of a list, in their order.
#[derive(Clone)]
pub(super) struct Items<'a> {
    text: &'a str,
    rest: slice::Iter<'a, Item>,
    start: usize,
}

impl List {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The list as it is written into metadata.
    pub(crate) fn value(&self) -> Option<&HeaderValue> {
        (!self.is_empty()).then(|| self.text.value())
    }

    pub(super) fn iter(&self) -> Items<'_> {
        Items { text: self.text.as_str(), rest: self.items.iter(), start: 0 }
    }

    /// Whether an item is this one. Items that only share their beginnings are not compared.
    pub(super) fn contains(&self, wanted: &str) -> bool {
        let hash = Hash::of(wanted.as_bytes()).finish();
        let mut first = 0;
        // Eight of them at a time, so that what is not among them is passed over in a few steps.
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

    fn is_at(&self, index: usize, hash: u32, wanted: &str) -> bool {
        let item = self.items[index];
        if item.hash != hash {
            return false;
        }
        let start = index.checked_sub(1).map_or(0, |before| self.items[before].end as usize + 1);
        self.text.as_bytes()[start..item.end as usize] == *wanted.as_bytes()
    }

    /// An upper estimate of the bytes that the list takes up elsewhere.
    pub(super) fn size(&self) -> usize {
        let items = self.items.capacity() * size_of::<Item>();
        self.text.size() + if self.items.spilled() { heap(items) } else { 0 }
    }
}

impl Item {
    /// `end` is where the item ends within the text of the list.
    #[inline]
    pub(crate) fn new(hash: Hash, end: usize) -> Self {
        // No context is that large: its size is checked in any case.
        Self { hash: hash.finish(), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }
}

impl Hash {
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Self {
        words(text, 0).fold(Self::default(), Self::with)
    }

    /// The hash of what came so far, and one more word.
    #[inline]
    #[must_use]
    pub(crate) fn with(self, word: u64) -> Self {
        // An odd number, its bits without a pattern: 2^64 divided by the golden ratio.
        Self((self.0.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn finish(self) -> u32 {
        // The higher bits are those that all others have had a part in.
        (self.0 >> 32) as u32
    }
}

impl<'a> Iterator for Items<'a> {
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

impl ExactSizeIterator for Items<'_> {}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
