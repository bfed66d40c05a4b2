//! [`Backoff`] and [`Rate`]: how long to wait, and how often at most.

use std::time::Duration;

use super::hash::mix;

/// How long something waits before it is tried again: twice as long each time, up to a limit, and a
/// little more or less, so that what failed together is not tried again together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Backoff {
    /// The default: from a tenth of a second, in which most conflicts and short failures are over, to
    /// five minutes, after which a person who mended something does not wait for long.
    pub const DEFAULT: Self = Self { first: Duration::from_millis(100), most: Duration::from_secs(300) };

    /// How long to wait after so many failures in a row: between three and five quarters of what the
    /// number says. The same seed and number give the same time.
    #[must_use]
    pub fn after(&self, failures: u32, seed: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.most);
        let share = mix(seed ^ u64::from(failures)) % 512; // of 1024, around the whole
        (whole / 1024).saturating_mul(768 + share as u32).max(Duration::from_millis(1))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How often something may happen: so many at once, and so many a second in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// In the long run. Infinity: as often as one likes.
    pub per_second: f64,
    /// At once.
    pub burst: u32,
}

impl Rate {
    /// As often as one likes.
    pub const UNLIMITED: Self = Self { per_second: f64::INFINITY, burst: u32::MAX };

    /// So many a second in the long run, and so many at once.
    #[must_use]
    pub const fn new(per_second: f64, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tokens {
    left: f64,
    at: Duration,
}

impl Tokens {
    pub(super) fn full(rate: Rate) -> Self {
        Self { left: f64::from(rate.burst), at: Duration::ZERO }
    }

    fn left(&self, rate: Rate, now: Duration) -> f64 {
        let since = now.saturating_sub(self.at).as_secs_f64();
        let gained = if since > 0.0 { since * rate.per_second } else { 0.0 };
        (self.left + gained).min(f64::from(rate.burst))
    }

    pub(super) fn has_one(&mut self, rate: Rate, now: Duration) -> bool {
        if rate.per_second.is_infinite() {
            self.left = 1.0;
            return true;
        }
        self.left = self.left(rate, now);
        self.at = self.at.max(now);
        self.left >= 1.0
    }

    pub(super) fn take(&mut self) {
        self.left -= 1.0;
    }

    /// When there is one, at the earliest.
    pub(super) fn ready_at(&self, rate: Rate, now: Duration) -> Duration {
        if rate.per_second.is_infinite() {
            return now;
        }
        let missing = 1.0 - self.left(rate, now);
        if missing <= 0.0 {
            return now;
        }
        // Never again is far away, but a time all the same.
        const FAR: f64 = 1e9;
        now.saturating_add(Duration::from_secs_f64((missing / rate.per_second).clamp(0.000_001, FAR)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_limit_and_is_not_the_same_for_all() {
        let backoff = Backoff::DEFAULT;
        for failures in 1..40 {
            let whole =
                Duration::from_millis(100).saturating_mul(1 << (failures - 1).min(20)).min(backoff.most);
            let waits: Vec<_> = (0..100).map(|seed| backoff.after(failures, seed)).collect();
            assert!(
                waits.iter().all(|wait| *wait >= whole * 7 / 10 && *wait <= whole * 13 / 10),
                "{waits:?}"
            );
            assert!(waits.iter().any(|wait| *wait != waits[0]));
            assert_eq!(backoff.after(failures, 7), waits[7]);
        }
    }

    #[test]
    fn a_rate_is_kept() {
        let rate = Rate::new(2.0, 3);
        let mut tokens = Tokens::full(rate);
        let mut taken = 0;
        for millis in 0..10_000 {
            let now = Duration::from_millis(millis);
            assert_eq!(tokens.has_one(rate, now), tokens.ready_at(rate, now) == now);
            if tokens.has_one(rate, now) {
                tokens.take();
                taken += 1;
            }
        }
        assert_eq!(taken, 3 + 2 * 10 - 1);
    }
}
