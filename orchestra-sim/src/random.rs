//! Random streams: one for each part of a simulation, so that what one draws moves nothing in another.

use std::time::Duration;

use orchestra_core::control::Random;

/// The stream of one part, of a seed that all share.
pub(crate) fn stream(seed: u64, part: &str, number: u64) -> Random {
    Random::seeded(fold(mix(seed ^ mix(number)), part.as_bytes()))
}

/// Whether something happens that happens so often in a thousand times.
pub(crate) const fn hits(random: &mut Random, of_a_thousand: u16) -> bool {
    random.below(1000) < of_a_thousand as u64
}

/// A time between two, to the microsecond.
pub(crate) fn time(random: &mut Random, shortest: Duration, longest: Duration) -> Duration {
    let more = u64::try_from(longest.saturating_sub(shortest).as_micros()).unwrap_or(u64::MAX);
    shortest + Duration::from_micros(random.below(more.saturating_add(1)))
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that looks random and follows from this one (splitmix64).
pub(crate) const fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for some bytes, beginning with another number.
pub(crate) fn fold(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(hash, |hash, word| fold_word(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(fold_word(hash, u64::from_le_bytes(last)) ^ bytes.len() as u64)
}

/// A number for one more word: quick, not thorough.
pub(crate) const fn fold_word(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(STEP).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_stream_is_the_same_each_time_and_no_other() {
        let draw = |part, number| {
            let mut random = stream(7, part, number);
            (0..100).map(|_| random.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw("a", 1), draw("a", 1));
        assert_ne!(draw("a", 1), draw("a", 2));
        assert_ne!(draw("a", 1), draw("b", 1));
    }

    #[test]
    fn what_is_drawn_is_within_its_limits() {
        let mut random = stream(1, "", 0);
        let count = (0..10_000).filter(|_| hits(&mut random, 250)).count();
        assert!((2_300..2_700).contains(&count), "{count}");
        let long = Duration::from_micros(9);
        let drawn: BTreeSet<Duration> = (0..200).map(|_| time(&mut random, long / 3, long)).collect();
        assert_eq!(drawn.len(), 7);
    }

    #[test]
    fn a_fold_tells_alike_apart() {
        let all = [&b""[..], b"\0", b"a", b"a\0", b"abcdefgh", b"abcdefgh\0", b"abcdefghi"];
        let folds: BTreeSet<u64> = all.iter().map(|bytes| fold(1, bytes)).collect();
        assert_eq!(folds.len(), all.len());
    }
}
