//! [`Performance`]: a plan on its way into a store, step by step.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Now;
use super::plan::{Expected, Op, Step};
use crate::client::{By, Outcome, Policy, Prepared, prepare};
use crate::clock::Ids;
use crate::object::{Revision, Str};
use crate::store::{CommitError, Entry, Expect, Key, StoreError, Txn};
use crate::{Error, Result};

/// What is to be done: steps in order, one transaction each.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which job it is: the answer bears the same number.
    pub id: u64,
    /// Under whose name.
    pub manager: Str,
    /// What must be so for each of the steps, beside what each changes: the object for which it was
    /// planned is still the one that was seen; who plans is still the leader.
    pub guards: Vec<(Key, Expect)>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// What became of a job.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which job.
    pub id: u64,
    /// What each change came to that was made, or found to be so already: its hash, and the revision of
    /// what it is about; none when that is gone.
    pub made: Vec<(u64, Option<Revision>)>,
    /// How many transactions were committed.
    pub commits: usize,
    /// The revision of the last commit.
    pub revision: Revision,
    /// How it ended.
    pub end: End,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub enum End {
    /// All steps were made.
    Whole,
    /// Something is not as it was when this was planned. Where it is known, the revision at which it
    /// changed.
    Overtaken(Option<Revision>),
    /// Another leads.
    Deposed,
    /// The answer to a commit was lost: nobody knows whether it was made.
    Unknown(String),
    /// A step cannot be made.
    Failed(Arc<Error>),
}

/// What a performance asks of a store.
#[derive(Clone, Debug)]
pub enum Ask {
    /// What stands under these keys. They are read one by one: what is committed guards each of them.
    Get(Vec<Key>),
    /// A transaction.
    Commit(Txn),
}

/// What a store says to it.
#[derive(Clone, Debug)]
pub enum Said {
    /// What stands there, key by key.
    Entries(Result<Vec<Option<Arc<Entry>>>, StoreError>),
    /// What became of the transaction.
    Commit(Result<Revision, CommitError>),
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// A question to the store.
    Ask(Ask),
    /// Nothing: this is the end.
    Done(Done),
}

/// A job that is being done: asks, is told, and asks again, until it is done. Without I/O: the store is
/// whoever answers.
#[derive(Debug)]
pub struct Performance {
    manager: Str,
    guards: Vec<(Key, Expect)>,
    steps: std::vec::IntoIter<Step>,
    /// The step that is being made.
    step: Option<Step>,
    /// What it came to, while it is being committed: hash, key, and whether the object is there then.
    pending: Vec<Made>,
    /// What stands there because of this job.
    own: BTreeMap<Key, Option<Revision>>,
    done: Done,
    /// The key by which the leader is known.
    term: Option<Key>,
}

#[derive(Debug)]
struct Made {
    hash: u64,
    key: Key,
    then: Then,
    is_deletion: bool,
}

#[derive(Debug)]
enum Then {
    Written,
    Gone,
    AsBefore(Option<Revision>),
}

impl Performance {
    /// Begins a job. Where there is a leader, `term` is the key of its term: a conflict there ends
    /// everything.
    #[must_use]
    pub fn new(job: Job, term: Option<Key>) -> Self {
        Self {
            manager: job.manager,
            guards: job.guards,
            steps: job.steps.into_iter(),
            step: None,
            pending: Vec::new(),
            own: BTreeMap::new(),
            done: Done { id: job.id, made: Vec::new(), commits: 0, revision: Revision(0), end: End::Whole },
            term,
        }
    }

    /// The first question.
    pub fn start(&mut self) -> Next {
        match self.steps.next() {
            None => self.end(End::Whole),
            Some(step) => {
                let keys = step.ops().iter().map(|op| op.object().key()).collect();
                self.step = Some(step);
                Next::Ask(Ask::Get(keys))
            }
        }
    }

    /// The next question, after an answer.
    pub fn told(&mut self, said: Said, now: Now, ids: &dyn Ids, policy: &Policy) -> Next {
        match said {
            Said::Entries(Ok(entries)) => self.prepare(&entries, now, ids, policy),
            Said::Entries(Err(error)) => self.end(End::Failed(Arc::new(error.into()))),
            Said::Commit(Ok(revision)) => {
                self.done.commits += 1;
                self.done.revision = self.done.revision.max(revision);
                self.settle(revision);
                self.start()
            }
            Said::Commit(Err(CommitError::Conflict { key, .. })) if Some(&key) == self.term.as_ref() => {
                self.end(End::Deposed)
            }
            Said::Commit(Err(CommitError::Conflict { found, .. })) => self.end(End::Overtaken(found)),
            Said::Commit(Err(CommitError::Unknown { reason })) => self.end(End::Unknown(reason)),
            Said::Commit(Err(error)) => self.end(End::Failed(Arc::new(error.into()))),
        }
    }

    fn end(&mut self, end: End) -> Next {
        let empty =
            Done { id: self.done.id, made: Vec::new(), commits: 0, revision: Revision(0), end: End::Whole };
        Next::Done(Done { end, ..std::mem::replace(&mut self.done, empty) })
    }

    /// Makes one transaction of a step.
    fn prepare(&mut self, entries: &[Option<Arc<Entry>>], now: Now, ids: &dyn Ids, policy: &Policy) -> Next {
        let Some(step) = self.step.take() else { return self.end(End::Whole) };
        let mut txn = Txn::new();
        let mut is_needed = false;
        self.pending.clear();
        for (op, entry) in step.ops().iter().zip(entries) {
            match self.prepare_one(op, entry.as_deref(), now, ids, policy) {
                Ok(None) => {
                    let found = entry.as_ref().map(|entry| entry.modified);
                    return self.end(End::Overtaken(found));
                }
                Ok(Some((part, then))) => {
                    is_needed |= !part.writes().is_empty();
                    txn = join(txn, part);
                    self.pending.push(Made {
                        hash: op.hash(),
                        key: op.object().key(),
                        then,
                        is_deletion: op.is_deletion(),
                    });
                }
                Err(error) => return self.end(End::Failed(Arc::new(error))),
            }
        }
        if !is_needed {
            self.settle(Revision(0));
            return self.start();
        }
        // What the step itself is guarded by needs no second guard; what this job wrote stands as it did so.
        for (key, expect) in &self.guards {
            if txn.guards().iter().any(|guard| guard.key == *key) {
                continue;
            }
            let expect = match self.own.get(key) {
                Some(Some(revision)) => Expect::At(*revision),
                Some(None) => Expect::Absent,
                None => *expect,
            };
            txn = txn.guard(key.clone(), expect);
        }
        Next::Ask(Ask::Commit(txn))
    }

    /// The transaction of one change; nothing when its object is not as it was when this was planned.
    fn prepare_one(
        &self,
        op: &Op,
        entry: Option<&Entry>,
        now: Now,
        ids: &dyn Ids,
        policy: &Policy,
    ) -> Result<Option<(Txn, Then)>> {
        let found = entry.map(|entry| entry.modified);
        let as_planned = match (self.own.get(&op.object().key()), op.expected()) {
            (Some(own), _) => *own == found,
            (None, Expected::Unread) => true,
            (None, Expected::Absent) => found.is_none(),
            (None, Expected::At(revision)) => found == Some(revision),
        };
        if !as_planned {
            return Ok(None);
        }
        if found.is_none() && op.is_deletion() {
            return Ok(Some((Txn::new(), Then::AsBefore(None))));
        }
        let by = By { manager: self.manager.clone(), now: now.wall.into(), uid: ids.uid()? };
        // A rule or a type of somebody's own may panic.
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(&op.change(by)?, entry, policy)));
        let refused =
            || Error::Refused { object: op.object().to_string(), reason: "its preparation panicked".into() };
        let Prepared { txn, outcome, .. } = match prepared.map_err(|_| refused())? {
            // It was not looked at, and is another object than was meant.
            Err(Error::Conflict { .. } | Error::AlreadyExists { .. })
                if op.expected() == Expected::Unread =>
            {
                return Ok(None);
            }
            prepared => prepared?,
        };
        let then = match outcome {
            Outcome::Created | Outcome::Updated => Then::Written,
            Outcome::Deleted => Then::Gone,
            Outcome::Unchanged => Then::AsBefore(found),
        };
        Ok(Some((txn, then)))
    }

    /// Notes what stands there now.
    fn settle(&mut self, revision: Revision) {
        for Made { hash, key, then, is_deletion } in self.pending.drain(..) {
            let stands = match then {
                Then::Written => Some(revision),
                Then::Gone => None,
                Then::AsBefore(found) => found,
            };
            self.own.insert(key, stands);
            // That it is not there proves nothing of a change that is to make something.
            if stands.is_some() || is_deletion {
                self.done.made.push((hash, stands));
            }
        }
    }
}

/// Both transactions in one.
fn join(txn: Txn, other: Txn) -> Txn {
    use crate::store::Write;
    let txn = other.guards().iter().fold(txn, |txn, guard| txn.guard(guard.key.clone(), guard.expect));
    other.into_writes().into_iter().fold(txn, |txn, write| match write {
        Write::Put(key, value) => txn.put(key, value),
        Write::Delete(key) => txn.delete(key),
    })
}
