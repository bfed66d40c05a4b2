//! [`Counters`]: what a manager has done, as numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::control::Report;
use crate::control::kernel::Kernel;
use crate::object::Revision;

/// What a manager has done so far, and how it stands. With the feature `metrics` the same numbers go to
/// the facade of the `metrics` crate, their names beginning with `orchestra_control_`.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) commits: AtomicU64,
    looks: AtomicU64,
    turns: AtomicU64,
    nanos: AtomicU64,
    depth: AtomicU64,
    in_flight: AtomicU64,
    objects: AtomicU64,
    revision: AtomicU64,
    events_dropped: AtomicU64,
    held_back: AtomicU64,
    troubles: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// How many transactions were committed for plans.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How often an object was looked at.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// How long looks took altogether.
    #[must_use]
    pub fn looking(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    /// How many objects wait to be looked at.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// How many jobs are under way.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The revision that the cache showed at the last look.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Relaxed))
    }

    /// How many events were not told because there were too many.
    #[must_use]
    pub fn events_dropped(&self) -> u64 {
        self.events_dropped.load(Ordering::Relaxed)
    }

    /// How often there was something to look at, but as much under way as may be.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }

    /// How often something went wrong, by the [name](crate::control::Trouble::name) of what it was.
    #[must_use]
    pub fn trouble(&self, name: &str) -> u64 {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.get(name).copied().unwrap_or(0)
    }

    pub(super) fn report(&self, report: &Report) {
        let name = report.trouble.name();
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        *troubles.entry(name).or_default() += 1;
        #[cfg(feature = "metrics")]
        metrics::counter!("orchestra_control_troubles", "controller" => report.controller.to_string(), "what" => name)
            .increment(1);
    }

    pub(super) fn turned(&self, kernel: &Kernel, revision: Revision, took: Duration) {
        let looks = kernel.looks();
        let more = looks - self.looks.swap(looks, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.depth.store(kernel.depth() as u64, Ordering::Relaxed);
        self.in_flight.store(kernel.in_flight() as u64, Ordering::Relaxed);
        self.objects.store(kernel.len() as u64, Ordering::Relaxed);
        self.revision.store(revision.0, Ordering::Relaxed);
        let held_back = kernel.held_back() - self.held_back.swap(kernel.held_back(), Ordering::Relaxed);
        let dropped =
            kernel.events_dropped() - self.events_dropped.swap(kernel.events_dropped(), Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        {
            metrics::counter!("orchestra_control_looks").increment(more);
            metrics::gauge!("orchestra_control_queue_depth").set(kernel.depth() as f64);
            metrics::gauge!("orchestra_control_in_flight").set(kernel.in_flight() as f64);
            metrics::gauge!("orchestra_control_view_revision").set(revision.0 as f64);
            metrics::counter!("orchestra_control_limits_hit", "limit" => "in_flight").increment(held_back);
            metrics::counter!("orchestra_control_limits_hit", "limit" => "events").increment(dropped);
            if more > 0 {
                metrics::histogram!("orchestra_control_look_seconds")
                    .record(took.as_secs_f64() / more as f64);
            }
        }
        #[cfg(not(feature = "metrics"))]
        let _ = (more, held_back, dropped);
    }
}
