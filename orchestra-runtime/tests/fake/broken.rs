//! Runtimes with one fault each: the suite must find it, in the case that is there to catch it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestra_runtime::conformance::{Case, Harness, LIMIT, Outcome, Program};
use orchestra_runtime::{
    Attach, Capabilities, Connection, ContainerId, ContainerStatus, CreateContainer, CreateSandbox,
    Credentials, Cursor, Error, Event, EventKind, EventSource, Events, Exec, Exit, Happened, Image, Labels,
    Limits, LogLine, LogSource, Logs, Output, Pull, ReadLogs, Result, Runtime, SandboxId, SandboxState,
    SandboxStatus, Session, SessionSource, Size, State, Stats, Stream, Version,
};

use crate::Fakes;

/// What is wrong with a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    SecondSandbox,
    SandboxLabelsIgnored,
    ContainerLabelsIgnored,
    StoppedIsReady,
    AddressShared,
    NamesAccepted,
    SandboxNotRemoved,
    StartsByItself,
    StartDoesNothing,
    SecondStartFails,
    CodeLost,
    SignalAsCode,
    MemoryAsSignal,
    LimitsLost,
    UpdateIgnored,
    UnknownIsFailure,
    UsageOfNothing,
    StopKills,
    StopWaits,
    SecondStopFails,
    RemovalKills,
    TailIgnored,
    SinceIgnored,
    OutputIgnored,
    OutputsMixed,
    FollowEnds,
    LastLineLost,
    ExitNotTold,
    RemovalNotTold,
    OtherExitTold,
    CursorIgnored,
    GapNotTold,
    CommandsExitLost,
    CommandsInputLost,
    ImageInUseRemoved,
}

/// Each fault, and the case that must fail for it.
const FAULTS: &[(Fault, &str)] = &[
    (Fault::SecondSandbox, "creating_a_sandbox_twice_gives_the_same"),
    (Fault::SandboxLabelsIgnored, "sandboxes_are_found_by_their_labels"),
    (Fault::ContainerLabelsIgnored, "containers_are_found_by_their_labels"),
    (Fault::StoppedIsReady, "a_stopped_sandbox_is_not_ready"),
    (Fault::AddressShared, "two_sandboxes_have_two_addresses"),
    (Fault::NamesAccepted, "names_that_lead_elsewhere_are_refused"),
    (Fault::SandboxNotRemoved, "a_removed_sandbox_is_gone"),
    (Fault::StartsByItself, "a_container_does_not_run_before_it_is_started"),
    (Fault::StartDoesNothing, "a_started_container_runs"),
    (Fault::SecondStartFails, "starting_twice_is_done_already"),
    (Fault::CodeLost, "an_exit_code_is_kept"),
    (Fault::SignalAsCode, "a_signal_is_told_from_a_code"),
    (Fault::MemoryAsSignal, "who_takes_too_much_memory_is_killed_and_said_so"),
    (Fault::LimitsLost, "limits_are_kept"),
    (Fault::UpdateIgnored, "limits_change_while_it_runs"),
    (Fault::UnknownIsFailure, "an_unknown_container_is_said_not_to_be_there"),
    (Fault::UsageOfNothing, "its_usage_is_told_while_it_runs"),
    (Fault::StopKills, "who_ends_in_its_own_way_has_its_own_code"),
    (Fault::StopWaits, "who_does_not_heed_is_killed_after_the_grace"),
    (Fault::SecondStopFails, "stopping_twice_is_done_already"),
    (Fault::RemovalKills, "what_runs_is_not_removed"),
    (Fault::TailIgnored, "the_last_lines_can_be_asked_for"),
    (Fault::SinceIgnored, "what_was_written_since_can_be_asked_for"),
    (Fault::OutputIgnored, "one_output_alone_can_be_read"),
    (Fault::OutputsMixed, "both_outputs_are_told_apart"),
    (Fault::FollowEnds, "following_tells_what_is_written_later"),
    (Fault::LastLineLost, "what_it_wrote_last_is_told"),
    (Fault::ExitNotTold, "a_start_and_an_end_are_told"),
    (Fault::RemovalNotTold, "a_removal_is_told"),
    (Fault::OtherExitTold, "the_exit_is_in_the_event"),
    (Fault::CursorIgnored, "events_go_on_after_a_cursor"),
    (Fault::GapNotTold, "a_cursor_of_nobodys_has_a_gap"),
    (Fault::CommandsExitLost, "a_command_is_run_and_its_exit_told"),
    (Fault::CommandsInputLost, "a_command_is_given_input"),
    (Fault::ImageInUseRemoved, "an_image_in_use_is_not_removed"),
];

#[test]
fn each_fault_is_found_by_its_case() {
    let mut missed = Vec::new();
    for (fault, name) in FAULTS {
        let case = Case::named(name).unwrap_or_else(|| panic!("{name} is no case"));
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let outcome = tokio.unwrap().block_on(case.run(Arc::new(BrokenFakes(Fakes::new(), *fault)), LIMIT));
        match outcome {
            Outcome::Failed(reason) => println!("{fault:?}: {}", reason.lines().next().unwrap_or_default()),
            other => missed.push(format!("{fault:?}: {name} {other:?}")),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

struct BrokenFakes(Fakes, Fault);

impl Harness for BrokenFakes {
    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(Broken { inner: self.0.runtime(), fault: self.1 })
    }
    fn container(&self, name: &str, program: &Program) -> CreateContainer {
        self.0.container(name, program)
    }
}

/// A runtime that is right but for one thing.
struct Broken {
    inner: Arc<dyn Runtime>,
    fault: Fault,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn exit(&self, exit: Exit) -> Exit {
        match (self.fault, exit) {
            (Fault::CodeLost, Exit::Code(_)) => Exit::Code(0),
            (Fault::SignalAsCode, Exit::Signal(signal)) => Exit::Code(signal),
            (Fault::MemoryAsSignal, Exit::OutOfMemory) => Exit::Signal(9),
            (_, exit) => exit,
        }
    }

    fn known(&self, mut status: ContainerStatus) -> ContainerStatus {
        if let State::Exited { exit, .. } = &mut status.state {
            *exit = self.exit(exit.clone());
        }
        if self.is(Fault::LimitsLost) {
            status.limits = Limits::default();
        }
        status
    }
}

fn failure(what: &str) -> Error {
    Error::Failed { what: what.to_owned().into(), reason: "it is broken".into() }
}

#[async_trait]
impl Runtime for Broken {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn version(&self) -> Result<Version> {
        self.inner.version().await
    }
    async fn create_sandbox(&self, mut request: CreateSandbox) -> Result<SandboxId> {
        if self.is(Fault::SecondSandbox) && !self.inner.sandboxes(&request.labels).await?.is_empty() {
            request.attempt += 1;
        }
        if self.is(Fault::NamesAccepted) && !request.pod.uid.is_empty() {
            request.pod.name = "fine".into();
        }
        self.inner.create_sandbox(request).await
    }
    async fn stop_sandbox(&self, id: &SandboxId, grace: Duration) -> Result<()> {
        self.inner.stop_sandbox(id, grace).await
    }
    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()> {
        if self.is(Fault::SandboxNotRemoved) { Ok(()) } else { self.inner.remove_sandbox(id).await }
    }
    async fn sandbox(&self, id: &SandboxId) -> Result<SandboxStatus> {
        let mut status = self.inner.sandbox(id).await?;
        if self.is(Fault::StoppedIsReady) {
            status.state = SandboxState::Ready;
        }
        if self.is(Fault::AddressShared) {
            status.address = Some([127, 0, 0, 1].into());
        }
        Ok(status)
    }
    async fn sandboxes(&self, with: &Labels) -> Result<Vec<SandboxStatus>> {
        let all = Labels::new();
        self.inner.sandboxes(if self.is(Fault::SandboxLabelsIgnored) { &all } else { with }).await
    }
    async fn create_container(&self, sandbox: &SandboxId, request: CreateContainer) -> Result<ContainerId> {
        let id = self.inner.create_container(sandbox, request).await?;
        if self.is(Fault::StartsByItself) {
            self.inner.start_container(&id).await?;
        }
        Ok(id)
    }
    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let runs = async || self.inner.container(id).await.is_ok_and(|it| it.state.is_running());
        match self.fault {
            Fault::StartDoesNothing => Ok(()),
            Fault::SecondStartFails if runs().await => Err(failure("start it twice")),
            _ => self.inner.start_container(id).await,
        }
    }
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let has_ended = self.inner.container(id).await?.state.exit().is_some();
        match self.fault {
            Fault::StopKills => {
                let _ = self.inner.signal_container(id, 9).await;
                Ok(())
            }
            Fault::StopWaits => self.inner.stop_container(id, Duration::from_secs(100_000)).await,
            Fault::SecondStopFails if has_ended => Err(failure("stop it twice")),
            _ => self.inner.stop_container(id, grace).await,
        }
    }
    async fn signal_container(&self, id: &ContainerId, signal: i32) -> Result<()> {
        self.inner.signal_container(id, signal).await
    }
    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        if self.is(Fault::RemovalKills) {
            self.inner.stop_container(id, Duration::ZERO).await?;
        }
        self.inner.remove_container(id).await
    }
    async fn container(&self, id: &ContainerId) -> Result<ContainerStatus> {
        match self.inner.container(id).await {
            Err(Error::NotFound { .. }) if self.is(Fault::UnknownIsFailure) => Err(failure("look at it")),
            found => Ok(self.known(found?)),
        }
    }
    async fn containers(&self, with: &Labels) -> Result<Vec<ContainerStatus>> {
        let all = Labels::new();
        self.inner.containers(if self.is(Fault::ContainerLabelsIgnored) { &all } else { with }).await
    }
    async fn update_container(&self, id: &ContainerId, limits: Limits) -> Result<()> {
        if self.is(Fault::UpdateIgnored) { Ok(()) } else { self.inner.update_container(id, limits).await }
    }
    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        let stats = self.inner.stats(id).await;
        if self.is(Fault::UsageOfNothing) { stats.or(Ok(Stats::default())) } else { stats }
    }
    async fn events(&self, after: Option<&Cursor>) -> Result<Events> {
        let after = after.filter(|_| !self.is(Fault::CursorIgnored));
        Ok(Events::new(BrokenEvents(self.inner.events(after).await?, self.fault)))
    }
    async fn image(&self, name: &str) -> Result<Option<Image>> {
        self.inner.image(name).await
    }
    async fn images(&self) -> Result<Vec<Image>> {
        self.inner.images().await
    }
    async fn pull(&self, name: &str, by: Option<Credentials>) -> Result<Pull> {
        self.inner.pull(name, by).await
    }
    async fn remove_image(&self, name: &str) -> Result<()> {
        if self.is(Fault::ImageInUseRemoved) { Ok(()) } else { self.inner.remove_image(name).await }
    }
    async fn logs(&self, id: &ContainerId, mut which: ReadLogs) -> Result<Logs> {
        match self.fault {
            Fault::TailIgnored => which.tail = None,
            Fault::SinceIgnored => which.since = None,
            Fault::OutputIgnored => which.stream = None,
            Fault::FollowEnds => which.follow = false,
            _ => {}
        }
        let lines = self.inner.logs(id, which).await?;
        Ok(Logs::new(BrokenLogs { lines, fault: self.fault, held: VecDeque::new() }))
    }
    async fn exec(&self, id: &ContainerId, command: Exec) -> Result<Session> {
        let session = self.inner.exec(id, command).await?;
        Ok(Session::new(BrokenSession(session, self.fault)))
    }
    async fn attach(&self, id: &ContainerId, how: Attach) -> Result<Session> {
        self.inner.attach(id, how).await
    }
    async fn forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Connection>> {
        self.inner.forward(id, port).await
    }
}

struct BrokenEvents(Events, Fault);

#[async_trait]
impl EventSource for BrokenEvents {
    async fn next(&mut self) -> Result<Event> {
        loop {
            let mut event = self.0.next().await?;
            match (&mut event.happened, self.1) {
                (Happened::Gap(_), Fault::GapNotTold)
                | (Happened::Container(_, EventKind::Removed), Fault::RemovalNotTold)
                | (Happened::Container(_, EventKind::Exited(_)), Fault::ExitNotTold) => continue,
                (Happened::Container(_, EventKind::Exited(exit)), Fault::OtherExitTold) => {
                    *exit = Exit::Code(1)
                }
                _ => {}
            }
            return Ok(event);
        }
    }
}

/// Holds each line back until there is another one, so that the last one is lost.
struct BrokenLogs {
    lines: Logs,
    fault: Fault,
    held: VecDeque<LogLine>,
}

#[async_trait]
impl LogSource for BrokenLogs {
    async fn next(&mut self) -> Result<Option<LogLine>> {
        let hold = usize::from(self.fault == Fault::LastLineLost);
        while self.held.len() <= hold {
            let Some(mut line) = self.lines.next().await? else { return Ok(None) };
            if self.fault == Fault::OutputsMixed {
                line.stream = Stream::Stdout;
            }
            self.held.push_back(line);
        }
        Ok(self.held.pop_front())
    }
}

struct BrokenSession(Session, Fault);

#[async_trait]
impl SessionSource for BrokenSession {
    async fn next(&mut self) -> Result<Output> {
        Ok(match self.0.next().await? {
            Output::Exit(_) if self.1 == Fault::CommandsExitLost => Output::Exit(Exit::Code(0)),
            output => output,
        })
    }
    async fn write(&mut self, input: &[u8]) -> Result<()> {
        if self.1 == Fault::CommandsInputLost { Ok(()) } else { self.0.write(input).await }
    }
    async fn close_input(&mut self) -> Result<()> {
        self.0.close_input().await
    }
    async fn resize(&mut self, size: Size) -> Result<()> {
        self.0.resize(size).await
    }
}
