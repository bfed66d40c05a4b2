//! [`DiskStore`]: embedded and durable, in one directory.

mod files;
mod format;
mod frames;
mod journal;
mod names;
mod queue;
mod recover;
#[cfg(any(test, feature = "testing"))]
pub mod sim;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;

use super::live::Live;
use super::state::HistoryLimits;
use super::{
    CommitError, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId, Txn, Watch,
};
use names::Name;
use queue::{Order, Queue};

pub use files::{Directory, File, Files, SyncPoint};
pub use writer::DiskStatus;

/// A store in a directory: embedded, durable, read and watched at the speed of memory. Cloning gives
/// another handle to it.
///
/// Everything is in memory too. A transaction is checked, appended to a journal, made durable, and only
/// then applied and acknowledged: what is not durable is never seen. All transactions that wait when the
/// disk is ready go into one write. Now and then a snapshot replaces the journal, without stopping
/// anybody.
///
/// - It survives `kill -9` and a loss of power at any instant, also while it recovers.
/// - One process at a time can have it open; a second one gets [`StoreError::Locked`].
/// - Damage is an error, [`StoreError::Corrupt`], which names the file; never a silent reset.
/// - When the disk is full or fails, it turns read-only and says so: commits get
///   [`StoreError::ReadOnly`], reads go on. Mend the disk and open it again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> orchestra_core::Result<()> {
/// # let directory = std::env::temp_dir().join(format!("orchestra-doc-{}", std::process::id()));
/// use orchestra_core::store::{DiskStore, Store, Txn};
///
/// let store = DiskStore::open(&directory)?;
/// store.commit(Txn::new().put_new("jobs/a", "1")).await?;
/// store.close().await;
///
/// let store = DiskStore::open(&directory)?;
/// assert!(store.get(&"jobs/a".into()).await?.is_some());
/// # store.close().await; std::fs::remove_dir_all(&directory).unwrap();
/// # Ok(()) }
/// ```
///
/// # Caveats
///
/// - All values must fit into memory.
/// - The fate of a transaction whose future was dropped is unknown, as with every store.
/// - Damage to the very last group of a journal cannot be told from what a crash leaves, and is cut off
///   as that; damage anywhere else is noticed.
/// - Dropping the last handle waits until what was asked for is written.
#[derive(Clone)]
pub struct DiskStore(Arc<Handle>);

struct Handle {
    live: Arc<Live>,
    queue: Arc<Queue>,
    status: Arc<Mutex<DiskStatus>>,
    identity: StoreId,
    limits: Limits,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// How a [`DiskStore`] is opened.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    history: HistoryLimits,
    limits: Limits,
    snapshot_after: u64,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            history: HistoryLimits::DEFAULT,
            limits: Limits::DEFAULT,
            // Replaying so much takes a tenth of a second.
            snapshot_after: 64 << 20,
        }
    }
}

impl DiskOptions {
    /// A group of transactions is written in one go, and must be read in one go.
    const MOST_BYTES: usize = 256 << 20;

    /// How much of the history is held.
    #[must_use]
    pub const fn history(self, history: HistoryLimits) -> Self {
        Self { history, ..self }
    }

    /// How much a transaction may have.
    #[must_use]
    pub const fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// After how many bytes of journal a snapshot is taken: these, or as many as the last snapshot has,
    /// whichever is more.
    #[must_use]
    pub const fn snapshot_after(self, bytes: u64) -> Self {
        Self { snapshot_after: bytes, ..self }
    }

    /// Opens the store in this directory; makes one when there is no directory, or it is empty.
    ///
    /// # Errors
    /// As [`DiskStore::open`].
    pub fn open(self, directory: impl AsRef<Path>) -> Result<DiskStore, StoreError> {
        let path = directory.as_ref();
        let directory = Directory::at(path).map_err(|error| StoreError::Failed {
            doing: format!("making {}", path.display()),
            reason: error.to_string(),
        })?;
        self.open_on(Arc::new(directory))
    }

    /// Opens the store in a directory of whichever file system.
    ///
    /// # Errors
    /// As [`DiskStore::open`].
    pub fn open_on(self, files: Arc<dyn Files>) -> Result<DiskStore, StoreError> {
        if self.limits.bytes > Self::MOST_BYTES {
            let reason =
                format!("a transaction of {} bytes: the limit is {}", self.limits.bytes, Self::MOST_BYTES);
            return Err(StoreError::Invalid { reason });
        }
        let lock = lock(&*files)?;
        let recovered = recover::open(&*files, self.history, StoreId::random())?;
        let identity = recovered.identity;
        let live = Live::new(recovered.state);
        let queue = Arc::new(Queue::default());
        let status = Arc::default();
        let writer = writer::Writer::new(
            files,
            live.clone(),
            queue.clone(),
            Arc::clone(&status),
            identity,
            recovered.journal,
            writer::Growth {
                since_snapshot: recovered.since_snapshot,
                snapshot: recovered.snapshot_length,
                at_least: self.snapshot_after,
            },
            lock,
        );
        let guard = writer::Guard::new(queue.clone(), Arc::clone(&status));
        let writer = std::thread::Builder::new().name("orchestra-disk".into()).spawn(move || {
            let _guard = guard;
            writer.run();
        });
        let writer = writer.map_err(|error| StoreError::Failed {
            doing: "starting the thread that writes".into(),
            reason: error.to_string(),
        })?;
        let writer = Mutex::new(Some(writer));
        Ok(DiskStore(Arc::new(Handle { live, queue, status, identity, limits: self.limits, writer })))
    }
}

impl DiskStore {
    /// Opens the store in this directory; makes one when there is no directory, or it is empty.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it, [`StoreError::Corrupt`] when a file is
    /// damaged, missing or foreign, [`StoreError::Failed`] when the file system fails.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options().open(directory)
    }

    /// How to open a store, if not as usual.
    #[must_use]
    pub fn options() -> DiskOptions {
        DiskOptions::default()
    }

    /// How the store is doing.
    #[must_use]
    pub fn status(&self) -> DiskStatus {
        self.0.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what happened up to a revision. (What there was is forgotten on the disk by snapshots.)
    pub fn compact(&self, revision: Revision) {
        self.0.live.change(|state| state.compact(revision));
    }

    /// Takes a snapshot, so that the next start need not replay the journal. The store does it by
    /// itself as the journal grows.
    ///
    /// # Errors
    /// When it cannot be written. The journal is still whole then.
    pub async fn snapshot(&self) -> Result<(), StoreError> {
        self.order(Order::Snapshot).await
    }

    /// Writes all there is now to a new file, while the store runs. [`restore`](Self::restore) makes a
    /// store of it.
    ///
    /// # Errors
    /// When it cannot be written, or there is a file of that name.
    pub async fn backup(&self, file: impl AsRef<Path>) -> Result<(), StoreError> {
        let (directory, name) = split(file.as_ref())?;
        self.backup_on(Arc::new(directory), name).await
    }

    /// The same, to a file of whichever file system.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn backup_on(&self, files: Arc<dyn Files>, name: String) -> Result<(), StoreError> {
        // Over an older backup, or even a file of the store's own: that cannot be meant.
        let names = files.names().map_err(|error| failed("listing", &*files, "", &error))?;
        if names.contains(&name) || Name::parse(&name).is_some() || Name::is_unfinished(&name) {
            let reason = format!("cannot write a backup to {}/{name}: choose another name", files.place());
            return Err(StoreError::Invalid { reason });
        }
        self.order(|answer| Order::Backup { files, name, answer }).await
    }

    async fn order(
        &self,
        order: impl FnOnce(tokio::sync::oneshot::Sender<Result<(), StoreError>>) -> Order,
    ) -> Result<(), StoreError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.0.queue.order(order(answer))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Makes a store of a backup, in a directory that is empty or not there. It is a new history: it
    /// has an identity of its own.
    ///
    /// # Errors
    /// When the backup is damaged, or the directory is not empty or cannot be written.
    pub fn restore(backup: impl AsRef<Path>, directory: impl AsRef<Path>) -> Result<(), StoreError> {
        let (from, name) = split(backup.as_ref())?;
        let path = directory.as_ref();
        let to = Directory::at(path).map_err(|error| StoreError::Failed {
            doing: format!("making {}", path.display()),
            reason: error.to_string(),
        })?;
        Self::restore_on(&from, &name, &to)
    }

    /// The same, on whichever file systems.
    ///
    /// # Errors
    /// When the backup is damaged, or the directory is not empty or cannot be written.
    pub fn restore_on(from: &dyn Files, name: &str, to: &dyn Files) -> Result<(), StoreError> {
        let _lock = lock(to)?;
        let names = to.names().map_err(|error| failed("restoring into", to, "", &error))?;
        if let Some(name) = names.first() {
            let reason = format!("cannot restore into {}: it is not empty, there is {name}", to.place());
            return Err(StoreError::Invalid { reason });
        }
        snapshot::restore(from, name, to, StoreId::random())
    }

    /// Closes the store once everything that was asked for is written. All handles see it as closed.
    pub async fn close(&self) {
        let handle = self.0.clone();
        // Joining a thread blocks, though not for long.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || handle.shut()).await),
            Err(_) => handle.shut(),
        }
    }
}

impl Handle {
    fn shut(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic of the writer is a bug of ours, and was reported by itself.
            let _ = writer.join();
        }
        self.live.close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shut();
    }
}

#[async_trait]
impl Store for DiskStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.0.ensure_open()?;
        Ok(self.0.live.read().get(key).cloned())
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.0.ensure_open()?;
        self.0.live.read().list(scope, &page)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check(&self.0.limits)?;
        let answer = self.0.queue.commit(txn).await;
        // The dispatcher was told, but its runtime may be busy; the one here is not.
        if self.0.live.publish_if_behind() {
            // Who was woken just now waits for this very thread: it is not to be kept by what comes after.
            tokio::task::yield_now().await;
        }
        answer
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.0.ensure_open()?;
        self.0.live.ensure_dispatcher();
        self.0.live.watch(scope, after)
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        Ok(self.0.identity)
    }

    fn limits(&self) -> Limits {
        self.0.limits
    }
}

impl Handle {
    fn ensure_open(&self) -> Result<(), StoreError> {
        if self.live.is_closed() { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.live.read();
        f.debug_struct("DiskStore")
            .field("revision", &state.revision())
            .field("keys", &state.len())
            .finish_non_exhaustive()
    }
}

fn lock(files: &dyn Files) -> Result<Box<dyn Send>, StoreError> {
    files.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => StoreError::Locked { place: files.place() },
        _ => failed("locking", files, "", &error),
    })
}

/// A file's directory and name.
fn split(path: &Path) -> Result<(Directory, String), StoreError> {
    let invalid = || StoreError::Invalid { reason: format!("{} names no file", path.display()) };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(invalid)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = Directory::at(parent).map_err(|error| StoreError::Failed {
        doing: format!("opening {}", parent.display()),
        reason: error.to_string(),
    })?;
    Ok((directory, name.to_owned()))
}

fn failed(doing: &str, files: &dyn Files, name: &str, error: &io::Error) -> StoreError {
    let doing = match name {
        "" => format!("{doing} {}", files.place()),
        name => format!("{doing} {}/{name}", files.place()),
    };
    StoreError::Failed { doing, reason: error.to_string() }
}

fn damaged(place: &str, reason: String) -> StoreError {
    StoreError::Corrupt { place: place.into(), reason }
}
