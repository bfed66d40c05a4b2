//! The scheduler as a function: what it asks for, given what it is shown and answered.

use std::time::Duration;

use orchestra_core::client::{By, Change, ObjectName};
use orchestra_core::client::{Policy, prepare, read};
use orchestra_core::clock::SeededIds;
use orchestra_core::control::perform::{Ask, Next, Performance, Said};
use orchestra_core::control::post::{Input, Output, Settings};
use orchestra_core::control::{Cache, Now, Post};
use orchestra_core::kinds::{Event, Node, Pod, PodGroup, PodGroupPhase};
use orchestra_core::object::{Apply, Conditions, MicroTime, Model, Resource, Revision, Timestamp, Uid};
use orchestra_core::store::state::{HistoryLimits, State};
use orchestra_core::store::{CommitError, Limits, Txn};
use orchestra_sched::{Ledger, Scheduler};

use crate::scene::{SECOND, amounts, pod, scheduler};

/// A store, a cache and a scheduler, without anything between them.
struct Desk {
    state: State,
    cache: Cache,
    post: Post,
    now: Duration,
    ids: SeededIds,
    /// What befalls the next commits.
    fates: Vec<Fate>,
    /// How many pods each transaction bound that was committed.
    bound: Vec<usize>,
    reaches: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// Somebody changes the first pod of it just before.
    Conflict,
    /// It takes effect, and nobody is told.
    Unknown,
    /// It is lost on its way.
    Lost,
}

impl Desk {
    fn new(scheduler: Scheduler) -> Self {
        let settings = Settings { seat: 1, in_flight: 4, limits: Limits::DEFAULT, elected: false };
        let (post, outputs) = Post::new(Box::new(scheduler), settings);
        let mut cache = Cache::new();
        for output in outputs {
            let Output::Need(needs) = output else { panic!("{output:?}") };
            for need in &needs {
                assert!(cache.subscribe(need.watched()));
            }
        }
        let state = State::new(HistoryLimits::default());
        let (ids, fates, bound) = (SeededIds::new(7), Vec::new(), Vec::new());
        Self { state, cache, post, now: SECOND, ids, fates, bound, reaches: 0 }
    }

    fn now(&self) -> Now {
        Now::new(MicroTime::from_unix_micros(self.now.as_micros() as i64), self.now)
    }

    fn apply<R: Resource>(&mut self, fields: Apply<R>) {
        self.apply_as("user", fields);
    }

    fn apply_as<R: Resource>(&mut self, manager: &str, fields: Apply<R>) {
        let by = By { manager: manager.into(), now: Timestamp::from_unix(1), uid: Uid::from("user-made") };
        let change = Change::apply(Model::of::<R>(), fields.fields().unwrap(), true, by).unwrap();
        self.make(&change);
    }

    fn node(&mut self, name: &str, cpu: i64) {
        self.apply(Node::new(name.to_owned()));
        let fields = Node::new(name.to_owned()).set("status.allocatable", amounts(cpu)).fields().unwrap();
        let by = By { manager: "agent".into(), now: Timestamp::from_unix(1), uid: Uid::default() };
        self.make(&Change::apply(Model::of::<Node>(), fields, true, by).unwrap().of_status());
    }

    fn make(&mut self, change: &Change) {
        let entry = self.state.get(&change.key()).cloned();
        let prepared = prepare(change, entry.as_deref(), &Policy::open()).unwrap();
        self.commit(prepared.txn).unwrap();
    }

    /// It is committed, and the scheduler is shown it.
    fn commit(&mut self, txn: Txn) -> Result<Revision, CommitError> {
        let before = self.state.revision();
        let revision = self.state.commit(txn)?;
        if revision > before {
            let batch = self.state.history().get(revision).unwrap().clone();
            let changes = self.cache.apply(&batch);
            let outputs = self.post.handle(self.now(), Input::Changed(&changes));
            self.perform(outputs);
        }
        Ok(revision)
    }

    /// Everything is done that is to be done now.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let now = self.now();
            if self.post.due(now).is_none_or(|due| due > now.elapsed) {
                return;
            }
            let outputs = self.post.handle(now, Input::Turn(&self.cache, &Policy::open()));
            self.perform(outputs);
        }
        panic!("it never rests");
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let input = match output {
                Output::Need(_) | Output::Deposed => continue,
                Output::Read(id, keys) => {
                    let found = keys.iter().map(|key| self.state.get(key).cloned()).collect();
                    Input::Said(id, Said::Entries(Ok(found)))
                }
                Output::Commit(id, txn) => Input::Said(id, Said::Commit(self.bind(txn))),
                Output::Perform(job) => {
                    let mut performance = Performance::new(job, None);
                    let mut next = performance.start();
                    let done = loop {
                        let said = match next {
                            Next::Done(done) => break done,
                            Next::Ask(Ask::Get(keys)) => Said::Entries(Ok(keys
                                .iter()
                                .map(|key| self.state.get(key).cloned())
                                .collect())),
                            Next::Ask(Ask::Commit(txn)) => Said::Commit(self.commit(txn)),
                        };
                        next = performance.told(said, self.now(), &self.ids, &Policy::open());
                    };
                    Input::Done(done)
                }
                Output::Reach(_) => {
                    self.reaches += 1;
                    Input::Reached(true)
                }
            };
            let outputs = self.post.handle(self.now(), input);
            self.perform(outputs);
        }
    }

    fn bind(&mut self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check(&Limits::DEFAULT)?;
        let pods = txn.writes().iter().filter(|write| write.key().starts_with(b"/pods/")).count();
        let lost = Err(CommitError::Unknown { reason: "the answer was lost".into() });
        match if self.fates.is_empty() { None } else { Some(self.fates.remove(0)) } {
            Some(Fate::Conflict) => {
                let key = txn.writes()[0].key().clone();
                let name = ObjectName::of_key(Pod::KIND, &key).unwrap();
                self.apply_as("other", Pod::new(name.name().clone()).annotation("seen", "yes"));
                let refused = self.commit(txn);
                assert!(refused.as_ref().is_err_and(CommitError::is_conflict), "{refused:?}");
                refused
            }
            Some(Fate::Unknown) => {
                self.bound.push(pods);
                self.commit(txn).unwrap();
                lost
            }
            Some(Fate::Lost) => lost,
            None => {
                self.bound.push(pods);
                self.commit(txn)
            }
        }
    }

    fn pods(&self) -> Vec<&Pod> {
        self.cache.list::<Pod>().collect()
    }

    fn waiting(&self) -> usize {
        self.pods().iter().filter(|pod| pod.spec.node_name.is_empty()).count()
    }
}

fn crowd(pods: usize, nodes: usize) -> Desk {
    let mut desk = Desk::new(scheduler());
    (0..nodes).for_each(|number| desk.node(&format!("node-{number}"), 10));
    (0..pods).for_each(|number| desk.apply(pod(&format!("pod-{number}"), 100)));
    desk
}

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
