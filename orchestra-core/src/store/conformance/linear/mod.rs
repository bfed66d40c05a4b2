//! What many clients saw at once, and whether it can have been so: a linearizability checker.
//!
//! A [`History`] has what each client asked and was answered, with logical instants of the call and of the
//! answer. It [holds](History::check) when each thing can be given one instant between its call and its
//! answer such that everybody saw a store that does one thing after another. What a commit did whose
//! fate is unknown is found out from what others saw of it; if nobody did, it may be either.
//!
//! It is looked at in two ways, by means that have nothing in common: each key for itself as a
//! [register](check_registers), by search; and the whole store's [transactions](check_txns) in the order
//! that their revisions claim, which are held against every answer and against what a watch told.
//!
//! ```ignore
//! let history = linear::drive(Arc::new(store), &Workload { seed, ..Workload::default() }).await;
//! history.check().unwrap_or_else(|refuted| panic!("seed {seed}: {refuted}"));
//! ```

mod drive;
mod random;
mod registers;
mod txns;

use std::sync::Arc;

use crate::store::{Batch, Entry, Key, Revision, Scope, Txn};

pub use drive::{Recorder, Workload, drive};
pub use random::Random;
pub use registers::check_registers;
pub use txns::check_txns;

/// What some clients asked and were answered. Nothing stood under their keys before.
///
/// No two writes of one key have the same value, so that what is read tells who wrote it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What was asked and answered, in any order.
    pub calls: Vec<Call>,
    /// What a watch of all the keys told, if there was one.
    pub told: Option<Told>,
}

/// What a watch told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Up to where it came: up to there it should have told everything.
    pub upto: Revision,
    /// The batches, as they came.
    pub batches: Vec<Arc<Batch>>,
}

/// What one client asked and was answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which client.
    pub client: usize,
    /// When it asked. Instants are numbers that only grow; no two are the same.
    pub called: u64,
    /// When it was answered.
    pub answered: u64,
    /// What it asked.
    pub request: Request,
    /// What it was answered.
    pub answer: Answer,
}

/// What a client asks of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// What stands under a key.
    Get(Key),
    /// What stands in a scope.
    List(Scope),
    /// A transaction.
    Commit(Txn),
}

/// What a store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What stands under the key.
    Entry(Option<Arc<Entry>>),
    /// What stands in the scope, and at which revision: all pages of it.
    Listing(Revision, Vec<Arc<Entry>>),
    /// The transaction was made.
    Made(Revision),
    /// It was not, since a guard on this key did not hold where this was found.
    Conflict(Key, Option<Revision>),
    /// It was made, or not, or will be.
    Unknown,
    /// There was no answer: nothing was read, or the transaction was not made and will not be.
    Failed,
}

/// Why a history does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refuted {
    /// It cannot have been so.
    #[error("this cannot have been: {0}")]
    Impossible(String),
    /// Nobody knows: the search was given up. That is no success.
    #[error("undecided: the search of {key} was given up after {steps} steps; use more keys, or fewer calls")]
    Undecided {
        /// The key.
        key: Key,
        /// How far it was looked.
        steps: usize,
    },
}

impl History {
    /// Whether it can have been so, in both ways.
    ///
    /// # Errors
    /// What cannot have been, or that it could not be found out.
    pub fn check(&self) -> Result<(), Refuted> {
        check_txns(self)?;
        check_registers(self, SEARCH_LIMIT)
    }

    /// All entries that anybody saw.
    fn seen(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let answers = self.calls.iter().flat_map(|call| match &call.answer {
            Answer::Entry(entry) => entry.as_slice(),
            Answer::Listing(_, entries) => entries,
            _ => &[],
        });
        let told = self.told.iter().flat_map(|told| &told.batches).flat_map(|batch| &batch.events);
        answers.chain(told.filter_map(|event| event.entry.as_ref()))
    }
}

/// After how many steps the search of a key is given up: some seconds, where a thousand calls that are
/// right take about a thousand.
pub const SEARCH_LIMIT: usize = 1_000_000;

impl Call {
    /// When its effect is there at the latest.
    fn deadline(&self) -> u64 {
        if self.answer == Answer::Unknown { u64::MAX } else { self.answered }
    }

    fn txn(&self) -> Option<&Txn> {
        match &self.request {
            Request::Commit(txn) => Some(txn),
            _ => None,
        }
    }

    /// It, for a person.
    fn describe(&self) -> String {
        let Self { client, called, answered, request, answer } = self;
        let request = match request {
            Request::Get(key) => format!("get {key}"),
            Request::List(scope) => format!("list {scope}"),
            Request::Commit(txn) => {
                let guards = txn.guards().iter().map(|guard| format!("if {} is {}", guard.key, guard.expect));
                let writes = txn.writes().iter().map(|write| match write.value() {
                    Some(value) => format!("put {} {}", write.key(), value.escape_ascii()),
                    None => format!("delete {}", write.key()),
                });
                guards.chain(writes).collect::<Vec<_>>().join(", ")
            }
        };
        let answer = match answer {
            Answer::Entry(entry) => entry.as_deref().map_or("nothing".into(), shown),
            Answer::Listing(revision, entries) => {
                let entries: Vec<_> = entries.iter().map(|entry| shown(entry)).collect();
                format!("at {revision}: {}", entries.join(", "))
            }
            Answer::Made(revision) => format!("made at {revision}"),
            Answer::Conflict(key, Some(found)) => format!("conflict, {key} is at {found}"),
            Answer::Conflict(key, None) => format!("conflict, {key} is absent"),
            Answer::Unknown => "unknown".into(),
            Answer::Failed => "failed".into(),
        };
        format!("client {client} [{called}..{answered}] {request} -> {answer}")
    }
}

/// An entry, for a person.
fn shown(entry: &Entry) -> String {
    let Entry { key, value, created, modified } = entry;
    format!("{key}={} ({created}, {modified})", value.escape_ascii())
}
