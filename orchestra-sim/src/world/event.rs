//! What happens in a simulated world.

use orchestra_core::control::election;
use orchestra_core::control::feed::Told;
use orchestra_core::control::kernel::Call;
use orchestra_core::control::{EffectError, perform};
use orchestra_core::store::{CommitError, Key, Page, Revision, Scope, StoreError, Txn};
use serde_json::Value;

/// Something that happens.
pub(super) enum Event {
    /// A machine starts.
    Start(usize),
    /// What was to be done at a time is done.
    Script(usize),
    /// Some user does something.
    User(usize),
    /// A second has passed.
    Second,
    /// A request comes to the store.
    Request(From, Request),
    /// A handler's call comes to the world outside; if it was held up, how many commits there had been
    /// before.
    Call(From, Call, Option<u64>),
    /// Something comes to a machine.
    Arrive(From, Arrival),
    /// A machine that stood still goes on.
    Resume(From),
    /// A machine can reach the store again.
    Reconnect(usize),
    /// The machine that leads dies for good.
    LeaderDies,
}

/// A machine in one of its lives: what is meant for another life is nobody's.
#[derive(Clone, Copy)]
pub(super) struct From {
    pub(super) machine: usize,
    pub(super) life: u64,
}

/// A request to the store.
pub(super) enum Request {
    /// A job's question.
    Get {
        job: u64,
        keys: Vec<Key>,
    },
    Commit(Commit),
    /// A candidate's question, which bears a number.
    Look {
        ask: u64,
        term: Key,
        beat: Key,
    },
    /// How far the store is, for a kernel (0) or a post.
    Revision(usize),
    Identity,
    List {
        scope: Scope,
        page: Page,
    },
    Watch {
        number: u64,
        scope: Scope,
        after: Revision,
    },
    Progress {
        number: u64,
    },
}

/// A commit on its way.
pub(super) struct Commit {
    pub(super) by: By,
    pub(super) txn: Txn,
    /// How it was held up, and how many commits there had been before.
    pub(super) slow: Option<u64>,
}

/// Who commits.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// A job, which was begun in a term: the revision since when it was.
    Job { id: u64, term: Option<Revision> },
    /// A candidate.
    Election { ask: u64, is_beat: bool },
}

/// What comes to a machine.
pub(super) enum Arrival {
    Job {
        id: u64,
        said: perform::Said,
    },
    Election {
        ask: u64,
        said: election::Said,
    },
    Revision(usize, Result<Revision, StoreError>),
    Feed(Told),
    /// Something waits to be taken from a watch.
    Delivery {
        number: u64,
    },
    /// A fault that held a watch back is over.
    Release {
        number: u64,
    },
    Answered {
        call: u64,
        answer: Result<Value, EffectError>,
    },
    /// The same, held up: and how many commits there had been before.
    AnsweredLate {
        call: u64,
        answer: Result<Value, EffectError>,
        before: u64,
    },
    /// It asked to be woken.
    Wake,
    /// It sends what it was about to send when it came to a halt.
    Send(Request),
}

impl Arrival {
    /// What comes instead when the store cannot be reached.
    pub(super) fn lost(self) -> Self {
        match self {
            Self::Job { id, said: perform::Said::Entries(_) } => {
                Self::Job { id, said: perform::Said::Entries(Err(unavailable("reading"))) }
            }
            Self::Job { id, said: perform::Said::Commit(_) } => {
                Self::Job { id, said: perform::Said::Commit(Err(unknown())) }
            }
            Self::Election { ask, said: election::Said::Seen(_) } => {
                Self::Election { ask, said: election::Said::Seen(Err(unavailable("looking who leads"))) }
            }
            Self::Election { ask, said: election::Said::Committed(_) } => {
                Self::Election { ask, said: election::Said::Committed(Err(unknown())) }
            }
            Self::Revision(seat, _) => Self::Revision(seat, Err(unavailable("reading"))),
            Self::Feed(Told::Identity(_)) => Self::Feed(Told::Identity(Err(unavailable("asking who it is")))),
            Self::Feed(Told::Listed(_)) => Self::Feed(Told::Listed(Err(unavailable("listing")))),
            Self::Feed(Told::Watching(_)) => Self::Feed(Told::Watching(Err(unavailable("watching")))),
            other => other,
        }
    }

    /// Whether it comes from the store.
    pub(super) const fn is_an_answer(&self) -> bool {
        match self {
            Self::Job { .. } | Self::Revision(..) => true,
            Self::Election { said, .. } => !matches!(said, election::Said::Tick),
            Self::Feed(told) => matches!(told, Told::Identity(_) | Told::Listed(_) | Told::Watching(_)),
            _ => false,
        }
    }

    /// Whether it says that the store could not be reached.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Job { said: perform::Said::Entries(Err(_)), .. }
                | Self::Job { said: perform::Said::Commit(Err(CommitError::Unknown { .. })), .. }
                | Self::Election { said: election::Said::Seen(Err(_)), .. }
                | Self::Election { said: election::Said::Committed(Err(CommitError::Unknown { .. })), .. }
                | Self::Revision(_, Err(_))
                | Self::Feed(Told::Identity(Err(_)) | Told::Listed(Err(_)) | Told::Watching(Err(_)))
        )
    }
}

impl Request {
    /// The answer when it does not get through. Whoever sent a commit does not know how far it came.
    pub(super) fn lost(self) -> Option<Arrival> {
        Some(match self {
            Self::Get { job, .. } => {
                Arrival::Job { id: job, said: perform::Said::Entries(Err(unavailable("reading"))) }
            }
            Self::Commit(Commit { by, .. }) => by.answer(Err(unknown())),
            Self::Look { ask, .. } => {
                let said = election::Said::Seen(Err(unavailable("looking who leads")));
                Arrival::Election { ask, said }
            }
            Self::Revision(seat) => Arrival::Revision(seat, Err(unavailable("reading"))),
            Self::Identity => Arrival::Feed(Told::Identity(Err(unavailable("asking who it is")))),
            Self::List { .. } => Arrival::Feed(Told::Listed(Err(unavailable("listing")))),
            Self::Watch { .. } => Arrival::Feed(Told::Watching(Err(unavailable("watching")))),
            Self::Progress { .. } => return None,
        })
    }
}

impl By {
    pub(super) const fn answer(self, answer: Result<Revision, CommitError>) -> Arrival {
        match self {
            Self::Job { id, .. } => Arrival::Job { id, said: perform::Said::Commit(answer) },
            Self::Election { ask, .. } => Arrival::Election { ask, said: election::Said::Committed(answer) },
        }
    }

    pub(super) const fn is_beat(self) -> bool {
        matches!(self, Self::Election { is_beat: true, .. })
    }
}

pub(super) fn unknown() -> CommitError {
    CommitError::Unknown { reason: "the answer was lost".into() }
}

pub(super) fn unavailable(doing: &str) -> StoreError {
    StoreError::Unavailable { doing: doing.into(), reason: "it cannot be reached".into() }
}
