//! [`Injector`]: decides, point by point, which fault is met.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use orchestra_core::control::Random;

use super::fault::{Counts, Fault};
use super::faults::Faults;
use super::random::{hits, stream};

/// A fault that was met: of which kind, at which of its points, and how hard, as a number that each kind
/// reads in its own way, whatever the [`Faults`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Firing {
    /// The kind.
    pub fault: Fault,
    /// At which of its points, from 0 on.
    pub point: u64,
    /// How hard.
    pub force: u64,
}

/// As in the variable `ORCHESTRA_FAULTS`: `lag@12=3`.
impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}={}", self.fault, self.point, self.force)
    }
}

impl Firing {
    /// Reads what [`Display`](fmt::Display) writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (fault, rest) = text.split_once('@')?;
        let (point, force) = rest.split_once('=')?;
        Some(Self { fault: Fault::of_name(fault)?, point: point.parse().ok()?, force: force.parse().ok()? })
    }
}

/// How hard faults are, as numbers.
///
/// - What holds a watch back: events, and a thousand times the milliseconds.
/// - What has a time and one of two ways: twice the milliseconds, and the way.
/// - What has a time: the milliseconds. What has a number of revisions: that number.
pub(crate) mod force {
    use std::time::Duration;

    use orchestra_core::control::Random;

    use crate::fault::Fault;
    use crate::faults::Faults;
    use crate::world::store::PATIENCE;

    const EVENTS: u64 = 1000;

    pub(crate) const fn of_held(events: u64, millis: u64) -> u64 {
        events % EVENTS + EVENTS * millis
    }

    pub(crate) fn held(force: u64) -> (usize, Duration) {
        ((force % EVENTS) as usize, Duration::from_millis(force / EVENTS))
    }

    pub(crate) const fn of_time(millis: u64, way: bool) -> u64 {
        2 * millis + way as u64
    }

    pub(crate) const fn time(force: u64) -> (Duration, bool) {
        (Duration::from_millis(force / 2), force % 2 == 1)
    }

    /// Draws how hard a fault is.
    pub(super) fn draw(fault: Fault, faults: &Faults, random: &mut Random) -> u64 {
        let mut up_to = |longest: Duration| 1 + random.below((longest.as_millis() as u64).max(1));
        match fault {
            Fault::Lag | Fault::Skip | Fault::Coalesce => {
                let millis = 1000 + up_to(Duration::from_secs(14));
                let least = if fault == Fault::Coalesce { 2 } else { 1 };
                of_held(least + random.below(u64::from(faults.events.max(1))), millis)
            }
            Fault::Rewind => 1 + random.below(u64::from(faults.revisions.max(1))),
            Fault::CrashBefore | Fault::CrashAfter | Fault::Crash => up_to(faults.down),
            Fault::Pause => up_to(faults.pause),
            Fault::SlowCommit => of_time(slowness(faults, random), random.below(2) == 0),
            Fault::SlowEffect => of_time(up_to(faults.slowness), random.below(2) == 0),
            Fault::ClockJump => of_time(up_to(faults.jump), random.below(2) == 0),
            Fault::Partition => of_time(up_to(faults.partition), random.below(2) == 0),
            Fault::Conflict | Fault::LostBefore | Fault::LostAfter | Fault::LostEffect | Fault::LostCall => 0,
        }
    }

    /// By how many milliseconds a commit is late: by a little, so that what was sent after it overtakes it;
    /// by a little more than whoever sent it waits, so that it comes when they have planned anew; or by
    /// anything.
    fn slowness(faults: &Faults, random: &mut Random) -> u64 {
        const LITTLE: u64 = 300;
        let most = (faults.slowness.as_millis() as u64).max(1);
        let millis = match random.below(3) {
            0 => random.below(LITTLE),
            1 => PATIENCE.1.as_millis() as u64 + random.below(LITTLE),
            _ => random.below(most),
        };
        1 + millis.min(most - 1)
    }
}

impl Firing {
    /// What happened, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { fault, point, force } = *self;
        let ((events, held), (time, way), whole) =
            (force::held(force), force::time(force), Duration::from_millis(force));
        match fault {
            Fault::CrashBefore => format!("a machine dies before commit {point} takes effect, for {whole:?}"),
            Fault::CrashAfter => format!("a machine dies after commit {point} took effect, for {whole:?}"),
            Fault::Crash => format!("a machine dies, for {whole:?}"),
            Fault::Lag => {
                format!("from delivery {point} on a view is {events} events behind, for {held:?} at most")
            }
            Fault::Rewind => format!("a first listing is {force} revisions old"),
            Fault::Skip => format!(
                "a watch is silent from delivery {point} on, for {events} events or {held:?}, and then told to list again"
            ),
            Fault::Coalesce => {
                format!("from delivery {point} on {events} events come at once, after {held:?} at most")
            }
            Fault::Conflict => format!("somebody else writes to the object just before commit {point}"),
            Fault::LostBefore => format!("commit {point} is lost on its way"),
            Fault::LostAfter => format!("commit {point} takes effect, and the answer is lost"),
            Fault::SlowCommit if way => format!("commit {point} comes {time:?} late"),
            Fault::SlowCommit => format!("the answer to commit {point} comes {time:?} late"),
            Fault::ClockJump => {
                format!("a wall clock jumps {} by {time:?}", if way { "back" } else { "forward" })
            }
            Fault::Partition => {
                let breaks = if way { ", and its watch breaks" } else { "" };
                format!("a machine cannot reach the store for {time:?}{breaks}")
            }
            Fault::Pause => format!("a machine stands still for {whole:?} before it sends commit {point}"),
            Fault::LostEffect => format!("the answer to call {point} is lost"),
            Fault::LostCall => format!("call {point} is lost on its way"),
            Fault::SlowEffect if way => format!("call {point} comes {time:?} late"),
            Fault::SlowEffect => format!("the answer to call {point} comes {time:?} late"),
        }
    }
}

/// What decides which faults are met.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Rates, and a seed.
    Rates,
    /// A list: exactly these, and no others.
    Listed(Vec<Firing>),
}

/// Decides, point by point, which fault is met. Each kind draws from a stream of its own.
pub(crate) struct Injector {
    faults: Faults,
    streams: [Random; Fault::ALL.len()],
    listed: Option<BTreeMap<(Fault, u64), u64>>,
    fired: Vec<Firing>,
    /// For each that fired, how many points of [lag](Fault::Lag) there had been: where to go on.
    deliveries: Vec<u64>,
    pub(crate) counts: Counts,
    is_over: bool,
}

impl Injector {
    pub(crate) fn new(seed: u64, faults: &Faults, fate: &Fate) -> Self {
        let listed = match fate {
            Fate::Rates => None,
            Fate::Listed(list) => {
                Some(list.iter().map(|firing| ((firing.fault, firing.point), firing.force)).collect())
            }
        };
        Self {
            faults: faults.clone(),
            streams: Fault::ALL.map(|fault| stream(seed, fault.name(), 0)),
            listed,
            fired: Vec::new(),
            deliveries: Vec::new(),
            counts: Counts::default(),
            is_over: false,
        }
    }

    /// Whether the fault is met at this point, and how hard. To ask is to pass the point.
    pub(crate) fn meets(&mut self, fault: Fault) -> Option<u64> {
        if self.is_over {
            return None;
        }
        let count = self.counts.count(fault);
        let point = count.points;
        count.points += 1;
        let force = match &self.listed {
            Some(listed) => listed.get(&(fault, point)).copied(),
            None => {
                let stream = &mut self.streams[fault.at()];
                let fires = hits(stream, self.faults.rate(fault));
                fires.then(|| force::draw(fault, &self.faults, stream))
            }
        }?;
        self.counts.count(fault).fired += 1;
        self.fired.push(Firing { fault, point, force });
        self.deliveries.push(self.counts.of(Fault::Lag).points);
        Some(force)
    }

    pub(crate) fn bites(&mut self, fault: Fault) {
        self.counts.count(fault).bit += 1;
    }

    /// From now on, nothing goes wrong.
    pub(crate) const fn heal(&mut self) {
        self.is_over = true;
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was met, in order.
    pub(crate) fn fired(&self) -> &[Firing] {
        &self.fired
    }

    /// How many deliveries there had been when each was met.
    pub(crate) fn deliveries(&self) -> &[u64] {
        &self.deliveries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_can_be_met_again() {
        let faults = Faults::everything();
        let run = |fate: &Fate| {
            let mut injector = Injector::new(3, &faults, fate);
            for _ in 0..500 {
                for fault in Fault::ALL {
                    injector.meets(fault);
                }
            }
            injector.heal();
            assert_eq!(injector.meets(Fault::Rewind), None);
            injector.fired().to_vec()
        };
        let first = run(&Fate::Rates);
        assert!(first.len() > 100);
        assert_eq!(run(&Fate::Listed(first.clone())), first);
        let without: Vec<_> = first.iter().copied().filter(|firing| firing.fault != Fault::Lag).collect();
        assert_eq!(run(&Fate::Listed(without.clone())), without);
        for firing in first {
            assert_eq!(Firing::parse(&firing.to_string()), Some(firing));
        }
        assert_eq!(Firing::parse("lag@x=1"), None);
    }
}
