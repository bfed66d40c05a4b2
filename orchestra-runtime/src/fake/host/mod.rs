//! [`Host`]: the fake runtime as a state machine. It is told what time it is; nothing happens by itself.

pub(super) mod images;
mod sandboxes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use orchestra_core::object::{MicroTime, Str};

use crate::fake::script::{Lie, OnTerm, Script};
use crate::{
    ContainerId, ContainerStatus, CreateContainer, Cursor, Error, Event, EventKind, Exit, Gap, Happened,
    Health, Labels, Limits, LogLine, Result, SandboxId, SandboxState, State, Stats, Stream,
};
use images::Stored;
use sandboxes::Sandbox;

/// How many events are remembered. Who is away for longer has a [gap](Gap::Forgotten).
pub const MOST_EVENTS: usize = 10_000;
/// How many lines of a container are kept; what was written before is forgotten.
pub const MOST_LINES: usize = 10_000;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// A machine with containers on it that only seem to run.
///
/// Each method is told the time, by a stopwatch that was started when the machine was, and does first what was due
/// until then. So the same calls at the same times give the same, whoever drives it: the
/// [runtime](super::FakeRuntime) on tokio's clock, or a simulation on its own.
#[derive(Debug)]
pub struct Host {
    now: Duration,
    began: MicroTime,
    images: BTreeMap<Str, Stored>,
    sandboxes: BTreeMap<SandboxId, Sandbox>,
    containers: BTreeMap<ContainerId, Container>,
    agenda: BTreeMap<(Duration, u64), (ContainerId, Due)>,
    appointments: u64,
    events: VecDeque<Event>,
    /// The number of the first of them.
    first_event: u64,
    /// Raised when the machine is another than the one that cursors are from.
    life: u64,
    addresses: u32,
}

#[derive(Debug)]
struct Container {
    sandbox: SandboxId,
    request: CreateContainer,
    script: Script,
    state: State,
    created: MicroTime,
    /// By the stopwatch, when it came to run.
    ran_from: Option<Duration>,
    ran_to: Option<Duration>,
    is_starting: bool,
    is_stopping: bool,
    limits: Limits,
    health: Option<Health>,
    lines: VecDeque<LogLine>,
    /// How many lines were forgotten.
    lines_gone: usize,
    pid: u32,
}

/// What is going to happen to a container.
#[derive(Debug)]
enum Due {
    Runs,
    Ends(Exit),
    Writes(Stream, Vec<u8>),
    Health(Health),
}

impl Host {
    /// A machine on which nothing is, started at a time.
    #[must_use]
    pub fn new(began: MicroTime) -> Self {
        Self {
            now: Duration::ZERO,
            began,
            images: BTreeMap::new(),
            sandboxes: BTreeMap::new(),
            containers: BTreeMap::new(),
            agenda: BTreeMap::new(),
            appointments: 0,
            events: VecDeque::new(),
            first_event: 1,
            life: 1,
            addresses: 0,
        }
    }

    /// When something is going to happen.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what was due until now, in order.
    pub fn advance(&mut self, now: Duration) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), (id, due)) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(&id, due);
        }
        self.now = self.now.max(now);
    }

    /// See [`Runtime::create_container`](crate::Runtime::create_container).
    ///
    /// # Errors
    /// It cannot be right; the sandbox cannot be used; the image is not here.
    pub fn create_container(
        &mut self,
        now: Duration,
        sandbox: &SandboxId,
        request: CreateContainer,
    ) -> Result<ContainerId> {
        self.advance(now);
        request.check()?;
        let there = self.sandboxes.get(sandbox).ok_or_else(|| no_sandbox(sandbox))?;
        let id = ContainerId(format!("{sandbox}-{}-{}", request.name, request.attempt).into());
        if self.containers.contains_key(&id) {
            return Ok(id);
        }
        if there.state != SandboxState::Ready {
            let state = "is stopped".into();
            return Err(Error::WrongState { what: "create a container in", name: sandbox.0.clone(), state });
        }
        let Some(stored) = self.images.get(&request.image).filter(|it| it.is_here) else {
            return Err(Error::NotFound { what: "image", name: request.image });
        };
        let container = Container {
            sandbox: sandbox.clone(),
            script: stored.script.clone(),
            state: State::Created,
            created: self.time(),
            ran_from: None,
            ran_to: None,
            is_starting: false,
            is_stopping: false,
            limits: request.limits,
            health: None,
            lines: VecDeque::new(),
            lines_gone: 0,
            pid: 1000 + self.containers.len() as u32,
            request,
        };
        self.containers.insert(id.clone(), container);
        Ok(id)
    }

    /// Begins to start a container.
    ///
    /// # Errors
    /// It is not there, has ended, or cannot be started.
    pub fn start_container(&mut self, now: Duration, id: &ContainerId) -> Result<()> {
        self.advance(now);
        let container = self.containers.get_mut(id).ok_or_else(|| no_container(id))?;
        match &container.state {
            State::Running { .. } => return Ok(()),
            State::Exited { .. } => {
                let state = container.state.to_string().into();
                return Err(Error::WrongState { what: "start", name: id.0.clone(), state });
            }
            State::Created => {}
        }
        if let Some(reason) = container.script.cannot_start.clone() {
            self.end(id, Exit::NotStarted(reason.clone()));
            return Err(Error::Start { name: id.0.clone(), reason });
        }
        if !std::mem::replace(&mut container.is_starting, true) {
            let after = container.script.starts_after;
            self.appoint(after, id, Due::Runs);
            self.advance(now);
        }
        Ok(())
    }

    /// Begins to stop a container.
    ///
    /// # Errors
    /// It is not there.
    pub fn stop_container(&mut self, now: Duration, id: &ContainerId, grace: Duration) -> Result<()> {
        self.advance(now);
        let container = self.containers.get_mut(id).ok_or_else(|| no_container(id))?;
        match container.state {
            State::Exited { .. } => return Ok(()),
            State::Created => {
                self.end(id, Exit::NotStarted("it was stopped before it was started".into()));
                return Ok(());
            }
            State::Running { .. } => {}
        }
        if !std::mem::replace(&mut container.is_stopping, true) {
            self.be_told_to_end(id);
        }
        // Who asks again may have less patience.
        self.appoint(grace, id, Due::Ends(Exit::Signal(SIGKILL)));
        self.advance(now);
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It is not there, or does not run.
    pub fn signal_container(&mut self, now: Duration, id: &ContainerId, signal: i32) -> Result<()> {
        self.advance(now);
        self.running(id, "signal")?;
        match signal {
            SIGTERM => self.be_told_to_end(id),
            SIGKILL => self.end(id, Exit::Signal(SIGKILL)),
            _ => {}
        }
        self.advance(now);
        Ok(())
    }

    /// Removes a container that does not run.
    ///
    /// # Errors
    /// It runs.
    pub fn remove_container(&mut self, now: Duration, id: &ContainerId) -> Result<()> {
        self.advance(now);
        match self.containers.get(id) {
            Some(container) if container.state.is_running() => {
                let state = container.state.to_string().into();
                Err(Error::WrongState { what: "remove", name: id.0.clone(), state })
            }
            Some(_) => {
                self.forget(id);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How a container is, or how it is said to be.
    ///
    /// # Errors
    /// It is not there.
    pub fn container(&self, id: &ContainerId) -> Result<ContainerStatus> {
        let container = self.containers.get(id).ok_or_else(|| no_container(id))?;
        let state = match (&container.state, container.script.lie) {
            (State::Exited { since: Some(since), .. }, Some(Lie::StillRuns)) => {
                State::Running { since: *since }
            }
            (State::Exited { since, at, .. }, Some(Lie::EndedWell)) => {
                State::Exited { since: *since, at: *at, exit: Exit::Code(0) }
            }
            (state, _) => state.clone(),
        };
        Ok(ContainerStatus {
            id: id.clone(),
            sandbox: container.sandbox.clone(),
            name: container.request.name.clone(),
            attempt: container.request.attempt,
            image: container.request.image.clone(),
            pid: state.is_running().then_some(container.pid),
            state,
            created: container.created,
            health: container.health,
            limits: container.limits,
            labels: container.request.labels.clone(),
        })
    }

    /// Whether a container was started and has not come to run yet.
    pub(super) fn is_starting(&self, id: &ContainerId) -> bool {
        self.containers.get(id).is_some_and(|it| it.is_starting && it.state == State::Created)
    }

    /// Whether something runs or may come to run, in fact and not as it is said.
    pub(super) fn runs(&self, id: &ContainerId) -> bool {
        self.containers.get(id).is_some_and(|it| it.state.is_running())
    }

    pub(super) fn containers_of(&self, id: &SandboxId) -> Vec<ContainerId> {
        self.containers.iter().filter(|(_, it)| it.sandbox == *id).map(|(id, _)| id.clone()).collect()
    }

    /// The containers that have these labels.
    pub fn containers(&self, with: &Labels) -> Vec<ContainerStatus> {
        let has = |(_, it): &(&ContainerId, &Container)| have(&it.request.labels, with);
        self.containers.iter().filter(has).filter_map(|(id, _)| self.container(id).ok()).collect()
    }

    /// Other limits from now on.
    ///
    /// # Errors
    /// It is not there, or has ended.
    pub fn update_container(&mut self, now: Duration, id: &ContainerId, limits: Limits) -> Result<()> {
        self.advance(now);
        let container = self.containers.get_mut(id).ok_or_else(|| no_container(id))?;
        if container.state.exit().is_some() {
            let state = container.state.to_string().into();
            return Err(Error::WrongState { what: "change the limits of", name: id.0.clone(), state });
        }
        let old = container.limits;
        container.limits.cpu_milli = limits.cpu_milli.or(old.cpu_milli);
        container.limits.memory = limits.memory.or(old.memory);
        container.limits.pids = limits.pids.or(old.pids);
        self.heed_memory(id);
        Ok(())
    }

    /// What a container uses.
    ///
    /// # Errors
    /// It is not there, or does not run.
    pub fn stats(&self, id: &ContainerId) -> Result<Stats> {
        let container = self.running(id, "measure")?;
        let ran = self.now.saturating_sub(container.ran_from.unwrap_or(self.now));
        let share = container.limits.cpu_milli.unwrap_or(u64::MAX).min(container.script.takes.cpu_milli);
        let cpu = ran.as_nanos() * u128::from(share) / 1000;
        let memory = container.script.takes.memory;
        Ok(Stats { cpu_nanos: u64::try_from(cpu).unwrap_or(u64::MAX), memory, pids: 1, ..Stats::default() })
    }

    /// The cursor after all that has happened.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor_of(self.first_event + self.events.len() as u64 - 1)
    }

    /// The first event after a cursor, if anything has happened. A gap, if some of it is not known any more.
    #[must_use]
    pub fn event_after(&self, cursor: &Cursor) -> Option<Event> {
        let last = self.first_event + self.events.len() as u64 - 1;
        let gap = |gap| Some(Event::new(self.cursor(), self.time(), Happened::Gap(gap)));
        let parts =
            cursor.0.split_once('.').and_then(|(life, seen)| Some((life.parse().ok()?, seen.parse().ok()?)));
        let Some((life, seen)) = parts else { return gap(Gap::Forgotten) };
        let (life, seen): (u64, u64) = (life, seen);
        if life != self.life {
            return gap(Gap::Restarted);
        }
        if seen + 1 < self.first_event || seen > last {
            return gap(Gap::Forgotten);
        }
        self.events.get(usize::try_from(seen + 1 - self.first_event).ok()?).cloned()
    }

    /// The runtime goes away and comes back: what runs goes on, and cursors from before tell of a gap.
    pub fn restart(&mut self, now: Duration) {
        self.advance(now);
        self.life += 1;
        self.first_event += self.events.len() as u64;
        self.events.clear();
    }

    /// The lines of a container from a number on, those that are still known, and the number of the next.
    ///
    /// # Errors
    /// It is not there.
    pub fn lines(&self, id: &ContainerId, from: usize) -> Result<(Vec<LogLine>, usize)> {
        let container = self.containers.get(id).ok_or_else(|| no_container(id))?;
        let lines = container.lines.iter().skip(from.saturating_sub(container.lines_gone)).cloned().collect();
        Ok((lines, container.lines_gone + container.lines.len()))
    }

    /// A container's program is given input: what it echoes it writes.
    ///
    /// # Errors
    /// It is not there, does not run, or was created without input.
    pub fn input(&mut self, now: Duration, id: &ContainerId, line: &[u8]) -> Result<()> {
        self.advance(now);
        let container = self.running(id, "give input to")?;
        if !container.request.stdin {
            let state = "was created without input".into();
            return Err(Error::WrongState { what: "give input to", name: id.0.clone(), state });
        }
        if container.script.echoes {
            self.happen(id, Due::Writes(Stream::Stdout, line.to_vec()));
        }
        Ok(())
    }

    /// What the program of a container that runs was scripted to do.
    ///
    /// # Errors
    /// It is not there, or does not run.
    pub fn script(&self, id: &ContainerId, what: &'static str) -> Result<&Script> {
        Ok(&self.running(id, what)?.script)
    }

    fn running(&self, id: &ContainerId, what: &'static str) -> Result<&Container> {
        let container = self.containers.get(id).ok_or_else(|| no_container(id))?;
        if !container.state.is_running() {
            let state = container.state.to_string().into();
            return Err(Error::WrongState { what, name: id.0.clone(), state });
        }
        Ok(container)
    }

    fn be_told_to_end(&mut self, id: &ContainerId) {
        let Some(container) = self.containers.get(id) else { return };
        match container.script.on_term.clone() {
            OnTerm::Dies => self.appoint(Duration::ZERO, id, Due::Ends(Exit::Signal(SIGTERM))),
            OnTerm::Exits(after, exit) => self.appoint(after, id, Due::Ends(exit)),
            OnTerm::Ignores => {}
        }
    }

    fn appoint(&mut self, after: Duration, id: &ContainerId, due: Due) {
        self.appointments += 1;
        self.agenda.insert((self.now.saturating_add(after), self.appointments), (id.clone(), due));
    }

    fn happen(&mut self, id: &ContainerId, due: Due) {
        let now = self.time();
        let Some(container) = self.containers.get_mut(id) else { return };
        match due {
            Due::Runs if container.state == State::Created => {
                container.state = State::Running { since: now };
                container.ran_from = Some(self.now);
                let script = container.script.clone();
                self.tell(Happened::Container(id.clone(), EventKind::Started));
                for (after, stream, line) in script.writes {
                    self.appoint(after, id, Due::Writes(stream, line));
                }
                for (after, health) in script.health {
                    self.appoint(after, id, Due::Health(health));
                }
                if let Some((after, exit)) = script.ends {
                    self.appoint(after, id, Due::Ends(exit));
                }
                self.heed_memory(id);
            }
            Due::Ends(exit) if container.state.is_running() => self.end(id, exit),
            Due::Writes(stream, line) if container.state.is_running() => {
                container.lines.push_back(LogLine::new(now, stream, line));
                if container.lines.len() > MOST_LINES {
                    container.lines.pop_front();
                    container.lines_gone += 1;
                }
            }
            Due::Health(health) if container.state.is_running() && container.health != Some(health) => {
                container.health = Some(health);
                self.tell(Happened::Container(id.clone(), EventKind::Health(health)));
            }
            _ => {}
        }
    }

    fn heed_memory(&mut self, id: &ContainerId) {
        let Some(container) = self.containers.get(id) else { return };
        let is_too_much = container.limits.memory.is_some_and(|most| container.script.takes.memory > most);
        if is_too_much && container.state.is_running() {
            self.end(id, Exit::OutOfMemory);
        }
    }

    fn end(&mut self, id: &ContainerId, exit: Exit) {
        let now = self.time();
        let Some(container) = self.containers.get_mut(id) else { return };
        let since = match container.state {
            State::Created => None,
            State::Running { since } => Some(since),
            State::Exited { .. } => return,
        };
        container.state = State::Exited { since, at: now, exit: exit.clone() };
        container.ran_to = Some(self.now);
        container.is_starting = false;
        self.agenda.retain(|_, (it, _)| it != id);
        if exit == Exit::OutOfMemory {
            self.tell(Happened::Container(id.clone(), EventKind::OutOfMemory));
        }
        self.tell(Happened::Container(id.clone(), EventKind::Exited(exit)));
    }

    fn forget(&mut self, id: &ContainerId) {
        self.agenda.retain(|_, (it, _)| it != id);
        self.tell(Happened::Container(id.clone(), EventKind::Removed));
        self.containers.remove(id);
    }

    fn tell(&mut self, mut happened: Happened) {
        if let Happened::Container(id, kind) = &mut happened {
            match (self.containers.get(id).and_then(|it| it.script.lie), &kind) {
                (Some(Lie::SaysNothing), _) | (Some(Lie::StillRuns), EventKind::Exited(_)) => return,
                (Some(Lie::EndedWell), EventKind::Exited(_)) => *kind = EventKind::Exited(Exit::Code(0)),
                _ => {}
            }
        }
        let cursor = self.cursor_of(self.first_event + self.events.len() as u64);
        self.events.push_back(Event::new(cursor, self.time(), happened));
        if self.events.len() > MOST_EVENTS {
            self.events.pop_front();
            self.first_event += 1;
        }
    }

    fn cursor_of(&self, number: u64) -> Cursor {
        Cursor(format!("{}.{number}", self.life).into())
    }

    fn time(&self) -> MicroTime {
        let micros = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
        MicroTime::from_unix_micros(self.began.unix_micros().saturating_add(micros))
    }

    /// Everything that is there, for those who look whether nothing was left behind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sandboxes.is_empty() && self.containers.is_empty() && self.agenda.is_empty()
    }

    /// The ports that programs in a sandbox listen on now.
    pub(super) fn serves(&self, id: &SandboxId) -> Result<BTreeSet<u16>> {
        if !self.sandboxes.contains_key(id) {
            return Err(no_sandbox(id));
        }
        let there = self.containers.values().filter(|it| it.sandbox == *id && it.state.is_running());
        Ok(there.flat_map(|it| it.script.serves.iter().copied()).collect())
    }
}

fn have(labels: &Labels, with: &Labels) -> bool {
    with.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn no_sandbox(id: &SandboxId) -> Error {
    Error::NotFound { what: "sandbox", name: id.0.clone() }
}

fn no_container(id: &ContainerId) -> Error {
    Error::NotFound { what: "container", name: id.0.clone() }
}
