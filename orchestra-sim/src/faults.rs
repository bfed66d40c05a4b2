//! [`Faults`]: which faults are met, how often, and how hard.

use std::time::Duration;

use super::fault::Fault;

/// Which faults a simulation meets: of a thousand points of each kind, so many; and how hard they are.
///
/// ```
/// use orchestra_sim::{Fault, Faults};
/// let crashes = Faults::none().crashes(50);
/// let faults = crashes.and(Faults::none().lag(5)).and(Faults::everything().without(Fault::Pause));
/// assert_eq!((faults.rate(Fault::CrashAfter), faults.rate(Fault::Pause)), (50, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    rates: [u16; Fault::ALL.len()],
    /// Whether first listings are old also where there is no election, which protects from it: no.
    pub rewinds_unelected: bool,
    /// How many events a view lags behind at most, and how many are skipped or come at once: 8.
    pub events: u32,
    /// How many revisions older the first listing of a machine is at most: 16.
    pub revisions: u32,
    /// How long a machine stays down at most: 30 seconds.
    pub down: Duration,
    /// How long a machine is cut off from the store at most: 40 seconds.
    pub partition: Duration,
    /// How long a machine stands still at most: 40 seconds.
    pub pause: Duration,
    /// How long a commit, a handler's call, or the answer to one takes at most: 8 seconds.
    pub slowness: Duration,
    /// By how much a wall clock jumps at most, forward or back: an hour.
    pub jump: Duration,
}

impl Faults {
    /// None at all: each kind is asked for by a method. How hard it is by default, the fields say.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            rates: [0; Fault::ALL.len()],
            rewinds_unelected: false,
            events: 8,
            revisions: 16,
            down: Duration::from_secs(30),
            partition: Duration::from_secs(40),
            pause: Duration::from_secs(40),
            slowness: Duration::from_secs(8),
            jump: Duration::from_secs(3600),
        }
    }

    /// A little of everything. Some commits in a hundred meet with something, so that most work goes on,
    /// and several faults happen in a run, often at the same time. Machines are down, cut off or paused
    /// for up to twice the time in which another takes over, so that both happen: it comes back before,
    /// and after.
    #[must_use]
    pub const fn everything() -> Self {
        let mut this = Self::none();
        let mut at = 0;
        while at < Fault::ALL.len() {
            this.rates[at] = usual(Fault::ALL[at]);
            at += 1;
        }
        this
    }

    /// One fault at a rate: so many of a thousand points.
    #[must_use]
    pub const fn with(mut self, fault: Fault, of_a_thousand: u16) -> Self {
        self.rates[fault.at()] = of_a_thousand;
        self
    }

    /// Without one fault.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        self.with(fault, 0)
    }

    /// Crashes, of a thousand commits so many before and so many after it took effect.
    #[must_use]
    pub const fn crashes(self, of_a_thousand: u16) -> Self {
        self.with(Fault::CrashBefore, of_a_thousand).with(Fault::CrashAfter, of_a_thousand)
    }

    /// Machines that crash stay down for up to so long.
    #[must_use]
    pub const fn down_for(self, longest: Duration) -> Self {
        Self { down: longest, ..self }
    }

    /// Views that lag, by up to so many events.
    #[must_use]
    pub const fn lag(self, events: u32) -> Self {
        Self { events, ..self.with(Fault::Lag, usual(Fault::Lag)) }
    }

    /// First listings that are up to so many revisions old, also where there is no election.
    #[must_use]
    pub const fn rewinds(self, revisions: u32) -> Self {
        Self { revisions, rewinds_unelected: true, ..self.with(Fault::Rewind, usual(Fault::Rewind)) }
    }

    /// States that are never observed: events skipped, or many at once, up to so many.
    #[must_use]
    pub const fn skips(self, events: u32) -> Self {
        let this = self.with(Fault::Skip, usual(Fault::Skip));
        Self { events, ..this.with(Fault::Coalesce, usual(Fault::Coalesce)) }
    }

    /// Conflicts, of a thousand commits so many.
    #[must_use]
    pub const fn conflicts(self, of_a_thousand: u16) -> Self {
        self.with(Fault::Conflict, of_a_thousand)
    }

    /// Lost answers, of a thousand commits so many that took effect and so many that did not.
    #[must_use]
    pub const fn lost_answers(self, of_a_thousand: u16) -> Self {
        self.with(Fault::LostBefore, of_a_thousand).with(Fault::LostAfter, of_a_thousand)
    }

    /// Commits that take up to so long.
    #[must_use]
    pub const fn slow_commits(self, longest: Duration) -> Self {
        Self { slowness: longest, ..self.with(Fault::SlowCommit, usual(Fault::SlowCommit)) }
    }

    /// Calls of handlers that are lost: of a thousand so many before anything is done, and so many after.
    #[must_use]
    pub const fn lost_calls(self, of_a_thousand: u16) -> Self {
        self.with(Fault::LostCall, of_a_thousand).with(Fault::LostEffect, of_a_thousand)
    }

    /// Calls of handlers that take up to so long.
    #[must_use]
    pub const fn slow_effects(self, longest: Duration) -> Self {
        Self { slowness: longest, ..self.with(Fault::SlowEffect, usual(Fault::SlowEffect)) }
    }

    /// Wall clocks that jump by up to so much.
    #[must_use]
    pub const fn clock_jumps(self, greatest: Duration) -> Self {
        Self { jump: greatest, ..self.with(Fault::ClockJump, usual(Fault::ClockJump)) }
    }

    /// Machines that cannot reach the store for up to so long.
    #[must_use]
    pub const fn partitions(self, longest: Duration) -> Self {
        Self { partition: longest, ..self.with(Fault::Partition, usual(Fault::Partition)) }
    }

    /// Machines that stand still for up to so long.
    #[must_use]
    pub const fn pauses(self, longest: Duration) -> Self {
        Self { pause: longest, ..self.with(Fault::Pause, usual(Fault::Pause)) }
    }

    /// These and others: of each fault the greater rate, and of each size the greater.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut rates = self.rates;
        for (mine, other) in rates.iter_mut().zip(other.rates) {
            *mine = (*mine).max(other);
        }
        Self {
            rates,
            rewinds_unelected: self.rewinds_unelected || other.rewinds_unelected,
            events: self.events.max(other.events),
            revisions: self.revisions.max(other.revisions),
            down: self.down.max(other.down),
            partition: self.partition.max(other.partition),
            pause: self.pause.max(other.pause),
            slowness: self.slowness.max(other.slowness),
            jump: self.jump.max(other.jump),
        }
    }

    /// How often a fault is met, of a thousand points.
    #[must_use]
    pub const fn rate(&self, fault: Fault) -> u16 {
        self.rates[fault.at()]
    }

    /// Those that are met.
    pub fn enabled(&self) -> impl Iterator<Item = Fault> + '_ {
        Fault::ALL.into_iter().filter(|fault| self.rate(*fault) > 0)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

/// How often each fault is met in [`Faults::everything`].
const fn usual(fault: Fault) -> u16 {
    match fault {
        // Of commits: a plan of a few steps is torn in some runs, and made in others.
        Fault::CrashBefore | Fault::CrashAfter | Fault::LostBefore | Fault::LostAfter | Fault::Pause => 20,
        Fault::Conflict | Fault::SlowCommit => 40,
        // Of deliveries, of which there are as many as commits.
        Fault::Lag => 40,
        Fault::Skip | Fault::Coalesce => 30,
        // Of seconds: one or two a minute.
        Fault::Crash | Fault::Partition => 10,
        Fault::ClockJump => 30,
        // Of starts, which are rare.
        Fault::Rewind => 500,
        // Of calls, of which there are few.
        Fault::LostEffect | Fault::SlowEffect => 200,
        Fault::LostCall => 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_compose() {
        let none = Faults::none();
        assert_eq!(none.enabled().count(), 0);
        assert_eq!(Faults::everything().enabled().count(), Fault::ALL.len());
        let both = none.clone().lag(3).and(none.crashes(7));
        assert_eq!(both.enabled().collect::<Vec<_>>(), [Fault::CrashBefore, Fault::CrashAfter, Fault::Lag]);
        assert_eq!((both.rate(Fault::CrashAfter), both.events), (7, 8));
    }
}
