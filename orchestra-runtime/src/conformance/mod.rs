//! The suite that every runtime must pass: what [`Runtime`] guarantees, one test a case.
//!
//! ```ignore
//! use orchestra_runtime::conformance::runtime_conformance;
//! runtime_conformance!(MyHarness::new());
//! ```
//!
//! That makes one `#[test]` of each case. What a case needs that the runtime [cannot do](crate::Capabilities) it says,
//! and is skipped, which is printed. What a case is there to catch is its [`fault`](Case::fault), and the first thing
//! that a failure says. The suite is itself tried on runtimes with one fault each, which must fail the case that names it.
//!
//! A case panics when it fails, as tests do: this module is for tests only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod containers;
mod events;
mod images;
mod logs;
mod program;
mod sandboxes;
mod sessions;
mod stopping;
mod survival;
mod table;
mod trial;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use program::Program;
pub use trial::Trial;

use crate::{Capability, CreateContainer, Runtime};

pub use crate::runtime_conformance;

/// A runtime under test, and what the suite cannot find out by way of [`Runtime`].
pub trait Harness: Send + Sync + 'static {
    /// The runtime.
    fn runtime(&self) -> Arc<dyn Runtime>;

    /// The same runtime, as an agent has it that was started anew: nothing of what the other one remembered is there.
    fn again(&self) -> Arc<dyn Runtime> {
        self.runtime()
    }

    /// A container whose program does this.
    fn container(&self, name: &str, program: &Program) -> CreateContainer {
        program.by_shell(name, self.image())
    }

    /// An image that is there and has a shell; empty where programs of the host are run.
    fn image(&self) -> &str {
        ""
    }

    /// The name of an image that can be pulled, and is not there yet.
    fn remote_image(&self) -> Option<String> {
        None
    }

    /// Whatever is left on the machine of what cases made, in words. Asked after each.
    fn left_behind(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One thing that a runtime must do.
pub struct Case {
    /// What it is about.
    pub family: &'static str,
    /// What must be so.
    pub name: &'static str,
    /// The fault that it is there to catch.
    pub fault: &'static str,
    /// What it needs that not every runtime can do.
    pub needs: &'static [Capability],
    body: fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it must be.
    Passed,
    /// The runtime says that it cannot do this.
    Skipped(Capability),
    /// What was seen that must not be.
    Failed(String),
}

/// How long a case may take: many times what the slowest takes on a daemon, so that only one that hangs is stopped.
pub const LIMIT: Duration = Duration::from_secs(120);

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    table::FAMILIES.iter().flat_map(|family| family.iter())
}

impl Case {
    /// The case with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        cases().find(|case| case.name == name)
    }

    /// Tries it, in a tokio runtime that has time.
    pub async fn run(&self, harness: Arc<dyn Harness>, limit: Duration) -> Outcome {
        let capabilities = harness.runtime().capabilities();
        if let Some(missing) = self.needs.iter().find(|it| !capabilities.has(**it)) {
            return Outcome::Skipped(*missing);
        }
        let trial = Trial::new(harness.clone(), self.name);
        let pods = trial.pods();
        let running = tokio::spawn((self.body)(trial));
        let stop = running.abort_handle();
        let reason = match tokio::time::timeout(limit, running).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(match error.try_into_panic() {
                Ok(payload) => said(&*payload),
                Err(error) => error.to_string(),
            }),
            Err(_) => {
                stop.abort();
                Some(format!("it was not done after {limit:?}"))
            }
        };
        let swept = trial::sweep(&*harness.runtime(), &pods).await;
        let left = harness.left_behind();
        let reason = reason
            .or(swept.err())
            .or_else(|| (!left.is_empty()).then(|| format!("something is left behind: {}", left.join(", "))));
        reason.map_or(Outcome::Passed, |reason| {
            Outcome::Failed(format!("{}::{} found {}: {reason}", self.family, self.name, self.fault))
        })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.family, self.name)
    }
}

fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it does not say why".into())
}

/// Tries one case in a tokio runtime of its own, and panics where it fails. What is skipped is printed.
#[doc(hidden)]
pub fn test(name: &str, harness: Arc<dyn Harness>, is_virtual: bool) {
    let case = Case::named(name).expect("the table has it");
    let mut builder = match is_virtual {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().expect("a tokio runtime");
    match runtime.block_on(case.run(harness, LIMIT)) {
        Outcome::Passed => {}
        Outcome::Skipped(capability) => println!("skipped: the runtime cannot {capability}"),
        Outcome::Failed(reason) => panic!("{reason}"),
    }
}
