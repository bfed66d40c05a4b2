//! How many pods a second find their node.
//!
//! `algo/WORKLOAD/NODES`: pods of kubernetes' scheduler_perf, in process, each through the queue, its class,
//! the decision and the place that it takes; all nodes considered, by the default profile. Beside each rate
//! stand the same by the time that the thread was on a processor (`per-core`; what else the machine does is no
//! part of it), the 99th percentile, how many pods were there beforehand, and how many decisions the slow model
//! of the tests made again: a single other node or score fails the bench.
//!
//! `memory/WORKLOAD/NODES`, `disk/WORKLOAD/NODES`: the same from end to end. The pods that are there beforehand are put
//! into the store with the nodes that they are on.
//!
//! With `--quick` and no case named, 500 nodes only.
//!
//! `huge/…`: a million pods on 100,000 nodes: seconds, those of them on a processor, and the most memory; not
//! with `--quick`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "scheduling/algo.rs"]
mod algo;
#[path = "scheduling/check.rs"]
mod check;
#[path = "harness/mod.rs"]
mod harness;
#[path = "scheduling/huge.rs"]
mod huge;
#[path = "scheduling/mirror.rs"]
mod mirror;
#[path = "../orchestra-sched/tests/model/mod.rs"]
mod model;
#[path = "scheduling/whole.rs"]
mod whole;
#[path = "scheduling/workload.rs"]
mod workload;

use harness::Bench;
use harness::alloc::{Counting, uncounted};
use harness::plot::Plot;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NODES: [usize; 3] = [500, 5_000, 50_000];

/// So many nodes; the fewest only, where all cases are to be measured quickly.
fn sizes(bench: &Bench) -> &'static [usize] {
    if bench.is_quick() && !bench.is_picked() { &NODES[..1] } else { &NODES }
}

fn main() -> std::io::Result<()> {
    let mut bench = Bench::from_args("scheduling");
    let mut filling = Vec::new();
    uncounted(|| {
        for nodes in sizes(&bench).iter().copied() {
            for workload in workload::ALL {
                let curve = algo::measure(&mut bench, workload, nodes);
                if nodes == 5_000 && !curve.is_empty() {
                    filling.push((workload.name.to_owned(), curve));
                }
            }
        }
    });
    whole::all(&mut bench);
    if !bench.is_quick() {
        huge::measure(&mut bench);
    }
    let up = "microseconds a decision (both axes are logarithmic)";
    let curves = workload::ALL.iter().map(|workload| {
        let cost =
            |nodes: usize| bench.value(&format!("algo/{}/{nodes}", workload.name)).map(|rate| 1e6 / rate);
        let points = NODES.into_iter().filter_map(|nodes| Some((nodes as f64, cost(nodes)?)));
        (workload.name.to_owned(), points.collect())
    });
    let title = "What a decision costs, against nodes".into();
    bench.plot("nodes", &Plot { title, across: "nodes", up, curves: curves.collect() })?;
    let title = "What a decision costs as 5,000 nodes fill up".into();
    bench.plot("pods", &Plot { title, across: "pods", up, curves: filling })?;
    bench.finish()
}
