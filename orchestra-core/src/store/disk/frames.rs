//! Reading a file of frames, one at a time: a file may be larger than the memory that is left.

use std::io::{self, Read};

use super::files::Files;
use super::format::{Damage, Frame, FrameWriter, Head, Header, Reading, Sort, Tag, is_followed};
use super::{damaged, failed};
use crate::store::StoreError;

/// A file that is being read.
pub(super) struct Frames<'f> {
    files: &'f dyn Files,
    name: String,
    read: Box<dyn Read + Send>,
    pub(super) header: Header,
    /// The number of the next frame.
    pub(super) number: u64,
    /// Where the next frame begins.
    pub(super) at: u64,
    /// What was read of the frame that comes next.
    bytes: Vec<u8>,
    /// The last frame that was whole.
    pub(super) last: Vec<u8>,
}

/// Why a file cannot be read on.
pub(super) enum Fault {
    /// The file system failed.
    Io(io::Error),
    /// What is there is no whole frame.
    Damage(Damage),
}

impl From<Damage> for Fault {
    fn from(reason: Damage) -> Self {
        Self::Damage(reason)
    }
}

impl<'f> Frames<'f> {
    /// Opens a file and reads its header.
    pub(super) fn open(files: &'f dyn Files, name: &str, sort: Sort) -> Result<Self, StoreError> {
        let place = format!("{}/{name}", files.place());
        let mut read = files.read(name).map_err(|error| failed("opening", files, name, &error))?;
        let mut bytes = Vec::new();
        let header = Read::by_ref(&mut read).take(Header::LENGTH as u64).read_to_end(&mut bytes);
        header.map_err(|error| failed("reading", files, name, &error))?;
        let header = Header::decode(sort, &bytes).map_err(|reason| damaged(&place, reason))?;
        let (number, at) = (header.frame, Header::LENGTH as u64);
        Ok(Self { files, name: name.into(), read, header, number, at, bytes: Vec::new(), last: Vec::new() })
    }

    /// The next frame; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Tag, Reading<'_>)>, Fault> {
        self.bytes.clear();
        self.fill(FrameWriter::HEAD)?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        // What says to be longer than the file is cut off; no memory is taken for it.
        let head = Head::decode(&self.bytes, self.header.seed())?;
        self.fill(FrameWriter::HEAD + head.length)?;
        Frame::decode(&self.bytes, self.header.seed(), self.number)?;
        self.number += 1;
        self.at += self.bytes.len() as u64;
        std::mem::swap(&mut self.bytes, &mut self.last);
        let mut content = Reading(&self.last[FrameWriter::HEAD..]);
        Ok(Some((content.tag()?, content)))
    }

    /// Whether something whole comes after what is not.
    pub(super) fn is_followed(&mut self) -> Result<bool, Fault> {
        self.read.read_to_end(&mut self.bytes).map_err(Fault::Io)?;
        Ok(is_followed(&self.bytes, self.header.seed(), self.number))
    }

    /// Whether there was something that is no whole frame.
    pub(super) fn is_torn(&self) -> bool {
        !self.bytes.is_empty()
    }

    pub(super) fn error(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Io(error) => failed("reading", self.files, &self.name, &error),
            Fault::Damage(reason) => damaged(
                &format!("{}/{}", self.files.place(), self.name),
                format!("frame {}, at byte {}: {reason}", self.number, self.at),
            ),
        }
    }

    /// Reads until so many bytes are there, or the file ends.
    fn fill(&mut self, length: usize) -> Result<(), Fault> {
        let missing = length.saturating_sub(self.bytes.len()) as u64;
        Read::by_ref(&mut self.read).take(missing).read_to_end(&mut self.bytes).map(drop).map_err(Fault::Io)
    }
}
