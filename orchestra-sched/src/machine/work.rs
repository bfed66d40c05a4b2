//! [`Work`]: what a scheduler knows and has under way, from when it begins.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use orchestra_core::control::{Answer, Desk, Now};
use orchestra_core::object::{Revision, Str, Uid};
use orchestra_core::store::Key;

use super::batch::Batch;
use super::decide::FORCED_EVERY;
use super::depend::{Dependables, Dependencies};
use super::gangs::Gangs;
use super::pods::Waiting;
use super::sabotage::Sabotage;
use super::tell::Telling;
use super::{Algorithms, Composition, Settings};
use crate::cluster::{ClassId, Cluster};
use crate::decide::Decider;
use crate::fair::{FairQueue, FairTicket, Shares};
use crate::profile::Profile;
use crate::queue::PrioritySort;
use crate::view::PodView;

/// What a scheduler knows and has under way, from when it begins.
pub(super) struct Work {
    pub(super) name: Str,
    pub(super) settings: Settings,
    pub(super) cluster: Cluster,
    /// By the name of their profile.
    pub(super) deciders: BTreeMap<Str, Decider>,
    pub(super) queue: FairQueue,
    /// What queues may have.
    pub(super) shares: Shares,
    /// The pods that wait for a place, until they are seen to have one.
    pub(super) pods: BTreeMap<Key, Waiting>,
    /// Those of them that are in the queue.
    pub(super) tickets: BTreeMap<FairTicket, Key>,
    pub(super) nodes: BTreeMap<Str, NodeState>,
    /// When each node's ledger was written last.
    pub(super) ledgers: BTreeMap<Str, Revision>,
    /// Counts what happens to nodes.
    pub(super) basis: u64,
    /// Who is to be bound, in order, and by which decision.
    pub(super) decided: VecDeque<(Key, u64)>,
    pub(super) decisions: u64,
    pub(super) batches: BTreeMap<u64, Batch>,
    pub(super) batch_number: u64,
    /// How many pods a transaction has at most: fewer after a conflict.
    pub(super) at_once: usize,
    /// Counts what may help those who fit nowhere,
    pub(super) stirred: u64,
    /// and how much of it they have been asked about.
    pub(super) asked: u64,
    pub(super) to_ask: VecDeque<(ClassId, PodView)>,
    /// Whether they are tried whatever is known.
    pub(super) is_flushing: bool,
    pub(super) flushed: Duration,
    /// Whether those are tried, too, for whom others might have to go;
    pub(super) is_forcing: bool,
    /// when that was so last, and how much had been stirred then.
    pub(super) forced: Duration,
    pub(super) forced_for: u64,
    /// Who is nominated, by node.
    pub(super) nominees: BTreeSet<(Str, Key)>,
    /// Who is to be tried again where it is nominated.
    pub(super) to_retry: BTreeSet<Key>,
    /// Pods of others that have been nominated, and where.
    pub(super) strangers: BTreeMap<Key, Str>,
    /// Who is nominated, and who has to go, as it is to be written down.
    pub(super) evictions: VecDeque<(Key, Vec<Key>)>,
    pub(super) gangs: Gangs,
    pub(super) dependables: Arc<Dependables>,
    pub(super) dependencies: Dependencies,
    pub(super) telling: Telling,
    pub(super) asks: BTreeMap<u64, Asked>,
    /// Whether there may be something to do at once.
    pub(super) is_busy: bool,
}

/// What is known of a node beside what is in the cluster.
pub(super) struct NodeState {
    pub(super) revision: Revision,
    pub(super) uid: Uid,
    /// Raised when what is known of the node and its pods changes by anybody but this scheduler: what was decided
    /// before is decided again.
    pub(super) basis: u64,
    /// The batch that it takes part in.
    pub(super) batch: Option<u64>,
}

/// What was asked for.
pub(super) enum Asked {
    /// The pods of a batch.
    Read(u64),
    /// A batch's transaction.
    Commit(u64),
    /// That a pod is nominated and its victims go.
    Evict(Key),
    /// That pods are told why they wait.
    Tell(Vec<Key>),
    /// What is observed of a gang.
    Group((Str, Str)),
}

impl Work {
    pub(super) fn new(name: Str) -> Self {
        Self {
            name,
            settings: Settings::default(),
            cluster: Cluster::default(),
            deciders: BTreeMap::new(),
            queue: FairQueue::new(PrioritySort),
            shares: Shares::default(),
            pods: BTreeMap::new(),
            tickets: BTreeMap::new(),
            nodes: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            basis: 0,
            decided: VecDeque::new(),
            decisions: 0,
            batches: BTreeMap::new(),
            batch_number: 0,
            at_once: 1,
            stirred: 0,
            asked: 0,
            to_ask: VecDeque::new(),
            is_flushing: false,
            flushed: Duration::ZERO,
            is_forcing: false,
            forced: Duration::ZERO,
            forced_for: 0,
            nominees: BTreeSet::new(),
            to_retry: BTreeSet::new(),
            strangers: BTreeMap::new(),
            evictions: VecDeque::new(),
            gangs: Gangs::default(),
            dependables: Arc::default(),
            dependencies: Dependencies::default(),
            telling: Telling::default(),
            asks: BTreeMap::new(),
            is_busy: false,
        }
    }

    pub(super) fn with(mut self, settings: &Settings, composition: &Composition) -> Self {
        self.cluster = Cluster::seeded(settings.seed);
        self.at_once = settings.at_once.max(1);
        self.settings = settings.clone();
        self.settings.per_turn = settings.per_turn.max(1);
        self.settings.ahead = settings.ahead.max(1);
        let named = |profile: &Profile| (Str::from(profile.name()), Decider::new(profile.clone()));
        self.deciders = composition.profiles.iter().map(named).collect();
        self.queue = (composition.queue)();
        self.dependables = composition.dependables.clone();
        self
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        if self.is_busy {
            return Some(Duration::ZERO);
        }
        let has_blocked = !self.pods.is_empty();
        let flush = self.flushed.checked_add(self.settings.flush).filter(|_| has_blocked);
        let force = self.may_force().then(|| self.forced + FORCED_EVERY);
        [self.queue.due(), flush, force, self.telling.due(), self.gangs.due()].into_iter().flatten().min()
    }

    pub(super) fn act(&mut self, now: Now, desk: &mut Desk<'_>, algorithms: &mut Algorithms) {
        self.is_busy = false;
        self.look_at_dependencies(now, desk);
        self.retry_nominated(now);
        self.ask_the_blocked(now);
        self.commit_what_was_read(now, desk);
        self.decide_some(now, desk, algorithms);
        self.bind_gangs(now, desk);
        self.read_some(now, desk);
        self.evict_some(desk);
        self.tell_some(now, desk);
        self.look_at_gangs(now, desk);
    }

    pub(super) fn answered(&mut self, now: Now, id: u64, answer: Answer) {
        self.is_busy = true;
        match self.asks.remove(&id) {
            Some(Asked::Read(batch)) => self.was_read(now, batch, answer),
            Some(Asked::Commit(batch)) => self.was_committed(now, batch, &answer),
            Some(Asked::Evict(pod)) => drop(self.to_retry.insert(pod)),
            Some(Asked::Tell(pods)) => self.were_told(now, pods, &answer),
            Some(Asked::Group(group)) => self.gangs.were_told(&group, now, &answer),
            None => {}
        }
    }

    pub(super) fn is_sabotaged(&self, how: Sabotage) -> bool {
        self.settings.sabotage == Some(how)
    }

    /// Something may have changed for those who wait.
    pub(super) fn stir(&mut self) {
        self.stirred += 1;
        self.is_busy = true;
    }

    /// What is known of a node has changed by somebody else.
    pub(super) fn touch(&mut self, node: &str) {
        if let Some(state) = self.nodes.get_mut(node) {
            self.basis += 1;
            state.basis = self.basis;
        }
    }
}
