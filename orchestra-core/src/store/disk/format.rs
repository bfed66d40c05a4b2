//! How a store is written down: headers, frames, and what is in them.
//!
//! A file is a [`Header`] and then frames. A frame is its length, its number, a checksum of all of it,
//! and its content. All numbers are little-endian.

use std::sync::Arc;

use crate::store::{Batch, Entry, Event, Key, Revision, StoreId, Value};

/// The version of the format that is written. All versions up to it are read; a journal of an older one
/// is not written to any more.
///
/// 1. The first.
/// 2. A frame's first bytes and its checksum depend on [`Header::seed`]: what was copied into a value
///    from some journal is no frame, and does not look like one.
pub(super) const VERSION: u32 = 2;

/// What sort of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Identity,
    Journal,
    Snapshot,
    Backup,
}

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sort: Sort,
    pub(super) version: u32,
    /// Of which store.
    pub(super) store: StoreId,
    /// The file's number among those of its sort.
    pub(super) number: u64,
    /// The number of the first frame.
    pub(super) frame: u64,
    /// The revision before the first frame.
    pub(super) revision: Revision,
}

/// Why bytes are not what they should be.
pub(super) type Damage = String;

/// A checksum that guards something. Each is needed: a test takes away one after another, and damage
/// goes unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Header,
    Frame,
}

#[cfg(test)]
thread_local! {
    /// The check that a test has taken away.
    pub(super) static WITHOUT: std::cell::Cell<Option<Check>> = const { std::cell::Cell::new(None) };
}

/// Whether the bytes, in two parts, have this checksum.
#[cfg_attr(not(test), allow(unused_variables))]
fn is_sound(check: Check, seed: u32, parts: [&[u8]; 2], sum: u32) -> bool {
    #[cfg(test)]
    if WITHOUT.get() == Some(check) {
        return true;
    }
    checksum(seed, parts) == sum
}

fn checksum(seed: u32, parts: [&[u8]; 2]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

impl Header {
    pub(super) const LENGTH: usize = 64;

    /// With what the checksums of the file's frames begin.
    pub(super) fn seed(&self) -> u32 {
        match self.version {
            1 => 0,
            _ => checksum(0, [&self.store.0.to_le_bytes(), &self.number.to_le_bytes()]),
        }
    }

    pub(super) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.extend_from_slice(self.sort.magic());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.store.0.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.frame.to_le_bytes());
        out.extend_from_slice(&self.revision.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let sum = checksum(0, [&out, &[]]);
        out.extend_from_slice(&sum.to_le_bytes());
        let mut header = [0; Self::LENGTH];
        header.copy_from_slice(&out);
        header
    }

    pub(super) fn decode(sort: Sort, bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = bytes.get(..Self::LENGTH).ok_or("it is cut off in its header")?;
        let mut read = Reading(bytes);
        if read.take(8)? != sort.magic() {
            return Err(format!("it is no {} of a store", sort.name()));
        }
        let version = read.u32()?;
        let (sealed, sum) = bytes.split_at(Self::LENGTH - 4);
        if !is_sound(Check::Header, 0, [sealed, &[]], Reading(sum).u32()?) {
            return Err("its header's checksum is wrong".into());
        }
        if version == 0 || version > VERSION {
            return Err(format!("its format is {version}, and this program knows those up to {VERSION}"));
        }
        read.take(4)?;
        let store = StoreId(u128::from_le_bytes(read.array()?));
        Ok(Self {
            sort,
            version,
            store,
            number: read.u64()?,
            frame: read.u64()?,
            revision: Revision(read.u64()?),
        })
    }
}

impl Sort {
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Identity => b"ORC-IDEN",
            Self::Journal => b"ORC-JOUR",
            Self::Snapshot => b"ORC-SNAP",
            Self::Backup => b"ORC-BACK",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Journal => "journal",
            Self::Snapshot => "snapshot",
            Self::Backup => "backup",
        }
    }
}

/// Frames that are being put together.
#[derive(Default)]
pub(super) struct FrameWriter {
    bytes: Vec<u8>,
}

impl FrameWriter {
    /// Head of a frame: magic, length, number, checksum of these and the content.
    pub(super) const HEAD: usize = 20;
    /// How much of the head is under the checksum.
    const SEALED: usize = 16;

    /// How a frame begins.
    fn magic(seed: u32) -> [u8; 4] {
        (u32::from_le_bytes(*b"ORCf") ^ seed).to_le_bytes()
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(Self::HEAD, 0);
    }

    /// How many bytes the content has.
    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(Self::HEAD)
    }

    /// The frame, whole.
    pub(super) fn finish(&mut self, seed: u32, number: u64) -> &[u8] {
        let length = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let head = [&Self::magic(seed)[..], &length.to_le_bytes(), &number.to_le_bytes()].concat();
        let sum = checksum(seed, [&head, &self.bytes[Self::HEAD..]]);
        self.bytes[..Self::SEALED].copy_from_slice(&head);
        self.bytes[Self::SEALED..Self::HEAD].copy_from_slice(&sum.to_le_bytes());
        &self.bytes
    }

    pub(super) fn batch(&mut self, batch: &Batch) {
        self.bytes.extend_from_slice(&batch.revision.0.to_le_bytes());
        self.length(batch.events.len());
        for event in &batch.events {
            match &event.entry {
                Some(entry) => {
                    self.bytes.push(1);
                    self.counted(&event.key);
                    // A journal may be replayed onto a state that is already further.
                    self.bytes.extend_from_slice(&entry.created.0.to_le_bytes());
                    self.counted(&entry.value);
                }
                None => {
                    self.bytes.push(0);
                    self.counted(&event.key);
                }
            }
        }
    }

    pub(super) fn entry(&mut self, entry: &Entry) {
        self.counted(&entry.key);
        self.bytes.extend_from_slice(&entry.created.0.to_le_bytes());
        self.bytes.extend_from_slice(&entry.modified.0.to_le_bytes());
        self.counted(&entry.value);
    }

    /// What is in the frame.
    pub(super) fn tag(&mut self, tag: Tag) {
        self.bytes.push(tag as u8);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn counted(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        // A transaction's limits are far below.
        self.bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// What is in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    /// Batches, in order.
    Batches = 1,
    /// Entries, in the order of their keys.
    Entries = 2,
    /// The end of a snapshot: how many entries there were, and the revision that they reach.
    End = 3,
}

/// What a frame is checked with.
pub(super) struct Frame;

/// The head of a frame, to be believed when its content is there to be checked with it.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) length: usize,
    number: u64,
    sum: u32,
}

impl Head {
    pub(super) fn decode(bytes: &[u8], seed: u32) -> Result<Self, Damage> {
        let mut read = Reading(bytes.get(..FrameWriter::HEAD).ok_or("it is cut off in a frame's head")?);
        if read.array()? != FrameWriter::magic(seed) {
            return Err("no frame begins there".into());
        }
        let (length, number, sum) = (read.u32()?, read.u64()?, read.u32()?);
        Ok(Self { length: usize::try_from(length).map_err(|error| error.to_string())?, number, sum })
    }
}

impl Frame {
    /// Whether the bytes begin with the whole frame of this number.
    pub(super) fn decode(bytes: &[u8], seed: u32, number: u64) -> Result<(), Damage> {
        let found = Self::number(bytes, seed)?;
        if found != number {
            return Err(format!("frame {found} stands where frame {number} should be"));
        }
        Ok(())
    }

    /// The number of the whole frame that the bytes begin with.
    fn number(bytes: &[u8], seed: u32) -> Result<u64, Damage> {
        let head = Head::decode(bytes, seed)?;
        let (start, rest) = bytes.split_at(FrameWriter::HEAD);
        let content = rest.get(..head.length).ok_or("it is cut off in a frame")?;
        if !is_sound(Check::Frame, seed, [&start[..FrameWriter::SEALED], content], head.sum) {
            return Err("the checksum of a frame is wrong".into());
        }
        Ok(head.number)
    }
}

/// Bytes that are being read.
pub(super) struct Reading<'b>(pub(super) &'b [u8]);

impl<'b> Reading<'b> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| "it ends too early".to_owned())
    }

    pub(super) fn tag(&mut self) -> Result<Tag, Damage> {
        match self.array::<1>()? {
            [1] => Ok(Tag::Batches),
            [2] => Ok(Tag::Entries),
            [3] => Ok(Tag::End),
            [other] => Err(format!("a frame has the unknown tag {other}")),
        }
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damage> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn counted(&mut self) -> Result<&'b [u8], Damage> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|error| error.to_string())?)
    }

    /// A batch, given what stood under a key before it.
    pub(super) fn batch<'e>(
        &mut self,
        found: impl Fn(&[u8]) -> Option<&'e Arc<Entry>>,
    ) -> Result<Batch, Damage> {
        let revision = Revision(self.u64()?);
        let count = self.u32()?;
        let mut events = Vec::new();
        for _ in 0..count {
            let [is_put] = self.array()?;
            let key = self.counted()?;
            let previous = found(key).cloned();
            // The same key need not be in memory twice.
            let key = previous.as_ref().map_or_else(|| Key::from(key), |previous| previous.key.clone());
            let entry = if is_put == 1 {
                let created = Revision(self.u64()?);
                let value = Value::from(self.counted()?);
                Some(Arc::new(Entry { key: key.clone(), value, created, modified: revision }))
            } else {
                None
            };
            events.push(Event { key, entry, previous });
        }
        Ok(Batch { revision, events: events.into() })
    }

    pub(super) fn entry(&mut self) -> Result<Entry, Damage> {
        Ok(Entry {
            key: Key::from(self.counted()?),
            created: Revision(self.u64()?),
            modified: Revision(self.u64()?),
            value: Value::from(self.counted()?),
        })
    }
}

/// Whether a whole frame with a greater number is somewhere in the bytes.
pub(super) fn is_followed(bytes: &[u8], seed: u32, number: u64) -> bool {
    let magic = FrameWriter::magic(seed);
    bytes.windows(magic.len()).enumerate().skip(1).any(|(at, window)| {
        window == magic && Frame::number(&bytes[at..], seed).is_ok_and(|found| found > number)
    })
}
