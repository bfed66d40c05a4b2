//! What runs containers, behind one trait.
//!
//! [`Runtime`] is what the Container Runtime Interface is to Kubernetes, in Rust: sandboxes (what the containers of a
//! pod share), containers, images, logs, commands run inside, usage, and a stream of what happens.
//!
//! - [`FakeRuntime`](fake::FakeRuntime) runs nothing: what its programs do is scripted, on virtual time, the same each
//!   time. For the tests of whatever drives a runtime.
//!
//! What a runtime cannot do it says beforehand: [`Capabilities`]. What every runtime must do is what the suite
//! [`conformance`] tries (feature `conformance`), also on a runtime of one's own.
//!
//! ```
//! use std::time::Duration;
//! use orchestra_runtime::fake::{FakeRuntime, Script};
//! use orchestra_runtime::{CreateContainer, CreateSandbox, Exit, PodRef, Runtime, RuntimeExt, State};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> orchestra_runtime::Result<()> {
//! let runtime = FakeRuntime::new().image("job:1", Script::new().exits_after(Duration::from_secs(3), 7));
//! let sandbox = runtime.create_sandbox(CreateSandbox::new(PodRef::new("default", "job", "uid-1"))).await?;
//! let job = runtime.create_container(&sandbox, CreateContainer::new("main", "job:1")).await?;
//! runtime.start_container(&job).await?;
//! let exit = runtime.wait(&job).await?;
//! assert_eq!(exit, Exit::Code(7));
//! // Any call can be given a time by which it must be over.
//! let status = runtime.within(Duration::from_secs(1)).container(&job).await?;
//! assert!(matches!(status.state, State::Exited { .. }));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod capability;
mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event;
pub mod fake;
mod image;
mod log;
mod request;
mod runtime;
mod session;
mod status;
mod within;

pub use capability::{Capabilities, Capability};
pub use error::{Error, Result};
pub use event::{Cursor, Event, EventKind, EventSource, Events, Gap, Happened};
pub use image::{Credentials, Image, Progress, Pull, PullSource};
pub use log::{LogLine, LogSource, Logs, ReadLogs, Stream};
pub use request::{
    Attach, CreateContainer, CreateSandbox, Exec, Labels, Limits, Mount, MountSource, PodRef, PortRequest,
    Protocol, User,
};
pub use runtime::{ContainerId, Runtime, RuntimeExt, SandboxId};
pub use session::{Connection, Output, Session, SessionSource, Size};
pub use status::{ContainerStatus, Exit, Health, Reach, SandboxState, SandboxStatus, State, Stats, Version};
pub use within::Within;
