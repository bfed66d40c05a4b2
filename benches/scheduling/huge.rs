//! A million pods on 100,000 nodes in one process: how long it takes, and the most memory.

use std::time::{Duration, Instant};

use orchestra_core::kinds::Pod;
use orchestra_sched::{Cluster, Decider, Decision, PrioritySort, Profile, Queue};

use crate::harness::alloc::peak_of;
use crate::harness::{Bench, on_processor};
use crate::workload::{default, distinct, node};

const PODS: usize = 1_000_000;
const NODES: usize = 100_000;
const AT_ONCE: usize = 10_000;

pub(crate) fn measure(bench: &mut Bench) {
    for (case, pod) in [("huge/identical", default as fn(usize) -> Pod), ("huge/shapes-1000", shaped)] {
        if bench.wants(case) {
            let ((took, worked), peak) = peak_of(|| place_all(pod));
            bench.record(case, "s", vec![took.as_secs_f64()]);
            bench.record(&format!("{case}/on-core"), "s", worked.iter().map(Duration::as_secs_f64).collect());
            bench.record(&format!("{case}/peak"), "MiB", vec![peak as f64 / f64::from(1 << 20)]);
        }
    }
}

/// A pod of one of a thousand shapes.
fn shaped(number: usize) -> Pod {
    let mut pod = distinct(number % 1_000);
    pod.metadata.name = format!("pod-{number}").into();
    pod
}

/// The time that placing took, without making nodes and pods, and how much of it the thread was on a processor.
fn place_all(pod: fn(usize) -> Pod) -> (Duration, Option<Duration>) {
    let mut cluster = Cluster::seeded(1);
    for number in 0..NODES {
        cluster.set_node(&node(number));
    }
    let mut decider = Decider::new(Profile::default());
    let mut queue = Queue::new(PrioritySort);
    let (mut spent, mut worked) = (Duration::ZERO, Some(Duration::ZERO));
    for from in (0..PODS).step_by(AT_ONCE) {
        let pods: Vec<_> = (from..from + AT_ONCE).map(pod).collect();
        let (before, begun) = (on_processor(), Instant::now());
        for pod in &pods {
            let view = cluster.view(pod);
            queue.push(view, Duration::ZERO);
        }
        while let Some((ticket, view)) = queue.pop(Duration::ZERO) {
            assert!(matches!(decider.place(&mut cluster, view), Decision::Place { .. }), "there is room");
            queue.remove(ticket);
        }
        spent += begun.elapsed();
        let work = on_processor().zip(before).map(|(now, before)| now - before);
        worked = worked.zip(work).map(|(worked, work)| worked + work);
    }
    assert_eq!(cluster.pods(), PODS);
    (spent, worked)
}
