//! [`Buffer`]: a short text that is put together without allocating.
//!
//! Objects hold many times, ids and amounts, and are written all the time: formatting them by way of
//! a `String` each took a third of the time that writing a Pod took.

/// Up to `N` bytes of ASCII. What does not fit is left out, so `N` must be enough.
pub(super) struct Buffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Buffer<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        debug_assert!(self.len < N && byte.is_ascii(), "the buffer is too small");
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    pub(super) fn push_str(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.push(byte));
    }

    /// A number with at least so many digits.
    pub(super) fn number(&mut self, mut number: u64, digits: usize) {
        let mut reversed = [b'0'; 20];
        let mut count = 0;
        while number > 0 || count < digits.max(1) {
            reversed[count] = b'0' + (number % 10) as u8;
            number /= 10;
            count += 1;
        }
        reversed[..count].iter().rev().for_each(|digit| self.push(*digit));
    }
}
