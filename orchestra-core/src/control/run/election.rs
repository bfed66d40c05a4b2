//! A candidate that stands for election for real.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::control::election::{Ask, Candidate, Election, Said, Term};
use crate::store::{Key, Store, StoreError};

/// Where elections are held.
pub(super) struct Electorate {
    pub(super) store: Arc<dyn Store>,
    pub(super) start: Instant,
}

/// A candidate, by way of the task that stands for it.
pub(super) struct Elected {
    term: watch::Receiver<Option<Term>>,
    says: mpsc::Sender<Said>,
    task: tokio::task::JoinHandle<()>,
}

impl Electorate {
    pub(super) fn stand(self, candidate: Candidate) -> Elected {
        let (says, inbox) = mpsc::channel(4);
        let (told, term) = watch::channel(None);
        let standing = Standing { electorate: self, election: Election::new(candidate), told };
        Elected { term, says, task: tokio::spawn(standing.run(inbox)) }
    }
}

impl Elected {
    /// The term in which it leads, whenever that changes.
    pub(super) async fn changed(&mut self) -> Option<Option<Term>> {
        self.term.changed().await.ok()?;
        Some(self.term.borrow_and_update().clone())
    }

    /// A commit met with another term.
    pub(super) fn depose(&self) {
        // If there is no room, it was said already.
        let _ = self.says.try_send(Said::Deposed);
    }

    /// Has another lead.
    pub(super) async fn resign(mut self, until: Instant) {
        if self.says.send(Said::Resign).await.is_ok() {
            // A store that does not answer lets the lease run out.
            let _ = tokio::time::timeout_at(until, &mut self.task).await;
        }
        self.task.abort();
    }
}

impl Drop for Elected {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Standing {
    electorate: Electorate,
    election: Election,
    told: watch::Sender<Option<Term>>,
}

impl Standing {
    async fn run(mut self, mut inbox: mpsc::Receiver<Said>) {
        loop {
            let due = self.election.due().map(|elapsed| self.electorate.start + elapsed);
            let said = tokio::select! {
                said = inbox.recv() => match said {
                    Some(said) => said,
                    None => return,
                },
                () = super::watches::wait(due) => Said::Tick,
            };
            let is_last = matches!(said, Said::Resign);
            self.tell(said).await;
            if is_last {
                return;
            }
        }
    }

    async fn tell(&mut self, said: Said) {
        let mut next = Some(said);
        while let Some(said) = next.take() {
            let asked = self.election.told(self.electorate.start.elapsed(), said);
            let term = self.election.term();
            self.told.send_if_modified(|told| {
                let is_news = told.as_ref() != term;
                if is_news {
                    *told = term.cloned();
                }
                is_news
            });
            if let Some(ask) = asked {
                next = Some(self.perform(ask).await);
            }
        }
    }

    /// Asks the store. One that does not answer in a while is taken for one that does not: a leader must
    /// not wait for it longer than its term is good for.
    async fn perform(&self, ask: Ask) -> Said {
        let patience = self.election.patience();
        let silent = || format!("no answer in {} ms", patience.as_millis());
        match ask {
            Ask::Look(term, beat) => {
                let looked = tokio::time::timeout(patience, self.look(&term, &beat)).await;
                Said::Seen(looked.unwrap_or_else(|_| {
                    Err(StoreError::Unavailable { doing: "looking who leads".into(), reason: silent() })
                }))
            }
            Ask::Commit(txn) => {
                let committed = tokio::time::timeout(patience, self.electorate.store.commit(txn)).await;
                Said::Committed(
                    committed
                        .unwrap_or_else(|_| Err(crate::store::CommitError::Unknown { reason: silent() })),
                )
            }
        }
    }

    async fn look(&self, term: &Key, beat: &Key) -> Result<crate::control::election::Looked, StoreError> {
        let store = &self.electorate.store;
        Ok([store.get(term).await?, store.get(beat).await?])
    }
}
