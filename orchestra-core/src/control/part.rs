//! [`Part`]: a machine that sees some kinds and commits what it decides: a scheduler, an agent of a node.

use std::sync::Arc;
use std::time::Duration;

use super::notes::Notes;
use super::perform::Job;
use super::plan::Plan;
use super::{Cache, Changes, Need, Noted, Now};
use crate::Error;
use crate::client::Policy;
use crate::object::{Revision, Str};
use crate::store::{Entry, Key, Limits, Txn};

/// A machine that sees some kinds and commits what it decides.
///
/// A reconciler looks at one object at a time and forgets; a part keeps what it knows of all of them, and may
/// put many changes into one transaction. Like a [`Kernel`](super::Kernel) it asks nobody and reads no clock:
/// the same inputs give the same outputs. A [`Post`](super::post::Post) stands between it and whoever drives it,
/// the real driver ([`Manager`](super::Manager)) as well as a simulation.
///
/// # What it can rely on
/// - It [begins](Self::begin) when it leads (if it must be elected) and all that it [needs](Self::needs) is
///   there, and then is told of every change, in order, none missing. It begins anew when history is another, and
///   whenever it leads again; what it asked before is forgotten then.
/// - **It never acts on a view that is older than its own commits.** What became of a commit it is
///   [told](Self::answered) after all changes that it can have come from: its own, those of whoever was first, and
///   where nobody knows, all that there was in the store when that turned out. So when it is told
///   [`Answer::Unknown`], what it has been shown says what took effect.
/// - What it commits, it commits in its term: a guard is added.
///
/// # What is its own business
/// A commit of unknown fate may still be on its way, and take effect after the answer. So each transaction
/// guards what it was decided on; what is decided again on the same object must guard the same, so that one of
/// the two takes effect and not both.
pub trait Part: Send {
    /// Its name: under it, fields are owned and events are told.
    fn name(&self) -> Str;

    /// The kinds and indexes that it must see.
    fn needs(&self) -> Vec<Need>;

    /// It begins: all is as the cache shows it, and nothing is asked. Whatever it knew before is to be forgotten.
    fn begin(&mut self, now: Now, cache: &Cache);

    /// Something has changed. What it was shown last may be shown again.
    fn changed(&mut self, now: Now, changes: &Changes);

    /// What became of something that it asked.
    fn answered(&mut self, now: Now, id: u64, answer: Answer);

    /// It may ask for what is to be done. Also called when nothing has happened.
    fn act(&mut self, now: Now, desk: &mut Desk<'_>);

    /// When it wants to [act](Self::act), by the stopwatch; at once if that is over.
    fn due(&self) -> Option<Duration>;
}

/// What became of something that a [`Part`] asked.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What stands under the keys that it asked for, one by one. They were not read at one instant: guard them.
    Entries(Vec<Option<Arc<Entry>>>),
    /// It was committed, at this revision.
    Committed(Revision),
    /// Something is not as it was when this was planned, and nothing took effect; of a plan, some of it may have.
    Conflict,
    /// The answer was lost. What took effect by now, the changes have shown.
    Unknown,
    /// It cannot be done, or the store cannot be reached; nothing took effect, of a plan perhaps some of it.
    Failed(Arc<Error>),
}

/// Where a [`Part`] asks for what is to be done.
pub struct Desk<'a> {
    pub(super) asks: Vec<(u64, Ask)>,
    pub(super) room: usize,
    pub(super) next: &'a mut u64,
    pub(super) notes: &'a mut Notes,
    pub(super) name: Str,
    pub(super) now: Now,
    pub(super) cache: &'a Cache,
    pub(super) policy: &'a Policy,
    pub(super) limits: &'a Limits,
}

/// What a part asked for.
#[derive(Debug)]
pub(super) enum Ask {
    Read(Vec<Key>),
    Commit(Txn),
    Perform(Job),
}

impl Desk<'_> {
    /// How much more it may ask before something has been answered.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.room
    }

    /// The cache, which may have come further already than what the part was told. So it is for what is guarded
    /// anyway: the objects that a plan changes.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        self.cache
    }

    /// The rules that look at every change.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        self.policy
    }

    /// How much the store takes in one transaction. A guard for the term comes on top of what is committed.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        self.limits
    }

    /// Asks what stands under these keys. Without [room](Self::room) it is not asked.
    pub fn read(&mut self, keys: Vec<Key>) -> Option<u64> {
        self.ask(|_| Ask::Read(keys))
    }

    /// Asks for a transaction to be committed, with the same reservation.
    pub fn commit(&mut self, txn: Txn) -> Option<u64> {
        self.ask(|_| Ask::Commit(txn))
    }

    /// Asks for a plan to be performed, step by step, with the same reservation. Its events are told whatever
    /// becomes of it.
    pub fn perform(&mut self, plan: Plan) -> Option<u64> {
        for noted in plan.notes() {
            self.notes.add(noted, &self.name, self.now);
        }
        let (manager, steps) = (self.name.clone(), plan.into_steps());
        self.ask(|id| Ask::Perform(Job { id, manager, guards: Vec::new(), steps }))
    }

    /// Tells what happened to an object. What is alike becomes one event, written now and then.
    pub fn tell(&mut self, noted: &Noted) {
        self.notes.add(noted, &self.name, self.now);
    }

    fn ask(&mut self, ask: impl FnOnce(u64) -> Ask) -> Option<u64> {
        self.room = self.room.checked_sub(1)?;
        *self.next += 1;
        self.asks.push((*self.next, ask(*self.next)));
        Some(*self.next)
    }
}
