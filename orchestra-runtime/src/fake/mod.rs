//! [`FakeRuntime`]: a runtime that runs nothing. What its programs do is scripted, and happens on tokio's clock, which
//! tests stop and turn.

mod host;
mod script;
mod streams;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orchestra_core::object::{MicroTime, Str};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use host::{Host, MOST_EVENTS, MOST_LINES};
pub use script::{Lie, Reply, Script};

use crate::{
    Attach, Capabilities, Capability, Connection, ContainerId, ContainerStatus, CreateContainer,
    CreateSandbox, Credentials, Cursor, Error, Events, Exec, Image, Labels, Limits, Logs, Pull, ReadLogs,
    Result, Runtime, SandboxId, SandboxStatus, Session, Stats, Version,
};
use host::images::Pulls;

/// A runtime that runs nothing: each image's program does what its [`Script`] says, the same each time.
///
/// A clone is the same runtime, as another user has it: an agent that was started anew, for one.
#[derive(Clone)]
pub struct FakeRuntime {
    host: Arc<Shared>,
    capabilities: Capabilities,
    slow: Duration,
}

/// A host, and the clock that it lives by.
struct Shared {
    host: Mutex<Host>,
    changed: Notify,
    began: Instant,
}

impl Default for FakeRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeRuntime {
    /// A runtime without images, at the beginning of 1970.
    #[must_use]
    pub fn new() -> Self {
        let host = Mutex::new(Host::new(MicroTime::from_unix_micros(0)));
        let shared = Shared { host, changed: Notify::new(), began: Instant::now() };
        // What nobody can know of a script, it says it cannot.
        let capabilities =
            Capabilities::all().without(Capability::HostPrograms).without(Capability::Terminal);
        Self { host: Arc::new(shared), capabilities, slow: Duration::ZERO }
    }

    /// With an image that is there, and what its program does.
    #[must_use]
    pub fn image(self, name: impl Into<Str>, script: Script) -> Self {
        self.lock().add_image(name, script);
        self
    }

    /// With an image that is to be pulled first, which takes a while.
    #[must_use]
    pub fn remote_image(self, name: impl Into<Str>, takes: Duration, script: Script) -> Self {
        let pull = Pulls { takes, ..Pulls::default() };
        self.lock().store(name.into(), script, false, pull);
        self
    }

    /// With an image whose pull fails so many times first.
    #[must_use]
    pub fn flaky_image(self, name: impl Into<Str>, times: u32, why: impl Into<Str>, script: Script) -> Self {
        let pull = Pulls { fails: Some((times, why.into())), ..Pulls::default() };
        self.lock().store(name.into(), script, false, pull);
        self
    }

    /// With an image that only those may have who know the password.
    #[must_use]
    pub fn private_image(self, name: impl Into<Str>, password: impl Into<Str>, script: Script) -> Self {
        let pull = Pulls { password: Some(password.into()), ..Pulls::default() };
        self.lock().store(name.into(), script, false, pull);
        self
    }

    /// Each call takes so long.
    #[must_use]
    pub fn slow(mut self, time: Duration) -> Self {
        self.slow = time;
        self
    }

    /// It cannot do this, and says so.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.capabilities = self.capabilities.without(capability);
        self
    }

    /// The runtime goes away and comes back: what runs goes on, and who watches is told of a gap.
    pub fn restart(&self) {
        self.change(|host, now| host.restart(now));
    }

    /// Whether nothing is left: no sandbox, no container, nothing that is to happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let now = self.elapsed();
        let mut host = self.lock();
        host.advance(now);
        host.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Host> {
        self.host.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        self.host.began.elapsed()
    }

    /// Does something, and has everybody look who waits for something to happen.
    fn change<T>(&self, change: impl FnOnce(&mut Host, Duration) -> T) -> T {
        let now = self.elapsed();
        let answer = change(&mut self.lock(), now);
        self.host.changed.notify_waiters();
        answer
    }

    /// Waits for something, looking each time something has happened.
    async fn until<T>(&self, mut look: impl FnMut(&mut Host) -> Option<T>) -> T {
        loop {
            let changed = self.host.changed.notified();
            let now = self.elapsed();
            let (found, due) = {
                let mut host = self.lock();
                host.advance(now);
                (look(&mut host), host.due())
            };
            if let Some(found) = found {
                return found;
            }
            match due {
                // Whichever comes first: it is looked again anyway.
                Some(due) => drop(tokio::time::timeout(due.saturating_sub(now), changed).await),
                None => changed.await,
            }
        }
    }

    /// A call is made.
    async fn call(&self, needs: Option<Capability>) -> Result<()> {
        if let Some(capability) = needs.filter(|it| !self.capabilities.has(*it)) {
            return Err(Error::Unsupported { runtime: NAME.into(), capability });
        }
        if !self.slow.is_zero() {
            tokio::time::sleep(self.slow).await;
        }
        let now = self.elapsed();
        self.lock().advance(now);
        Ok(())
    }
}

const NAME: &str = "fake";

impl fmt::Debug for FakeRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeRuntime").finish_non_exhaustive()
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    async fn version(&self) -> Result<Version> {
        self.call(None).await?;
        Ok(Version { name: NAME.into(), version: env!("CARGO_PKG_VERSION").into() })
    }

    async fn create_sandbox(&self, request: CreateSandbox) -> Result<SandboxId> {
        self.call(None).await?;
        self.change(|host, now| host.create_sandbox(now, request))
    }

    async fn stop_sandbox(&self, id: &SandboxId, grace: Duration) -> Result<()> {
        self.call(None).await?;
        self.change(|host, now| host.stop_sandbox(now, id, grace))?;
        let runs = |host: &mut Host| host.containers_of(id).iter().any(|it| host.runs(it));
        self.until(|host| (!runs(host)).then_some(Ok(()))).await
    }

    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()> {
        self.call(None).await?;
        self.change(|host, now| host.remove_sandbox(now, id));
        Ok(())
    }

    async fn sandbox(&self, id: &SandboxId) -> Result<SandboxStatus> {
        self.call(None).await?;
        self.lock().sandbox(id)
    }

    async fn sandboxes(&self, with: &Labels) -> Result<Vec<SandboxStatus>> {
        self.call(None).await?;
        Ok(self.lock().sandboxes(with))
    }

    async fn create_container(&self, sandbox: &SandboxId, request: CreateContainer) -> Result<ContainerId> {
        self.call(request.image.is_empty().then_some(Capability::HostPrograms)).await?;
        self.change(|host, now| host.create_container(now, sandbox, request))
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.call(None).await?;
        self.change(|host, now| host.start_container(now, id))?;
        self.until(|host| (!host.is_starting(id)).then_some(Ok(()))).await
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        self.call(None).await?;
        self.change(|host, now| host.stop_container(now, id, grace))?;
        self.until(|host| (!host.runs(id)).then_some(Ok(()))).await
    }

    async fn signal_container(&self, id: &ContainerId, signal: i32) -> Result<()> {
        self.call(None).await?;
        self.change(|host, now| host.signal_container(now, id, signal))
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.call(None).await?;
        self.change(|host, now| host.remove_container(now, id))
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerStatus> {
        self.call(None).await?;
        self.lock().container(id)
    }

    async fn containers(&self, with: &Labels) -> Result<Vec<ContainerStatus>> {
        self.call(None).await?;
        Ok(self.lock().containers(with))
    }

    async fn update_container(&self, id: &ContainerId, limits: Limits) -> Result<()> {
        self.call(Some(Capability::LiveUpdate)).await?;
        self.change(|host, now| host.update_container(now, id, limits))
    }

    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        self.call(Some(Capability::Stats)).await?;
        self.lock().stats(id)
    }

    async fn events(&self, after: Option<&Cursor>) -> Result<Events> {
        self.call(None).await?;
        let after = after.cloned().unwrap_or_else(|| self.lock().cursor());
        Ok(Events::new(streams::HostEvents { runtime: self.clone(), after }))
    }

    async fn image(&self, name: &str) -> Result<Option<Image>> {
        self.call(None).await?;
        Ok(self.lock().image(name).cloned())
    }

    async fn images(&self) -> Result<Vec<Image>> {
        self.call(None).await?;
        Ok(self.lock().images().cloned().collect())
    }

    async fn pull(&self, name: &str, by: Option<Credentials>) -> Result<Pull> {
        self.call(Some(Capability::Pull)).await?;
        let takes = self.lock().begin_pull(name, by.as_ref().map(|it| it.password.as_str()))?;
        Ok(Pull::new(streams::HostPull::new(self.clone(), name.into(), takes)))
    }

    async fn remove_image(&self, name: &str) -> Result<()> {
        self.call(Some(Capability::Images)).await?;
        self.lock().remove_image(name)
    }

    async fn logs(&self, id: &ContainerId, which: ReadLogs) -> Result<Logs> {
        self.call(None).await?;
        let logs = streams::HostLogs::new(self.clone(), id.clone(), which)?;
        Ok(Logs::new(logs))
    }

    async fn exec(&self, id: &ContainerId, command: Exec) -> Result<Session> {
        self.call(Some(Capability::Exec)).await?;
        if command.tty && !self.capabilities.has(Capability::Terminal) {
            return Err(Error::Unsupported { runtime: NAME.into(), capability: Capability::Terminal });
        }
        Ok(Session::new(streams::Command::new(self.clone(), id, command)?))
    }

    async fn attach(&self, id: &ContainerId, how: Attach) -> Result<Session> {
        self.call(Some(Capability::Attach)).await?;
        Ok(Session::new(streams::Attached::new(self.clone(), id.clone(), how)?))
    }

    async fn forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Connection>> {
        self.call(Some(Capability::Forward)).await?;
        if !self.lock().serves(id)?.contains(&port) {
            let what = format!("connect to port {port} of sandbox {id}").into();
            return Err(Error::Failed { what, reason: "nobody listens there".into() });
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(theirs);
            tokio::io::copy(&mut read, &mut write).await
        });
        Ok(Box::new(ours))
    }
}
