//! How many pods a second find their node.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "harness/mod.rs"]
mod harness;
#[path = "scheduling/whole.rs"]
mod whole;
#[path = "scheduling/workload.rs"]
mod workload;

use std::time::{Duration, Instant};

use harness::Bench;
use orchestra_core::kinds::Pod;
use orchestra_sched::{Cluster, Decider, Decision, Profile};
use workload::Workload;

fn main() -> std::io::Result<()> {
    let mut bench = Bench::from_args("scheduling");
    for nodes in [500, 5_000, 50_000] {
        for workload in workload::ALL {
            algo(&mut bench, workload, nodes);
        }
    }
    whole::all(&mut bench);
    bench.finish()
}

/// Decisions in process: a pod arrives, finds its class, is decided for, and takes its place.
fn algo(bench: &mut Bench, workload: &Workload, nodes: usize) {
    let case = format!("algo/{}/{nodes}", workload.name);
    if !bench.wants(&case) {
        return;
    }
    let length = Duration::from_millis(if bench.is_quick() { 300 } else { 2_000 });
    let mut cluster = Cluster::seeded(1);
    (0..nodes).for_each(|number| {
        cluster.set_node(&workload::node(number));
    });
    let mut decider = Decider::new(Profile::default());
    for number in 0..(workload.before)(nodes) {
        place(&mut decider, &mut cluster, &(workload.old)(number));
    }
    let mut number = nodes;
    let mut samples = Vec::new();
    for _ in 0..3 {
        let (mut spent, mut done) = (Duration::ZERO, 0);
        while spent < length {
            let batch: Vec<_> = (0..1_000).map(|at| (workload.new)(number + at)).collect();
            number += batch.len();
            let start = Instant::now();
            let placed = batch.iter().filter(|pod| place(&mut decider, &mut cluster, pod)).count();
            spent += start.elapsed();
            done += batch.len();
            let is_full = placed < batch.len() && workload.fits;
            // Cleared well before nothing fits any more.
            if is_full
                || cluster.pods() > nodes * 20
                || (workload.name == "PodAntiAffinity" && cluster.pods() > nodes / 10 * 9)
            {
                for pod in nodes..number {
                    cluster.remove_pod("default", &format!("pod-{pod}"));
                }
                number = nodes;
            }
        }
        samples.push(f64::from(done as u32) / spent.as_secs_f64());
    }
    bench.record(&case, "1/s", samples);
}

fn place(decider: &mut Decider, cluster: &mut Cluster, pod: &Pod) -> bool {
    let view = cluster.view(pod);
    match decider.decide(cluster, &view) {
        Decision::Place { node, .. } => {
            cluster.assume(&view, node);
            true
        }
        Decision::NoFit | Decision::Gated => false,
    }
}
