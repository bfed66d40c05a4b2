//! What a runtime is asked for.

use std::net::IpAddr;
use std::path::PathBuf;

use orchestra_core::object::{Map, Str};

/// Labels of sandboxes and containers, by which an agent that restarts finds its own.
pub type Labels = Map<Str>;

/// The pod that a sandbox is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodRef {
    /// The pod's namespace,
    pub namespace: Str,
    /// its name,
    pub name: Str,
    /// and its uid: a pod of the same name is another one.
    pub uid: Str,
}

impl PodRef {
    /// A pod.
    pub fn new(namespace: impl Into<Str>, name: impl Into<Str>, uid: impl Into<Str>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), uid: uid.into() }
    }
}

/// A sandbox to be created: what the containers of a pod share.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CreateSandbox {
    /// The pod.
    pub pod: PodRef,
    /// Which sandbox of the pod it is, counted from 0. Creating the same twice gives the same sandbox.
    pub attempt: u32,
    /// The host's name inside, if another than the pod's.
    pub hostname: Str,
    /// Labels to find it by.
    pub labels: Labels,
    /// The ports that its containers listen on.
    pub ports: Vec<PortRequest>,
}

impl CreateSandbox {
    /// The first sandbox of a pod.
    #[must_use]
    pub fn new(pod: PodRef) -> Self {
        Self { pod, attempt: 0, hostname: Str::EMPTY, labels: Labels::new(), ports: Vec::new() }
    }

    /// Which of the pod's sandboxes it is.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// With a port that some container listens on.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(PortRequest { port, protocol: Protocol::Tcp, host_port: None, host_ip: None });
        self
    }
}

/// A port that a container listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// Inside.
    pub port: u16,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The port of the host that leads there, if any.
    pub host_port: Option<u16>,
    /// And its address; all of them, where none is said.
    pub host_ip: Option<IpAddr>,
}

/// How a port is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A stream.
    #[default]
    Tcp,
    /// Packets.
    Udp,
}

/// A container to be created in a sandbox.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CreateContainer {
    /// Its name, one of a kind in the pod.
    pub name: Str,
    /// Which run of it this is, counted from 0. Creating the same twice gives the same container.
    pub attempt: u32,
    /// The image; empty for a program of the host, where that [can be](crate::Capability::HostPrograms).
    pub image: Str,
    /// What is run; the image's own entry point, if empty.
    pub command: Vec<Str>,
    /// What it is given; the image's own, if this and the command are empty.
    pub args: Vec<Str>,
    /// Its environment. What it says last of a name counts.
    pub env: Vec<(Str, Str)>,
    /// Its working directory; the image's, if empty.
    pub working_dir: Str,
    /// As whom it runs; whom the image says, if nobody.
    pub user: Option<User>,
    /// What it can have.
    pub limits: Limits,
    /// What of the host it sees.
    pub mounts: Vec<Mount>,
    /// Labels to find it by.
    pub labels: Labels,
    /// Whether its input is held open for those who [attach](crate::Runtime::attach).
    pub stdin: bool,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether it may not write to its own root directory.
    pub read_only_root: bool,
}

impl CreateContainer {
    /// The first run of a container.
    pub fn new(name: impl Into<Str>, image: impl Into<Str>) -> Self {
        Self {
            name: name.into(),
            attempt: 0,
            image: image.into(),
            command: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            working_dir: Str::EMPTY,
            user: None,
            limits: Limits::default(),
            mounts: Vec::new(),
            labels: Labels::new(),
            stdin: false,
            tty: false,
            read_only_root: false,
        }
    }

    /// Which run of it this is.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// What is run.
    #[must_use]
    pub fn command<T: Into<Str>>(mut self, command: impl IntoIterator<Item = T>) -> Self {
        self.command = command.into_iter().map(Into::into).collect();
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// With limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With its input held open.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.stdin = true;
        self
    }
}

/// As whom a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The group's; the user's own, if not said.
    pub gid: Option<u32>,
}

/// What a container can have. Nothing said is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Processor time, in thousandths of a processor.
    pub cpu_milli: Option<u64>,
    /// Memory, in bytes. What takes more is killed.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

impl Limits {
    /// So much processor time, in thousandths.
    #[must_use]
    pub const fn cpu_milli(mut self, cpu: u64) -> Self {
        self.cpu_milli = Some(cpu);
        self
    }

    /// So many bytes of memory.
    #[must_use]
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// So many processes.
    #[must_use]
    pub const fn pids(mut self, pids: u64) -> Self {
        self.pids = Some(pids);
        self
    }
}

/// Something of the host that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Where inside.
    pub target: Str,
    /// Whether it can only be read.
    pub read_only: bool,
}

impl Mount {
    /// A directory or file of the host.
    pub fn host(source: impl Into<PathBuf>, target: impl Into<Str>) -> Self {
        Self { source: MountSource::Host(source.into()), target: target.into(), read_only: false }
    }

    /// Which can only be read.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MountSource {
    /// A directory or file of the host.
    Host(PathBuf),
    /// Memory, of so many bytes at most.
    Memory(Option<u64>),
}

/// A command to be run inside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exec {
    /// The program, and what it is given.
    pub command: Vec<Str>,
    /// Added to the container's environment.
    pub env: Vec<(Str, Str)>,
    /// Whether it is given input.
    pub stdin: bool,
    /// Whether it has a terminal, on which both outputs are one.
    pub tty: bool,
}

impl Exec {
    /// A command without input.
    pub fn new<T: Into<Str>>(command: impl IntoIterator<Item = T>) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self { command, env: Vec::new(), stdin: false, tty: false }
    }

    /// Which is given input.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.stdin = true;
        self
    }

    /// Which has a terminal.
    #[must_use]
    pub fn with_tty(mut self) -> Self {
        self.tty = true;
        self
    }
}

/// How one attaches to a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attach {
    /// Whether input is given.
    pub stdin: bool,
}

impl Attach {
    /// Input is given, too.
    #[must_use]
    pub const fn with_stdin(mut self) -> Self {
        self.stdin = true;
        self
    }
}
