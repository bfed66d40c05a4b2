//! [`Capabilities`]: what a runtime can do, said before anybody finds out.

use std::collections::BTreeSet;
use std::fmt;

/// Something that not every runtime can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Run programs from images.
    Images,
    /// Pull images from elsewhere.
    Pull,
    /// Run programs of the host itself, without an image.
    HostPrograms,
    /// Give each sandbox an address of its own.
    OwnAddress,
    /// Run a command inside a container.
    Exec,
    /// Give a command a terminal.
    Terminal,
    /// Connect to the input and output of a program that runs.
    Attach,
    /// Connect to a port inside a sandbox.
    Forward,
    /// Hold a container to a share of the processors.
    CpuLimit,
    /// Hold a container to an amount of memory, and say when it was killed for that.
    MemoryLimit,
    /// Hold a container to a number of processes.
    PidsLimit,
    /// Change limits while the program runs.
    LiveUpdate,
    /// Tell what a container uses.
    Stats,
    /// Keep a container from seeing and signalling others' processes.
    Isolation,
    /// Run a program as another user.
    OtherUser,
    /// Keep running what runs when whoever uses the runtime dies.
    Survival,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 16] = [
        Self::Images,
        Self::Pull,
        Self::HostPrograms,
        Self::OwnAddress,
        Self::Exec,
        Self::Terminal,
        Self::Attach,
        Self::Forward,
        Self::CpuLimit,
        Self::MemoryLimit,
        Self::PidsLimit,
        Self::LiveUpdate,
        Self::Stats,
        Self::Isolation,
        Self::OtherUser,
        Self::Survival,
    ];
}

/// As it stands after "cannot".
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Images => "run images",
            Self::Pull => "pull images",
            Self::HostPrograms => "run programs of the host",
            Self::OwnAddress => "give a sandbox an address of its own",
            Self::Exec => "run commands inside a container",
            Self::Terminal => "give a command a terminal",
            Self::Attach => "attach to a program",
            Self::Forward => "forward ports",
            Self::CpuLimit => "limit processor time",
            Self::MemoryLimit => "limit memory",
            Self::PidsLimit => "limit processes",
            Self::LiveUpdate => "change limits while a program runs",
            Self::Stats => "tell what a container uses",
            Self::Isolation => "isolate containers from each other",
            Self::OtherUser => "run a program as another user",
            Self::Survival => "keep programs running without whoever started them",
        })
    }
}

/// What a runtime can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self(Capability::ALL.into_iter().collect())
    }

    /// But for this.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.0.remove(&capability);
        self
    }

    /// Whether a runtime can do this.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// All of it, in order.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}
