//! Every I/O call fails, the power goes at every instant, and each sync, checksum and lock is taken away
//! in turn, to see that it is missed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::files::SyncPoint;
use super::format::{Check, WITHOUT};
use super::names::Name;
use super::sim::{Fault, SimDisk};
use super::{DiskOptions, DiskStore};
use crate::store::state::State;
use crate::store::{CommitError, Page, Revision, Scope, Store, StoreError, Txn};

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Snapshots when the script says so.
fn options() -> DiskOptions {
    DiskStore::options().snapshot_after(u64::MAX)
}

fn open(disk: &SimDisk) -> Result<DiskStore, StoreError> {
    options().open_on(Arc::new(disk.clone()))
}

/// Everything in a store: keys, values, and when they were made and written.
type Everything = Vec<(String, Vec<u8>, Revision, Revision)>;

fn everything(state: &State) -> Everything {
    let row = |entry: &Arc<crate::store::Entry>| {
        (entry.key.to_string(), entry.value.to_vec(), entry.created, entry.modified)
    };
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let some = state.scan(after.as_ref());
        let Some(last) = some.last() else { return rows };
        after = Some(last.key.clone());
        rows.extend(some.iter().map(row));
    }
}

fn everything_in(store: &DiskStore) -> (Revision, Everything) {
    let state = store.0.live.read();
    (state.revision(), everything(&state))
}

/// What was done to a store, and what its states may therefore be.
#[derive(Clone)]
struct Record {
    /// Those that are possible: one, and another for each transaction whose fate is unknown.
    possible: Vec<BTreeMap<u64, Txn>>,
    done: u64,
}

impl Record {
    fn new() -> Self {
        Self { possible: vec![BTreeMap::new()], done: 0 }
    }

    fn add(&mut self, txn: Txn, answer: &Result<Revision, CommitError>) {
        self.done += 1;
        let with = self.possible.iter().cloned().map(|mut log| {
            log.insert(self.done, txn.clone());
            log
        });
        match answer {
            Ok(_) => self.possible = with.collect(),
            Err(CommitError::Unknown { .. }) => {
                let with: Vec<_> = with.collect();
                self.possible.extend(with);
            }
            Err(_) => {}
        }
    }

    /// Whether a store is as it can be; from here on it is known which way that is.
    fn check(&mut self, store: &DiskStore) -> Result<(), String> {
        let found = everything_in(store);
        self.possible.retain(|log| {
            let mut state = State::default();
            log.values().for_each(|txn| drop(state.commit(txn.clone())));
            (state.revision(), everything(&state)) == found
        });
        match self.possible.is_empty() {
            true => Err(format!("revision {} with {} keys cannot be", found.0, found.1.len())),
            false => Ok(()),
        }
    }
}

/// The transactions of the script: new keys, changes, deletions, several at once, large ones.
fn txn(number: u64) -> Txn {
    let text = format!("value {number}");
    match number % 5 {
        0 => Txn::new().put("a", text.clone()).put(format!("b/{number}"), text),
        1 => Txn::new().put("c", text),
        2 => Txn::new().delete(format!("b/{}", number - 2)).put("d", text),
        3 => Txn::new().put("large", vec![number as u8; 1500]),
        _ => Txn::new().delete("d").put("e", text),
    }
}

/// Commits, snapshots, closing and opening again. Goes on after what fails; answers with what opening
/// failed with, if it did.
fn script(disk: &SimDisk, record: &mut Record) -> Option<StoreError> {
    for round in 0..3 {
        let store = match open(disk) {
            Ok(store) => store,
            Err(error) => return Some(error),
        };
        wait(async {
            for number in 0..4 {
                let txn = txn(record.done);
                let answer = store.commit(txn.clone()).await;
                record.add(txn, &answer);
                if number == round {
                    let _ = store.snapshot().await;
                }
            }
        });
    }
    None
}

/// How many calls the script makes when nothing fails.
fn calls() -> u64 {
    let disk = SimDisk::new();
    assert_eq!(script(&disk, &mut Record::new()), None);
    disk.calls()
}

/// Opens, looks, commits, opens again and looks again: what is there must stay there.
fn is_sound(disk: &SimDisk, record: &mut Record) -> Result<(), String> {
    for _ in 0..2 {
        let store = open(disk).map_err(|error| format!("cannot be opened: {error}"))?;
        record.check(&store)?;
        let txn = txn(record.done);
        let answer = wait(store.commit(txn.clone()));
        record.add(txn, &answer);
        answer.map_err(|error| format!("cannot be written: {error}"))?;
        record.check(&store)?;
    }
    Ok(())
}

/// The power goes, or the process is killed, at every call; and again during the recovery.
fn crashes_are_survived(prepare: &dyn Fn(&SimDisk), seeds: u64) -> Result<(), String> {
    for call in 0..calls() {
        let disk = SimDisk::new();
        prepare(&disk);
        disk.fail_at(call, Fault::PowerOff, true);
        let mut record = Record::new();
        script(&disk, &mut record);
        for seed in 0..seeds {
            let at = |what: &str| format!("{what} at call {call}, seed {seed}");
            let lost = disk.power_lost(seed);
            is_sound(&lost, &mut record.clone()).map_err(|reason| format!("{}: {reason}", at("power")))?;
            // What a killed process leaves may be seen; what was seen must survive a loss of power.
            let (killed, mut seen) = (disk.killed(), record.clone());
            let store = open(&killed).map_err(|error| format!("{}: {error}", at("kill")))?;
            seen.check(&store).map_err(|reason| format!("{}: {reason}", at("kill")))?;
            if seed % 2 == 0 {
                let txn = txn(seen.done);
                let answer = wait(store.commit(txn.clone()));
                seen.add(txn, &answer);
            }
            drop(store);
            is_sound(&killed.power_lost(seed), &mut seen)
                .map_err(|reason| format!("{}: {reason}", at("kill, then power")))?;
            // Again, while it recovers from the first.
            for second in 0..100 {
                let again = disk.power_lost(seed);
                again.fail_at(second, Fault::PowerOff, true);
                drop(open(&again));
                if again.faults() == 0 {
                    break;
                }
                is_sound(&again.power_lost(seed + second), &mut record.clone()).map_err(|reason| {
                    format!("{}, then at call {second} of recovery: {reason}", at("power"))
                })?;
            }
        }
    }
    Ok(())
}

/// A backup is restored, and the power goes meanwhile or when it is done.
fn restoring_is_all_or_nothing(prepare: &dyn Fn(&SimDisk)) -> Result<(), String> {
    let (disk, backups) = (SimDisk::new(), SimDisk::new());
    let mut record = Record::new();
    script(&disk, &mut record);
    let store = open(&disk).unwrap();
    wait(store.backup_on(Arc::new(backups.clone()), "monday".into())).unwrap();
    for call in 0.. {
        let restored = SimDisk::new();
        prepare(&restored);
        restored.fail_at(call, Fault::PowerOff, true);
        let done = DiskStore::restore_on(&backups, "monday", &restored).is_ok();
        for seed in 0..8 {
            let restored = restored.power_lost(seed);
            let whole = is_sound(&restored, &mut record.clone());
            if done {
                whole.map_err(|reason| format!("restored, then power: {reason}"))?;
            } else if let Err(reason) = whole
                // What is not whole is no store; an empty directory becomes a new one.
                && !reason.contains("no identity")
                && !reason.starts_with("revision 1 with 0 keys")
            {
                return Err(format!("power at call {call} of restoring: {reason}"));
            }
        }
        if done {
            break;
        }
    }
    Ok(())
}

#[test]
fn restoring_may_be_interrupted() {
    restoring_is_all_or_nothing(&|_| {}).unwrap();
}

fn seeds(usual: u64) -> u64 {
    std::env::var("ORCHESTRA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn power_may_go_at_any_instant() {
    crashes_are_survived(&|_| {}, seeds(12)).unwrap();
}

#[test]
fn every_sync_is_missed() {
    for sync in SyncPoint::ALL {
        let without = |disk: &SimDisk| disk.take_away_sync(sync);
        let survived =
            restoring_is_all_or_nothing(&without).and_then(|()| crashes_are_survived(&without, 12));
        assert!(survived.is_err(), "{sync:?} is not needed, or no test needs it");
    }
}

/// Each call fails, once or ever after, and the store is opened again on a disk that works, or after a
/// loss of power.
#[test]
fn every_call_may_fail() {
    let mut read_only = 0;
    for call in 0..calls() {
        for (fault, ever_after) in [
            (Fault::NoSpace, false),
            (Fault::NoSpace, true),
            (Fault::Io, false),
            (Fault::Io, true),
            (Fault::Short, false),
            (Fault::Short, true),
        ] {
            let at = format!("{fault:?} at call {call}, ever after: {ever_after}");
            let disk = SimDisk::new();
            disk.fail_at(call, fault, ever_after);
            let mut record = Record::new();
            let refused = script(&disk, &mut record);
            assert!(disk.faults() > 0, "{at}: did not happen");
            if fault == Fault::Short && !ever_after {
                assert_eq!(refused, None, "{at}: a short write is no failure");
            }
            assert!(
                !matches!(refused, Some(StoreError::Corrupt { .. })),
                "{at}: a failing disk is no damage: {refused:?}"
            );
            read_only += u64::from(refused.is_none());
            disk.mend();
            let power = disk.power_lost(call);
            is_sound(&power, &mut record.clone())
                .unwrap_or_else(|reason| panic!("{at}, then power: {reason}"));
            // What is seen now must be there after a loss of power, even though a sync has failed.
            let mut seen = record.clone();
            let store = open(&disk).unwrap_or_else(|error| panic!("{at}: {error}"));
            seen.check(&store).unwrap_or_else(|reason| panic!("{at}: {reason}"));
            drop(store);
            is_sound(&disk.power_lost(call + 1), &mut seen)
                .unwrap_or_else(|reason| panic!("{at}, then seen, then power: {reason}"));
        }
    }
    assert!(read_only > 0);
}

#[test]
fn a_failing_disk_makes_it_read_only_and_says_so() {
    for (fault, unknown) in [(Fault::NoSpace, false), (Fault::Io, false)] {
        let disk = SimDisk::new();
        let store = open(&disk).unwrap();
        wait(async {
            let first = store.commit(Txn::new().put("a", "1")).await.unwrap();
            disk.fail_at(0, fault, false);
            let error = store.commit(Txn::new().put("b", "1")).await.unwrap_err();
            assert_eq!(error.is_unknown(), unknown, "{error}");
            let error = store.commit(Txn::new().put("c", "1")).await.unwrap_err();
            assert!(matches!(error, CommitError::Failed(StoreError::ReadOnly { .. })), "{error}");
            assert!(store.status().read_only.unwrap().contains("journal-0000000000000000"));
            assert_eq!(store.get(&"a".into()).await.unwrap().unwrap().modified, first);
            assert_eq!(store.list(&Scope::all(), Page::first()).await.unwrap().entries.len(), 1);
            assert!(store.snapshot().await.is_err());
            store.close().await;
            assert_eq!(store.get(&"a".into()).await, Err(StoreError::Closed));
        });
        assert!(open(&disk).unwrap().status().read_only.is_none());
    }
    // A sync that failed tells nothing.
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    disk.fail_at(1, Fault::Io, false);
    assert!(wait(store.commit(Txn::new().put("b", "1"))).unwrap_err().is_unknown());
}

/// Two that open the same directory: one of them is refused, or something is lost.
fn one_at_a_time(prepare: &dyn Fn(&SimDisk)) -> Result<(), String> {
    let disk = SimDisk::new();
    prepare(&disk);
    let first = open(&disk).map_err(|error| error.to_string())?;
    match open(&disk) {
        Err(StoreError::Locked { .. }) => return Ok(()),
        Err(error) => return Err(error.to_string()),
        Ok(second) => {
            wait(first.commit(Txn::new().put("a", "1"))).map_err(|error| error.to_string())?;
            wait(second.commit(Txn::new().put("b", "1"))).map_err(|error| error.to_string())?;
        }
    }
    drop(first);
    let store = open(&disk).map_err(|error| error.to_string())?;
    match everything_in(&store).1.len() {
        2 => Ok(()),
        found => Err(format!("{found} of 2 acknowledged keys are there")),
    }
}

#[test]
fn the_lock_is_missed() {
    one_at_a_time(&|_| {}).unwrap();
    one_at_a_time(&SimDisk::take_away_lock).unwrap_err();
}

/// Turns over a bit of each byte of each file: either opening fails, or what cannot be told from a
/// torn last group is cut off.
fn damage_is_noticed() -> Result<(), String> {
    let disk = SimDisk::new();
    let mut record = Record::new();
    script(&disk, &mut record);
    let contents = disk.contents();
    let (whole, last) = {
        let store = open(&SimDisk::with_contents(&contents)).unwrap();
        let whole = everything_in(&store);
        drop(store);
        let mut state = State::default();
        let log: Vec<_> = record.possible[0].values().cloned().collect();
        log[..log.len() - 1].iter().for_each(|txn| drop(state.commit(txn.clone())));
        (whole, (state.revision(), everything(&state)))
    };
    for (name, bytes) in &contents {
        for at in 0..bytes.len() {
            let mut damaged = contents.clone();
            damaged.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            match open(&SimDisk::with_contents(&damaged)) {
                Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(format!("byte {at} of {name}: {error}")),
                Ok(store) => {
                    let found = everything_in(&store);
                    let is_tail = matches!(Name::parse(name), Some(Name::Journal(_))) && found == last;
                    if !is_tail {
                        let same = if found == whole { "unnoticed" } else { "wrong" };
                        return Err(format!("byte {at} of {name}: {same}"));
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_checksum_is_missed() {
    damage_is_noticed().unwrap();
    for check in [Check::Header, Check::Frame] {
        WITHOUT.set(Some(check));
        let noticed = damage_is_noticed();
        WITHOUT.set(None);
        assert!(noticed.is_err(), "{check:?} is not needed, or no test needs it");
    }
}

#[test]
fn what_is_cut_off_missing_or_foreign_is_an_error() {
    let disk = SimDisk::new();
    script(&disk, &mut Record::new());
    let contents = disk.contents();
    let names: Vec<_> = contents.keys().cloned().collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let open = |contents: &BTreeMap<String, Vec<u8>>| open(&SimDisk::with_contents(contents));
    let is_corrupt =
        |contents: &BTreeMap<String, Vec<u8>>| matches!(open(contents), Err(StoreError::Corrupt { .. }));
    for name in &names {
        let mut without = contents.clone();
        without.remove(name);
        assert!(is_corrupt(&without), "without {name}");
        let mut foreign = contents.clone();
        foreign.insert(name.clone(), b"something else altogether".repeat(100));
        assert!(is_corrupt(&foreign), "a foreign {name}");
        for length in 0..contents[name].len() {
            let mut cut = contents.clone();
            cut.get_mut(name).unwrap().truncate(length);
            let opened = open(&cut);
            let is_journal = name.starts_with("journal") && length >= super::format::Header::LENGTH;
            assert!(opened.is_ok() == is_journal, "{name} cut to {length}: {:?}", opened.err());
        }
    }
    // The journal of another store.
    let other = SimDisk::new();
    script(&other, &mut Record::new());
    for (name, bytes) in other.contents() {
        let mut mixed = contents.clone();
        mixed.insert(name.clone(), bytes);
        assert!(is_corrupt(&mixed), "{name} of another store");
    }
    let foreign = BTreeMap::from([("thesis.txt".to_owned(), b"precious".to_vec())]);
    let error = open(&foreign).unwrap_err().to_string();
    assert!(error.contains("thesis.txt"), "{error}");
}

/// More keys than are read at a time, more bytes than a frame has, and writes all the while.
#[test]
fn a_snapshot_is_whole_whatever_is_written_meanwhile() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let disk = SimDisk::new();
    runtime.block_on(async {
        let store = open(&disk).unwrap();
        for some in 0..60 {
            let txn =
                (0..100).fold(Txn::new(), |txn, key| txn.put(format!("{some:02}/+{key}"), vec![1; 600]));
            store.commit(txn).await.unwrap();
        }
        let writes = store.clone();
        let writer = tokio::spawn(async move {
            for number in 0..2_000 {
                let (new, old) = (format!("{:02}/{number}", number * 7 % 60), number * 13 % 60);
                let txn = Txn::new().put(new, "new").delete(format!("{old:02}/+{}", number % 100));
                writes.commit(txn).await.unwrap();
            }
        });
        for _ in 0..3 {
            store.snapshot().await.unwrap();
        }
        let backups = SimDisk::new();
        store.backup_on(Arc::new(backups.clone()), "busy".into()).await.unwrap();
        writer.await.unwrap();
        store.snapshot().await.unwrap();
        let whole = everything_in(&store);
        store.close().await;
        assert_eq!(everything_in(&open(&disk).unwrap()), whole);
        // Killed in the middle of one, it still is.
        let restored = SimDisk::new();
        DiskStore::restore_on(&backups, "busy", &restored).unwrap();
        assert!(everything_in(&open(&restored).unwrap()).1.len() > 5_000);
    });
}

#[test]
fn a_backup_replaces_nothing() {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    let backups = Arc::new(SimDisk::new());
    wait(store.backup_on(backups.clone(), "monday".into())).unwrap();
    for (files, name) in [
        (Arc::new(disk.clone()), "identity"),
        (Arc::new(disk.clone()), "journal-0000000000000009"),
        (Arc::new(disk), "snapshot-0000000000000009.tmp"),
        (backups, "monday"),
    ] {
        let error = wait(store.backup_on(files, name.into())).unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. }), "{name}: {error}");
    }
}

/// Files of others are left alone.
#[test]
fn only_its_own_unfinished_files_are_removed() {
    let disk = SimDisk::new();
    drop(open(&disk).unwrap());
    let mut contents = disk.contents();
    contents.insert("mine.tmp".into(), b"precious".to_vec());
    contents.insert("snapshot-0000000000000001.tmp".into(), b"half".to_vec());
    let disk = SimDisk::with_contents(&contents);
    drop(open(&disk).unwrap());
    let names: Vec<_> = disk.contents().into_keys().collect();
    assert_eq!(names, ["identity", "journal-0000000000000000", "mine.tmp"]);
}

#[test]
fn nobody_waits_for_a_writer_that_panicked() {
    /// A disk whose driver has a bug.
    struct Buggy(SimDisk);
    struct BuggyFile;
    impl super::File for BuggyFile {
        fn write_at(&mut self, at: u64, bytes: &[u8]) -> std::io::Result<usize> {
            assert_eq!(at, 0, "a bug");
            Ok(bytes.len())
        }
        fn truncate(&mut self, _: u64) -> std::io::Result<()> {
            Ok(())
        }
        fn sync(&mut self, _: SyncPoint) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl super::Files for Buggy {
        fn place(&self) -> String {
            self.0.place()
        }
        fn lock(&self) -> std::io::Result<Box<dyn Send>> {
            self.0.lock()
        }
        fn names(&self) -> std::io::Result<Vec<String>> {
            self.0.names()
        }
        fn read(&self, name: &str) -> std::io::Result<Box<dyn std::io::Read + Send>> {
            self.0.read(name)
        }
        fn write(&self, name: &str) -> std::io::Result<Box<dyn super::File>> {
            // The journal's beginning is written well.
            match self.0.names()?.iter().any(|there| there == "identity") {
                true => Ok(Box::new(BuggyFile)),
                false => self.0.write(name),
            }
        }
        fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
            self.0.rename(from, to)
        }
        fn remove(&self, name: &str) -> std::io::Result<()> {
            self.0.remove(name)
        }
        fn sync_names(&self, why: SyncPoint) -> std::io::Result<()> {
            self.0.sync_names(why)
        }
    }
    let disk = SimDisk::new();
    drop(open(&disk).unwrap());
    let store = options().open_on(Arc::new(Buggy(disk))).unwrap();
    assert!(wait(store.commit(Txn::new().put("a", "1"))).unwrap_err().is_unknown());
    // Until the thread is gone another one may be taken in, and dropped.
    let closed = CommitError::Failed(StoreError::Closed);
    while wait(store.commit(Txn::new().put("a", "1"))).unwrap_err() != closed {}
    assert!(store.status().read_only.unwrap().contains("panicked"));
}

/// A store as version 1 of the format wrote it: twelve transactions, and a snapshot after the seventh.
#[test]
fn a_store_of_the_first_format_is_read_and_goes_on_in_the_present_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/disk-format-1");
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let contents: BTreeMap<String, Vec<u8>> = files
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    assert_eq!(contents.len(), 3);
    let mut record = Record::new();
    (0..12).for_each(|number| record.add(txn(number), &Ok(Revision(0))));

    let disk = SimDisk::with_contents(&contents);
    is_sound(&disk, &mut record.clone()).unwrap();
    assert!(disk.contents().contains_key("journal-0000000000000002"), "the old journal is not written to");
    // Whatever happens meanwhile.
    for call in 0..60 {
        let disk = SimDisk::with_contents(&contents);
        disk.fail_at(call, Fault::PowerOff, true);
        let mut record = record.clone();
        script(&disk, &mut record);
        for seed in 0..8 {
            is_sound(&disk.power_lost(seed), &mut record.clone()).unwrap();
        }
    }
    // A later format is refused, by name.
    let mut later = contents.clone();
    let header = super::format::Header { version: 99, ..later_header(&contents["identity"]) };
    later.insert("identity".into(), header.encode().into());
    let error = open(&SimDisk::with_contents(&later)).unwrap_err().to_string();
    assert!(error.contains("its format is 99, and this program knows those up to 2"), "{error}");
}

fn later_header(bytes: &[u8]) -> super::format::Header {
    super::format::Header::decode(super::format::Sort::Identity, bytes).unwrap()
}

/// A value that holds a piece of a journal, at the end of a journal that a crash has torn.
#[test]
fn a_journal_in_a_value_is_no_journal() {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..4 {
        wait(store.commit(txn(number))).unwrap();
    }
    let journal = disk.contents()["journal-0000000000000000"].clone();
    drop(store);

    let other = SimDisk::new();
    let store = open(&other).unwrap();
    wait(store.commit(Txn::new().put("a", "1"))).unwrap();
    wait(store.commit(Txn::new().put("copy", journal))).unwrap();
    drop(store);
    let mut contents = other.contents();
    let torn = contents.get_mut("journal-0000000000000000").unwrap();
    torn.truncate(torn.len() - 1);
    let store = open(&SimDisk::with_contents(&contents)).unwrap();
    assert_eq!(everything_in(&store).1.len(), 1);
}

#[test]
fn a_backup_is_one_instant_and_a_new_history() {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    wait(async {
        for number in 0..20 {
            store.commit(txn(number)).await.unwrap();
        }
        store.snapshot().await.unwrap();
        let before = store.commit(txn(20)).await.unwrap();
        let backups = SimDisk::new();
        store.backup_on(Arc::new(backups.clone()), "monday".into()).await.unwrap();
        let then = everything_in(&store);
        assert_eq!(then.0, before);
        store.commit(txn(21)).await.unwrap();

        let restored = SimDisk::new();
        DiskStore::restore_on(&backups, "monday", &restored).unwrap();
        let again = open(&restored).unwrap();
        assert_eq!(everything_in(&again), then);
        assert_ne!(again.identity().await.unwrap(), store.identity().await.unwrap());
        let ahead = again.watch(&Scope::all(), Revision(before.0 + 1)).await.unwrap_err();
        assert!(matches!(ahead, StoreError::Ahead { .. }), "{ahead}");
        again.commit(txn(21)).await.unwrap();
        drop(again);
        open(&restored).unwrap();

        let error = DiskStore::restore_on(&backups, "monday", &restored).unwrap_err().to_string();
        assert!(error.contains("not empty"), "{error}");
        for at in 0..backups.contents()["monday"].len() {
            let mut contents = backups.contents();
            contents.get_mut("monday").unwrap()[at] ^= 1;
            let backups = SimDisk::with_contents(&contents);
            let error = DiskStore::restore_on(&backups, "monday", &SimDisk::new()).unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "byte {at}: {error}");
        }
    });
}
