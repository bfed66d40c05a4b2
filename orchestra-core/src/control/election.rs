//! [`Election`]: who leads, and how the others find out that nobody does any more.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::backoff::Backoff;
use super::hash::mix;
use crate::object::{Revision, Str};
use crate::store::{CommitError, Entry, Expect, Key, StoreError, Txn};

/// Who takes part in an election, and its times.
///
/// A leader's commits all guard the key of its term, which is written once a term: when another term has
/// begun, none of them takes effect any more, whatever any clock shows. The times only say how soon that
/// is, and no clock of another machine is ever compared with one's own: who follows notes how long the
/// heartbeat has not moved while it was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What is led: there is one leader of each name.
    pub name: Str,
    /// Who this is. No other candidate has the same name, nor had this one before it was started anew.
    pub holder: Str,
    /// The times.
    pub times: Times,
}

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long a heartbeat must have stood still before another candidate begins a term.
    pub lease: Duration,
    /// How long a leader goes on without a heartbeat that was acknowledged. Less than the lease, so that
    /// in ordinary times it has stopped before another begins.
    pub give_up: Duration,
    /// How often a leader's heart beats, and a candidate looks.
    pub beat: Duration,
}

impl Times {
    /// The default, as Kubernetes has it: a leader that dies is replaced within 15 seconds and a look,
    /// and a store that is away for 10 seconds costs no leader its place.
    pub const DEFAULT: Self = Self {
        lease: Duration::from_secs(15),
        give_up: Duration::from_secs(10),
        beat: Duration::from_secs(2),
    };

    /// The same, brought into order: a heart beats at all, a lease lasts for three beats at least, and a leader
    /// gives up after no less than two and no later than its lease ends. An election goes by these; with
    /// others nothing wrong would be committed, but leaders would come and go for no reason.
    #[must_use]
    pub fn in_order(self) -> Self {
        const SHORTEST: Duration = Duration::from_millis(1);
        let beat = self.beat.max(SHORTEST);
        let lease = self.lease.max(beat.saturating_mul(3));
        Self { lease, give_up: self.give_up.clamp(beat.saturating_mul(2), lease), beat }
    }

    /// How long after the last heartbeat another leads at the latest, when the store answers within this
    /// time: a lease, begun at the look after the heartbeat, and seen to be over at the one after it.
    #[must_use]
    pub fn failover(&self, answer: Duration) -> Duration {
        self.lease + self.beat.saturating_mul(5) / 2 + answer.saturating_mul(4)
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A term that was won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The key of the term: what each commit of its leader guards.
    pub key: Key,
    /// The revision at which it began. Whoever leads acts on nothing older.
    pub since: Revision,
    /// Its number.
    pub number: u64,
}

impl Term {
    /// What must hold for a commit of this term.
    #[must_use]
    pub fn guard(&self) -> (Key, Expect) {
        (self.key.clone(), Expect::At(self.since))
    }
}

/// What an election asks of the store.
#[derive(Clone, Debug)]
pub enum Ask {
    /// What stands under these two keys.
    Look(Key, Key),
    /// A transaction.
    Commit(Txn),
}

/// What happens to it.
#[derive(Clone, Debug)]
pub enum Said {
    /// Time has passed.
    Tick,
    /// What stands under the two keys.
    Seen(Result<Looked, StoreError>),
    /// What became of the transaction.
    Committed(Result<Revision, CommitError>),
    /// A commit of this leader met with another term.
    Deposed,
    /// It is to lead no more, and to let another do so at once.
    Resign,
}

/// What stood under the term's key and the heartbeat's.
pub type Looked = [Option<std::sync::Arc<Entry>>; 2];

/// A candidate for leadership, as a machine without I/O.
#[derive(Debug)]
pub struct Election {
    candidate: Candidate,
    term_key: Key,
    beat_key: Key,
    state: State,
    /// When it looks, or its heart beats, next. Nothing while an answer is awaited.
    next: Option<Duration>,
    failures: u32,
    beats: u64,
}

#[derive(Debug)]
enum State {
    /// Another leads, or nobody.
    Follows(Option<Standing>),
    /// It asked for a term of this number; before it is told, it does not know.
    Asks(u64),
    Leads {
        term: Term,
        alive: Duration,
        asked: Duration,
    },
    /// It has given up its term on purpose.
    Resigned,
}

/// How the two keys stood, and since when they have been seen to.
#[derive(Debug, PartialEq)]
struct Standing {
    term: Option<Revision>,
    beat: Option<Revision>,
    since: Duration,
}

/// What stands under the term's key.
#[derive(Debug, Deserialize)]
struct Written {
    term: u64,
    /// Nobody, when the last one resigned.
    holder: String,
}

impl Election {
    /// A candidate, who follows at first.
    #[must_use]
    pub fn new(candidate: Candidate) -> Self {
        let candidate = Candidate { times: candidate.times.in_order(), ..candidate };
        let key = |what: &str| Key::from(format!("orchestra.dev/elections/{}/{what}", candidate.name));
        Self {
            term_key: key("term"),
            beat_key: key("beat"),
            candidate,
            state: State::Follows(None),
            next: Some(Duration::ZERO),
            failures: 0,
            beats: 0,
        }
    }

    /// The term, while this one leads.
    #[must_use]
    pub const fn term(&self) -> Option<&Term> {
        match &self.state {
            State::Leads { term, .. } => Some(term),
            _ => None,
        }
    }

    /// When it wants to be told that time has passed.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let gives_up = match &self.state {
            State::Leads { alive, .. } => Some(*alive + self.candidate.times.give_up),
            _ => None,
        };
        self.next.into_iter().chain(gives_up).min()
    }

    /// How long an answer of the store is to be waited for: half a beat less than what a leader may lose.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        let Times { give_up, beat, .. } = self.candidate.times;
        let most = give_up.saturating_sub(beat);
        if most.as_millis() == 0 { beat } else { most }
    }

    /// What it asks next. What `elapsed` shows only grows.
    pub fn told(&mut self, elapsed: Duration, said: Said) -> Option<Ask> {
        match said {
            Said::Tick => self.tick(elapsed),
            Said::Seen(Ok([term, beat])) => self.seen(elapsed, term.as_deref(), beat.as_deref()),
            Said::Seen(Err(_)) => self.look_later(elapsed),
            Said::Committed(answer) => self.committed(elapsed, answer),
            Said::Deposed => self.follow(elapsed),
            Said::Resign => self.resign(),
        }
    }

    fn tick(&mut self, elapsed: Duration) -> Option<Ask> {
        if let State::Leads { alive, .. } = &self.state
            && elapsed >= *alive + self.candidate.times.give_up
        {
            return self.follow(elapsed);
        }
        if self.next.is_none_or(|next| next > elapsed) {
            return None;
        }
        self.next = None;
        match &mut self.state {
            State::Leads { term, asked, .. } => {
                *asked = elapsed;
                self.beats += 1;
                let beat = format!("{{\"term\":{},\"beat\":{}}}", term.number, self.beats);
                let (key, expect) = term.guard();
                Some(Ask::Commit(Txn::new().guard(key, expect).put(self.beat_key.clone(), beat)))
            }
            State::Resigned => None,
            State::Follows(_) | State::Asks(_) => {
                Some(Ask::Look(self.term_key.clone(), self.beat_key.clone()))
            }
        }
    }

    fn seen(&mut self, elapsed: Duration, term: Option<&Entry>, beat: Option<&Entry>) -> Option<Ask> {
        self.failures = 0;
        let written = term.and_then(|entry| serde_json::from_slice::<Written>(&entry.value).ok());
        let at = |entry: Option<&Entry>| entry.map(|entry| entry.modified);
        let standing = match &self.state {
            State::Asks(number) => {
                // The answer was lost: what stands there tells.
                if let (Some(entry), Some(written)) = (term, &written)
                    && (written.term, written.holder.as_str()) == (*number, self.candidate.holder.as_str())
                {
                    return self.lead(elapsed, entry.modified, *number, elapsed);
                }
                None
            }
            State::Follows(standing) => standing.as_ref(),
            State::Leads { .. } | State::Resigned => return None,
        };
        let is_free = written.as_ref().is_none_or(|written| written.holder.is_empty());
        let stands = |standing: &Standing| (standing.term, standing.beat) == (at(term), at(beat));
        let since = standing.filter(|standing| stands(standing)).map_or(elapsed, |standing| standing.since);
        if !is_free && elapsed < since + self.candidate.times.lease {
            self.state = State::Follows(Some(Standing { term: at(term), beat: at(beat), since }));
            self.next = Some(elapsed + self.a_while());
            return None;
        }
        // A term that cannot be read is followed by one whose number nobody had either.
        let number = written.map_or(at(term).map_or(1, |at| at.0), |written| written.term + 1);
        self.state = State::Asks(number);
        let value = written_as(number, &self.candidate.holder);
        let expect = at(term).map_or(Expect::Absent, Expect::At);
        Some(Ask::Commit(Txn::new().guard(self.term_key.clone(), expect).put(self.term_key.clone(), value)))
    }

    fn committed(&mut self, elapsed: Duration, answer: Result<Revision, CommitError>) -> Option<Ask> {
        match (&mut self.state, answer) {
            (State::Asks(number), Ok(revision)) => {
                let number = *number;
                self.lead(elapsed, revision, number, elapsed)
            }
            (State::Asks(_), Err(CommitError::Unknown { .. })) => {
                // It may be made yet: what is seen next tells, and if it is not there, it is asked for anew.
                self.look_later(elapsed)
            }
            (State::Asks(_), Err(_)) => self.follow(elapsed),
            (State::Leads { alive, asked, .. }, Ok(_)) => {
                // As of when it was asked: others have seen it move no earlier.
                *alive = *asked;
                self.failures = 0;
                self.next = Some(elapsed + self.candidate.times.beat);
                None
            }
            (State::Leads { .. }, Err(CommitError::Conflict { .. })) => self.follow(elapsed),
            (State::Leads { .. }, Err(_)) => self.look_later(elapsed),
            (State::Follows(_) | State::Resigned, _) => None,
        }
    }

    fn lead(&mut self, elapsed: Duration, since: Revision, number: u64, alive: Duration) -> Option<Ask> {
        let term = Term { key: self.term_key.clone(), since, number };
        self.state = State::Leads { term, alive, asked: elapsed };
        self.failures = 0;
        self.next = Some(elapsed);
        None
    }

    fn follow(&mut self, elapsed: Duration) -> Option<Ask> {
        self.state = State::Follows(None);
        self.next = Some(elapsed + self.a_while());
        None
    }

    fn resign(&mut self) -> Option<Ask> {
        let was = std::mem::replace(&mut self.state, State::Resigned);
        self.next = None;
        let State::Leads { term, .. } = was else { return None };
        let value = written_as(term.number, "");
        let (key, expect) = term.guard();
        Some(Ask::Commit(Txn::new().guard(key.clone(), expect).put(key, value)))
    }

    /// Asks again soon, and later and later, but no later than usual.
    fn look_later(&mut self, elapsed: Duration) -> Option<Ask> {
        self.failures = self.failures.saturating_add(1);
        let most = self.candidate.times.beat;
        let backoff = Backoff { first: most / 16, most };
        self.next = Some(elapsed + backoff.after(self.failures, self.seed()));
        None
    }

    /// About a beat, not the same for all candidates.
    fn a_while(&mut self) -> Duration {
        self.beats += 1;
        let share = mix(self.seed() ^ self.beats) % 256; // of 1024, on top
        self.candidate.times.beat / 1024 * (1024 + share as u32)
    }

    fn seed(&self) -> u64 {
        self.candidate.holder.bytes().fold(0, |seed, byte| mix(seed ^ u64::from(byte)))
    }
}

fn written_as(term: u64, holder: &str) -> String {
    serde_json::json!({ "term": term, "holder": holder }).to_string()
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "term {} since revision {}", self.number, self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_brought_into_order() {
        let times = |lease, give_up, beat| {
            let [lease, give_up, beat] = [lease, give_up, beat].map(Duration::from_millis);
            Times { lease, give_up, beat }
        };
        assert_eq!(Times::DEFAULT.in_order(), Times::DEFAULT);
        for (given, right) in [
            (times(0, 0, 0), times(3, 2, 1)),
            (times(1000, 5000, 100), times(1000, 1000, 100)),
            (times(1000, 10, 100), times(1000, 200, 100)),
            (times(1000, 900, 2000), times(6000, 4000, 2000)),
        ] {
            assert_eq!(given.in_order(), right);
        }
    }
}
