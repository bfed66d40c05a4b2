//! The writer: the one thread that changes the store.
//!
//! It validates, appends, syncs, and only then applies and acknowledges. Even a conflict is told only
//! when what it is a conflict with is there to be read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::files::Files;
use super::format::Sort;
use super::frames::Frames;
use super::journal::{self, Append, Journal};
use super::names::Name;
use super::queue::{Order, Queue, Request, Work};
use super::{failed, snapshot};
use crate::store::live::Live;
use crate::store::{Batch, CommitError, Revision, StoreError, StoreId};

/// How a disk store is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskStatus {
    /// Why nothing can be written any more, if that is so.
    pub read_only: Option<String>,
    /// Why the last snapshot could not be taken, if that is so. The journal grows meanwhile.
    pub snapshot_failed: Option<String>,
    /// How many snapshots were taken since the store was opened.
    pub snapshots: u64,
}

/// When the next snapshot is due.
pub(super) struct Growth {
    pub(super) since_snapshot: u64,
    pub(super) snapshot: u64,
    pub(super) at_least: u64,
}

impl Growth {
    /// As much as the last snapshot has: then at most half of what is written is written for snapshots,
    /// and the files are at most three times what there is.
    fn is_due(&self) -> bool {
        self.since_snapshot >= self.at_least.max(self.snapshot)
    }
}

pub(super) struct Writer {
    files: Arc<dyn Files>,
    live: Arc<Live>,
    queue: Arc<Queue>,
    status: Arc<Mutex<DiskStatus>>,
    identity: StoreId,
    journal: Journal,
    growth: Growth,
    /// Why nothing can be written any more.
    broken: Option<String>,
    /// What a thread of its own is doing.
    aside: Option<Aside>,
    /// What waits until that is done.
    orders: Vec<Order>,
    /// Dropped last: until then the directory is ours.
    _lock: Box<dyn Send>,
}

/// Sees to it that nobody waits for a writer that has panicked.
pub(super) struct Guard {
    queue: Arc<Queue>,
    status: Arc<Mutex<DiskStatus>>,
}

impl Guard {
    pub(super) const fn new(queue: Arc<Queue>, status: Arc<Mutex<DiskStatus>>) -> Self {
        Self { queue, status }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            status.read_only = Some("the store's writer has panicked".into());
            self.queue.abandon();
        }
    }
}

/// A snapshot or backup that is being taken.
struct Aside {
    thread: JoinHandle<Result<u64, StoreError>>,
    stop: Arc<AtomicBool>,
    answer: Option<oneshot::Sender<Result<(), StoreError>>>,
    is_snapshot: bool,
}

impl Writer {
    #[allow(clippy::too_many_arguments)] // what it consists of, once
    pub(super) fn new(
        files: Arc<dyn Files>,
        live: Arc<Live>,
        queue: Arc<Queue>,
        status: Arc<Mutex<DiskStatus>>,
        identity: StoreId,
        journal: Journal,
        growth: Growth,
        lock: Box<dyn Send>,
    ) -> Self {
        Self {
            files,
            live,
            queue,
            status,
            identity,
            journal,
            growth,
            broken: None,
            aside: None,
            orders: Vec::new(),
            _lock: lock,
        }
    }

    pub(super) fn run(mut self) {
        let (mut spent, mut last) = (Vec::new(), 0);
        loop {
            let Work { mut requests, orders, is_last } = self.queue.take(std::mem::take(&mut spent), last);
            last = requests.len();
            if !requests.is_empty() {
                self.commit(&mut requests);
            }
            spent = requests;
            self.orders.extend(orders);
            self.follow_orders();
            if is_last {
                return self.stop();
            }
            if self.growth.is_due() && self.broken.is_none() && self.aside.is_none() {
                self.begin_snapshot(None);
            }
        }
    }

    /// Ends what is being done aside: a snapshot that is not finished is worth nothing.
    fn stop(&mut self) {
        if let Some(aside) = self.aside.take() {
            aside.stop.store(true, Ordering::Relaxed);
            let _ = aside.thread.join();
        }
    }

    /// Commits a group.
    fn commit(&mut self, requests: &mut Vec<Request>) {
        if let Some(reason) = &self.broken {
            for request in requests.drain(..) {
                let _ = request.answer.send(Err(StoreError::ReadOnly { reason: reason.clone() }.into()));
            }
            return;
        }
        let (batches, answers) = self.stage(requests);
        let made_durable = match &batches[..] {
            [] => Ok(()),
            batches => self.append(batches),
        };
        match made_durable {
            Ok(()) => {
                for some in batches.chunks(64) {
                    // A reader need not wait for all of a large group.
                    self.live
                        .change_elsewhere(|state| some.iter().for_each(|batch| state.apply(batch.clone())));
                }
                for (sender, answer) in answers {
                    // Whoever dropped the receiving end does not want to know.
                    let _ = sender.send(answer.map(|(revision, _)| revision));
                }
            }
            Err(error) => {
                for (sender, answer) in answers {
                    // What found everything as it should be and changes nothing, or found a conflict,
                    // may have found it in what failed.
                    let changes = answer.is_ok_and(|(_, changes)| changes);
                    let error = match (&error, changes) {
                        (Append::Unknown(error), true) => CommitError::Unknown { reason: error.to_string() },
                        (Append::Unknown(error) | Append::Not(error), _) => {
                            StoreError::ReadOnly { reason: error.to_string() }.into()
                        }
                    };
                    let _ = sender.send(Err(error));
                }
            }
        }
    }

    /// Finds out what each of a group comes to.
    #[allow(clippy::type_complexity)] // used once
    fn stage(
        &self,
        requests: &mut Vec<Request>,
    ) -> (
        Vec<Arc<Batch>>,
        Vec<(oneshot::Sender<Result<Revision, CommitError>>, Result<(Revision, bool), CommitError>)>,
    ) {
        let state = self.live.read();
        let mut pending = state.pending();
        let (mut batches, mut answers) = (Vec::new(), Vec::with_capacity(requests.len()));
        for Request { txn, answer } in requests.drain(..) {
            let staged = state.stage(&mut pending, txn).map(|staged| {
                let changes = staged.batch.is_some();
                batches.extend(staged.batch);
                (staged.revision, changes)
            });
            answers.push((answer, staged));
        }
        (batches, answers)
    }

    fn append(&mut self, batches: &[Arc<Batch>]) -> Result<(), Append> {
        let before = self.journal.length;
        let appended = self.journal.append(&*self.files, batches);
        match &appended {
            Ok(()) => self.growth.since_snapshot += self.journal.length - before,
            Err(Append::Not(error) | Append::Unknown(error)) => self.turn_read_only(&error.to_string()),
        }
        appended
    }

    fn turn_read_only(&mut self, reason: &str) {
        self.broken = Some(reason.to_owned());
        self.report(|status| status.read_only = Some(reason.to_owned()));
    }

    fn report(&self, change: impl FnOnce(&mut DiskStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn follow_orders(&mut self) {
        if self.orders.iter().any(|order| matches!(order, Order::Done)) {
            self.orders.retain(|order| !matches!(order, Order::Done));
            self.finish_aside();
        }
        while self.aside.is_none() && !self.orders.is_empty() {
            match self.orders.remove(0) {
                Order::Snapshot(answer) => self.begin_snapshot(Some(answer)),
                Order::Backup { files, name, answer } => self.begin_backup(files, name, answer),
                Order::Done => {}
            }
        }
    }

    /// Begins a journal that will be all that is needed beside the snapshot, and the snapshot.
    fn begin_snapshot(&mut self, answer: Option<oneshot::Sender<Result<(), StoreError>>>) {
        let refused = match &self.broken {
            Some(reason) => Some(StoreError::ReadOnly { reason: reason.clone() }),
            None => self.journal.rotate(&*self.files, self.live.read().revision()).err(),
        };
        if let Some(error) = refused {
            return self.snapshot_failed(error, answer);
        }
        self.growth.since_snapshot = self.journal.length;
        let (number, identity, revision) = (self.journal.number, self.identity, self.live.read().revision());
        let (files, live) = (self.files.clone(), self.live.clone());
        self.begin_aside(true, answer, move |stop| {
            let name = Name::Snapshot(number);
            let mut source = snapshot::Source {
                sort: Sort::Snapshot,
                store: identity,
                number,
                revision,
                entries: &mut |after| live.read().scan(after),
                end: &mut || Ok((Vec::new(), live.read().revision())),
                stop,
            };
            let length = snapshot::write(&*files, &name.to_string(), &mut source)?;
            let names = files.names().map_err(|error| failed("listing", &*files, "", &error))?;
            snapshot::remove_before(&*files, names.iter().filter_map(|name| Name::parse(name)), number);
            Ok(length)
        });
    }

    /// A backup is a snapshot and, behind it, what the journal says about the time that it took.
    fn begin_backup(
        &mut self,
        to: Arc<dyn Files>,
        name: String,
        answer: oneshot::Sender<Result<(), StoreError>>,
    ) {
        let (identity, revision, journal) = (self.identity, self.live.read().revision(), self.journal.number);
        let (files, live) = (self.files.clone(), self.live.clone());
        self.begin_aside(false, Some(answer), move |stop| {
            let mut source = snapshot::Source {
                sort: Sort::Backup,
                store: identity,
                number: 0,
                revision,
                entries: &mut |after| live.read().scan(after),
                end: &mut || {
                    let end = live.read().revision();
                    Ok((batches_between(&*files, journal, revision, end)?, end))
                },
                stop,
            };
            snapshot::write(&*to, &name, &mut source)
        });
    }

    fn begin_aside(
        &mut self,
        is_snapshot: bool,
        answer: Option<oneshot::Sender<Result<(), StoreError>>>,
        work: impl FnOnce(&AtomicBool) -> Result<u64, StoreError> + Send + 'static,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        let (queue, stops) = (self.queue.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("orchestra-snapshot".into()).spawn(move || {
            let done = work(&stops);
            // Refused only when there is no writer any more to be told.
            let _ = queue.order(Order::Done);
            done
        });
        match thread {
            Ok(thread) => self.aside = Some(Aside { thread, stop, answer, is_snapshot }),
            Err(error) => {
                let (doing, reason) = ("starting the thread for a snapshot".into(), error.to_string());
                self.snapshot_failed(StoreError::Failed { doing, reason }, answer);
            }
        }
    }

    fn finish_aside(&mut self) {
        let Some(Aside { thread, answer, is_snapshot, .. }) = self.aside.take() else { return };
        let panicked =
            |_| Err(StoreError::Failed { doing: "taking a snapshot".into(), reason: "it panicked".into() });
        match thread.join().unwrap_or_else(panicked) {
            Ok(length) => {
                if is_snapshot {
                    self.growth.snapshot = length;
                    self.report(|status| {
                        status.snapshots += 1;
                        status.snapshot_failed = None;
                    });
                }
                answer.map(|answer| answer.send(Ok(())));
            }
            Err(error) if is_snapshot => self.snapshot_failed(error, answer),
            Err(error) => drop(answer.map(|answer| answer.send(Err(error)))),
        }
    }

    /// The journals that there are hold everything: nothing is lost. Another attempt is made when as
    /// much again was written.
    fn snapshot_failed(
        &mut self,
        error: StoreError,
        answer: Option<oneshot::Sender<Result<(), StoreError>>>,
    ) {
        self.growth.since_snapshot = 0;
        self.report(|status| status.snapshot_failed = Some(error.to_string()));
        answer.map(|answer| answer.send(Err(error)));
    }
}

/// What was committed after a revision, up to another, from the journals of this number and after.
fn batches_between(
    files: &dyn Files,
    first: u64,
    after: Revision,
    until: Revision,
) -> Result<Vec<Arc<Batch>>, StoreError> {
    let mut batches = Vec::new();
    let mut seen = Revision(0);
    for number in first.. {
        let name = Name::Journal(number).to_string();
        let mut frames = Frames::open(files, &name, Sort::Journal)?;
        seen = seen.max(frames.header.revision);
        // The last frame may be in the middle of being written.
        journal::replay(&mut frames, true, |mut content| {
            while !content.is_empty() && seen < until {
                let batch = content.batch(|_| None)?;
                seen = batch.revision;
                if seen > after {
                    batches.push(Arc::new(batch));
                }
            }
            Ok(())
        })?;
        if seen >= until {
            break;
        }
    }
    Ok(batches)
}
