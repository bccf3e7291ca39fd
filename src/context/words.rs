//! Text, eight bytes at a time.

/// A word of eight times the same byte.
pub(crate) const fn splat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The words of a text, its first byte the lowest of the first one. The last word is filled up; it
/// is nothing but `filler` when the text has no more bytes for it.
#[inline]
pub(crate) fn words(text: &[u8], filler: u8) -> impl Iterator<Item = u64> {
    let (whole, rest) = text.as_chunks::<8>();
    let whole = whole.iter().map(|word| u64::from_le_bytes(*word));
    whole.chain([last_word(text, rest, filler)])
}

/// The word that begins at this byte of a text, or at its end. It is filled up.
#[inline]
pub(crate) fn word_at(text: &[u8], at: usize, filler: u8) -> u64 {
    let rest = &text[at..];
    match rest.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(text, rest, filler),
    }
}

/// The word of the at most seven bytes that are the rest of a text.
#[inline]
fn last_word(text: &[u8], rest: &[u8], filler: u8) -> u64 {
    let bits = 8 * rest.len();
    // A few loads that overlap, in place of one for each byte.
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
    word | splat(filler) << bits
}

/// The highest bit of each byte of the word that is this one.
#[inline]
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ splat(byte);
    // The lower bits of a byte make its highest one, and none of the next.
    let lower = (difference & splat(0x7f)) + splat(0x7f);
    !(lower | difference) & splat(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_in_one_word_and_in_its_order() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..text.len() {
            let bytes = &text[..length];
            let mut joined: Vec<u8> = words(bytes, b'.').flat_map(u64::to_le_bytes).collect();
            assert!(joined.drain(length..).all(|filler| filler == b'.'), "{length}");
            assert_eq!(joined, bytes);
        }
    }

    #[test]
    fn a_word_begins_wherever_it_may() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..text.len() {
            let filled = [&text[..length], b"........"].concat();
            for at in 0..=length {
                let word = word_at(&text[..length], at, b'.').to_le_bytes();
                assert_eq!(word, filled[at..at + 8], "{length}, {at}");
            }
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for byte in 0..=u8::MAX {
            for other in (0..=u8::MAX).filter(|other| *other != byte) {
                let word = u64::from_le_bytes([byte, other, other, byte, byte, other, byte, other]);
                assert_eq!(equal(word, byte), 0x0080_0080_8000_0080, "{byte:#x}, {other:#x}");
            }
        }
    }
}
