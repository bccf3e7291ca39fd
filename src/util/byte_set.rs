//! A set of bytes that is asked for each byte of a text.

pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The letters and digits of ASCII, and these.
    pub(crate) const fn alphanumeric_and(further: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < u8::MAX {
            set[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut index = 0;
        while index < further.len() {
            set[further[index] as usize] = true;
            index += 1;
        }
        Self(set)
    }

    #[inline]
    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    #[inline]
    pub(crate) fn contains_all(&self, text: &[u8]) -> bool {
        // To the end, without a way out before it: most texts are what they should be.
        text.iter().fold(true, |all, byte| all & self.contains(*byte))
    }
}
