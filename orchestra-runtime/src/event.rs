//! [`Events`]: what happens to containers, as it happens.

use std::fmt;

use async_trait::async_trait;
use orchestra_core::object::{MicroTime, Str};

use crate::{ContainerId, Exit, Health, Result, SandboxId};

/// How far events have been seen. What it says is the runtime's business: it is kept and given back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(pub Str);

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Events can be resumed after this.
    pub cursor: Cursor,
    /// When it happened.
    pub at: MicroTime,
    /// What.
    pub happened: Happened,
}

impl Event {
    /// Something that happened.
    #[must_use]
    pub const fn new(cursor: Cursor, at: MicroTime, happened: Happened) -> Self {
        Self { cursor, at, happened }
    }
}

/// What happened, and to what.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Happened {
    /// Something happened to a container.
    Container(ContainerId, EventKind),
    /// A sandbox cannot be used any more.
    SandboxDown(SandboxId),
    /// Something happened that is not told: look at everything anew.
    Gap(Gap),
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// It runs.
    Started,
    /// It has ended.
    Exited(Exit),
    /// Something of it was killed since it took too much memory; it may go on.
    OutOfMemory,
    /// What its own checks say of it has changed.
    Health(Health),
    /// It was removed.
    Removed,
}

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// What happened after the cursor is not known any more: too much has happened since, or the cursor is another
    /// runtime's.
    Forgotten,
    /// The runtime was away and is back.
    Restarted,
}

/// What happens, from a [cursor](Cursor) on. Dropping it ends it.
pub struct Events(Box<dyn EventSource>);

/// What a runtime implements for its events.
#[async_trait]
pub trait EventSource: Send {
    /// The next event; waits until there is one. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Result<Event>;
}

impl Events {
    /// Those of a source.
    pub fn new(source: impl EventSource + 'static) -> Self {
        Self(Box::new(source))
    }

    /// The next event; waits until there is one. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What ended the events: ask for those after the last cursor again.
    pub async fn next(&mut self) -> Result<Event> {
        self.0.next().await
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
