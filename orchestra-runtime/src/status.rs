//! How sandboxes and containers are.

use std::fmt;
use std::net::IpAddr;

use orchestra_core::object::{MicroTime, Str};

use crate::{ContainerId, Labels, Limits, PodRef, SandboxId};

/// How a sandbox is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SandboxStatus {
    /// Its id.
    pub id: SandboxId,
    /// The pod that it is for.
    pub pod: PodRef,
    /// Which sandbox of the pod it is.
    pub attempt: u32,
    /// Whether it can be used.
    pub state: SandboxState,
    /// When it was created.
    pub created: MicroTime,
    /// Its address, if it has one of its own.
    pub address: Option<IpAddr>,
    /// How its ports are reached from the host.
    pub reaches: Vec<Reach>,
    /// Its labels.
    pub labels: Labels,
}

/// Whether a sandbox can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxState {
    /// It can.
    Ready,
    /// It was stopped, or has broken down: a new one is needed.
    NotReady,
}

/// How a port inside a sandbox is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// The port inside.
    pub port: u16,
    /// Where it is found from the host itself.
    pub local: (IpAddr, u16),
    /// Where it is found from other machines, if it is.
    pub remote: Option<(IpAddr, u16)>,
}

impl Reach {
    /// Found at this address from the host.
    #[must_use]
    pub const fn local(port: u16, at: (IpAddr, u16)) -> Self {
        Self { port, local: at, remote: None }
    }
}

/// How a container is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ContainerStatus {
    /// Its id.
    pub id: ContainerId,
    /// Where it is.
    pub sandbox: SandboxId,
    /// Its name.
    pub name: Str,
    /// Which run of it this is.
    pub attempt: u32,
    /// The image that it runs.
    pub image: Str,
    /// Whether it runs.
    pub state: State,
    /// When it was created.
    pub created: MicroTime,
    /// What its own checks say of it.
    pub health: Option<Health>,
    /// The process, as the host counts it, while it runs, if the runtime can tell.
    pub pid: Option<u32>,
    /// Its limits.
    pub limits: Limits,
    /// Its labels.
    pub labels: Labels,
}

/// Whether a container runs. It only moves forward.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It was created.
    Created,
    /// It runs.
    Running {
        /// Since when.
        since: MicroTime,
    },
    /// It has ended, or could not be started.
    Exited {
        /// Since when it ran, if it did.
        since: Option<MicroTime>,
        /// When it ended.
        at: MicroTime,
        /// How.
        exit: Exit,
    },
}

impl State {
    /// Whether it runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// How it ended.
    #[must_use]
    pub const fn exit(&self) -> Option<&Exit> {
        match self {
            Self::Exited { exit, .. } => Some(exit),
            _ => None,
        }
    }
}

/// As it stands after "it".
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("was not started"),
            Self::Running { .. } => f.write_str("runs"),
            Self::Exited { exit, .. } => write!(f, "has ended ({exit})"),
        }
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// With a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It took more memory than it may, and was killed.
    OutOfMemory,
    /// It was not started: why.
    NotStarted(Str),
    /// Nobody saw how: it was gone when somebody looked again.
    Unknown,
}

impl Exit {
    /// As shells and Kubernetes count it: 128 and the signal's number.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::Code(code) => *code,
            Self::Signal(signal) => 128 + *signal,
            Self::OutOfMemory => 137,
            Self::NotStarted(_) => 128,
            Self::Unknown => 255,
        }
    }

    /// Whether it ended as it should.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::NotStarted(why) => write!(f, "not started: {why}"),
            Self::Unknown => f.write_str("nobody saw how"),
        }
    }
}

/// What a container's own checks say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing yet.
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Processor time used since it started, in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory that cannot be given back, in bytes.
    pub memory: u64,
    /// What was read from and written to disks, in bytes.
    pub read: u64,
    /// See [`read`](Self::read).
    pub written: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// Which runtime answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name: `process`, `docker`.
    pub name: Str,
    /// Its version.
    pub version: Str,
}
