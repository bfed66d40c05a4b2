//! [`Within`]: a runtime whose calls must be over in time.

use std::future::Future;
use std::time::Duration;

use crate::{
    Attach, Connection, ContainerId, ContainerStatus, CreateContainer, CreateSandbox, Credentials, Cursor,
    Error, Events, Exec, Image, Labels, Limits, Logs, Pull, ReadLogs, Result, Runtime, SandboxId,
    SandboxStatus, Session, Stats, Version,
};

/// A runtime each of whose calls fails with [`Error::TooSlow`] when it is not over in time. It has the methods of
/// [`Runtime`]; what a call had begun may still take effect. A stream that was begun in time (events, logs, a pull)
/// may go on for as long as it likes, and a grace counts against the limit.
#[derive(Debug)]
pub struct Within<'a, R: ?Sized> {
    runtime: &'a R,
    limit: Duration,
}

impl<R: ?Sized> Clone for Within<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ?Sized> Copy for Within<'_, R> {}

/// One method for each of the trait's, which says what it does where it is too slow.
macro_rules! within {
    ($($method:ident($($argument:ident: $type:ty),*) -> $answer:ty, $what:literal;)*) => {
        impl<'a, R: Runtime + ?Sized> Within<'a, R> {
            $(
                /// As the method of this name of [`Runtime`].
                ///
                /// # Errors
                /// Its errors, and [`Error::TooSlow`].
                pub async fn $method(&self, $($argument: $type),*) -> Result<$answer> {
                    self.limited($what, self.runtime.$method($($argument),*)).await
                }
            )*
        }
    };
}

within! {
    version() -> Version, "ask for the version";
    create_sandbox(request: CreateSandbox) -> SandboxId, "create a sandbox";
    stop_sandbox(id: &SandboxId, grace: Duration) -> (), "stop a sandbox";
    remove_sandbox(id: &SandboxId) -> (), "remove a sandbox";
    sandbox(id: &SandboxId) -> SandboxStatus, "look at a sandbox";
    sandboxes(with: &Labels) -> Vec<SandboxStatus>, "list sandboxes";
    create_container(sandbox: &SandboxId, request: CreateContainer) -> ContainerId, "create a container";
    start_container(id: &ContainerId) -> (), "start a container";
    stop_container(id: &ContainerId, grace: Duration) -> (), "stop a container";
    signal_container(id: &ContainerId, signal: i32) -> (), "signal a container";
    remove_container(id: &ContainerId) -> (), "remove a container";
    container(id: &ContainerId) -> ContainerStatus, "look at a container";
    containers(with: &Labels) -> Vec<ContainerStatus>, "list containers";
    update_container(id: &ContainerId, limits: Limits) -> (), "change a container's limits";
    stats(id: &ContainerId) -> Stats, "ask what a container uses";
    events(after: Option<&Cursor>) -> Events, "ask for events";
    image(name: &str) -> Option<Image>, "look for an image";
    images() -> Vec<Image>, "list images";
    pull(name: &str, by: Option<Credentials>) -> Pull, "begin to pull an image";
    remove_image(name: &str) -> (), "remove an image";
    logs(id: &ContainerId, which: ReadLogs) -> Logs, "ask for logs";
    exec(id: &ContainerId, command: Exec) -> Session, "run a command in a container";
    attach(id: &ContainerId, how: Attach) -> Session, "attach to a container";
    forward(id: &SandboxId, port: u16) -> Box<dyn Connection>, "connect to a port";
}

impl<'a, R: Runtime + ?Sized> Within<'a, R> {
    pub(crate) const fn new(runtime: &'a R, limit: Duration) -> Self {
        Self { runtime, limit }
    }

    async fn limited<T>(&self, what: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = tokio::time::timeout(self.limit, call).await;
        answer.unwrap_or(Err(Error::TooSlow { what, limit: self.limit }))
    }
}
