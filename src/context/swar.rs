//! SIMD within a register (SWAR): byte-wise operations on text, eight bytes at a time.
//!
//! Reading a context checks each byte of its values, splits the lists, and hashes their items, on
//! every hop. Instructions that this crate adds to a call, counted by the instruction benchmark for
//! a user with one role and two permissions:
//!
//! | implementation | hop | edge |
//! |---|--:|--:|
//! | SWAR, and a hash of each item | 11,422 | 11,179 |
//! | byte by byte, and a hash of each item (FNV-1a) | 11,728 | 11,264 |
//! | byte by byte, without hashes | 11,541 | 11,214 |
//!
//! The last one also compares every item byte by byte when a policy looks for a permission.

/// A word with the same byte eight times.
pub(crate) const fn splat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The little-endian words of a text. The last word is padded with `padding`; if the length is a
/// multiple of eight, it consists of padding only.
#[inline]
pub(crate) fn words(text: &[u8], padding: u8) -> impl Iterator<Item = u64> {
    let (whole, rest) = text.as_chunks::<8>();
    let whole = whole.iter().map(|word| u64::from_le_bytes(*word));
    whole.chain([last_word(text, rest, padding)])
}

/// The little-endian word that starts at byte `at` of a text, padded with `padding` if it extends
/// beyond the end.
#[inline]
pub(crate) fn word_at(text: &[u8], at: usize, padding: u8) -> u64 {
    let rest = &text[at..];
    match rest.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(text, rest, padding),
    }
}

/// The padded word of `rest`, the last zero to seven bytes of `text`.
#[inline]
fn last_word(text: &[u8], rest: &[u8], padding: u8) -> u64 {
    let bits = 8 * rest.len();
    // At most three overlapping loads instead of one for each byte.
    let word = match (text.last_chunk(), rest.first_chunk(), rest.last_chunk(), rest) {
        (_, _, _, []) => 0,
        (Some(last), ..) => u64::from_le_bytes(*last) >> (64 - bits),
        (_, Some(first), Some(last), _) => {
            let last = u64::from(u32::from_le_bytes(*last)) << (bits - 32);
            u64::from(u32::from_le_bytes(*first)) | last
        }
        (.., [first, .., last]) => {
            let middle = rest.len() / 2;
            let middle = u64::from(rest[middle]) << (8 * middle);
            u64::from(*first) | middle | u64::from(*last) << (bits - 8)
        }
        (.., [only]) => u64::from(*only),
    };
    word | splat(padding) << bits
}

/// A mask with the highest bit of each byte of the word that equals `byte`.
#[inline]
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ splat(byte);
    // Adding 0x7f to the lower seven bits of a byte sets its highest bit unless they are all zero,
    // and does not carry into the next byte.
    let lower = (difference & splat(0x7f)) + splat(0x7f);
    !(lower | difference) & splat(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_text_hold_all_its_bytes_in_order() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..text.len() {
            let bytes = &text[..length];
            let mut joined: Vec<u8> = words(bytes, b'.').flat_map(u64::to_le_bytes).collect();
            assert!(joined.drain(length..).all(|padding| padding == b'.'), "{length}");
            assert_eq!(joined, bytes);
        }
    }

    #[test]
    fn a_word_can_start_at_any_byte_of_a_text() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..text.len() {
            let padded = [&text[..length], b"........"].concat();
            for at in 0..=length {
                let word = word_at(&text[..length], at, b'.').to_le_bytes();
                assert_eq!(word, padded[at..at + 8], "{length}, {at}");
            }
        }
    }

    #[test]
    fn equal_marks_each_byte_that_matches_and_no_other() {
        for byte in 0..=u8::MAX {
            for other in (0..=u8::MAX).filter(|other| *other != byte) {
                let word = u64::from_le_bytes([byte, other, other, byte, byte, other, byte, other]);
                assert_eq!(equal(word, byte), 0x0080_0080_8000_0080, "{byte:#x}, {other:#x}");
            }
        }
    }
}
