//! [`Files`]: what the disk store needs of a file system, and the [`Directory`] that is one.
//!
//! It is a trait so that the simulation can lose power, and tests can break each call in turn.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// One directory of files.
pub trait Files: Send + Sync + 'static {
    /// Where it is, for messages.
    fn place(&self) -> String;

    /// Makes the directory one's own until what is returned is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody else has it.
    fn lock(&self) -> io::Result<Box<dyn Send>>;

    /// The names of all files.
    ///
    /// # Errors
    /// What the file system says.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Reads a file from its beginning.
    ///
    /// # Errors
    /// What the file system says.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Opens a file to be written; makes it when there is none.
    ///
    /// # Errors
    /// What the file system says.
    fn write(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// Gives a file another name, in the place of the file that has it.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_names(&self, why: SyncPoint) -> io::Result<()>;
}

/// A file that is being written.
pub trait File: Send {
    /// Writes some of the bytes at a place, and says how many.
    ///
    /// # Errors
    /// What the file system says.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// What the file system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes durable what was written.
    ///
    /// # Errors
    /// What the file system says.
    fn sync(&mut self, why: SyncPoint) -> io::Result<()>;
}

/// Why something must be durable before the store goes on. Each is needed: a test takes away one after
/// another, and loses data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncPoint {
    /// A group of transactions, before it is applied and acknowledged.
    Group,
    /// What a crash left in the journal, before anybody sees it: it may be in the page cache only.
    Recovered,
    /// The names that a crash left, before anything is built on them.
    RecoveredNames,
    /// The beginning of a new journal, before a group is written behind it.
    JournalHeader,
    /// The name of a new journal, before a group in it is acknowledged.
    JournalName,
    /// The content of a snapshot, before it has its name.
    Snapshot,
    /// The name of a snapshot, before the journals that it replaces are removed.
    SnapshotName,
    /// The content of the identity, before it has its name.
    Identity,
    /// The name of the identity, before a restored store is said to be whole.
    IdentityName,
}

impl SyncPoint {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Group,
        Self::Recovered,
        Self::RecoveredNames,
        Self::JournalHeader,
        Self::JournalName,
        Self::Snapshot,
        Self::SnapshotName,
        Self::Identity,
        Self::IdentityName,
    ];
}

/// Writes all of the bytes at a place, in as many calls as it takes.
pub(super) fn write_all(file: &mut dyn File, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(at, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory of the file system.
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The file that is locked. It stays: whoever removes a locked file makes room for a second lock.
    pub(super) const LOCK: &str = "lock";

    /// This directory, which is made when it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn at(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        if !path.is_dir() {
            fs::create_dir_all(&path)?;
            // Its own name must be durable too.
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            sync_directory(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(Self { path })
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

impl Files for Directory {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn lock(&self) -> io::Result<Box<dyn Send>> {
        let path = self.path.join(Self::LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .filter(|name| name.as_ref().is_ok_and(|name| name != Self::LOCK) || name.is_err());
        names.collect()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(fs::File::open(self.path.join(name))?))
    }

    fn write(&self, name: &str) -> io::Result<Box<dyn File>> {
        let path = self.path.join(name);
        Ok(Box::new(OpenOptions::new().create(true).truncate(false).write(true).open(path)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self, _: SyncPoint) -> io::Result<()> {
        sync_directory(&self.path)
    }
}

impl File for fs::File {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        FileExt::write_at(self, bytes, at)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self, _: SyncPoint) -> io::Result<()> {
        // The length of the file is data too; the time of its last change is not.
        self.sync_data()
    }
}
