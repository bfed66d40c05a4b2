//! How fast a simulation runs.

use std::time::{Duration, Instant};

use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::object::{Kind, Object, Spec};
use orchestra_sim::{Failure, Faults, Simulation, Truth};
use serde::{Deserialize, Serialize};

use crate::harness::{Bench, alloc};

/// Something that is counted up, a commit each time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct CounterSpec {
    upto: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct CounterStatus {
    count: u32,
}

impl Spec for CounterSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Counter");
    type Status = CounterStatus;
}
type Counter = Object<CounterSpec>;

const UPTO: u32 = 100;

/// Simulates, and says how many commits there were.
type Simulate = dyn Fn() -> Result<u64, Box<Failure>>;

fn count(counter: &Counter, _: &View<'_>) -> Plan {
    let count = (counter.status.count + 1).min(counter.spec.upto);
    Plan::new().status(counter, CounterStatus { count })
}

fn counters(many: u32) -> Simulation {
    Simulation::seeded(1)
        .controller(Controller::new("count", count).in_flight(64))
        .at(Duration::ZERO, move |user| {
            (0..many).try_for_each(|number| {
                user.apply(Counter::new(format!("counter-{number}")).spec(CounterSpec { upto: UPTO }))
            })
        })
        .goal(move |truth: &Truth| {
            let done = |counter: &Counter| counter.status.count == UPTO;
            // The last one is done last, or nearly so: all are looked at only then.
            truth.get::<Counter>("", "counter-0").is_some_and(|counter| done(&counter))
                && truth.list::<Counter>().iter().all(|counter| done(counter))
        })
}

/// Simulated commits a second of real time: of a search through seeds, on all cores, and of single runs, with one
/// machine and with two of which one leads.
#[allow(clippy::disallowed_methods)] // measuring is what clocks are for
pub(crate) fn commits(bench: &mut Bench) {
    let (runs, many) = if bench.is_quick() { (3, 100) } else { (7, 500) };
    let alone = move || counters(many).without_election();
    let elected = move || counters(many).faults(Faults::none());
    let of_search = move || alone().search(0..8).map(|all| all.commits).map_err(Box::new);
    let of_one = move || alone().run().map(|ran| ran.commits).map_err(Box::new);
    let of_elected = move || elected().run().map(|ran| ran.commits).map_err(Box::new);
    let cases: [(_, &Simulate); 3] = [
        ("sim/commits", &of_search),
        ("sim/commits/one-run", &of_one),
        ("sim/commits/one-run/elected", &of_elected),
    ];
    for (case, simulate) in cases {
        if !bench.wants(case) {
            continue;
        }
        let mut rates = Vec::new();
        for _ in 0..runs {
            let start = Instant::now();
            // Counting what is allocated would take a tenth of the time.
            let commits = match alloc::uncounted(simulate) {
                Ok(commits) => commits,
                Err(failure) => {
                    eprintln!("{failure}");
                    std::process::exit(1);
                }
            };
            rates.push(commits as f64 / start.elapsed().as_secs_f64());
        }
        bench.record(case, "1/s", rates);
    }
}
