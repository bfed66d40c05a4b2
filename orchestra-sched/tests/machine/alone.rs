//! The scheduler as a function: what it asks for, given what it is shown and answered.

use orchestra_core::client::read;
use orchestra_core::kinds::{Event, Pod, PodGroup, PodGroupPhase};
use orchestra_core::object::{Conditions, Resource};
use orchestra_sched::Ledger;

use crate::desk::{Desk, Fate, crowd};
use crate::scene::{SECOND, pod};

#[test]
fn many_are_bound_in_one_transaction() {
    let mut desk = crowd(200, 10);
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.iter().sum::<usize>()), (0, 200));
    assert!(desk.bound.len() <= 4, "{:?}", desk.bound);
    for pod in desk.pods() {
        assert!(pod.status.conditions.is_true("PodScheduled"), "{:?}", pod.status);
        assert_eq!(pod.metadata.generation, 2);
    }
    // The ledgers say what is taken.
    for ledger in desk.cache.list::<Ledger>() {
        let there = desk.pods().iter().filter(|pod| pod.spec.node_name == *ledger.name()).count() as i64;
        let taken = ledger.spec.taken.get("pods").and_then(|pods| pods.milli_value());
        assert_eq!(taken, Some(there * 1000), "{}", ledger.name());
    }
    assert_eq!(desk.cache.list::<Ledger>().count(), 10);
}

#[test]
fn after_a_conflict_all_are_bound_all_the_same() {
    let mut desk = crowd(200, 10);
    desk.fates = vec![Fate::Conflict, Fate::Conflict];
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.iter().sum::<usize>()), (0, 200));
    assert!(desk.bound[0] < 50, "the next ones are smaller: {:?}", desk.bound);
}

#[test]
fn what_became_of_a_lost_answer_is_looked_up() {
    for fate in [Fate::Unknown, Fate::Lost] {
        let mut desk = crowd(20, 2);
        desk.fates = vec![fate];
        desk.settle();
        assert_eq!((desk.waiting(), desk.bound.iter().sum::<usize>()), (0, 20), "each is bound once");
        assert!(desk.reaches > 0, "the store was asked how far it is");
    }
}

#[test]
fn who_fits_nowhere_is_told_why_and_told_once() {
    let mut desk = crowd(1, 3);
    (0..5).for_each(|number| desk.apply(pod(&format!("big-{number}"), 20_000)));
    desk.settle();
    let why = "0/3 nodes are available: 3 Insufficient cpu.";
    let big: Pod = desk.cache.get::<Pod>("default", "big-0").unwrap().clone();
    let condition = big.status.conditions.condition("PodScheduled").unwrap();
    assert_eq!(condition.to_string(), format!("PodScheduled=False (Unschedulable: {why})"));
    assert_eq!(desk.waiting(), 5);
    let listing = desk
        .state
        .list(&orchestra_core::client::scope_of(&Event::KIND), &orchestra_core::store::Page::first());
    let events: Vec<Event> = listing.unwrap().entries.iter().map(|it| read(it).unwrap()).collect::<Vec<_>>();
    assert!(
        events.iter().any(|it| it.spec.reason == "FailedScheduling" && it.spec.message == why),
        "{events:?}"
    );

    let quiet = desk.state.revision();
    for _ in 0..10 {
        desk.now += SECOND * 61;
        desk.settle();
    }
    assert_eq!(desk.state.revision(), quiet, "nothing has changed, and nothing is written");
    // There is room now.
    desk.node("huge", 100);
    desk.settle();
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn others_pods_and_pods_that_are_held_back_are_left_alone() {
    let mut desk = crowd(0, 3);
    desk.apply(pod("theirs", 100).set("spec.schedulerName", "theirs"));
    desk.apply(pod("gated", 100).set("spec.schedulingGates", serde_json::json!([{"name": "wait"}])));
    desk.apply(pod("ours", 100));
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.clone()), (2, vec![1]));
}

#[test]
fn a_gang_that_no_transaction_can_hold_is_bound_one_by_one_and_then_admitted() {
    let mut desk = crowd(0, 70);
    desk.apply(PodGroup::new("wide").min_member(70));
    for number in 0..69 {
        desk.apply(pod(&format!("wide-{number}"), 9_000).set("spec.orchestra.podGroup", "wide"));
    }
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.len()), (69, 0), "one is missing");
    let told = |desk: &Desk| desk.cache.get::<PodGroup>("default", "wide").unwrap().status.clone();
    assert_eq!(told(&desk).phase, PodGroupPhase::Pending);
    desk.apply(pod("wide-69", 9_000).set("spec.orchestra.podGroup", "wide"));
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.iter().sum::<usize>()), (0, 70));
    assert!(desk.bound.len() > 1, "{:?}", desk.bound);
    assert_eq!((told(&desk).phase, told(&desk).scheduled), (PodGroupPhase::Scheduled, 70));
}

#[test]
fn a_gang_that_is_bound_in_part_for_too_long_is_undone() {
    let mut desk = crowd(0, 4);
    desk.apply(PodGroup::new("odd").min_member(3).schedule_timeout("30s"));
    for number in 0..3 {
        desk.apply(pod(&format!("odd-{number}"), 9_000).set("spec.orchestra.podGroup", "odd"));
    }
    // Who was there before has bound one of it, and the others do not fit any more.
    desk.apply_as("other", Pod::new("odd-0").set("spec.nodeName", "node-0"));
    (1..4).for_each(|number| {
        desk.apply(pod(&format!("there-{number}"), 5_000).set("spec.nodeName", format!("node-{number}")));
    });
    desk.settle();
    assert_eq!(desk.waiting(), 2);
    desk.now += SECOND * 31;
    desk.settle();
    assert_eq!(desk.waiting(), 3, "all of it waits again");
    let group = desk.cache.get::<PodGroup>("default", "odd").unwrap();
    assert_eq!((group.status.phase, group.status.scheduled), (PodGroupPhase::Pending, 0));
    // When there is room, all of it comes, after a while.
    (4..8).for_each(|number| desk.node(&format!("node-{number}"), 10));
    desk.now += SECOND * 300;
    desk.settle();
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn two_gangs_that_hold_what_the_other_needs_do_not_wait_for_ever() {
    let mut desk = crowd(0, 4);
    let placed = |desk: &Desk, gang: &str| {
        let pods = desk.pods();
        pods.iter()
            .filter(|pod| pod.metadata.name.starts_with(gang) && !pod.spec.node_name.is_empty())
            .count()
    };
    for (at, gang) in ["red", "blue"].into_iter().enumerate() {
        desk.apply(PodGroup::new(gang).min_member(3).schedule_timeout("30s"));
        for number in 0..3 {
            let name = format!("{gang}-{number}");
            desk.apply(pod(&name, 9_000).set("spec.orchestra.podGroup", gang));
            if number < 2 {
                desk.apply_as(
                    "other",
                    Pod::new(name).set("spec.nodeName", format!("node-{}", 2 * at + number)),
                );
            }
        }
    }
    desk.settle();
    assert_eq!([placed(&desk, "red"), placed(&desk, "blue")], [2, 2]);
    for _ in 0..60 {
        desk.now += SECOND * 5;
        desk.settle();
    }
    let mut both = [placed(&desk, "red"), placed(&desk, "blue")];
    both.sort_unstable();
    assert_eq!(both, [0, 3], "one has all that it needs, and the other holds nothing");
}
