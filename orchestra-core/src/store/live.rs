//! [`Live`]: a state that is read, changed and watched at the same time. The memory and the disk store
//! are this, and a way to commit.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};
use std::task::{Context, Poll, Waker};

#[cfg(feature = "disk")]
use tokio::runtime::RuntimeFlavor;
#[cfg(feature = "disk")]
use tokio::sync::Notify;

use super::hub::{Channel, Hub, Seat};
use super::state::State;
use super::{Batch, Delivery, Revision, Scope, StoreError, Watch, WatchSource};

/// A state, those who watch it, and how they learn of a change.
///
/// Locks are taken in this order: hub, channel, state. None is held while something waits, and the
/// state's only for as long as one transaction is applied, or one page or batch is read.
pub(super) struct Live {
    state: RwLock<State>,
    /// The state's revision, for a look without a lock.
    revision: AtomicU64,
    hub: Mutex<Hub>,
    /// How far the hub has published, for a look without a lock.
    published: AtomicU64,
    /// How many watchers there are, for a look without a lock.
    watchers: AtomicUsize,
    closed: AtomicBool,
    #[cfg(feature = "disk")]
    dispatcher: Dispatcher,
}

/// A task that publishes what a thread outside the runtime has changed. Where no runtime is sure to run
/// it, that thread publishes itself.
#[cfg(feature = "disk")]
#[derive(Default)]
struct Dispatcher {
    runs: AtomicBool,
    work: Arc<Notify>,
}

impl Live {
    pub(super) fn new(state: State) -> Arc<Self> {
        Arc::new(Self {
            revision: AtomicU64::new(state.revision().0),
            hub: Mutex::new(Hub::new(state.revision())),
            published: AtomicU64::new(state.revision().0),
            state: RwLock::new(state),
            watchers: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            #[cfg(feature = "disk")]
            dispatcher: Dispatcher::default(),
        })
    }

    /// The state, to be read. A poisoned lock is none: no change of the state panics half-way.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and publishes the change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = self.change_quietly(change);
        self.publish_if_behind();
        answer
    }

    /// Changes the state, and has the dispatcher publish the change: to wake many tasks is cheap for a
    /// thread of their runtime, and dear for any other.
    #[cfg(feature = "disk")]
    pub(super) fn change_elsewhere<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // One that has not come to the last change yet may not be running at all.
        let is_late = self.is_behind();
        let answer = self.change_quietly(change);
        if self.is_behind() {
            if self.dispatcher.runs.load(Ordering::SeqCst) && !is_late {
                self.dispatcher.work.notify_one();
            } else {
                self.publish();
            }
        }
        answer
    }

    fn change_quietly<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.write();
        let answer = change(&mut state);
        let revision = state.revision().0;
        drop(state);
        self.revision.fetch_max(revision, Ordering::SeqCst);
        answer
    }

    /// Whether watchers are there who have not been told of the last change.
    fn is_behind(&self) -> bool {
        self.watchers.load(Ordering::SeqCst) > 0
            && self.published.load(Ordering::SeqCst) < self.revision.load(Ordering::SeqCst)
    }

    /// Tells watchers of the last change, unless they were told; whether they had to be.
    pub(super) fn publish_if_behind(&self) -> bool {
        let is_behind = self.is_behind();
        if is_behind {
            self.publish();
        }
        is_behind
    }

    /// The state, to be changed. Whoever holds it is done in less time than it takes to go to sleep.
    fn write(&self) -> RwLockWriteGuard<'_, State> {
        const SPINS: usize = 256;
        for _ in 0..SPINS {
            match self.state.try_write() {
                Ok(state) => return state,
                Err(TryLockError::Poisoned(state)) => return state.into_inner(),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_watchers(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Ends all watches.
    #[cfg(feature = "disk")]
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let mut wake = Vec::new();
        self.hub().wake_all(&mut wake);
        wake.into_iter().for_each(Waker::wake);
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all watchers whom it concerns what has happened.
    fn publish(&self) {
        /// So many are looked at under one lock of the state.
        const AT_ONCE: usize = 256;
        let mut wake = Vec::new();
        let mut hub = self.hub();
        if hub.is_idle() {
            hub.skip_to(Revision(self.revision.load(Ordering::SeqCst)), &mut wake);
        }
        while hub.published().0 < self.revision.load(Ordering::SeqCst) {
            let state = self.read();
            let news: Result<Vec<Arc<Batch>>, _> =
                state.history().after(hub.published()).map(|news| news.take(AT_ONCE).cloned().collect());
            let present = state.revision();
            drop(state);
            match news {
                Ok(news) => news.iter().for_each(|batch| hub.publish(batch, &mut wake)),
                Err(_) => hub.skip_to(present, &mut wake),
            }
        }
        self.published.fetch_max(hub.published().0, Ordering::SeqCst);
        drop(hub);
        wake.into_iter().for_each(Waker::wake);
    }

    /// Begins a watch.
    pub(super) fn watch(self: &Arc<Self>, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        // First counted, then joined: from here on nothing is committed without being published.
        self.watchers.fetch_add(1, Ordering::SeqCst);
        self.publish();
        let channel = self.hub().join(scope);
        let watcher = Watcher { live: self.clone(), channel, after, seat: None, progress: None };
        self.read().history().after(after).map(drop)?;
        Ok(Watch::new(watcher))
    }

    /// Has the dispatcher run, if there is a runtime for it.
    #[cfg(feature = "disk")]
    pub(super) fn ensure_dispatcher(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // A runtime of one thread runs only while somebody blocks on it.
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return;
        }
        if self.dispatcher.runs.swap(true, Ordering::SeqCst) {
            return;
        }
        // When the task ends, or its runtime does, whoever commits publishes again.
        struct Running(std::sync::Weak<Live>);
        impl Drop for Running {
            fn drop(&mut self) {
                if let Some(live) = self.0.upgrade() {
                    live.dispatcher.runs.store(false, Ordering::SeqCst);
                    live.publish();
                }
            }
        }
        let running = Running(Arc::downgrade(self));
        let work = self.dispatcher.work.clone();
        runtime.spawn(async move {
            loop {
                work.notified().await;
                match running.0.upgrade() {
                    Some(live) => live.publish(),
                    None => return,
                }
            }
        });
    }
}

#[cfg(feature = "disk")]
impl Drop for Live {
    fn drop(&mut self) {
        self.dispatcher.work.notify_one();
    }
}

/// A watcher: a cursor into the history.
struct Watcher {
    live: Arc<Live>,
    channel: Arc<Channel>,
    /// Everything in the scope up to this revision was yielded.
    after: Revision,
    seat: Option<Seat>,
    /// How far it must be to answer a request for progress.
    progress: Option<Revision>,
}

impl Watcher {
    /// The next batch in the scope, as far as published; moves the cursor.
    fn next(&mut self) -> Result<Option<Arc<Batch>>, StoreError> {
        loop {
            let notes = self.channel.notes();
            if !notes.knows_all_after(self.after) {
                let until = notes.complete_after();
                drop(notes);
                match self.search(until)? {
                    Some(batch) => return Ok(Some(batch)),
                    None => continue,
                }
            }
            let Some(revision) = notes.next_after(self.after) else { return Ok(None) };
            drop(notes);
            let state = self.live.read();
            let Some(batch) = state.history().get(revision) else {
                let oldest = state.history().oldest();
                return Err(StoreError::Compacted { asked: self.after, oldest });
            };
            self.after = revision;
            if let Some(batch) = batch.within(&self.channel.scope) {
                return Ok(Some(batch));
            }
        }
    }

    /// Looks for the next batch in the history itself, up to a revision. Goes on where it stopped.
    fn search(&mut self, until: Revision) -> Result<Option<Arc<Batch>>, StoreError> {
        /// So many are looked at under one lock of the state.
        const AT_ONCE: usize = 1024;
        let state = self.live.read();
        let mut left = AT_ONCE;
        for batch in state.history().after(self.after)? {
            if batch.revision > until {
                break;
            }
            if left == 0 {
                return Ok(None);
            }
            left -= 1;
            self.after = batch.revision;
            if let Some(batch) = batch.within(&self.channel.scope) {
                return Ok(Some(batch));
            }
        }
        // There is nothing more up to there, perhaps because nothing ever happened.
        self.after = self.after.max(until);
        Ok(None)
    }
}

impl WatchSource for Watcher {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        loop {
            if let Some(batch) = self.next()? {
                return Poll::Ready(Ok(Delivery::Batch(batch)));
            }
            if let Some(wanted) = self.progress {
                // Nobody need wait for the dispatcher to learn how far it has come.
                self.live.publish();
                if let Some(batch) = self.next()? {
                    return Poll::Ready(Ok(Delivery::Batch(batch)));
                }
                self.progress = None;
                self.after = self.after.max(wanted);
                return Poll::Ready(Ok(Delivery::Progress(self.after)));
            }
            if self.live.is_closed() {
                return Poll::Ready(Err(StoreError::Closed));
            }
            let mut notes = self.channel.notes();
            if notes.knows_all_after(self.after) && notes.next_after(self.after).is_none() {
                self.seat = Some(notes.sit(self.seat, cx.waker()));
                return Poll::Pending;
            }
        }
    }

    fn request_progress(&mut self) {
        self.progress.get_or_insert_with(|| Revision(self.live.revision.load(Ordering::SeqCst)));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.live.hub().leave(&self.channel, self.seat);
        self.live.watchers.fetch_sub(1, Ordering::SeqCst);
    }
}
