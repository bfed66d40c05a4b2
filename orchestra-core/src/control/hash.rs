//! [`FastMap`] and [`Place`]: hashing that is quick, and the same in every run.

use std::hash::{BuildHasherDefault, Hasher};

pub(super) use crate::random::mix;

/// A map that is looked into and never walked through, so that its order is never seen.
#[allow(clippy::disallowed_types)] // never iterated: its order is never seen
pub(super) type FastMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// A place in an index as a number: a hash of the kind, the index and the value.
///
/// Two places may have the same number. Whoever looks one up checks what is found there, and whoever
/// waits at one may be woken for nothing, never missed.
pub(super) type Place = u64;

/// A multiplication a word, its two halves folded: quick, and good in all bits. It keeps no secret:
/// what is found by it is always compared.
#[derive(Clone, Copy, Default)]
pub(super) struct FastHasher(u64);

impl FastHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        const OTHER: u64 = 0xd6e8_feb8_6659_fd93;
        let product = u128::from(self.0 ^ word ^ OTHER) * u128::from(ODD);
        #[allow(clippy::cast_possible_truncation)] // both halves are meant
        let folded = product as u64 ^ (product >> 64) as u64;
        self.0 = folded.rotate_left(23) ^ word;
    }
}

impl From<u64> for FastHasher {
    fn from(seed: u64) -> Self {
        Self(seed)
    }
}

impl Hasher for FastHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length tells "a" from "a\0".
        self.add(u64::from_le_bytes(last) ^ (bytes.len() as u64).rotate_left(56));
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// A number for some texts, each apart from the next, beginning with another number.
#[inline]
pub(super) fn hash(seed: u64, texts: &[&str]) -> u64 {
    let mut hasher = FastHasher(seed);
    for text in texts {
        hasher.write(text.as_bytes());
    }
    hasher.finish()
}

/// A number for some bytes.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = FastHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_tells_alike_apart_and_is_the_same_in_every_run() {
        let texts: Vec<String> = (0..100_000).map(|at| format!("web-{at}")).collect();
        let all: BTreeSet<u64> = texts.iter().map(|text| hash(1, &[text, "x"])).collect();
        assert_eq!(all.len(), texts.len());
        let low: BTreeSet<u64> = all.iter().map(|hash| hash & 0xffff).collect();
        assert!(low.len() > 50_000, "{} of 65536", low.len());
        assert_ne!(hash(1, &["a", "bc"]), hash(1, &["ab", "c"]));
        assert_ne!(hash(1, &["a"]), hash(1, &["a\0"]));
        assert_ne!(hash(1, &["a", ""]), hash(1, &["a"]));
        assert_eq!(hash(7, &["web"]), hash(7, &["web"]));
    }
}
