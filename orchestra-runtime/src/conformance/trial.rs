//! [`Trial`]: what cases are written with.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestra_core::object::Str;

use super::{Harness, Program};
use crate::{
    ContainerId, ContainerStatus, CreateContainer, CreateSandbox, Event, EventKind, Events, Exit, Happened,
    Labels, LogLine, PodRef, ReadLogs, Runtime, RuntimeExt, SandboxId, SandboxStatus, State,
};

/// One case on one runtime.
pub struct Trial {
    harness: Arc<dyn Harness>,
    runtime: Arc<dyn Runtime>,
    case: &'static str,
    pods: Pods,
}

/// The pods of a case, by which what it leaves is removed.
pub(super) type Pods = Arc<Mutex<BTreeSet<Str>>>;

/// The label that tells whose pod a sandbox is for.
const POD: &str = "orchestra.dev/pod";
/// How long something may take that is to happen at once.
pub(super) const SOON: Duration = Duration::from_secs(30);

impl Deref for Trial {
    type Target = Arc<dyn Runtime>;
    fn deref(&self) -> &Self::Target {
        &self.runtime
    }
}

impl Trial {
    pub(super) fn new(harness: Arc<dyn Harness>, case: &'static str) -> Self {
        Self { runtime: harness.runtime(), harness, case, pods: Pods::default() }
    }

    pub(super) fn pods(&self) -> Pods {
        self.pods.clone()
    }

    pub(super) fn harness(&self) -> &dyn Harness {
        &*self.harness
    }

    /// A pod of this case that no other has.
    pub(super) fn pod(&self, name: &str) -> CreateSandbox {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let uid: Str = format!("c{}-{number}", std::process::id()).into();
        self.pods.lock().unwrap().insert(uid.clone());
        let short: String = self.case.chars().take(20).collect();
        CreateSandbox::new(PodRef::new("conformance", format!("{name}-{short}"), uid.clone())).label(POD, uid)
    }

    /// A sandbox.
    pub(super) async fn a_sandbox(&self) -> SandboxId {
        self.create_sandbox(self.pod("pod")).await.expect("a sandbox")
    }

    /// What is asked for to have a program run.
    pub(super) fn request(&self, program: &Program) -> CreateContainer {
        self.harness.container("main", program)
    }

    /// A container that was created.
    pub(super) async fn created(&self, sandbox: &SandboxId, program: &Program) -> ContainerId {
        self.create_container(sandbox, self.request(program)).await.expect("a container")
    }

    /// A container that was started, in a sandbox of its own.
    pub(super) async fn started(&self, program: &Program) -> ContainerId {
        let sandbox = self.a_sandbox().await;
        self.started_in(&sandbox, self.request(program)).await
    }

    pub(super) async fn started_in(&self, sandbox: &SandboxId, request: CreateContainer) -> ContainerId {
        let id = self.create_container(sandbox, request).await.expect("a container");
        self.start_container(&id).await.expect("it starts");
        id
    }

    pub(super) async fn sandbox_status(&self, id: &SandboxId) -> SandboxStatus {
        self.runtime.sandbox(id).await.expect("it is there")
    }

    pub(super) async fn status(&self, id: &ContainerId) -> ContainerStatus {
        self.container(id).await.expect("it is there")
    }

    /// How a container ends, which it does soon.
    pub(super) async fn ends(&self, id: &ContainerId) -> Exit {
        soon("it ends", self.wait(id)).await.expect("it can be waited for")
    }

    pub(super) async fn log(&self, id: &ContainerId, which: ReadLogs) -> Vec<LogLine> {
        soon("its log can be read", self.logs(id, which).await.expect("a log").collect())
            .await
            .expect("lines")
    }

    /// Waits until a line was written.
    pub(super) async fn has_written(&self, id: &ContainerId, text: &str) {
        let mut logs = self.logs(id, ReadLogs::all().follow()).await.expect("a log");
        loop {
            let line = soon("it writes", logs.next()).await.expect("a line");
            let line = line.unwrap_or_else(|| panic!("it ended without having written `{text}`"));
            if line.text == text.as_bytes() {
                return;
            }
        }
    }

    /// The next event of a container.
    pub(super) async fn event_of(&self, events: &mut Events, id: &ContainerId) -> EventKind {
        loop {
            let Event { happened, .. } = soon("an event comes", events.next()).await.expect("an event");
            match happened {
                Happened::Container(it, kind) if it == *id => return kind,
                Happened::Gap(gap) => panic!("there is a gap, {gap:?}, though nobody was away"),
                _ => {}
            }
        }
    }
}

/// Waits for something that is to happen at once.
pub(super) async fn soon<T>(what: &str, it: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, it).await {
        Ok(it) => it,
        Err(_) => panic!("{what}: not within {SOON:?}"),
    }
}

pub(super) fn texts(lines: &[LogLine]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

pub(super) fn is_running(status: &ContainerStatus) -> bool {
    matches!(status.state, State::Running { .. })
}

/// Removes what a case has made; what cannot be removed is said.
pub(super) async fn sweep(runtime: &dyn Runtime, pods: &Pods) -> Result<(), String> {
    let pods: Vec<_> = pods.lock().map(|pods| pods.iter().cloned().collect()).unwrap_or_default();
    for pod in pods {
        let with: Labels = [(Str::from(POD), pod)].into_iter().collect();
        let sandboxes = runtime.within(SOON).sandboxes(&with).await.map_err(|error| error.to_string())?;
        for sandbox in sandboxes {
            let removed = runtime.within(SOON).remove_sandbox(&sandbox.id).await;
            removed.map_err(|error| format!("what it made cannot be removed: {error}"))?;
        }
    }
    Ok(())
}
