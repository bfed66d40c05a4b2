//! [`Failure`]: what a simulation found, for people and for those who run it again.

use std::fmt;
use std::time::Duration;

use super::fault::{Counts, Fault};
use super::injector::Firing;

/// What a simulation found. `Debug` shows it as `Display` does, for whoever unwraps it.
#[derive(Clone)]
pub struct Failure {
    /// What it is.
    pub found: Found,
    /// Which seed shows it.
    pub seed: u64,
    /// After how many steps.
    pub step: u64,
    /// In which of the runs, from 1 on; those that only find out which faults are needed do not count.
    pub runs: u64,
    /// When, since the beginning of the simulation.
    pub at: Duration,
    /// The last things that happened, in words.
    pub story: Vec<String>,
    /// How often each fault was met.
    pub faults: Counts,
    /// The faults that are enough for it.
    pub firings: Vec<Firing>,
    /// Whether these are fewer than were met, because the others were found not to be needed.
    pub is_shrunk: bool,
    /// Whether the faults were drawn, so that the seed alone is enough.
    pub is_drawn: bool,
}

/// What can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// An invariant does not hold.
    Broken {
        /// Which one.
        invariant: String,
        /// Why not.
        reason: String,
    },
    /// The condition did not become true in time, once nothing went wrong any more.
    NotConverged {
        /// How long it had.
        within: Duration,
        /// Why it is not true.
        reason: String,
    },
    /// The condition was true, and did not stay so.
    NotStayed {
        /// For how long it was.
        after: Duration,
        /// Why it is not true.
        reason: String,
    },
    /// The condition is true, yet there is no end to the commits.
    Restless {
        /// How many there were lately.
        commits: u64,
        /// In how long a time.
        lately: Duration,
    },
    /// A leader's commit took effect though another leads.
    TwoLeaders {
        /// Whose.
        machine: String,
        /// What happened.
        reason: String,
    },
    /// A reconciler panicked. The others go on, and so would it; yet nobody writes one that is to.
    Panicked {
        /// Which controller's.
        controller: String,
        /// For which object.
        object: String,
        /// What it said.
        reason: String,
    },
    /// Faults were to be met and changed nothing: the simulation shows nothing about them.
    NeverBit(Vec<Fault>),
    /// What the simulation was told to do could not be done.
    Impossible {
        /// Why not.
        reason: String,
    },
    /// There was no end to it: more steps than any run should have.
    Endless,
}

impl Found {
    /// Whether it is the same finding, though the details may differ.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Broken { invariant: mine, .. }, Self::Broken { invariant: other, .. }) => mine == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { invariant, reason } => {
                write!(f, "the invariant \"{invariant}\" does not hold{}", because(reason))
            }
            Self::NotConverged { within, reason } => write!(
                f,
                "it does not converge within {within:?} once nothing goes wrong any more{}",
                because(reason)
            ),
            Self::NotStayed { after, reason } => {
                write!(f, "it converges, and does not stay so for more than {after:?}{}", because(reason))
            }
            Self::Restless { commits, lately } => {
                write!(f, "it does not come to rest: {commits} commits in the last {lately:?}")
            }
            Self::TwoLeaders { machine, reason } => write!(f, "{machine} commits out of its term: {reason}"),
            Self::Panicked { controller, object, reason } => write!(
                f,
                "the reconciler of {controller} panicked for {object}: {reason}\n  if it may, say so \
                 (Simulation::tolerates_panics)"
            ),
            Self::NeverBit(faults) => {
                f.write_str("these faults never changed anything, so nothing is shown about them:")?;
                for fault in faults {
                    write!(f, " {fault}")?;
                }
                f.write_str(
                    "\n  let more happen (users, a longer chaos_for, more seeds), or leave them out (Faults::without)",
                )
            }
            Self::Impossible { reason } => write!(f, "the simulation cannot go on: {reason}"),
            Self::Endless => f.write_str("it does not end: there were more steps than any run should have"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, seed, step, at, story, faults, firings, .. } = self;
        writeln!(f, "{found}")?;
        writeln!(f, "  seed {seed}, step {step}, after {:.3} s", at.as_secs_f64())?;
        if !story.is_empty() {
            writeln!(f, "what happened last:")?;
            for line in story {
                writeln!(f, "  {line}")?;
            }
        }
        if !matches!(found, Found::NeverBit(_)) {
            let why = if self.is_shrunk { ", and all the others are not needed" } else { "" };
            match firings.len() {
                0 => writeln!(f, "no fault is needed for it")?,
                many => {
                    writeln!(f, "{many} fault{} met{why}:", if many == 1 { " was" } else { "s were" })?;
                    for firing in firings {
                        writeln!(f, "  {}: {}", firing.fault, firing.in_words())?;
                    }
                }
            }
        }
        let counts = faults.to_string();
        if !counts.is_empty() {
            writeln!(f, "faults in this run:")?;
            for line in counts.lines() {
                writeln!(f, "  {line}")?;
            }
        }
        write!(f, "run it again: {}", self.command())?;
        match self.is_drawn && self.is_shrunk {
            true => write!(f, "\n  or with only the faults that are needed: {}", self.with_faults()),
            false => Ok(()),
        }
    }
}

impl Failure {
    /// The command that shows it again.
    #[must_use]
    pub fn command(&self) -> String {
        match self.is_drawn {
            true => format!("ORCHESTRA_SEED={} cargo test{}", self.seed, test_name()),
            false => self.with_faults(),
        }
    }

    fn with_faults(&self) -> String {
        let faults: Vec<String> = self.firings.iter().map(ToString::to_string).collect();
        let faults = if faults.is_empty() { "none".into() } else { faults.join(",") };
        format!("ORCHESTRA_SEED={} ORCHESTRA_FAULTS={faults} cargo test{}", self.seed, test_name())
    }
}

/// A test's thread bears its name; elsewhere it is the caller who knows what was run.
fn test_name() -> String {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").map_or(String::new(), |name| format!(" {name}"))
}

impl std::error::Error for Failure {}
