//! [`Script`]: what a program of the fake runtime does.

use std::time::Duration;

use orchestra_core::object::Str;

use crate::{Exit, Health, Stream};

/// What a program does, by the time since it was started. Without anything said it runs until it is told to end, and
/// then ends at once, by that signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    pub(super) starts_after: Duration,
    pub(super) cannot_start: Option<Str>,
    pub(super) ends: Option<(Duration, Exit)>,
    pub(super) on_term: OnTerm,
    pub(super) writes: Vec<(Duration, Stream, Vec<u8>)>,
    pub(super) health: Vec<(Duration, Health)>,
    pub(super) takes: Takes,
    pub(super) commands: Vec<(Vec<Str>, Reply)>,
    pub(super) echoes: bool,
    pub(super) serves: Vec<u16>,
    pub(super) lie: Option<Lie>,
}

/// What a program does when it is told to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum OnTerm {
    /// It ends by that signal.
    #[default]
    Dies,
    /// It ends in its own way, after a while.
    Exits(Duration, Exit),
    /// Nothing.
    Ignores,
}

/// What a program uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Takes {
    /// Thousandths of a processor, as long as it runs.
    pub(super) cpu_milli: u64,
    pub(super) memory: u64,
}

/// What a command does that is run inside a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub(super) output: Vec<(Stream, Vec<u8>)>,
    pub(super) exit: Exit,
    pub(super) after: Duration,
    pub(super) echoes: bool,
}

/// What a runtime says of a container that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// That it runs, though it has ended; and no event says otherwise.
    StillRuns,
    /// Nothing: no event of it is told, though its status is right.
    SaysNothing,
    /// That it ended well, however it did.
    EndedWell,
}

impl Script {
    /// It runs until it is told to end.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// It takes a while to start.
    #[must_use]
    pub fn starts_after(mut self, time: Duration) -> Self {
        self.starts_after = time;
        self
    }

    /// It cannot be started: there is no such program.
    #[must_use]
    pub fn cannot_start(mut self, why: impl Into<Str>) -> Self {
        self.cannot_start = Some(why.into());
        self
    }

    /// It ends with a code.
    #[must_use]
    pub fn exits_after(mut self, time: Duration, code: i32) -> Self {
        self.ends = Some((time, Exit::Code(code)));
        self
    }

    /// It ends by a signal, as one that crashes.
    #[must_use]
    pub fn crashes_after(mut self, time: Duration, signal: i32) -> Self {
        self.ends = Some((time, Exit::Signal(signal)));
        self
    }

    /// It is killed for the memory that it takes, whatever its limit.
    #[must_use]
    pub fn out_of_memory_after(mut self, time: Duration) -> Self {
        self.ends = Some((time, Exit::OutOfMemory));
        self
    }

    /// Told to end, it takes a while and ends with a code.
    #[must_use]
    pub fn ends_within(mut self, time: Duration, code: i32) -> Self {
        self.on_term = OnTerm::Exits(time, Exit::Code(code));
        self
    }

    /// Told to end, it goes on.
    #[must_use]
    pub fn ignores_term(mut self) -> Self {
        self.on_term = OnTerm::Ignores;
        self
    }

    /// It writes a line.
    #[must_use]
    pub fn writes(mut self, after: Duration, stream: Stream, line: impl Into<Vec<u8>>) -> Self {
        self.writes.push((after, stream, line.into()));
        self
    }

    /// Its own checks find something.
    #[must_use]
    pub fn health(mut self, after: Duration, health: Health) -> Self {
        self.health.push((after, health));
        self
    }

    /// It uses so many thousandths of a processor, and so many bytes of memory. With a limit of less memory it is killed.
    #[must_use]
    pub fn takes(mut self, cpu_milli: u64, memory: u64) -> Self {
        self.takes = Takes { cpu_milli, memory };
        self
    }

    /// A command that is run inside it does this.
    #[must_use]
    pub fn on_exec<T: Into<Str>>(mut self, command: impl IntoIterator<Item = T>, reply: Reply) -> Self {
        self.commands.push((command.into_iter().map(Into::into).collect(), reply));
        self
    }

    /// What it reads it writes, line by line.
    #[must_use]
    pub fn echoes(mut self) -> Self {
        self.echoes = true;
        self
    }

    /// It listens on a port, and answers with what it is sent.
    #[must_use]
    pub fn serves(mut self, port: u16) -> Self {
        self.serves.push(port);
        self
    }

    /// Something is said of it that is not so.
    #[must_use]
    pub fn lies(mut self, lie: Lie) -> Self {
        self.lie = Some(lie);
        self
    }
}

impl Reply {
    /// It ends at once, with a code.
    #[must_use]
    pub fn exits(code: i32) -> Self {
        Self { output: Vec::new(), exit: Exit::Code(code), after: Duration::ZERO, echoes: false }
    }

    /// It writes something first.
    #[must_use]
    pub fn writes(mut self, stream: Stream, data: impl Into<Vec<u8>>) -> Self {
        self.output.push((stream, data.into()));
        self
    }

    /// It takes a while.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    /// What it is given it writes, and it ends when it is given no more.
    #[must_use]
    pub fn echoes() -> Self {
        Self { echoes: true, ..Self::exits(0) }
    }
}
