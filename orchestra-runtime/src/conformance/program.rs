//! [`Program`]: what the programs do that the suite runs.

use orchestra_core::object::Str;

use crate::CreateContainer;

/// What a program does. A [harness](super::Harness) says how; for a shell it is said here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Program {
    /// It runs until it is told to end, and ends at once.
    Waits,
    /// It ends at once, with a code.
    Exits(i32),
    /// It ends by a signal, at once.
    Dies(i32),
    /// It does not heed SIGTERM.
    IgnoresTerm,
    /// It heeds SIGTERM, and ends with a code.
    EndsWith(i32),
    /// It writes a line to each of its outputs, in turn, so many times, and ends.
    Writes(u32),
    /// It writes a line, `tick N`, ten times a second until it is told to end.
    Ticks,
    /// It writes what it reads, line by line.
    Echoes,
    /// It writes the variables `A` and `B`, a line each, and ends.
    ShowsEnvironment,
    /// It answers on this port with what it is sent.
    Serves(u16),
    /// It takes so much memory, in MiB, and waits.
    Takes(u32),
    /// There is no such program.
    Missing,
    /// It starts another program that goes on in the background, and waits.
    HasChild,
    /// Such a one, which ends, and leaves its child behind.
    LeavesChild,
}

impl Program {
    /// As a shell does it, in an image, or on the host.
    #[must_use]
    pub fn by_shell(&self, name: &str, image: &str) -> CreateContainer {
        let container = CreateContainer::new(name, image);
        let script: Str = match self {
            Self::Missing => return container.command(["/no/such/program"]),
            Self::Waits => "exec sleep 1000".into(),
            Self::Exits(code) => format!("exit {code}").into(),
            Self::Dies(signal) => format!("kill -{signal} $$; sleep 10").into(),
            Self::IgnoresTerm => "trap '' TERM; while :; do sleep 1; done".into(),
            Self::EndsWith(code) => {
                format!("trap 'exit {code}' TERM; echo ready; while :; do sleep 0.05; done").into()
            }
            Self::Writes(many) => {
                format!("i=1; while [ $i -le {many} ]; do echo out $i; echo err $i >&2; i=$((i+1)); done")
                    .into()
            }
            Self::Ticks => "i=1; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done".into(),
            Self::Echoes => "exec cat".into(),
            Self::ShowsEnvironment => "echo A=$A; echo B=$B".into(),
            Self::Serves(port) => format!("exec nc -lk -p {port} -s \"${{POD_IP:-0.0.0.0}}\" -e cat").into(),
            Self::Takes(mib) => format!("exec tail -c {mib}m /dev/zero | sleep 1000").into(),
            Self::HasChild => "sleep 1000 & echo child; wait".into(),
            Self::LeavesChild => "sleep 1000 & echo child".into(),
        };
        container.command([Str::from("sh"), "-c".into(), script])
    }
}
