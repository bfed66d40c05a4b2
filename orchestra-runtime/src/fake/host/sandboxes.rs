//! Sandboxes of the fake host.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use orchestra_core::object::MicroTime;

use super::{Host, SIGKILL, have, no_sandbox};
use crate::{CreateSandbox, Exit, Happened, Labels, Reach, Result, SandboxId, SandboxState, SandboxStatus};

#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) request: CreateSandbox,
    pub(super) state: SandboxState,
    pub(super) created: MicroTime,
    pub(super) address: Ipv4Addr,
}

impl Host {
    /// See [`Runtime::create_sandbox`](crate::Runtime::create_sandbox).
    ///
    /// # Errors
    /// It cannot be right.
    pub fn create_sandbox(&mut self, now: Duration, request: CreateSandbox) -> Result<SandboxId> {
        self.advance(now);
        request.check()?;
        let id = SandboxId(format!("{}-{}", request.pod.uid, request.attempt).into());
        if !self.sandboxes.contains_key(&id) {
            self.addresses += 1;
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 0)) + self.addresses);
            let created = self.time();
            let sandbox = Sandbox { request, state: SandboxState::Ready, created, address };
            self.sandboxes.insert(id.clone(), sandbox);
        }
        Ok(id)
    }

    /// How a sandbox is.
    ///
    /// # Errors
    /// It is not there.
    pub fn sandbox(&self, id: &SandboxId) -> Result<SandboxStatus> {
        let sandbox = self.sandboxes.get(id).ok_or_else(|| no_sandbox(id))?;
        let address = IpAddr::V4(sandbox.address);
        let is_ready = sandbox.state == SandboxState::Ready;
        let ports = sandbox.request.ports.iter();
        Ok(SandboxStatus {
            id: id.clone(),
            pod: sandbox.request.pod.clone(),
            attempt: sandbox.request.attempt,
            state: sandbox.state,
            created: sandbox.created,
            address: is_ready.then_some(address),
            reaches: ports.filter(|_| is_ready).map(|it| Reach::local(it.port, (address, it.port))).collect(),
            labels: sandbox.request.labels.clone(),
        })
    }

    /// The sandboxes that have these labels.
    pub fn sandboxes(&self, with: &Labels) -> Vec<SandboxStatus> {
        let has = |(_, it): &(&SandboxId, &Sandbox)| have(&it.request.labels, with);
        self.sandboxes.iter().filter(has).filter_map(|(id, _)| self.sandbox(id).ok()).collect()
    }

    /// Begins to stop a sandbox: it cannot be used any more.
    ///
    /// # Errors
    /// It is not there.
    pub fn stop_sandbox(&mut self, now: Duration, id: &SandboxId, grace: Duration) -> Result<()> {
        self.advance(now);
        let sandbox = self.sandboxes.get_mut(id).ok_or_else(|| no_sandbox(id))?;
        let was_ready = std::mem::replace(&mut sandbox.state, SandboxState::NotReady) == SandboxState::Ready;
        for container in self.containers_of(id) {
            self.stop_container(now, &container, grace)?;
        }
        if was_ready {
            self.tell(Happened::SandboxDown(id.clone()));
        }
        Ok(())
    }

    /// Removes a sandbox and all in it.
    pub fn remove_sandbox(&mut self, now: Duration, id: &SandboxId) {
        self.advance(now);
        for container in self.containers_of(id) {
            self.end(&container, Exit::Signal(SIGKILL));
            self.forget(&container);
        }
        self.sandboxes.remove(id);
    }
}
