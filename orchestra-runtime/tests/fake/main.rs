//! The suite on the fake runtime, and the suite itself on fakes that have one fault each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;

use std::sync::Arc;
use std::time::Duration;

use orchestra_runtime::conformance::{Harness, Program};
use orchestra_runtime::fake::{FakeRuntime, Reply, Script};
use orchestra_runtime::{CreateContainer, Runtime, Stream, runtime_conformance};

/// A fake runtime, the programs of which are scripted when they are asked for.
pub(crate) struct Fakes(FakeRuntime);

impl Fakes {
    pub(crate) fn new() -> Self {
        let takes = Duration::from_secs(2);
        Self(FakeRuntime::new().remote_image("far:1", takes, Script::new()))
    }
}

impl Harness for Fakes {
    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.clone())
    }

    fn container(&self, name: &str, program: &Program) -> CreateContainer {
        let image = format!("{program:?}");
        let script = match program {
            // It depends on what it is given, which a script does not know.
            Program::ShowsEnvironment => Script::new()
                .writes(Duration::ZERO, Stream::Stdout, "A=one two")
                .writes(Duration::ZERO, Stream::Stdout, "B==")
                .exits_after(Duration::ZERO, 0),
            _ => script(program),
        };
        let _ = self.0.clone().image(image.as_str(), script);
        CreateContainer::new(name, image).command(["fake"])
    }

    fn remote_image(&self) -> Option<String> {
        Some("far:1".into())
    }

    fn left_behind(&self) -> Vec<String> {
        if self.0.is_empty() { Vec::new() } else { vec!["something on the fake host".into()] }
    }
}

fn script(program: &Program) -> Script {
    let soon = Duration::from_millis(1);
    let script = Script::new().takes(100, 1 << 20).on_exec(["cat"], Reply::echoes()).on_exec(
        ["sh", "-c", "echo out; echo err >&2; exit 3"],
        Reply::exits(3).writes(Stream::Stdout, "out\n").writes(Stream::Stderr, "err\n"),
    );
    match program {
        Program::Exits(code) => script.exits_after(soon, *code),
        Program::Dies(signal) => script.crashes_after(soon, *signal),
        Program::IgnoresTerm => script.ignores_term(),
        Program::EndsWith(code) => script.ends_within(soon, *code).writes(soon, Stream::Stdout, "ready"),
        Program::Writes(many) => (1..=*many)
            .fold(script, |script, number| {
                script.writes(soon, Stream::Stdout, format!("out {number}")).writes(
                    soon,
                    Stream::Stderr,
                    format!("err {number}"),
                )
            })
            .exits_after(soon, 0),
        Program::Ticks => (1..200).fold(script, |script, number| {
            script.writes(Duration::from_millis(100) * number, Stream::Stdout, format!("tick {number}"))
        }),
        Program::Echoes => script.echoes(),
        Program::Serves(port) => script.serves(*port),
        Program::Takes(mib) => script.takes(100, u64::from(*mib) << 20),
        Program::Missing => script.cannot_start("there is no such file"),
        Program::HasChild | Program::LeavesChild => script.writes(soon, Stream::Stdout, "child"),
        _ => script,
    }
}

runtime_conformance!(virtual time, crate::Fakes::new());
