//! The queue before the disk: whoever commits waits here, and the queue itself makes the groups.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::files::Files;
use crate::store::{CommitError, Revision, StoreError, Txn};

/// A transaction, and whom to tell what became of it.
pub(super) struct Request {
    pub(super) txn: Txn,
    pub(super) answer: oneshot::Sender<Result<Revision, CommitError>>,
}

/// What else the writer is asked to do.
pub(super) enum Order {
    Snapshot(oneshot::Sender<Result<(), StoreError>>),
    Backup {
        files: Arc<dyn Files>,
        name: String,
        answer: oneshot::Sender<Result<(), StoreError>>,
    },
    /// The thread that took a snapshot or a backup has ended.
    Done,
}

/// What the writer does next.
pub(super) struct Work {
    pub(super) requests: Vec<Request>,
    pub(super) orders: Vec<Order>,
    /// Nothing will come after this.
    pub(super) is_last: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Something was put in.
    filled: Condvar,
    /// Everything was taken out.
    emptied: Notify,
}

#[derive(Default)]
struct Waiting {
    requests: Vec<Request>,
    bytes: usize,
    orders: Vec<Order>,
    closed: bool,
}

impl Queue {
    /// So many transactions form a group at most: as many as there may reasonably be writers at a time.
    const REQUESTS: usize = 16_384;
    /// So often others get a turn before a group is closed that is smaller than the last one: a tenth of
    /// a millisecond when nobody needs it, less than a sync.
    const TURNS: usize = 128;
    /// And about so many bytes, which a disk writes in some tens of milliseconds.
    const BYTES: usize = 16 << 20;

    /// Puts a transaction in, and waits for what becomes of it.
    pub(super) async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        let (answer, answered) = oneshot::channel();
        let bytes = txn.bytes();
        let mut request = Some(Request { txn, answer });
        while request.is_some() {
            // Before the look, so that nothing happens unnoticed in between.
            let emptied = self.emptied.notified();
            if self.offer(&mut request, bytes)? {
                break;
            }
            emptied.await;
        }
        let lost = |_| CommitError::Unknown { reason: "the store's writer ended before it answered".into() };
        answered.await.map_err(lost)?
    }

    /// Takes the request if there is room.
    fn offer(&self, request: &mut Option<Request>, bytes: usize) -> Result<bool, CommitError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Closed.into());
        }
        let is_full = waiting.requests.len() >= Self::REQUESTS || waiting.bytes >= Self::BYTES;
        if is_full {
            return Ok(false);
        }
        waiting.bytes += bytes;
        let was_idle = waiting.requests.is_empty() && waiting.orders.is_empty();
        waiting.requests.extend(request.take());
        drop(waiting);
        if was_idle {
            self.filled.notify_one();
        }
        Ok(true)
    }

    pub(super) fn order(&self, order: Order) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed && !matches!(order, Order::Done) {
            return Err(StoreError::Closed);
        }
        waiting.orders.push(order);
        self.filled.notify_one();
        Ok(())
    }

    /// Nothing is taken in any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
        self.emptied.notify_waiters();
    }

    /// Closes, and drops whatever waits: those who wait for an answer are told that there is none.
    pub(super) fn abandon(&self) {
        self.close();
        let mut waiting = self.lock();
        waiting.requests.clear();
        waiting.orders.clear();
    }

    /// Waits for something to do. What it was given before comes back, to be filled again, and how much
    /// it was.
    pub(super) fn take(&self, mut spent: Vec<Request>, last: usize) -> Work {
        spent.clear();
        // Those who were just answered are about to ask again. To let them makes one group of what
        // would be two, and saves a sleep where there is only one of them.
        for _ in 0..Self::TURNS {
            let waiting = self.lock();
            if waiting.requests.len() >= last || waiting.closed || !waiting.orders.is_empty() {
                break;
            }
            drop(waiting);
            std::thread::yield_now();
        }
        let mut waiting = self.lock();
        while waiting.requests.is_empty() && waiting.orders.is_empty() && !waiting.closed {
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let was_full = waiting.requests.len() >= Self::REQUESTS || waiting.bytes >= Self::BYTES;
        waiting.bytes = 0;
        let work = Work {
            requests: std::mem::replace(&mut waiting.requests, spent),
            orders: std::mem::take(&mut waiting.orders),
            is_last: waiting.closed,
        };
        drop(waiting);
        if was_full {
            self.emptied.notify_waiters();
        }
        work
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
