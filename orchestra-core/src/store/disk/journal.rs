//! The journal: what was committed, in order, each group made durable before it is acknowledged.

use std::sync::Arc;

use super::failed;
use super::files::{File, Files, SyncPoint, write_all};
use super::format::{Damage, FrameWriter, Header, Reading, Sort, Tag, VERSION};
use super::frames::{Fault, Frames};
use super::names::Name;
use crate::store::{Batch, Revision, StoreError, StoreId};

/// A journal that is being written.
pub(super) struct Journal {
    file: Box<dyn File>,
    store: StoreId,
    /// With what the checksums of its frames begin.
    seed: u32,
    /// Its number among the journals.
    pub(super) number: u64,
    /// The number of the next frame.
    pub(super) frame: u64,
    pub(super) length: u64,
    writer: FrameWriter,
}

/// Why a group could not be made durable.
pub(super) enum Append {
    /// Nothing of it is in the journal, nor will be.
    Not(StoreError),
    /// It may be there after the next start.
    Unknown(StoreError),
}

impl Journal {
    /// Makes a new journal, which continues after a revision with a frame of this number.
    pub(super) fn create(
        files: &dyn Files,
        store: StoreId,
        number: u64,
        frame: u64,
        revision: Revision,
    ) -> Result<Self, StoreError> {
        let name = Name::Journal(number).to_string();
        let header = Header { sort: Sort::Journal, version: VERSION, store, number, frame, revision };
        let make = || {
            let mut file = files.write(&name)?;
            // What an earlier attempt left there goes.
            file.truncate(0)?;
            write_all(&mut *file, 0, &header.encode())?;
            file.sync(SyncPoint::JournalHeader)?;
            files.sync_names(SyncPoint::JournalName)?;
            Ok(file)
        };
        let file = make().map_err(|error| failed("beginning", files, &name, &error))?;
        let whole = Whole { length: Header::LENGTH as u64, frame, ..Whole::default() };
        Ok(Self::resume(file, &header, &whole))
    }

    /// Goes on with a journal that was read.
    pub(super) fn resume(file: Box<dyn File>, header: &Header, whole: &Whole) -> Self {
        Self {
            file,
            store: header.store,
            seed: header.seed(),
            number: header.number,
            frame: whole.frame,
            length: whole.length,
            writer: FrameWriter::default(),
        }
    }

    /// Begins the next journal, so that a snapshot can replace this one.
    pub(super) fn rotate(&mut self, files: &dyn Files, revision: Revision) -> Result<(), StoreError> {
        let next = Self::create(files, self.store, self.number + 1, self.frame, revision)?;
        *self = next;
        Ok(())
    }

    /// Adds batches as one frame, and makes them durable.
    pub(super) fn append(&mut self, files: &dyn Files, batches: &[Arc<Batch>]) -> Result<(), Append> {
        self.writer.clear();
        self.writer.tag(Tag::Batches);
        batches.iter().for_each(|batch| self.writer.batch(batch));
        let frame = self.writer.finish(self.seed, self.frame);
        let failed = |error| failed("writing", files, &Name::Journal(self.number).to_string(), &error);

        if let Err(error) = write_all(&mut *self.file, self.length, frame) {
            // A part of a frame is no harm, but if all of it is there it will be found.
            let gone = self.file.truncate(self.length).and_then(|()| self.file.sync(SyncPoint::Group));
            let wrap = if gone.is_ok() { Append::Not } else { Append::Unknown };
            return Err(wrap(failed(error)));
        }
        // After a sync that failed nobody knows what is on the disk, and a second one knows no better.
        self.file.sync(SyncPoint::Group).map_err(|error| Append::Unknown(failed(error)))?;
        self.frame += 1;
        self.length += frame.len() as u64;
        Ok(())
    }
}

/// What is whole of a journal.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) length: u64,
    /// The number of the next frame.
    pub(super) frame: u64,
    /// The last frame, which may not be durable.
    pub(super) last: Vec<u8>,
    /// Whether something comes after it that is no whole frame.
    pub(super) is_torn: bool,
}

/// Reads the frames of a journal, in order.
///
/// A crash can leave the last journal torn, since a group is written in one go and acknowledged only
/// when it is durable. What is torn was the last thing written, so that if anything whole comes after
/// it, it is no tear but damage.
pub(super) fn replay(
    frames: &mut Frames<'_>,
    is_last: bool,
    mut each: impl FnMut(Reading<'_>) -> Result<(), Damage>,
) -> Result<Whole, StoreError> {
    loop {
        match frames.next() {
            Ok(Some((Tag::Batches, content))) => {
                each(content).map_err(|reason| frames.error(Fault::Damage(reason)))?;
            }
            Ok(Some(_)) => {
                return Err(frames.error(Fault::Damage("it holds no transactions".into())));
            }
            Ok(None) => break,
            Err(Fault::Damage(reason)) => {
                let is_tear = is_last && !frames.is_followed().map_err(|fault| frames.error(fault))?;
                if !is_tear {
                    return Err(frames.error(Fault::Damage(reason)));
                }
                break;
            }
            Err(fault) => return Err(frames.error(fault)),
        }
    }
    let is_torn = frames.is_torn();
    Ok(Whole { length: frames.at, frame: frames.number, last: std::mem::take(&mut frames.last), is_torn })
}
