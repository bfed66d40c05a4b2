//! Holds decisions against the slow model of the tests.

use std::collections::BTreeMap;

use orchestra_core::kinds::{Node, Pod};
use orchestra_sched::{Decision, NodeId};

use crate::algo::Step;
use crate::mirror::{Known, Mirror, Name, Sort};

/// So many decisions of a case are checked, spread over all.
const MOST: usize = 1_000;

/// So much is remembered to choose from, and no more, since it takes memory, and the model's time.
const MOST_EVENTS: usize = 1_000_000;
const MOST_SORTS: usize = 10_000;

#[derive(Default)]
pub(crate) struct Checker {
    known: Known,
    start: Mirror,
    /// What was decided in which world; each is told apart by what happened since the one before.
    history: Vec<Event>,
}

enum Event {
    Cleared,
    Decided { sort: Sort, name: Name, decision: Decision },
    Gone(Name),
}

fn name_of(pod: &Pod) -> Name {
    (pod.metadata.namespace.clone(), pod.metadata.name.clone())
}

impl Checker {
    pub(crate) fn add(&mut self, id: NodeId, node: Node, rank: u64) {
        let at = id.at() as u32;
        self.known.add_node(at, node, rank);
        self.start.add_node(&self.known, at);
    }

    /// A pod that is there beforehand.
    pub(crate) fn place(&mut self, pod: &Pod, decision: Decision) {
        let Decision::Place { node, .. } = decision else { return };
        let sort = self.known.sort(pod);
        self.start.put(&self.known, name_of(pod), node.at() as u32, sort);
    }

    /// Everything is as it was beforehand.
    pub(crate) fn clear(&mut self) {
        self.history.push(Event::Cleared);
    }

    /// Notes what was done with pods, for later.
    pub(crate) fn follow(&mut self, pods: &[Pod], steps: Vec<Step>) {
        if self.history.len() > MOST_EVENTS || self.known.sorts() > MOST_SORTS {
            return;
        }
        let by_name: BTreeMap<_, _> = pods.iter().map(|pod| (&pod.metadata.name, pod)).collect();
        for step in steps {
            match step {
                Step::Decided(name, decision) => {
                    let pod = by_name[&name];
                    let sort = self.known.sort(pod);
                    self.history.push(Event::Decided { sort, name: name_of(pod), decision });
                }
                Step::Gone(victims) => {
                    let names = victims.into_iter().map(|it| Event::Gone((it.namespace, it.name)));
                    self.history.extend(names);
                }
                Step::Undone(views) => {
                    let names =
                        views.iter().map(|it| Event::Gone((it.namespace().clone(), it.name().clone())));
                    self.history.extend(names);
                }
            }
        }
    }

    /// Has the model decide again about some pods, spread over all; tells how many.
    pub(crate) fn check(self, case: &str) -> usize {
        let Self { known, start, history } = self;
        let decided = history.iter().filter(|it| matches!(it, Event::Decided { .. })).count();
        let every = (decided / MOST).max(1);
        let (mut asked, mut checked, mut mirror) = (0, 0, start.clone());
        for event in history {
            match event {
                Event::Cleared => mirror = start.clone(),
                Event::Gone(name) => mirror.remove(&known, &name),
                Event::Decided { sort, name, decision } => {
                    if asked % every == 0 && checked < MOST {
                        let found = match decision {
                            Decision::Place { node, score } => Some((node.at() as u32, score)),
                            Decision::NoFit | Decision::Gated => None,
                        };
                        let expected = mirror.decide(&known, sort);
                        assert_eq!(
                            found, expected,
                            "{case}, decision {asked}: {}: engine, then model",
                            name.1
                        );
                        checked += 1;
                    }
                    asked += 1;
                    if let Decision::Place { node, .. } = decision {
                        mirror.put(&known, name, node.at() as u32, sort);
                    }
                }
            }
        }
        checked
    }
}
