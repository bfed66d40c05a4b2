//! [`SimDisk`]: a disk in memory that fails, and loses power, when it is told to.
//!
//! It keeps apart what a program sees from what would be there after a loss of power. What was not
//! synced survives in part: any subset of the changes of names, and of the sectors that were written,
//! some of them torn. A sync that fails leaves the pages clean, as Linux does: a later one does not make
//! them durable.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{File, Files, SyncPoint};

/// A disk in memory. Cloning gives another handle to it.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<Disk>>);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Half of the bytes are written, then the disk is full.
    NoSpace,
    /// The call fails.
    Io,
    /// A write is done by half, without an error.
    Short,
    /// From here on, every call fails: the power is off.
    PowerOff,
}

#[derive(Default)]
struct Disk {
    files: Vec<Content>,
    /// As a program sees them.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    changed_names: Vec<NameChange>,
    calls: u64,
    fault: Option<(u64, Fault, bool)>,
    fired: u64,
    off: bool,
    without: Option<SyncPoint>,
    without_lock: bool,
    locked: bool,
}

#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
    /// Changes that a failed sync has given up.
    lost: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Clone)]
enum NameChange {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

impl SimDisk {
    const SECTOR: usize = 512;

    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the call of this number, counted from now, go wrong, and those after it too if `ever_after`.
    pub fn fail_at(&self, call: u64, fault: Fault, ever_after: bool) {
        let mut disk = self.lock_disk();
        disk.fault = Some((disk.calls + call, fault, ever_after));
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        let mut disk = self.lock_disk();
        (disk.fault, disk.off) = (None, false);
    }

    /// Takes away a sync: it answers that all is well, and does nothing.
    pub fn take_away_sync(&self, sync: SyncPoint) {
        self.lock_disk().without = Some(sync);
    }

    /// Takes away the lock: everybody gets it.
    pub fn take_away_lock(&self) {
        self.lock_disk().without_lock = true;
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock_disk().calls
    }

    /// How many calls went wrong.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.lock_disk().fired
    }

    /// The process is killed: what it saw is still there, and so is what waits to be durable.
    #[must_use]
    pub fn killed(&self) -> Self {
        let disk = self.lock_disk();
        Self(Arc::new(Mutex::new(Disk {
            files: disk.files.clone(),
            names: disk.names.clone(),
            durable_names: disk.durable_names.clone(),
            changed_names: disk.changed_names.clone(),
            without: disk.without,
            without_lock: disk.without_lock,
            ..Disk::default()
        })))
    }

    /// The power is lost and comes back: what was not synced is there in part, which part by the seed.
    #[must_use]
    pub fn power_lost(&self, seed: u64) -> Self {
        let disk = self.lock_disk();
        let mut random = Random(seed);
        // Nothing of it, all of it, or some.
        let mut chance = match seed % 4 {
            0 => Chance::Never,
            1 => Chance::Always,
            _ => Chance::Sometimes(&mut random),
        };
        let mut names = disk.durable_names.clone();
        for change in &disk.changed_names {
            if chance.keeps() {
                change.apply(&mut names);
            }
        }
        let files: Vec<Content> = disk.files.iter().map(|file| file.power_lost(&mut chance)).collect();
        Self(Arc::new(Mutex::new(Disk {
            files,
            durable_names: names.clone(),
            names,
            without: disk.without,
            without_lock: disk.without_lock,
            ..Disk::default()
        })))
    }

    /// The files, as a program sees them, for a test to look at or to damage.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let disk = self.lock_disk();
        disk.names.iter().map(|(name, at)| (name.clone(), disk.files[*at].seen.clone())).collect()
    }

    /// A disk with these files.
    #[must_use]
    pub fn with_contents(contents: &BTreeMap<String, Vec<u8>>) -> Self {
        let files = contents.values().map(|bytes| Content {
            seen: bytes.clone(),
            durable: bytes.clone(),
            ..Content::default()
        });
        let names: BTreeMap<_, _> =
            contents.keys().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        Self(Arc::new(Mutex::new(Disk {
            files: files.collect(),
            durable_names: names.clone(),
            names,
            ..Disk::default()
        })))
    }

    fn lock_disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what goes wrong with it.
    fn call(&self) -> io::Result<(MutexGuard<'_, Disk>, Option<Fault>)> {
        let mut disk = self.lock_disk();
        let call = disk.calls;
        disk.calls += 1;
        let fault = disk.fault.filter(|(at, _, ever_after)| call == *at || *ever_after && call > *at);
        let fault = fault.map(|(_, fault, _)| fault);
        disk.fired += u64::from(fault.is_some());
        disk.off |= fault == Some(Fault::PowerOff);
        if disk.off {
            return Err(io::Error::other("the power is off"));
        }
        Ok((disk, fault))
    }

    /// A call that either works or does not.
    fn plain_call(&self) -> io::Result<MutexGuard<'_, Disk>> {
        match self.call()? {
            (_, Some(Fault::Io)) => Err(io::Error::other("input/output error")),
            (_, Some(Fault::NoSpace)) => Err(io::ErrorKind::StorageFull.into()),
            (disk, _) => Ok(disk),
        }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Files for SimDisk {
    fn place(&self) -> String {
        "the simulated disk".into()
    }

    fn lock(&self) -> io::Result<Box<dyn Send>> {
        struct Held(SimDisk);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.lock_disk().locked = false;
            }
        }
        let mut disk = self.lock_disk();
        if disk.locked && !disk.without_lock {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        disk.locked = true;
        drop(disk);
        Ok(Box::new(Held(self.clone())))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.plain_call()?.names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let disk = self.plain_call()?;
        let at = disk.names.get(name).ok_or_else(not_found)?;
        Ok(Box::new(Cursor::new(disk.files[*at].seen.clone())))
    }

    fn write(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut disk = self.plain_call()?;
        let at = match disk.names.get(name) {
            Some(at) => *at,
            None => {
                let at = disk.files.len();
                disk.files.push(Content::default());
                disk.change_names(NameChange::Link(name.into(), at));
                at
            }
        };
        Ok(Box::new(SimFile { disk: self.clone(), at }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.plain_call()?;
        disk.names.get(from).ok_or_else(not_found)?;
        disk.change_names(NameChange::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.plain_call()?;
        disk.names.get(name).ok_or_else(not_found)?;
        disk.change_names(NameChange::Remove(name.into()));
        Ok(())
    }

    fn sync_names(&self, why: SyncPoint) -> io::Result<()> {
        let mut disk = self.plain_call()?;
        if disk.without != Some(why) {
            disk.changed_names.clear();
            disk.durable_names = disk.names.clone();
        }
        Ok(())
    }
}

impl Disk {
    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.changed_names.push(change);
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, at) => drop(names.insert(name.clone(), *at)),
            Self::Rename(from, to) => {
                if let Some(at) = names.remove(from) {
                    names.insert(to.clone(), at);
                }
            }
            Self::Remove(name) => drop(names.remove(name)),
        }
    }
}

struct SimFile {
    disk: SimDisk,
    at: usize,
}

impl File for SimFile {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let (mut disk, fault) = self.disk.call()?;
        let half = &bytes[..bytes.len().div_ceil(2)];
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let file = &mut disk.files[self.at];
        match fault {
            Some(Fault::Io) => Err(io::Error::other("input/output error")),
            Some(Fault::NoSpace) => {
                file.change(Change::Write { at, bytes: half.into() });
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(Fault::Short) => {
                file.change(Change::Write { at, bytes: half.into() });
                Ok(half.len())
            }
            Some(Fault::PowerOff) | None => {
                file.change(Change::Write { at, bytes: bytes.into() });
                Ok(bytes.len())
            }
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut disk = self.disk.plain_call()?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        disk.files[self.at].change(Change::Truncate(length));
        Ok(())
    }

    fn sync(&mut self, why: SyncPoint) -> io::Result<()> {
        let synced = self.disk.plain_call();
        let failed = synced.is_err();
        let mut disk = match synced {
            Ok(disk) => disk,
            Err(_) => self.disk.lock_disk(),
        };
        if disk.off {
            return Err(io::Error::other("the power is off"));
        }
        let is_away = disk.without == Some(why);
        let file = &mut disk.files[self.at];
        if failed {
            let changes = std::mem::take(&mut file.changes);
            file.lost.extend(changes.iter().flat_map(Change::sectors));
            return Err(io::Error::other("input/output error"));
        }
        if !is_away {
            for change in std::mem::take(&mut file.changes) {
                // What is written anew in the place of what was given up is in its place.
                file.lost.retain(|lost| !change.covers(lost));
                change.apply(&mut file.durable);
            }
        }
        Ok(())
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    /// What is left: of each change the sectors that chance keeps.
    fn power_lost(&self, chance: &mut Chance<'_>) -> Self {
        let mut left = self.durable.clone();
        for change in self.lost.iter().chain(&self.changes) {
            match change {
                Change::Truncate(_) if chance.keeps() => change.apply(&mut left),
                Change::Truncate(_) => {}
                write @ Change::Write { .. } => {
                    for mut sector in write.sectors() {
                        if let Change::Write { bytes, .. } = &mut sector
                            && chance.tears()
                        {
                            bytes.truncate(bytes.len() / 2);
                        }
                        if chance.keeps() {
                            sector.apply(&mut left);
                        }
                    }
                }
            }
        }
        Self { seen: left.clone(), durable: left, ..Self::default() }
    }
}

impl Change {
    /// The same, no more than a sector at a time.
    fn sectors(&self) -> Vec<Self> {
        let Self::Write { at, bytes } = self else { return vec![self.clone()] };
        let mut sectors = Vec::new();
        let (mut at, mut rest) = (*at, &bytes[..]);
        while !rest.is_empty() {
            let (sector, after) = rest.split_at(rest.len().min(SimDisk::SECTOR - at % SimDisk::SECTOR));
            sectors.push(Self::Write { at, bytes: sector.into() });
            (at, rest) = (at + sector.len(), after);
        }
        sectors
    }

    /// Whether it touches a sector that the other one wrote.
    fn covers(&self, other: &Self) -> bool {
        let sector = |at: usize| at / SimDisk::SECTOR;
        match (self, other) {
            (Self::Truncate(length), Self::Write { at, .. }) => sector(*at) >= sector(*length),
            (Self::Write { at, bytes }, Self::Write { at: other, .. }) => {
                sector(*at) <= sector(*other) && sector(*other) <= sector(at + bytes.len().max(1) - 1)
            }
            (Self::Truncate(_), Self::Truncate(_)) => true,
            (Self::Write { .. }, Self::Truncate(_)) => false,
        }
    }

    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Truncate(length) => content.truncate(*length),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(bytes);
            }
        }
    }
}

/// What decides about each change that was not synced.
enum Chance<'r> {
    Never,
    Always,
    Sometimes(&'r mut Random),
}

impl Chance<'_> {
    fn keeps(&mut self) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Sometimes(random) => random.next() % 2 == 0,
        }
    }

    fn tears(&mut self) -> bool {
        match self {
            Self::Never | Self::Always => false,
            Self::Sometimes(random) => random.next() % 8 == 0,
        }
    }
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        crate::random::next(&mut self.0)
    }
}
