//! [`Story`]: what happened lately, to be told when something fails.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use orchestra_core::control::Report;
use orchestra_core::object::Str;
use orchestra_core::store::{Batch, Key};

use super::injector::Firing;

/// What happened lately. It is put into words only when somebody asks.
#[derive(Default)]
pub(crate) struct Story {
    lately: VecDeque<Told>,
}

struct Told {
    step: u64,
    at: Duration,
    who: Option<Str>,
    what: What,
}

/// Something that happened.
pub(crate) enum What {
    Started,
    Crashed,
    Resumed,
    Leads(u64),
    LeadsNoMore,
    Committed(Arc<Batch>),
    Refused { key: Key },
    Fault(Firing),
    Healed,
    Called { handler: Str, key: Str },
    Reported(Box<Report>),
    Resynced,
}

impl Story {
    /// How much is remembered. More than that nobody reads, and what led to a failure is mostly near it.
    const LATELY: usize = 30;

    pub(crate) fn tell(&mut self, step: u64, at: Duration, who: Option<&Str>, what: What) {
        if self.lately.len() == Self::LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(Told { step, at, who: who.cloned(), what });
    }

    pub(crate) fn in_words(&self) -> Vec<String> {
        self.lately.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.as_ref().map_or("somebody", Str::as_str);
        write!(f, "step {:>5} {:>9.3} s  {who:<12} ", self.step, self.at.as_secs_f64())?;
        match &self.what {
            What::Started => f.write_str("starts, and remembers nothing"),
            What::Crashed => f.write_str("dies"),
            What::Resumed => f.write_str("goes on"),
            What::Leads(term) => write!(f, "leads, in term {term}"),
            What::LeadsNoMore => f.write_str("leads no more"),
            What::Committed(batch) => {
                write!(f, "commits revision {}:", batch.revision)?;
                for (at, event) in batch.events.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    let verb = match event {
                        event if event.is_deletion() => "deletes",
                        event if event.is_creation() => "creates",
                        _ => "changes",
                    };
                    write!(f, "{comma} {verb} {}", event.key)?;
                }
                Ok(())
            }
            What::Refused { key } => write!(f, "is refused a commit: {key} is not as it was"),
            What::Fault(firing) => write!(f, "meets {}: {}", firing.fault, firing.in_words()),
            What::Healed => f.write_str("sees to it that nothing goes wrong any more"),
            What::Called { handler, key } => write!(f, "calls {handler} with the key {key}"),
            What::Reported(report) => write!(f, "reports: {report}"),
            What::Resynced => f.write_str("is told to list again"),
        }
    }
}
