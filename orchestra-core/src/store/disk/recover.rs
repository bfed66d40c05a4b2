//! Opening a store: from its files to its state.
//!
//! A crash may have come at any instant, also while another recovery ran. Whatever it can leave is
//! mended; whatever it cannot leave is damage, and is an error.

use std::io;
use std::io::Read;

use super::files::{Files, SyncPoint, write_all};
use super::format::{Header, Sort, VERSION};
use super::frames::Frames;
use super::journal::{self, Journal, Whole};
use super::names::Name;
use super::snapshot;
use super::{damaged, failed};
use crate::store::state::{HistoryLimits, State};
use crate::store::{Revision, StoreError, StoreId};

/// A store that was opened.
pub(super) struct Recovered {
    pub(super) identity: StoreId,
    pub(super) state: State,
    pub(super) journal: Journal,
    /// How many bytes of journals there are since the last snapshot.
    pub(super) since_snapshot: u64,
    /// How long the last snapshot is.
    pub(super) snapshot_length: u64,
}

/// Opens the store in a directory that is locked; makes one when the directory is empty.
pub(super) fn open(files: &dyn Files, history: HistoryLimits, new: StoreId) -> Result<Recovered, StoreError> {
    let names = files.names().map_err(|error| failed("opening", files, "", &error))?;
    let known: Vec<Name> = names.iter().filter_map(|name| Name::parse(name)).collect();
    if known.contains(&Name::Identity) {
        let identity = read_identity(files)?;
        return recover(files, identity, &names, known, history);
    }
    refuse_foreign(files, &names)?;
    create(files, new, State::new(history).revision(), 0)?;
    let names = [Name::Identity, Name::Journal(0)];
    recover(files, new, &names.map(|name| name.to_string()), names.into(), history)
}

/// Without an identity, there may be nothing but what an interrupted creation leaves.
fn refuse_foreign(files: &dyn Files, names: &[String]) -> Result<(), StoreError> {
    for name in names {
        let is_left_over = match Name::parse(name) {
            Some(Name::Journal(0)) => read_start(files, name)?.len() <= Header::LENGTH,
            // A file system's own.
            _ => *name == Name::Identity.unfinished() || name == "lost+found",
        };
        if !is_left_over {
            let reason =
                format!("there is {name} but no identity: it is no store, or a store that lost a file");
            return Err(damaged(&files.place(), reason));
        }
    }
    Ok(())
}

/// Makes the files of a store: those it consists of first, then the one that makes it one. Its name is
/// the caller's to make durable.
pub(super) fn create(
    files: &dyn Files,
    identity: StoreId,
    revision: Revision,
    number: u64,
) -> Result<(), StoreError> {
    Journal::create(files, identity, number, 0, revision)?;
    let name = Name::Identity.unfinished();
    let header =
        Header { sort: Sort::Identity, version: VERSION, store: identity, number: 0, frame: 0, revision };
    let make = || {
        let mut file = files.write(&name)?;
        file.truncate(0)?;
        write_all(&mut *file, 0, &header.encode())?;
        file.sync(SyncPoint::Identity)?;
        files.rename(&name, &Name::Identity.to_string())
    };
    make().map_err(|error| failed("making", files, &name, &error))
}

fn read_identity(files: &dyn Files) -> Result<StoreId, StoreError> {
    let name = Name::Identity.to_string();
    let bytes = read_start(files, &name)?;
    let place = format!("{}/{name}", files.place());
    let header = Header::decode(Sort::Identity, &bytes).map_err(|reason| damaged(&place, reason))?;
    Ok(header.store)
}

fn recover(
    files: &dyn Files,
    identity: StoreId,
    names: &[String],
    known: Vec<Name>,
    history: HistoryLimits,
) -> Result<Recovered, StoreError> {
    let snapshot = known
        .iter()
        .filter_map(|name| if let Name::Snapshot(number) = name { Some(*number) } else { None })
        .max();
    let first = snapshot.unwrap_or(0);
    let (mut state, end, snapshot_length) = match snapshot {
        Some(number) => {
            let name = Name::Snapshot(number).to_string();
            let loaded = snapshot::read(files, &name, Sort::Snapshot, history)?;
            check_header(files, &name, &loaded.header, identity, number)?;
            (loaded.state, loaded.end, loaded.length)
        }
        None => (State::new(history), Revision(0), 0),
    };

    let mut journals: Vec<u64> = known
        .iter()
        .filter_map(|name| if let Name::Journal(number) = name { Some(*number) } else { None })
        .collect();
    journals.retain(|number| *number >= first);
    journals.sort_unstable();
    drop_empty(files, &mut journals)?;

    let mut since_snapshot = 0;
    let mut last = None;
    for (at, expected) in (first..).take(journals.len().max(1)).enumerate() {
        let name = Name::Journal(expected).to_string();
        let place = format!("{}/{name}", files.place());
        if journals.get(at) != Some(&expected) {
            return Err(damaged(&place, "it is missing".into()));
        }
        let mut frames = Frames::open(files, &name, Sort::Journal)?;
        let header = frames.header;
        check_header(files, &name, &header, identity, expected)?;
        let follows = last.is_none_or(|frame| header.frame == frame);
        if header.revision != state.revision() || !follows {
            let reason = format!("it continues after revision {}, not {}", header.revision, state.revision());
            return Err(damaged(&place, reason));
        }
        let is_last = at + 1 == journals.len();
        let whole = journal::replay(&mut frames, is_last, |mut content| {
            while !content.is_empty() {
                let batch = content.batch(|key| state.get(key))?;
                if batch.revision.0 != state.revision().0 + 1 {
                    return Err(format!("revision {} follows {}", batch.revision, state.revision()));
                }
                state.apply(batch.into());
            }
            Ok(())
        })?;
        since_snapshot += whole.length;
        last = Some(whole.frame);
        if is_last {
            if end > state.revision() {
                let reason =
                    format!("the snapshot reaches revision {end}, the journals only {}", state.revision());
                return Err(damaged(&files.place(), reason));
            }
            let mut journal = settle(files, &header, &whole)?;
            if header.version < VERSION {
                journal.rotate(files, state.revision())?;
            }
            // A snapshot shows some of what came after it began: there it knows what stands where, but
            // not what stood there before.
            state.compact(end);
            snapshot::remove_before(files, known, first);
            for name in names.iter().filter(|name| Name::is_unfinished(name)) {
                let _ = files.remove(name);
            }
            return Ok(Recovered { identity, state, journal, since_snapshot, snapshot_length });
        }
    }
    Err(damaged(&files.place(), "there is no journal".into()))
}

/// A journal that was begun and not written to is nothing. The attempt may have failed, and the one
/// before may have gone on.
fn drop_empty(files: &dyn Files, journals: &mut Vec<u64>) -> Result<(), StoreError> {
    if let [.., _, last] = journals[..] {
        let name = Name::Journal(last).to_string();
        if read_start(files, &name)?.len() <= Header::LENGTH {
            files.remove(&name).map_err(|error| failed("removing", files, &name, &error))?;
            journals.pop();
        }
    }
    Ok(())
}

/// Makes what was found durable, and cuts off what a crash left torn.
///
/// What was found may be in the page cache only, and when a sync has failed before, the cache holds it
/// for clean: a second sync would do nothing. To write the last frame again, in its place, makes it
/// dirty; all frames before it are durable, since each was when the next was begun.
fn settle(files: &dyn Files, header: &Header, whole: &Whole) -> Result<Journal, StoreError> {
    let name = Name::Journal(header.number).to_string();
    let settle = || {
        let mut file = files.write(&name)?;
        if whole.is_torn {
            file.truncate(whole.length)?;
        }
        write_all(&mut *file, whole.length - whole.last.len() as u64, &whole.last)?;
        file.sync(SyncPoint::Recovered)?;
        files.sync_names(SyncPoint::RecoveredNames)?;
        Ok(file)
    };
    let file = settle().map_err(|error| failed("recovering", files, &name, &error))?;
    Ok(Journal::resume(file, header, whole))
}

fn check_header(
    files: &dyn Files,
    name: &str,
    header: &Header,
    identity: StoreId,
    number: u64,
) -> Result<(), StoreError> {
    let place = format!("{}/{name}", files.place());
    if header.store != identity {
        return Err(damaged(&place, "it is of another store".into()));
    }
    if header.number != number {
        return Err(damaged(&place, format!("it is {} {}", header.sort.name(), header.number)));
    }
    Ok(())
}

/// The first bytes of a file: a header, and one more if there is more.
fn read_start(files: &dyn Files, name: &str) -> Result<Vec<u8>, StoreError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        files.read(name)?.take(Header::LENGTH as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| failed("reading", files, name, &error))
}
