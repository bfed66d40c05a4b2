//! [`Runtime`]: what runs the containers of pods.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestra_core::object::Str;

use crate::within::Within;
use crate::{
    Attach, Capabilities, Connection, ContainerStatus, CreateContainer, CreateSandbox, Credentials, Cursor,
    Event, EventKind, Events, Exec, Exit, Happened, Image, Labels, Limits, Logs, Pull, ReadLogs, Result,
    SandboxStatus, Session, Stats, Version,
};

/// A sandbox, as its runtime calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxId(pub Str);

/// A container, as its runtime calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub Str);

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What runs the containers of pods.
///
/// # What it guarantees
/// - **Creating is idempotent.** A sandbox is told by its pod's uid and attempt, a container by its sandbox, name and
///   attempt: creating it again gives the same id, and changes nothing. So whoever does not know whether a call took
///   effect makes it again. Starting what runs, stopping what has ended, removing what is gone is done already.
/// - **States only move forward**: created, running, exited. What has exited is not started again; a further run is
///   another container, of the next attempt.
/// - **An exit is kept** until the container is removed, with its code or signal, and so is what it wrote. Nobody's
///   looking away loses either.
/// - **Events come in order**, each once for each stream, and can be resumed after any cursor, also by another process
///   after a restart; where some are missing, [`Happened::Gap`] says so. A state that an event tells is seen by whoever
///   asks afterwards.
/// - **Every future can be dropped.** What it had begun may still take effect, or not.
///
/// # What it assumes
/// One agent at a time uses a sandbox. Labels are the agent's: a runtime only keeps them.
///
/// # Caveats
/// A runtime of a daemon has that daemon's delays: the longest a call may take is the caller's to say, with
/// [`within`](RuntimeExt::within).
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// What it can do. The same, as long as it is there.
    fn capabilities(&self) -> Capabilities;

    /// Which it is; an answer tells that it is well.
    async fn version(&self) -> Result<Version>;

    /// Creates what the containers of a pod share.
    async fn create_sandbox(&self, request: CreateSandbox) -> Result<SandboxId>;

    /// Stops all that runs in a sandbox, as [`stop_container`](Self::stop_container) does, and gives back its address.
    async fn stop_sandbox(&self, id: &SandboxId, grace: Duration) -> Result<()>;

    /// Removes a sandbox and its containers. What still runs there is killed.
    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()>;

    /// How a sandbox is.
    async fn sandbox(&self, id: &SandboxId) -> Result<SandboxStatus>;

    /// The sandboxes that have these labels, in order of their ids.
    async fn sandboxes(&self, with: &Labels) -> Result<Vec<SandboxStatus>>;

    /// Creates a container in a sandbox. Its image must be there.
    async fn create_container(&self, sandbox: &SandboxId, request: CreateContainer) -> Result<ContainerId>;

    /// Starts a container. When this returns it runs, or has ended already, or the error says why it could not be
    /// started, and then it has [ended](crate::Exit::NotStarted).
    async fn start_container(&self, id: &ContainerId) -> Result<()>;

    /// Asks a container's program to end (SIGTERM) and kills all of it when that takes longer than the grace. When this
    /// returns nothing of it runs.
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()>;

    /// Sends a container's program a signal, by its number.
    async fn signal_container(&self, id: &ContainerId, signal: i32) -> Result<()>;

    /// Removes a container that does not run, and what it wrote.
    async fn remove_container(&self, id: &ContainerId) -> Result<()>;

    /// How a container is.
    async fn container(&self, id: &ContainerId) -> Result<ContainerStatus>;

    /// The containers that have these labels, in order of their ids.
    async fn containers(&self, with: &Labels) -> Result<Vec<ContainerStatus>>;

    /// Holds a container to other limits from now on. What is not said stays as it is.
    async fn update_container(&self, id: &ContainerId, limits: Limits) -> Result<()>;

    /// What a container uses.
    async fn stats(&self, id: &ContainerId) -> Result<Stats>;

    /// What happens after a cursor; from now on, without one.
    async fn events(&self, after: Option<&Cursor>) -> Result<Events>;

    /// The image of a name, if it is there.
    async fn image(&self, name: &str) -> Result<Option<Image>>;

    /// All images that are there, in order of their ids.
    async fn images(&self) -> Result<Vec<Image>>;

    /// Gets an image. One that is there is got again, if its name means another one by now.
    async fn pull(&self, name: &str, by: Option<Credentials>) -> Result<Pull>;

    /// Removes an image that no container uses.
    async fn remove_image(&self, name: &str) -> Result<()>;

    /// What a container's program has written.
    async fn logs(&self, id: &ContainerId, which: ReadLogs) -> Result<Logs>;

    /// Runs a command inside a container that runs.
    async fn exec(&self, id: &ContainerId, command: Exec) -> Result<Session>;

    /// Connects to a container's program: to what it writes from now on, and to its input.
    async fn attach(&self, id: &ContainerId, how: Attach) -> Result<Session>;

    /// Connects to a port inside a sandbox.
    async fn forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Connection>>;
}

/// What follows from the trait.
#[async_trait]
pub trait RuntimeExt: Runtime {
    /// The same runtime, each of whose calls fails with [`Error::TooSlow`](crate::Error::TooSlow) when it is not over in time.
    fn within(&self, limit: Duration) -> Within<'_, Self> {
        Within::new(self, limit)
    }

    /// Waits until a container has ended.
    ///
    /// # Errors
    /// It is removed meanwhile, or the runtime does not answer.
    async fn wait(&self, id: &ContainerId) -> Result<Exit> {
        // What happens from now on is seen, and what happened before is seen afterwards.
        let mut events = self.events(None).await?;
        loop {
            if let Some(exit) = self.container(id).await?.state.exit() {
                return Ok(exit.clone());
            }
            loop {
                let Event { happened, .. } = events.next().await?;
                match happened {
                    Happened::Container(it, EventKind::Exited(_) | EventKind::Removed) if it == *id => break,
                    Happened::Gap(_) => break,
                    _ => {}
                }
            }
        }
    }
}

impl<R: Runtime + ?Sized> RuntimeExt for R {}

#[async_trait]
impl<R: Runtime + ?Sized> Runtime for Arc<R> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    async fn version(&self) -> Result<Version> {
        (**self).version().await
    }
    async fn create_sandbox(&self, request: CreateSandbox) -> Result<SandboxId> {
        (**self).create_sandbox(request).await
    }
    async fn stop_sandbox(&self, id: &SandboxId, grace: Duration) -> Result<()> {
        (**self).stop_sandbox(id, grace).await
    }
    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()> {
        (**self).remove_sandbox(id).await
    }
    async fn sandbox(&self, id: &SandboxId) -> Result<SandboxStatus> {
        (**self).sandbox(id).await
    }
    async fn sandboxes(&self, with: &Labels) -> Result<Vec<SandboxStatus>> {
        (**self).sandboxes(with).await
    }
    async fn create_container(&self, sandbox: &SandboxId, request: CreateContainer) -> Result<ContainerId> {
        (**self).create_container(sandbox, request).await
    }
    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        (**self).start_container(id).await
    }
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        (**self).stop_container(id, grace).await
    }
    async fn signal_container(&self, id: &ContainerId, signal: i32) -> Result<()> {
        (**self).signal_container(id, signal).await
    }
    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        (**self).remove_container(id).await
    }
    async fn container(&self, id: &ContainerId) -> Result<ContainerStatus> {
        (**self).container(id).await
    }
    async fn containers(&self, with: &Labels) -> Result<Vec<ContainerStatus>> {
        (**self).containers(with).await
    }
    async fn update_container(&self, id: &ContainerId, limits: Limits) -> Result<()> {
        (**self).update_container(id, limits).await
    }
    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        (**self).stats(id).await
    }
    async fn events(&self, after: Option<&Cursor>) -> Result<Events> {
        (**self).events(after).await
    }
    async fn image(&self, name: &str) -> Result<Option<Image>> {
        (**self).image(name).await
    }
    async fn images(&self) -> Result<Vec<Image>> {
        (**self).images().await
    }
    async fn pull(&self, name: &str, by: Option<Credentials>) -> Result<Pull> {
        (**self).pull(name, by).await
    }
    async fn remove_image(&self, name: &str) -> Result<()> {
        (**self).remove_image(name).await
    }
    async fn logs(&self, id: &ContainerId, which: ReadLogs) -> Result<Logs> {
        (**self).logs(id, which).await
    }
    async fn exec(&self, id: &ContainerId, command: Exec) -> Result<Session> {
        (**self).exec(id, command).await
    }
    async fn attach(&self, id: &ContainerId, how: Attach) -> Result<Session> {
        (**self).attach(id, how).await
    }
    async fn forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Connection>> {
        (**self).forward(id, port).await
    }
}
