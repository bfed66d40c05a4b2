//! Snapshots and backups: what there is, written down while it changes.
//!
//! A snapshot is taken without stopping anybody. It begins at a revision and reads on while
//! transactions go on, so that it shows a little of several revisions; whoever reads it replays the
//! journal from the revision at which it began, and is right from the one at which it ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::{File, Files, SyncPoint, write_all};
use super::format::{FrameWriter, Header, Sort, Tag, VERSION};
use super::frames::{Fault, Frames};
use super::names::{Name, UNFINISHED};
use super::{failed, recover};
use crate::store::state::{HistoryLimits, State};
use crate::store::{Batch, Entry, Key, Revision, StoreError, StoreId};

/// About how many bytes a frame has.
const FRAME: usize = 1 << 20;

/// What is written down.
pub(super) struct Source<'s> {
    pub(super) sort: Sort,
    pub(super) store: StoreId,
    pub(super) number: u64,
    /// The revision at which it begins.
    pub(super) revision: Revision,
    /// Some entries after a key, in order; none at the end.
    pub(super) entries: &'s mut dyn FnMut(Option<&Key>) -> Vec<Arc<Entry>>,
    /// What was committed since, and the revision at which it ends.
    pub(super) end: &'s mut dyn FnMut() -> Result<(Vec<Arc<Batch>>, Revision), StoreError>,
    /// Set when nobody needs it any more.
    pub(super) stop: &'s AtomicBool,
}

/// Writes a snapshot or backup under this name, where it appears whole or not at all. Answers with its
/// length.
pub(super) fn write(files: &dyn Files, name: &str, source: &mut Source<'_>) -> Result<u64, StoreError> {
    let unfinished = format!("{name}{UNFINISHED}");
    let wrap = |error: io::Error| failed("writing", files, &unfinished, &error);
    let mut out = Out {
        file: files.write(&unfinished).map_err(wrap)?,
        length: 0,
        seed: 0,
        frame: 0,
        writer: FrameWriter::default(),
    };
    out.file.truncate(0).map_err(wrap)?;

    let Source { sort, store, number, revision, .. } = *source;
    let header = Header { sort, version: VERSION, store, number, frame: 0, revision };
    out.seed = header.seed();
    out.put(&header.encode()).map_err(wrap)?;

    let mut last: Option<Key> = None;
    let mut count = 0;
    out.begin(Tag::Entries);
    loop {
        let entries = (source.entries)(last.as_ref());
        let Some(end) = entries.last() else { break };
        if source.stop.load(Ordering::Relaxed) {
            return Err(StoreError::Closed);
        }
        last = Some(end.key.clone());
        count += entries.len() as u64;
        for entry in &entries {
            out.writer.entry(entry);
            out.flush_full(Tag::Entries).map_err(wrap)?;
        }
    }
    out.flush().map_err(wrap)?;

    let (batches, end) = (source.end)()?;
    out.begin(Tag::Batches);
    for batch in &batches {
        out.writer.batch(batch);
        out.flush_full(Tag::Batches).map_err(wrap)?;
    }
    out.flush().map_err(wrap)?;

    out.begin(Tag::End);
    out.writer.number(count);
    out.writer.number(end.0);
    out.flush().map_err(wrap)?;
    out.file.sync(SyncPoint::Snapshot).map_err(wrap)?;
    files.rename(&unfinished, name).map_err(wrap)?;
    files.sync_names(SyncPoint::SnapshotName).map_err(wrap)?;
    Ok(out.length)
}

struct Out {
    file: Box<dyn File>,
    length: u64,
    seed: u32,
    /// The number of the next frame.
    frame: u64,
    writer: FrameWriter,
}

impl Out {
    fn begin(&mut self, tag: Tag) {
        self.writer.clear();
        self.writer.tag(tag);
    }

    /// Writes the frame if it is long enough, and begins another.
    fn flush_full(&mut self, tag: Tag) -> io::Result<()> {
        if self.writer.len() < FRAME {
            return Ok(());
        }
        self.flush()?;
        self.begin(tag);
        Ok(())
    }

    /// Writes the frame, unless nothing is in it.
    fn flush(&mut self) -> io::Result<()> {
        if self.writer.len() > 1 {
            let frame = self.writer.finish(self.seed, self.frame);
            write_all(&mut *self.file, self.length, frame)?;
            self.length += frame.len() as u64;
            self.frame += 1;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all(&mut *self.file, self.length, bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// A snapshot or backup that was read.
pub(super) struct Loaded {
    pub(super) header: Header,
    /// At the revision at which it began, or for a backup, ended.
    pub(super) state: State,
    /// From this revision on it is right, once the journal has been replayed.
    pub(super) end: Revision,
    pub(super) length: u64,
}

/// Reads a snapshot or backup.
pub(super) fn read(
    files: &dyn Files,
    name: &str,
    sort: Sort,
    history: HistoryLimits,
) -> Result<Loaded, StoreError> {
    let mut frames = Frames::open(files, name, sort)?;
    load(&mut frames, sort, history).map_err(|fault| frames.error(fault))
}

fn load(frames: &mut Frames<'_>, sort: Sort, history: HistoryLimits) -> Result<Loaded, Fault> {
    let header = frames.header;
    let (mut entries, mut count) = (Vec::<Arc<Entry>>::new(), 0);
    let mut state: Option<State> = None;
    while let Some((tag, mut content)) = frames.next()? {
        match tag {
            Tag::Entries if state.is_none() => {
                while !content.is_empty() {
                    let entry = content.entry()?;
                    if entries.last().is_some_and(|last| last.key >= entry.key) {
                        return Err(Fault::Damage("its keys are out of order".into()));
                    }
                    entries.push(Arc::new(entry));
                    count += 1;
                }
            }
            Tag::Batches if sort == Sort::Backup => {
                let state = state.get_or_insert_with(|| {
                    State::restored(std::mem::take(&mut entries), header.revision, history)
                });
                while !content.is_empty() {
                    let batch = content.batch(|key| state.get(key))?;
                    if batch.revision.0 != state.revision().0 + 1 {
                        return Err(Fault::Damage("its revisions do not follow one another".into()));
                    }
                    state.apply(Arc::new(batch));
                }
            }
            Tag::End => {
                let (counted, end) = (content.u64()?, Revision(content.u64()?));
                let length = frames.at;
                if frames.next()?.is_some() {
                    return Err(Fault::Damage("there is something after the end".into()));
                }
                let state = state.unwrap_or_else(|| State::restored(entries, header.revision, history));
                let is_possible =
                    end >= header.revision && (sort == Sort::Snapshot || end == state.revision());
                if counted != count || !is_possible {
                    let reason = format!("{count} entries to revision {end} are not what was written");
                    return Err(Fault::Damage(reason));
                }
                return Ok(Loaded { header, state, end, length });
            }
            _ => return Err(Fault::Damage("it does not belong there".into())),
        }
    }
    Err(Fault::Damage("its end is missing".into()))
}

/// Removes what a snapshot has made needless. What cannot be removed now is removed at the next start.
pub(super) fn remove_before(files: &dyn Files, names: impl IntoIterator<Item = Name>, number: u64) {
    for name in names {
        if let Name::Journal(old) | Name::Snapshot(old) = name
            && old < number
        {
            let _ = files.remove(&name.to_string());
        }
    }
}

/// Makes a store of a backup, in an empty directory.
pub(super) fn restore(
    from: &dyn Files,
    name: &str,
    to: &dyn Files,
    identity: StoreId,
) -> Result<(), StoreError> {
    let loaded = read(from, name, Sort::Backup, HistoryLimits::DEFAULT)?;
    let (number, revision) = (1, loaded.state.revision());
    let mut source = Source {
        sort: Sort::Snapshot,
        store: identity,
        number,
        revision,
        entries: &mut |after| loaded.state.scan(after),
        end: &mut || Ok((Vec::new(), revision)),
        stop: &AtomicBool::new(false),
    };
    write(to, &Name::Snapshot(number).to_string(), &mut source)?;
    recover::create(to, identity, revision, number)?;
    to.sync_names(SyncPoint::IdentityName).map_err(|error| failed("restoring into", to, "", &error))
}
