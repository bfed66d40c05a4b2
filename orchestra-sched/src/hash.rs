//! Hashes that are the same on every machine and in every run, and [`Index`], a table by hash.
//!
//! No hash decides anything: it finds what is equal, and equality decides.

use std::hash::{Hash, Hasher};

/// A fast hash of 64 bits without a key. Whoever may choose what is hashed here can make it slow, by
/// one comparison for each that collides, and no more: what a cluster holds is bounded elsewhere.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fold(u64);

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Fold {
    fn word(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word) * u128::from(FACTOR | 1 << 63);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64).rotate_left(23);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] ^= rest.len() as u8 | 0x80;
        self.word(u64::from_le_bytes(last));
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.word(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.word(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// The hash of something.
pub(crate) fn hash(of: &(impl Hash + ?Sized)) -> u64 {
    let mut fold = Fold::default();
    of.hash(&mut fold);
    fold.finish()
}

/// Mixes the bits of a number: splitmix64's last step.
pub(crate) const fn mix(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// Numbers found by hash: an open table of (hash, number). What a number stands for is the owner's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    slots: Vec<(u32, u32)>, // the upper half of the hash, and the number plus one; 0 is free
    used: usize,
}

impl Index {
    /// The number under a hash that `is` the right one.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.slot(hash, is).map(|at| self.slots[at].1 - 1)
    }

    fn slot(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let tag = (hash >> 32) as u32;
        let mut at = hash as usize & mask;
        while self.slots[at].1 != 0 {
            if self.slots[at].0 == tag && is(self.slots[at].1 - 1) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Puts a number in, which must not be there yet. `rehash` tells the hash of a number.
    pub(crate) fn insert(&mut self, hash: u64, number: u32, rehash: impl Fn(u32) -> u64) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![(0, 0); (old.len() * 2).max(16)];
            old.iter().filter(|slot| slot.1 != 0).for_each(|slot| self.put(rehash(slot.1 - 1), slot.1 - 1));
        }
        self.used += 1;
        self.put(hash, number);
    }

    fn put(&mut self, hash: u64, number: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].1 != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = ((hash >> 32) as u32, number + 1);
    }

    /// Takes a number out. `rehash` tells the hash of a number.
    pub(crate) fn remove(&mut self, hash: u64, number: u32, rehash: impl Fn(u32) -> u64) {
        let Some(mut hole) = self.slot(hash, |it| it == number) else { return };
        self.used -= 1;
        let mask = self.slots.len() - 1;
        let mut at = hole;
        // Whatever comes after it moves up, so that no search ends at the hole too early.
        loop {
            at = (at + 1) & mask;
            let (_, next) = self.slots[at];
            if next == 0 {
                break;
            }
            let home = rehash(next - 1) as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_index_holds_what_was_put_in() {
        let poor = |number: u32| mix(u64::from(number % 40)); // most collide
        for seed in 0..50 {
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            let mut random: u64 = seed;
            for _ in 0..600 {
                random = mix(random.wrapping_add(FACTOR));
                let number = (random % 200) as u32;
                if model.remove(&number) {
                    index.remove(poor(number), number, poor);
                } else {
                    model.insert(number);
                    index.insert(poor(number), number, poor);
                }
                let probe = (random >> 32) as u32 % 200;
                assert_eq!(index.find(poor(probe), |it| it == probe).is_some(), model.contains(&probe));
            }
        }
    }

    #[test]
    fn a_hash_is_the_same_everywhere() {
        assert_eq!(hash("node-1"), hash(&String::from("node-1")));
        assert_ne!(hash(&("a", "bc")), hash(&("ab", "c")));
        assert_eq!(hash(&1u64), 16_294_208_416_658_607_535, "as it was when it was written");
    }
}
