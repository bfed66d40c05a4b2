//! Placers decide about all whose turn it is, and are believed what is so.

use orchestra_core::kinds::Pod;
use orchestra_core::object::Apply;
use orchestra_sched::{
    Cluster, Decider, Decision, Greedy, Packer, Placer, PodView, Profile, QueueShare, Scheduler,
};
use orchestra_sim::Faults;
use serde_json::json;

use crate::desk::Desk;
use crate::scene::{SECOND, all_who_fit_are_bound, busy, pod, scene, scheduler, with_nodes};
use crate::{passes, seeds};

fn packing() -> Scheduler {
    let profile = || Profile::default().named("packing");
    scheduler().profile(profile()).placer("packing", Packer::new(profile()))
}

fn packed(name: &str, cpu: i64) -> Apply<Pod> {
    pod(name, cpu).set("spec.schedulerName", "packing")
}

/// Two nodes, and pods that fit all only if the large ones do not go where they come first.
fn tight(desk: &mut Desk, make: fn(&str, i64) -> Apply<Pod>) -> usize {
    for (number, cpu) in [2, 2, 2, 3, 3].into_iter().enumerate() {
        desk.apply(make(&format!("pod-{number}"), cpu * 1000));
    }
    desk.node("node-0", 6);
    desk.node("node-1", 6);
    desk.settle();
    desk.waiting()
}

#[test]
fn a_whole_batch_is_packed_where_one_by_one_leaves_somebody_out() {
    let mut desk = Desk::new(packing());
    assert_eq!((tight(&mut desk, packed), desk.bound.iter().sum::<usize>()), (0, 5));
    assert!(tight(&mut Desk::new(packing()), pod) > 0, "the default profile has no placer");
}

#[test]
fn quotas_hold_for_a_batch() {
    let mut desk = Desk::new(packing());
    desk.apply(QueueShare::new("batch").set("spec.quota", json!({"cpu": "5"})));
    assert_eq!(tight(&mut desk, |name, cpu| packed(name, cpu).set("spec.orchestra.queue", "batch")), 3);
    assert!(desk.pods().iter().any(|it| desk.why(&it.metadata.name).contains("over its quota of cpu")));
}

/// What a placer can do wrong.
#[derive(Clone, Copy)]
enum Wrong {
    Panics,
    TooMuch,
    NotAssumed,
    TooFewAnswers,
}

/// Does one thing wrong the first time, and then places one by one.
struct Bad(Option<Wrong>, Decider);

impl Placer for Bad {
    fn name(&self) -> &'static str {
        "Bad"
    }

    fn place(&mut self, batch: &[PodView], cluster: &mut Cluster) -> Vec<Decision> {
        let Some(node) = cluster.node("node-0") else { return vec![Decision::NoFit; batch.len()] };
        let all = |_| Decision::Place { node, score: 0 };
        match self.0.take() {
            Some(Wrong::Panics) => {
                cluster.assume(&batch[0], node);
                panic!("out of ideas")
            }
            Some(Wrong::TooMuch) => {
                batch.iter().for_each(|pod| cluster.assume(pod, node));
                batch.iter().map(all).collect()
            }
            Some(Wrong::NotAssumed) => batch.iter().map(all).collect(),
            Some(Wrong::TooFewAnswers) => Vec::new(),
            None => Greedy::new(self.1.clone()).place(batch, cluster),
        }
    }
}

#[test]
fn a_bad_placer_gives_nothing_away_twice_and_loses_nobody() {
    let cases = [
        (Wrong::Panics, "placer Bad panicked: out of ideas"),
        (Wrong::TooMuch, "placer Bad put pod pod-0 on node-0, which lacks cpu"),
        (Wrong::NotAssumed, "placer Bad assumed something else of pod pod-0 than it decided"),
        (Wrong::TooFewAnswers, "placer Bad decided about 0 pods of 5"),
    ];
    for (wrong, why) in cases {
        let profile = Profile::default().named("packing");
        let bad = Bad(Some(wrong), Decider::new(profile.clone()));
        let mut desk = Desk::new(scheduler().profile(profile).placer("packing", bad));
        assert_eq!(tight(&mut desk, packed), 5, "{why}");
        assert_eq!(desk.why("pod-0"), format!("PodScheduled=False (SchedulerError: {why})"));
        desk.now += SECOND * 11;
        desk.settle();
        assert!(desk.waiting() <= 1, "{why}: {} wait", desk.waiting());
    }
}

#[test]
fn nothing_is_given_away_twice_by_a_placer_whatever_goes_wrong() {
    let profile = || Profile::default();
    let with = move || scheduler().placer("default-scheduler", Packer::new(profile()));
    let simulation = with_nodes(scene(0).within(SECOND * 900).chaos_for(SECOND * 40), 4, 2)
        .users(1.0, busy)
        .goal(all_who_fit_are_bound)
        .part_with(with)
        .faults(Faults::everything());
    passes(simulation.search(0..seeds(5)));
}
