//! Images: what is there, and how it comes there.

use std::fmt;

use async_trait::async_trait;
use orchestra_core::object::Str;

use crate::Result;

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// What tells it from all others.
    pub id: Str,
    /// The names by which it can be asked for.
    pub names: Vec<Str>,
    /// What it takes, in bytes.
    pub size: u64,
}

impl Image {
    /// An image.
    pub fn new(id: impl Into<Str>, names: Vec<Str>, size: u64) -> Self {
        Self { id: id.into(), names, size }
    }
}

/// Who asks for an image. What is secret is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The name.
    pub username: Str,
    /// The password or token.
    pub password: Str,
}

impl Credentials {
    /// A name and a password.
    pub fn new(username: impl Into<Str>, password: impl Into<Str>) -> Self {
        Self { username: username.into(), password: password.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An image on its way. Dropping it leaves off, if nobody else waits for the same.
pub struct Pull(Box<dyn PullSource>);

/// How far an image has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// So many bytes of so many, as far as is known.
    Bytes {
        /// That are here.
        done: u64,
        /// That there are, if that is known.
        total: Option<u64>,
    },
    /// It is here.
    Done(Image),
}

/// What a runtime implements for a pull.
#[async_trait]
pub trait PullSource: Send {
    /// What is new; after [`Progress::Done`] it is not asked again.
    async fn next(&mut self) -> Result<Progress>;
}

impl Pull {
    /// What a source tells.
    pub fn new(source: impl PullSource + 'static) -> Self {
        Self(Box::new(source))
    }

    /// What is new, until it is [done](Progress::Done).
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn next(&mut self) -> Result<Progress> {
        self.0.next().await
    }

    /// Waits until it is here.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn done(mut self) -> Result<Image> {
        loop {
            if let Progress::Done(image) = self.0.next().await? {
                return Ok(image);
            }
        }
    }
}

impl fmt::Debug for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull").finish_non_exhaustive()
    }
}
