//! Time and names as parts: [`Clock`] and [`Ids`].
//!
//! No decision reads a clock or draws a random number; both are arguments. Whoever drives the
//! decisions is given these: the real ones, or those of a simulation.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::object::{MicroTime, Str, Timestamp, Uid};
use crate::{Result, random};

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    /// The time, to the microsecond.
    fn now(&self) -> MicroTime;

    /// The time, to the second.
    fn now_seconds(&self) -> Timestamp {
        self.now().into()
    }
}

/// Where ids come from that nobody chose.
pub trait Ids: Send + Sync + 'static {
    /// A number that was not drawn before, nor will be.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    fn draw(&self) -> Result<u128>;

    /// Who a new object is.
    ///
    /// # Errors
    /// As for [`draw`](Self::draw).
    fn uid(&self) -> Result<Uid> {
        // A UUID of version 4 and variant 1, as others expect random ones to be.
        const FIXED: u128 = 0xf000 << 64 | 0xc000 << 48;
        const VERSION: u128 = 0x4000 << 64 | 0x8000 << 48;
        Ok(Uid::from_u128(self.draw()? & !FIXED | VERSION))
    }

    /// What is appended to a `generateName`: five characters of those that Kubernetes uses, which
    /// spell no words and are not mistaken for one another.
    ///
    /// # Errors
    /// As for [`draw`](Self::draw).
    fn suffix(&self) -> Result<Str> {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut rest = self.draw()?;
        let mut text = String::with_capacity(5);
        for _ in 0..5 {
            // The remainder is below 27, and the letters are ASCII.
            text.push(LETTERS[(rest % 27) as usize] as char);
            rest /= 27;
        }
        Ok(text.into())
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // this is where time comes from
    fn now(&self) -> MicroTime {
        let micros = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        MicroTime::from_unix_micros(micros)
    }
}

/// A time that stands still: for tests, and for decisions that are looked at again.
impl Clock for MicroTime {
    fn now(&self) -> MicroTime {
        *self
    }
}

/// Random ids, from the operating system.
#[cfg(feature = "driver")]
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

#[cfg(feature = "driver")]
impl Ids for RandomIds {
    fn draw(&self) -> Result<u128> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| crate::Error::Random { reason: error.to_string() })?;
        Ok(u128::from_be_bytes(bytes))
    }
}

/// Ids that follow from a seed: the same seed, the same ids.
#[derive(Debug, Default)]
pub struct SeededIds {
    state: AtomicU64,
}

impl SeededIds {
    /// The ids of a seed, from the first one on.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        random::mix(self.state.fetch_add(random::STEP, Ordering::Relaxed))
    }
}

impl Ids for SeededIds {
    fn draw(&self) -> Result<u128> {
        Ok(u128::from(self.next()) << 64 | u128::from(self.next()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_look_as_kubernetes_makes_them() {
        let ids = SeededIds::new(1);
        for _ in 0..100 {
            let uid = ids.uid().unwrap().to_string();
            assert_eq!((&uid[14..15], "89ab".contains(&uid[19..20])), ("4", true), "{uid}");
            let suffix = ids.suffix().unwrap();
            assert!(
                suffix.len() == 5 && !suffix.contains(['a', 'e', 'i', 'o', 'u', '0', '1', '3']),
                "{suffix}"
            );
        }
    }

    #[test]
    fn a_seed_gives_the_same_ids_and_none_twice() {
        let draw = |seed| {
            let ids = SeededIds::new(seed);
            (0..1000).map(|_| ids.draw().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(draw(7).into_iter().collect::<BTreeSet<_>>().len(), 1000);
    }

    #[test]
    fn the_system_knows_the_time() {
        assert!(SystemClock.now() > MicroTime::from_unix_micros(1_700_000_000_000_000));
        let still = MicroTime::from_unix_micros(5_000_001);
        assert_eq!((still.now(), still.now_seconds()), (still, Timestamp::from_unix(5)));
    }
}
