//! Decisions in process: a pod arrives, waits its turn, is decided for, and takes its place.

use std::time::{Duration, Instant};

use orchestra_core::kinds::Pod;
use orchestra_core::object::Str;
use orchestra_sched::{
    Cluster, Decider, Decision, LeastImportant, PodView, Preempt, PrioritySort, Profile, Queue, Ticket,
    Together, Victim, all_or_none,
};

use crate::check::Checker;
use crate::harness::{Bench, Random, on_processor, percentile};
use crate::workload::{How, Workload, node};

/// What a case is measured on. It is cleared by starting again from a copy.
#[derive(Clone)]
struct Stage {
    cluster: Cluster,
    decider: Decider,
    preempt: LeastImportant,
}

/// What happened, in order.
pub(crate) enum Step {
    Decided(Str, Decision),
    /// These had to go.
    Gone(Vec<Victim>),
    /// These were taken off again: their gang did not fit.
    Undone(Vec<PodView>),
}

/// Pods that are measured at a time.
const BATCH: usize = 1_000;
/// Every so many batches one is measured pod by pod.
const LAPS_EVERY: usize = 4;

/// Measures a case and has it checked; gives what a decision cost with how many pods there.
pub(crate) fn measure(bench: &mut Bench, workload: &Workload, nodes: usize) -> Vec<(f64, f64)> {
    let case = format!("algo/{}/{nodes}", workload.name);
    if !bench.wants(&case) {
        return Vec::new();
    }
    let (start, mut checker) = prepare(workload, nodes);
    let first = (workload.before)(nodes);
    let length = Duration::from_millis(if bench.is_quick() { 100 } else { 800 });
    let room = (workload.room)(nodes);
    let (mut stage, mut number, mut batches) = (start.clone(), first, 0);
    let (mut rates, mut alone, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    let mut filling = Filling::default();
    for _ in 0..3 {
        let (mut spent, mut done, mut laps) = (Duration::ZERO, 0, Vec::new());
        let mut worked = Some(Duration::ZERO);
        while spent < length {
            if number - first + BATCH.min(room) > room {
                (stage, number) = (start.clone(), first);
                checker.clear();
            }
            let pods: Vec<_> = (0..BATCH.min(room)).map(|at| (workload.new)(number + at)).collect();
            number += pods.len();
            batches += 1;
            if batches % LAPS_EVERY == 0 {
                let steps = drive(&mut stage, workload.how, &pods, Some(&mut laps));
                checker.follow(&pods, steps);
                continue;
            }
            let before = on_processor();
            let begun = Instant::now();
            let steps = drive(&mut stage, workload.how, &pods, None);
            let took = begun.elapsed();
            let work = on_processor().zip(before).map(|(now, before)| now - before);
            worked = worked.zip(work).map(|(worked, work)| worked + work);
            spent += took;
            done += pods.len();
            filling.note(stage.cluster.pods(), took, pods.len());
            checker.follow(&pods, steps);
        }
        rates.push(done as f64 / spent.as_secs_f64());
        let worked = worked.filter(|worked| *worked > Duration::from_millis(20));
        alone.extend(worked.map(|worked| done as f64 / worked.as_secs_f64()));
        laps.sort_by(f64::total_cmp);
        tails.extend((!laps.is_empty()).then(|| percentile(&laps, 99.0)));
    }
    bench.record(&case, "1/s", rates);
    bench.record(&format!("{case}/per-core"), "1/s", alone);
    bench.record(&format!("{case}/p99-us"), "us", tails);
    bench.record(&format!("{case}/before"), "pods", vec![first as f64]);
    let checked = checker.check(&case);
    bench.record(&format!("{case}/checked"), "pods", vec![checked as f64]);
    filling.points()
}

fn prepare(workload: &Workload, nodes: usize) -> (Stage, Checker) {
    let mut cluster = Cluster::seeded(1);
    let mut random = Random(nodes as u64);
    let mut checker = Checker::default();
    for number in 0..nodes {
        let node = node(number);
        let id = cluster.set_node(&node);
        // No two are equal.
        let rank = random.next() << 20 | number as u64;
        cluster.set_rank(id, rank);
        checker.add(id, node, rank);
    }
    let mut decider = Decider::new(Profile::default());
    for number in 0..(workload.before)(nodes) {
        let pod = (workload.old)(number);
        let view = cluster.view(&pod);
        let decision = decider.place(&mut cluster, &view);
        assert!(
            matches!(decision, Decision::Place { .. }),
            "there is room for those who are there beforehand"
        );
        checker.place(&pod, decision);
    }
    (Stage { cluster, decider, preempt: LeastImportant::default() }, checker)
}

/// Has pods wait for their turns, and decides about each.
fn drive(stage: &mut Stage, how: How, pods: &[Pod], mut laps: Option<&mut Vec<f64>>) -> Vec<Step> {
    let mut queue = Queue::new(PrioritySort);
    let mut steps = Vec::with_capacity(pods.len() * 2);
    for (at, pod) in pods.iter().enumerate() {
        let view = stage.cluster.view(pod);
        queue.push(view, Duration::from_micros(at as u64));
    }
    let now = Duration::from_millis(1);
    loop {
        let begun = laps.is_some().then(Instant::now);
        let many = match how {
            How::Together(size) => together(stage, &mut queue, now, size, &mut steps),
            _ => usize::from(alone(stage, &mut queue, now, how, &mut steps)),
        };
        if many == 0 {
            return steps;
        }
        if let (Some(begun), Some(laps)) = (begun, &mut laps) {
            laps.push(begun.elapsed().as_secs_f64() * 1e6 / many as f64);
        }
    }
}

/// Decides about the pod whose turn it is.
fn alone(stage: &mut Stage, queue: &mut Queue, now: Duration, how: How, steps: &mut Vec<Step>) -> bool {
    let Some((ticket, view)) = queue.pop(now) else { return false };
    let decision = stage.decider.place(&mut stage.cluster, view);
    steps.push(Step::Decided(view.name().clone(), decision));
    if matches!(decision, Decision::Place { .. }) {
        queue.remove(ticket);
        return true;
    }
    let evicted = match how {
        How::Preempting => stage.preempt.preempt(stage.decider.profile(), &mut stage.cluster, view),
        _ => None,
    };
    let Some(eviction) = evicted else {
        queue.block(ticket);
        return true;
    };
    let (class, view) = (view.class(), view.clone());
    stage.cluster.nominate(&view, eviction.node);
    for victim in &eviction.victims {
        stage.cluster.remove_pod(&victim.namespace, &victim.name);
    }
    steps.push(Step::Gone(eviction.victims));
    queue.block(ticket);
    queue.wake(class);
    true
}

/// Decides about the gang whose turn it is, and tells how many it has.
fn together(
    stage: &mut Stage,
    queue: &mut Queue,
    now: Duration,
    size: usize,
    steps: &mut Vec<Step>,
) -> usize {
    let mut members: Vec<(Ticket, PodView)> = Vec::with_capacity(size);
    while members.len() < size
        && let Some((ticket, view)) = queue.pop(now)
    {
        members.push((ticket, view.clone()));
    }
    let (tickets, views): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let decider = &mut stage.decider;
    let outcome = all_or_none(&mut stage.cluster, &views, views.len(), |cluster, pod| {
        let decision = decider.place(cluster, pod);
        steps.push(Step::Decided(pod.name().clone(), decision));
        decision
    });
    match outcome {
        Together::Placed(_) => tickets.iter().for_each(|ticket| drop(queue.remove(*ticket))),
        Together::TooFew { placed } => {
            steps.push(Step::Undone(views[..placed].to_vec()));
            tickets.iter().for_each(|ticket| queue.fail(*ticket, now));
        }
    }
    tickets.len()
}

/// What decisions cost, by how many pods there are.
#[derive(Default)]
struct Filling(std::collections::BTreeMap<usize, (f64, f64)>);

impl Filling {
    fn note(&mut self, pods: usize, took: Duration, many: usize) {
        // Four buckets for each doubling.
        let bucket = ((pods as f64).log2() * 4.0) as usize;
        let (spent, done) = self.0.entry(bucket).or_default();
        *spent += took.as_secs_f64() * 1e6;
        *done += many as f64;
    }

    fn points(&self) -> Vec<(f64, f64)> {
        let middle = |bucket: usize| ((bucket as f64 + 0.5) / 4.0).exp2();
        self.0.iter().map(|(bucket, (spent, done))| (middle(*bucket), spent / done)).collect()
    }
}
