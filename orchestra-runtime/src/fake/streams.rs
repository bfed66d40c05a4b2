//! What comes bit by bit: events, logs, pulls, and sessions.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use orchestra_core::object::Str;
use tokio::time::Instant;

use super::FakeRuntime;
use super::script::Reply;
use crate::{
    Attach, ContainerId, Cursor, Error, Event, EventSource, Exec, Exit, LogLine, LogSource, Output, Progress,
    PullSource, ReadLogs, Result, SessionSource, Size, Stream,
};

/// What happens after a cursor.
pub(super) struct HostEvents {
    pub(super) runtime: FakeRuntime,
    pub(super) after: Cursor,
}

#[async_trait]
impl EventSource for HostEvents {
    async fn next(&mut self) -> Result<Event> {
        let event = self.runtime.until(|host| host.event_after(&self.after)).await;
        self.after = event.cursor.clone();
        Ok(event)
    }
}

/// An image on its way: a quarter of it at a time.
pub(super) struct HostPull {
    runtime: FakeRuntime,
    name: Str,
    began: Instant,
    takes: Duration,
    quarters: u32,
}

const SIZE: u64 = 1 << 20;

impl HostPull {
    pub(super) fn new(runtime: FakeRuntime, name: Str, takes: Duration) -> Self {
        Self { runtime, name, began: Instant::now(), takes, quarters: 0 }
    }
}

#[async_trait]
impl PullSource for HostPull {
    async fn next(&mut self) -> Result<Progress> {
        let next = self.quarters + 1;
        tokio::time::sleep_until(self.began + self.takes * next / 4).await;
        self.quarters = next;
        if next < 4 {
            return Ok(Progress::Bytes { done: SIZE / 4 * u64::from(next), total: Some(SIZE) });
        }
        self.runtime.change(|host, _| host.pulled(&self.name)).map(Progress::Done)
    }
}

/// What a container has written, and goes on to write.
pub(super) struct HostLogs {
    runtime: FakeRuntime,
    id: ContainerId,
    which: ReadLogs,
    lines: VecDeque<LogLine>,
    next: usize,
    is_over: bool,
}

impl HostLogs {
    pub(super) fn new(runtime: FakeRuntime, id: ContainerId, which: ReadLogs) -> Result<Self> {
        let (lines, next) = runtime.lock().lines(&id, 0)?;
        let mut lines: VecDeque<_> = lines.into_iter().filter(|line| is_wanted(&which, line)).collect();
        if let Some(tail) = which.tail {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let is_over = !which.follow;
        Ok(Self { runtime, id, which, lines, next, is_over })
    }
}

fn is_wanted(which: &ReadLogs, line: &LogLine) -> bool {
    which.since.is_none_or(|since| line.at >= since)
        && which.stream.is_none_or(|stream| line.stream == stream)
}

#[async_trait]
impl LogSource for HostLogs {
    async fn next(&mut self) -> Result<Option<LogLine>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            if self.is_over {
                return Ok(None);
            }
            let (from, id) = (self.next, &self.id);
            let more = self.runtime.until(|host| {
                let (lines, next) = match host.lines(id, from) {
                    Ok(found) => found,
                    Err(error) => return Some(Err(error)),
                };
                let has_ended = host.container(id).is_ok_and(|it| it.state.exit().is_some());
                (next > from || has_ended).then_some(Ok((lines, next, has_ended)))
            });
            let (lines, next, has_ended) = more.await?;
            self.lines.extend(lines.into_iter().filter(|line| is_wanted(&self.which, line)));
            (self.next, self.is_over) = (next, has_ended);
        }
    }
}

/// A command that is run inside a container.
pub(super) struct Command {
    runtime: FakeRuntime,
    id: ContainerId,
    reply: Reply,
    takes_input: bool,
    ends: Option<Instant>,
    echoed: VecDeque<Vec<u8>>,
}

impl Command {
    pub(super) fn new(runtime: FakeRuntime, id: &ContainerId, command: Exec) -> Result<Self> {
        command.check()?;
        let host = runtime.lock();
        let script = host.script(id, "run a command in")?;
        let reply = script.commands.iter().find(|(known, _)| *known == command.command);
        let Some((_, reply)) = reply else {
            let name = command.command.first().cloned().unwrap_or_default();
            return Err(Error::Start { name, reason: "there is no such program".into() });
        };
        let reply = reply.clone();
        drop(host);
        // One that echoes ends when it is given no more; without input that is at once.
        let ends = (!reply.echoes || !command.stdin).then(|| Instant::now() + reply.after);
        Ok(Self { runtime, id: id.clone(), reply, takes_input: command.stdin, ends, echoed: VecDeque::new() })
    }

    fn no_input(&self) -> Error {
        let state = "is given no input".into();
        Error::WrongState { what: "write to a command in", name: self.id.0.clone(), state }
    }
}

#[async_trait]
impl SessionSource for Command {
    async fn next(&mut self) -> Result<Output> {
        if let Some(data) = self.echoed.pop_front() {
            return Ok(Output::Data(Stream::Stdout, data));
        }
        if !self.reply.output.is_empty() {
            let (stream, data) = self.reply.output.remove(0);
            return Ok(Output::Data(stream, data));
        }
        let id = &self.id;
        let gone = self.runtime.until(|host| (!host.runs(id)).then_some(()));
        let has_ended = match self.ends {
            Some(ends) => tokio::time::timeout_at(ends, gone).await.is_err(),
            None => {
                gone.await;
                false
            }
        };
        Ok(Output::Exit(if has_ended { self.reply.exit.clone() } else { Exit::Signal(9) }))
    }

    async fn write(&mut self, input: &[u8]) -> Result<()> {
        if !self.takes_input {
            return Err(self.no_input());
        }
        if self.reply.echoes {
            self.echoed.push_back(input.to_vec());
        }
        Ok(())
    }

    async fn close_input(&mut self) -> Result<()> {
        if !self.takes_input {
            return Err(self.no_input());
        }
        self.takes_input = false;
        self.ends.get_or_insert(Instant::now());
        Ok(())
    }

    async fn resize(&mut self, _: Size) -> Result<()> {
        let state = "has no terminal".into();
        Err(Error::WrongState { what: "resize a command in", name: self.id.0.clone(), state })
    }
}

/// A container's own program.
pub(super) struct Attached {
    runtime: FakeRuntime,
    id: ContainerId,
    takes_input: bool,
    next: usize,
    lines: VecDeque<LogLine>,
    /// What was written of a line that is not ended yet.
    input: Vec<u8>,
}

impl Attached {
    pub(super) fn new(runtime: FakeRuntime, id: ContainerId, how: Attach) -> Result<Self> {
        let host = runtime.lock();
        host.script(&id, "attach to")?;
        let (_, next) = host.lines(&id, usize::MAX)?;
        drop(host);
        let (lines, input) = (VecDeque::new(), Vec::new());
        Ok(Self { runtime, id, takes_input: how.stdin, next, lines, input })
    }
}

#[async_trait]
impl SessionSource for Attached {
    async fn next(&mut self) -> Result<Output> {
        if self.lines.is_empty() {
            let (from, id) = (self.next, &self.id);
            let news = self.runtime.until(|host| {
                let (lines, next) = match host.lines(id, from) {
                    Ok(found) => found,
                    Err(error) => return Some(Err(error)),
                };
                let exit = host.container(id).ok().and_then(|it| it.state.exit().cloned());
                (next > from || exit.is_some()).then_some(Ok((lines, next, exit)))
            });
            let (lines, next, exit) = news.await?;
            self.next = next;
            self.lines.extend(lines);
            if let Some(exit) = exit.filter(|_| self.lines.is_empty()) {
                return Ok(Output::Exit(exit));
            }
        }
        let line = self.lines.pop_front();
        let (stream, mut data) = line.map_or((Stream::Stdout, Vec::new()), |line| (line.stream, line.text));
        data.push(b'\n');
        Ok(Output::Data(stream, data))
    }

    async fn write(&mut self, input: &[u8]) -> Result<()> {
        if !self.takes_input {
            let state = "was attached to without input".into();
            return Err(Error::WrongState { what: "write to", name: self.id.0.clone(), state });
        }
        self.input.extend_from_slice(input);
        while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).take(end).collect();
            self.runtime.change(|host, now| host.input(now, &self.id, &line))?;
        }
        Ok(())
    }

    async fn close_input(&mut self) -> Result<()> {
        self.takes_input = false;
        Ok(())
    }

    async fn resize(&mut self, _: Size) -> Result<()> {
        let state = "has no terminal".into();
        Err(Error::WrongState { what: "resize", name: self.id.0.clone(), state })
    }
}
