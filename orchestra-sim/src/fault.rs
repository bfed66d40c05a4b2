//! [`Fault`]: what goes wrong in a simulation, kind by kind.

use std::fmt;

/// A kind of fault.
///
/// Each is met at certain *points* of a run, which are counted kind by kind: a fault *fires* at a point,
/// or does not. It has *bitten* when it changed, or could have changed, what was decided; for each kind
/// it is said here when that is so. Control machines are met by all of them, the
/// [environment](crate::Simulation::environment) by none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// A machine dies just before its commit would have taken effect. It is started anew after a while,
    /// and remembers nothing. Always bites: a plan is torn.
    CrashBefore,
    /// A machine dies when its commit has taken effect, and before it learns of that. Always bites.
    CrashAfter,
    /// A machine dies at any moment, looked at once a second. Bites when it led or had work under way:
    /// what it remembered is lost.
    Crash,
    /// For some seconds a machine's view is some events behind. Bites when work is begun on it
    /// meanwhile.
    Lag,
    /// The first listing after a start shows an older state, as from a replica that has fallen behind.
    /// A leader is protected from it by the revision of its term; without an election nobody is, so
    /// without one it is met only when [asked for](crate::Faults::rewinds). Bites when something had
    /// changed since.
    Rewind,
    /// A watch falls silent for some events, then ends as compacted: states in between are never seen,
    /// only what stands at the end. Bites when there was such a state.
    Skip,
    /// Some events come all at once, and are looked at together. Bites when there was a state that was
    /// passed over.
    Coalesce,
    /// Just before a commit, somebody else writes a harmless annotation to the object. Bites when the
    /// commit is refused for it.
    Conflict,
    /// A commit is lost on its way: it takes no effect, and whoever asked for it does not know. Always
    /// bites: they must find out.
    LostBefore,
    /// A commit takes effect, and the answer is lost. Always bites.
    LostAfter,
    /// A commit, or its answer, takes seconds. Bites when something else is committed before it, and always
    /// when it is the answer that is late.
    SlowCommit,
    /// A machine's wall clock jumps, forward or back, looked at once a second. Bites when work is begun
    /// while the clock is off.
    ClockJump,
    /// A machine cannot reach the store for a while, looked at once a second: requests fail or are lost,
    /// watches are silent, and some of them break. Bites when a request failed or an event was held back.
    Partition,
    /// A machine stands still for a while just before it sends a commit, as in a long collection of
    /// garbage, and then goes on with what it believed. Bites when something was committed meanwhile.
    Pause,
    /// What a handler did is done, and its answer is lost. Bites when it is called with the same key
    /// again.
    LostEffect,
    /// A handler's call is lost on its way: nothing is done, and whoever called does not know. Always
    /// bites: it must be called again.
    LostCall,
    /// A handler's call, or its answer, takes seconds. Bites when something is committed before it.
    SlowEffect,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 17] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Crash,
        Self::Lag,
        Self::Rewind,
        Self::Skip,
        Self::Coalesce,
        Self::Conflict,
        Self::LostBefore,
        Self::LostAfter,
        Self::SlowCommit,
        Self::ClockJump,
        Self::Partition,
        Self::Pause,
        Self::LostEffect,
        Self::LostCall,
        Self::SlowEffect,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrashBefore => "crash-before-commit",
            Self::CrashAfter => "crash-after-commit",
            Self::Crash => "crash",
            Self::Lag => "lag",
            Self::Rewind => "rewind",
            Self::Skip => "skip",
            Self::Coalesce => "coalesce",
            Self::Conflict => "conflict",
            Self::LostBefore => "lost-commit",
            Self::LostAfter => "lost-answer",
            Self::SlowCommit => "slow-commit",
            Self::ClockJump => "clock-jump",
            Self::Partition => "partition",
            Self::Pause => "pause",
            Self::LostEffect => "lost-effect",
            Self::LostCall => "lost-call",
            Self::SlowEffect => "slow-effect",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Whether it falls on the calls of handlers: without any it cannot be met.
    pub(crate) const fn is_of_effects(self) -> bool {
        matches!(self, Self::LostEffect | Self::LostCall | Self::SlowEffect)
    }

    pub(crate) const fn at(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each fault was met.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Counts(Box<[Count; Fault::ALL.len()]>);

/// How often a fault was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it could have been.
    pub points: u64,
    /// How often it was.
    pub fired: u64,
    /// How often that changed, or could have changed, what was decided.
    pub bit: u64,
}

impl Counts {
    /// How often one fault was met.
    #[must_use]
    pub fn of(&self, fault: Fault) -> Count {
        self.0[fault.at()]
    }

    pub(crate) fn count(&mut self, fault: Fault) -> &mut Count {
        &mut self.0[fault.at()]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, other) in self.0.iter_mut().zip(&*other.0) {
            mine.points += other.points;
            mine.fired += other.fired;
            mine.bit += other.bit;
        }
    }
}

/// What each fault that was met came to.
impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = Fault::ALL.into_iter().map(|fault| (fault, self.of(fault)));
        f.debug_map()
            .entries(met.filter(|(_, count)| count.fired > 0).map(|(fault, count)| {
                (fault, format!("{} of {}, bit {}", count.fired, count.points, count.bit))
            }))
            .finish()
    }
}

/// A line for each fault that was met.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = Fault::ALL.into_iter().filter(|fault| self.of(*fault).fired > 0);
        for (at, fault) in met.enumerate() {
            let Count { points, fired, bit } = self.of(fault);
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{:<20} fired {fired:>4} times of {points:>6}, bit {bit:>4}", fault.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_a_place_of_its_own() {
        for (at, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!((fault.at(), Fault::of_name(fault.name())), (at, Some(fault)));
        }
    }
}
