//! [`Logs`]: what a program has written.

use std::fmt;

use async_trait::async_trait;
use orchestra_core::object::MicroTime;

use crate::Result;

/// One of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What it has to say.
    Stdout,
    /// What it complains about.
    Stderr,
}

/// A line that a program has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// When it was read from the program.
    pub at: MicroTime,
    /// Where it was written.
    pub stream: Stream,
    /// What, without the end of the line. It need not be text.
    pub text: Vec<u8>,
    /// Whether the line goes on in the next one of the same stream: it was too long, or is not ended yet.
    pub is_partial: bool,
}

impl LogLine {
    /// A whole line.
    pub fn new(at: MicroTime, stream: Stream, text: impl Into<Vec<u8>>) -> Self {
        Self { at, stream, text: text.into(), is_partial: false }
    }

    /// Which goes on in the next one.
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.is_partial = true;
        self
    }
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadLogs {
    /// What is written from now on, too, until the program ends.
    pub follow: bool,
    /// Only so many of the last lines.
    pub tail: Option<usize>,
    /// Only what was written at this time or later.
    pub since: Option<MicroTime>,
    /// Only one of the outputs.
    pub stream: Option<Stream>,
}

impl ReadLogs {
    /// All that has been written.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// And what is written from now on.
    #[must_use]
    pub fn follow(mut self) -> Self {
        self.follow = true;
        self
    }

    /// Only so many of the last lines.
    #[must_use]
    pub fn tail(mut self, lines: usize) -> Self {
        self.tail = Some(lines);
        self
    }

    /// Only what was written at this time or later.
    #[must_use]
    pub fn since(mut self, since: MicroTime) -> Self {
        self.since = Some(since);
        self
    }

    /// Only one of the outputs.
    #[must_use]
    pub fn of(mut self, stream: Stream) -> Self {
        self.stream = Some(stream);
        self
    }
}

/// What a program has written, line by line. Dropping it ends it.
pub struct Logs(Box<dyn LogSource>);

/// What a runtime implements for logs.
#[async_trait]
pub trait LogSource: Send {
    /// The next line; nothing at the end. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Result<Option<LogLine>>;
}

impl Logs {
    /// The lines of a source.
    pub fn new(source: impl LogSource + 'static) -> Self {
        Self(Box::new(source))
    }

    /// The next line; nothing at the end, which comes, for those who follow, when the program has ended and all that it
    /// wrote was told. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What keeps them from being read.
    pub async fn next(&mut self) -> Result<Option<LogLine>> {
        self.0.next().await
    }

    /// All lines to the end.
    ///
    /// # Errors
    /// What keeps them from being read.
    pub async fn collect(mut self) -> Result<Vec<LogLine>> {
        let mut lines = Vec::new();
        while let Some(line) = self.0.next().await? {
            lines.push(line);
        }
        Ok(lines)
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}
