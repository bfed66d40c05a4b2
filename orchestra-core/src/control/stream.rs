//! [`Random`]: numbers that look random, one stream an object.

use crate::random::{self, mix};

/// Numbers that look random and follow from a seed: the same seed, the same numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The numbers of a seed, from the first one on.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        random::next(&mut self.state)
    }

    /// A number below a bound, each as likely as any other to within what nobody can tell; zero if the
    /// bound is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        let product = self.next_u64() as u128 * bound as u128;
        (product >> 64) as u64
    }

    /// One of some things, if there is any.
    pub fn pick<'t, T>(&mut self, things: &'t [T]) -> Option<&'t T> {
        let at = self.below(things.len() as u64);
        things.get(usize::try_from(at).ok()?)
    }

    /// Puts things in any order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for end in (1..things.len()).rev() {
            let at = usize::try_from(self.below(end as u64 + 1)).unwrap_or(end);
            things.swap(at, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_and_all_are_as_likely() {
        let draw = |seed| {
            let mut random = Random::seeded(seed);
            (0..6000).map(|_| random.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        for side in 0..6 {
            let count = draw(3).into_iter().filter(|drawn| *drawn == side).count();
            assert!((850..1150).contains(&count), "{side}: {count}");
        }
        let mut things: Vec<u32> = (0..50).collect();
        let mut random = Random::seeded(1);
        random.shuffle(&mut things);
        assert!(!things.is_sorted() && things.contains(random.pick(&things).unwrap()));
        things.sort_unstable();
        assert_eq!(things, (0..50).collect::<Vec<_>>());
        assert_eq!((random.below(0), random.pick::<u8>(&[])), (0, None));
    }
}
