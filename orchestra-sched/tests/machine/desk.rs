//! A scheduler as a function: a store, a cache and it, without anything between them.

use std::time::Duration;

use orchestra_core::client::{By, Change, ObjectName, Policy, prepare};
use orchestra_core::clock::SeededIds;
use orchestra_core::control::perform::{Ask, Next, Performance, Said};
use orchestra_core::control::post::{Input, Output, Settings};
use orchestra_core::control::{Cache, Now, Post};
use orchestra_core::kinds::{Node, Pod};
use orchestra_core::object::{Apply, Conditions, MicroTime, Model, Resource, Revision, Timestamp, Uid};
use orchestra_core::store::state::{HistoryLimits, State};
use orchestra_core::store::{CommitError, Limits, Txn};
use orchestra_sched::Scheduler;

use crate::scene::{SECOND, amounts, pod, scheduler};

/// A store, a cache and a scheduler, without anything between them.
pub(crate) struct Desk {
    pub(crate) state: State,
    pub(crate) cache: Cache,
    post: Post,
    pub(crate) now: Duration,
    ids: SeededIds,
    /// What befalls the next commits.
    pub(crate) fates: Vec<Fate>,
    /// How many pods each transaction bound that was committed.
    pub(crate) bound: Vec<usize>,
    pub(crate) reaches: usize,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// Somebody changes the first pod of it just before.
    Conflict,
    /// It takes effect, and nobody is told.
    Unknown,
    /// It is lost on its way.
    Lost,
}

impl Desk {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
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

    pub(crate) fn now(&self) -> Now {
        Now::new(MicroTime::from_unix_micros(self.now.as_micros() as i64), self.now)
    }

    pub(crate) fn apply<R: Resource>(&mut self, fields: Apply<R>) {
        self.apply_as("user", fields);
    }

    pub(crate) fn apply_as<R: Resource>(&mut self, manager: &str, fields: Apply<R>) {
        let by = By { manager: manager.into(), now: Timestamp::from_unix(1), uid: Uid::from("user-made") };
        let change = Change::apply(Model::of::<R>(), fields.fields().unwrap(), true, by).unwrap();
        self.make(&change);
    }

    pub(crate) fn node(&mut self, name: &str, cpu: i64) {
        self.apply(Node::new(name.to_owned()));
        let fields = Node::new(name.to_owned()).set("status.allocatable", amounts(cpu)).fields().unwrap();
        let by = By { manager: "agent".into(), now: Timestamp::from_unix(1), uid: Uid::default() };
        self.make(&Change::apply(Model::of::<Node>(), fields, true, by).unwrap().of_status());
    }

    pub(crate) fn remove<R: Resource>(&mut self, name: &str) {
        let namespace = if R::KIND.is_namespaced() { "default" } else { "" };
        let name = ObjectName::new(R::KIND, namespace, name.to_owned()).unwrap();
        self.commit(Txn::new().delete(name.key())).unwrap();
    }

    pub(crate) fn make(&mut self, change: &Change) {
        let entry = self.state.get(&change.key()).cloned();
        let prepared = prepare(change, entry.as_deref(), &Policy::open()).unwrap();
        self.commit(prepared.txn).unwrap();
    }

    /// It is committed, and the scheduler is shown it.
    pub(crate) fn commit(&mut self, txn: Txn) -> Result<Revision, CommitError> {
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
    pub(crate) fn settle(&mut self) {
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

    pub(crate) fn perform(&mut self, outputs: Vec<Output>) {
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

    pub(crate) fn bind(&mut self, txn: Txn) -> Result<Revision, CommitError> {
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

    /// Something is observed of an object, as whoever sees to it writes it down.
    pub(crate) fn observe<R: Resource>(&mut self, name: &str, status: serde_json::Value) {
        let fields = serde_json::json!({
            "apiVersion": R::KIND.api_version(), "kind": R::KIND.name(), "status": status,
            "metadata": {"name": name, "namespace": if R::KIND.is_namespaced() { "default" } else { "" }},
        });
        let by = By { manager: "agent".into(), now: Timestamp::from_unix(1), uid: Uid::default() };
        self.make(
            &Change::apply(Model::of::<R>(), fields.as_object().unwrap().clone(), true, by)
                .unwrap()
                .of_status(),
        );
    }

    pub(crate) fn pod(&self, name: &str) -> &Pod {
        self.cache.get::<Pod>("default", name).unwrap()
    }

    /// Why a pod has no place, as it is told.
    pub(crate) fn why(&self, name: &str) -> String {
        self.pod(name)
            .status
            .conditions
            .condition("PodScheduled")
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    pub(crate) fn pods(&self) -> Vec<&Pod> {
        self.cache.list::<Pod>().collect()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.pods().iter().filter(|pod| pod.spec.node_name.is_empty()).count()
    }
}

pub(crate) fn crowd(pods: usize, nodes: usize) -> Desk {
    let mut desk = Desk::new(scheduler());
    (0..nodes).for_each(|number| desk.node(&format!("node-{number}"), 10));
    (0..pods).for_each(|number| desk.apply(pod(&format!("pod-{number}"), 100)));
    desk
}
