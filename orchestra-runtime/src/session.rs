//! [`Session`]: a program whose input and output one is connected to.

use std::fmt;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Exit, Result, Stream};

/// A command that runs inside a container, or a program that one is attached to.
///
/// Dropping it lets go: a program that one is attached to goes on; a command that was run inside a container ends,
/// where the runtime can end it.
pub struct Session(Box<dyn SessionSource>);

/// What comes from a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// It has written something. With a terminal all of it is [`Stream::Stdout`].
    Data(Stream, Vec<u8>),
    /// It has ended, and all that it wrote was told.
    Exit(Exit),
}

/// A terminal's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many characters wide,
    pub columns: u16,
    /// and how many lines high.
    pub rows: u16,
}

/// What a runtime implements for a session.
#[async_trait]
pub trait SessionSource: Send {
    /// What comes next; after [`Output::Exit`] it is not asked again. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Result<Output>;
    /// Gives it input. Returns when it was taken.
    async fn write(&mut self, input: &[u8]) -> Result<()>;
    /// There is no more input.
    async fn close_input(&mut self) -> Result<()>;
    /// Its terminal has another size.
    async fn resize(&mut self, size: Size) -> Result<()>;
}

impl Session {
    /// A session of a source.
    pub fn new(source: impl SessionSource + 'static) -> Self {
        Self(Box::new(source))
    }

    /// What comes next, to the [end](Output::Exit). Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What ended the connection.
    pub async fn next(&mut self) -> Result<Output> {
        self.0.next().await
    }

    /// Gives it input; waits until it is taken. One who writes much reads meanwhile, or both sides may wait for the
    /// other.
    ///
    /// # Errors
    /// It takes no input, or none any more.
    pub async fn write(&mut self, input: &[u8]) -> Result<()> {
        self.0.write(input).await
    }

    /// There is no more input.
    ///
    /// # Errors
    /// What ended the connection.
    pub async fn close_input(&mut self) -> Result<()> {
        self.0.close_input().await
    }

    /// Its terminal has another size.
    ///
    /// # Errors
    /// It has no terminal.
    pub async fn resize(&mut self, size: Size) -> Result<()> {
        self.0.resize(size).await
    }

    /// Waits for the end; gives both outputs and how it ended.
    ///
    /// # Errors
    /// What ended the connection.
    pub async fn finish(mut self) -> Result<(Vec<u8>, Vec<u8>, Exit)> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match self.0.next().await? {
                Output::Data(Stream::Stdout, data) => out.extend(data),
                Output::Data(Stream::Stderr, data) => err.extend(data),
                Output::Exit(exit) => return Ok((out, err, exit)),
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A connection to a port inside a sandbox.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}
