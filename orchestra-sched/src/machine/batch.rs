//! [`Batch`]: pods that are bound in one transaction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use orchestra_core::Error;
use orchestra_core::client::{By, bind_with};
use orchestra_core::control::{Answer, Desk, Now};
use orchestra_core::object::{Map, Quantity, Revision, Str, Timestamp, Uid};
use orchestra_core::store::{Entry, Expect, Key, Txn, Write};

use super::ledger::{self, LedgerSpec};
use super::pods::At;
use super::sabotage::Sabotage;
use super::work::{Asked, Work};
use crate::cluster::Dim;

/// Pods that are bound in one transaction.
pub(super) struct Batch {
    pub(super) pods: Vec<Key>,
    pub(super) nodes: BTreeSet<Str>,
    /// The gang, all of which is bound or nothing.
    pub(super) gang: Option<(Str, Str)>,
    /// What else is read: what may be changed with the pods.
    also: Vec<Key>,
    /// What was read, until it is committed.
    read: Option<Vec<Option<Arc<Entry>>>>,
}

/// How much of what a store takes in one transaction is used: the rest is for what is added to each value.
const SHARE_OF_BYTES: usize = 2;

impl Work {
    /// Gathers who is to be bound, and asks for what stands there.
    pub(super) fn read_some(&mut self, now: Now, desk: &mut Desk<'_>) {
        // A gang waits for nodes that others are bound to: let them come free.
        while desk.room() > 0 && !self.gangs.waits_for_nodes() {
            let Some((pods, nodes)) = self.gather(desk.limits().operations) else { return };
            self.read(now, desk, pods, nodes, None);
        }
    }

    pub(super) fn read(
        &mut self,
        now: Now,
        desk: &mut Desk<'_>,
        pods: Vec<Key>,
        nodes: BTreeSet<Str>,
        gang: Option<(Str, Str)>,
    ) {
        self.batch_number += 1;
        let number = self.batch_number;
        for key in &pods {
            if let Some(waiting) = self.pods.get_mut(key)
                && let At::Decided(decided) = &waiting.at
            {
                waiting.at = At::Batch(decided.clone(), number);
            }
        }
        for node in &nodes {
            if let Some(state) = self.nodes.get_mut(node) {
                state.batch = Some(number);
            }
        }
        let mut also: Vec<_> = pods.iter().flat_map(|pod| self.volume_keys(pod)).collect();
        also.sort_unstable();
        also.dedup();
        let ask = desk.read(pods.iter().chain(&also).cloned().collect());
        self.batches.insert(number, Batch { pods, nodes, gang, also, read: None });
        match ask {
            Some(ask) => drop(self.asks.insert(ask, Asked::Read(number))),
            None => self.give_up(number, now, true),
        }
    }

    /// Those who are bound next: in the order in which they were decided, as many as fit into a transaction, on
    /// nodes that take part in no other.
    fn gather(&mut self, operations: usize) -> Option<(Vec<Key>, BTreeSet<Str>)> {
        let (mut pods, mut nodes, mut skipped) = (Vec::new(), BTreeSet::<Str>::new(), VecDeque::new());
        // A guard for each pod and for what else is changed with it, and two for each node; one is the term's.
        let mut also = 0;
        let is_full = |pods: usize, nodes: usize| pods + 2 * nodes + 1 > operations;
        while pods.len() < self.at_once {
            let Some((key, number)) = self.decided.pop_front() else { break };
            let Some(waiting) = self.pods.get(&key) else { continue };
            let At::Decided(decided) = &waiting.at else { continue };
            if decided.number != number {
                continue;
            }
            let node = decided.node.clone();
            let is_taken = self.nodes.get(&node).is_some_and(|state| state.batch.is_some());
            let more = usize::from(!nodes.contains(&node));
            let its = self.volume_keys(&key).len();
            let is_too_much = is_full(pods.len() + also + its + 1, nodes.len() + more) && !pods.is_empty();
            if is_taken || is_too_much {
                skipped.push_back((key, number));
                if is_taken && skipped.len() < self.at_once * 4 {
                    continue;
                }
                break;
            }
            nodes.insert(node);
            pods.push(key);
            also += its;
        }
        while let Some(skipped) = skipped.pop_back() {
            self.decided.push_front(skipped);
        }
        (!pods.is_empty()).then_some((pods, nodes))
    }

    pub(super) fn was_read(&mut self, now: Now, number: u64, answer: Answer) {
        match answer {
            Answer::Entries(entries) => {
                if let Some(batch) = self.batches.get_mut(&number) {
                    batch.read = Some(entries);
                }
            }
            _ => self.give_up(number, now, false),
        }
    }

    /// Makes transactions of what was read.
    pub(super) fn commit_what_was_read(&mut self, now: Now, desk: &mut Desk<'_>) {
        let read: Vec<u64> = self
            .batches
            .iter()
            .filter(|(_, batch)| batch.read.is_some())
            .map(|(number, _)| *number)
            .collect();
        for number in read {
            if desk.room() == 0 {
                self.is_busy = true;
                return;
            }
            let Some(batch) = self.batches.get_mut(&number) else { continue };
            let entries = batch.read.take().unwrap_or_default();
            let (pods, gang) = (std::mem::take(&mut batch.pods), batch.gang.clone());
            let also =
                std::mem::take(&mut batch.also).into_iter().zip(entries.iter().skip(pods.len()).cloned());
            let mut bound = Binding {
                txn: Txn::new(),
                pods: Vec::new(),
                nodes: BTreeMap::new(),
                bytes: 0,
                also: also.collect(),
                guarded: BTreeSet::new(),
                changed: BTreeSet::new(),
            };
            let most = desk.limits().bytes / SHARE_OF_BYTES;
            let mut fates = Vec::new();
            for (key, entry) in pods.into_iter().zip(entries) {
                match self.bind(now, desk, number, &key, entry.as_deref(), &mut bound, most) {
                    Fate::Bound => bound.pods.push(key),
                    fate => fates.push((key, fate)),
                }
            }
            if gang.is_some()
                && fates.iter().all(|(_, fate)| matches!(fate, Fate::TooLarge))
                && !fates.is_empty()
            {
                let all = bound.pods.into_iter().chain(fates.into_iter().map(|(key, _)| key));
                let all = all.collect();
                self.bind_one_by_one(now, number, all);
                continue;
            }
            let is_whole = fates.is_empty();
            for (key, fate) in fates {
                self.is_left_out(now, &key, fate);
            }
            // Of a gang all are bound or nothing.
            let is_half = gang.is_some() && !is_whole && !self.is_sabotaged(Sabotage::HalfAGang);
            let is_nothing = bound.pods.is_empty();
            let Some(batch) = self.batches.get_mut(&number) else { continue };
            batch.pods = bound.pods;
            if is_nothing || is_half {
                self.give_up(number, now, true);
                continue;
            }
            let txn = self.with_ledgers(now, bound.txn, &bound.nodes);
            match txn.and_then(|txn| desk.commit(txn)) {
                Some(ask) => drop(self.asks.insert(ask, Asked::Commit(number))),
                None => self.give_up(number, now, false),
            }
        }
    }

    /// A gang that no transaction can hold: nobody of it runs before its PodGroup says that enough have their places.
    fn bind_one_by_one(&mut self, now: Now, number: u64, pods: Vec<Key>) {
        for key in pods {
            let Some(waiting) = self.pods.get_mut(&key) else { continue };
            if let At::Batch(decided, _) = &waiting.at {
                let decided = decided.clone();
                self.decided.push_back((key, decided.number));
                waiting.at = At::Decided(decided);
            }
        }
        self.give_up(number, now, true);
    }

    #[allow(clippy::too_many_arguments)] // one step of a loop, named
    fn bind(
        &mut self,
        now: Now,
        desk: &Desk<'_>,
        number: u64,
        key: &Key,
        entry: Option<&Entry>,
        bound: &mut Binding,
        most: usize,
    ) -> Fate {
        let Some(waiting) = self.pods.get(key) else { return Fate::Gone };
        let At::Batch(decided, batch) = &waiting.at else { return Fate::Gone };
        if *batch != number {
            return Fate::Gone;
        }
        let Some(state) = self.nodes.get(&decided.node) else { return Fate::Overtaken };
        if state.basis != decided.basis && !self.is_sabotaged(Sabotage::NodeUnheeded) {
            return Fate::Overtaken;
        }
        // It was decided about as it was seen.
        let Some(entry) = entry.filter(|entry| entry.modified == waiting.revision) else {
            return Fate::Unseen;
        };
        if bound.bytes + entry.value.len() > most && !bound.pods.is_empty() {
            return Fate::TooLarge;
        }
        let by = By { manager: self.name.clone(), now: now.wall.into(), uid: Uid::default() };
        let (namespace, name) = (waiting.view.namespace(), waiting.view.name());
        let devices = self.cluster.devices_of(namespace, name).unwrap_or_default();
        let devices = self.cluster.name_devices(&devices);
        let view = &waiting.view;
        let volumes = match self.volume_changes(view, &decided.node, &bound.also, &by, desk.policy()) {
            Ok(Some(volumes)) => volumes,
            Ok(None) | Err(Error::Conflict { .. } | Error::NotFound { .. }) => return Fate::Unseen,
            Err(error) => return Fate::Refused(error.to_string()),
        };
        match bind_with(entry, &decided.node, &devices, by, desk.policy()) {
            Ok(prepared) => {
                bound.with(volumes);
                bound.bytes += prepared.txn.bytes();
                bound.nodes.insert(decided.node.clone(), (state.revision, state.uid.clone()));
                let guarded = !self.is_sabotaged(Sabotage::PodUnguarded);
                bound.txn = join(std::mem::take(&mut bound.txn), prepared.txn, guarded);
                Fate::Bound
            }
            Err(Error::Conflict { .. } | Error::NotFound { .. }) => Fate::Unseen,
            Err(error) => Fate::Refused(error.to_string()),
        }
    }

    fn is_left_out(&mut self, now: Now, key: &Key, fate: Fate) {
        match fate {
            Fate::Bound | Fate::Gone => {}
            Fate::Overtaken | Fate::TooLarge => self.undo(key, now, true),
            Fate::Unseen => {
                self.undo(key, now, false);
                if let Some(waiting) = self.pods.get_mut(key) {
                    waiting.is_stale = true;
                }
            }
            Fate::Refused(reason) => {
                self.undo(key, now, false);
                if let Some(waiting) = self.pods.get_mut(key) {
                    waiting.trouble = Some(reason);
                }
                self.tell_later(key);
            }
        }
    }

    /// Guards nodes and ledgers, and writes the ledgers anew.
    fn with_ledgers(&self, now: Now, mut txn: Txn, nodes: &BTreeMap<Str, (Revision, Uid)>) -> Option<Txn> {
        for (name, (revision, uid)) in nodes {
            let node = orchestra_core::client::ObjectName::new(NODE, "", name.clone()).ok()?.key();
            let key = ledger::key(name).ok()?;
            let expect = self.ledgers.get(name).map_or(Expect::Absent, |revision| Expect::At(*revision));
            let spec = LedgerSpec { by: self.name.clone(), taken: self.taken(name) };
            let value = ledger::value(name, uid, Timestamp::from(now.wall), spec).ok()?;
            if !self.is_sabotaged(Sabotage::NodeUnguarded) {
                txn = txn.guard(node, Expect::At(*revision));
            }
            if !self.is_sabotaged(Sabotage::LedgerUnguarded) {
                txn = txn.guard(key.clone(), expect);
            }
            txn = txn.put(key, value);
        }
        Some(txn)
    }

    fn taken(&self, node: &str) -> Map<Quantity> {
        let Some(node) = self.cluster.node(node) else { return Map::new() };
        let amount = |dim: Dim| self.cluster.at(node).taken(dim);
        let amounts = [
            ("cpu".into(), Quantity::milli(amount(Dim::CPU))),
            ("memory".into(), Quantity::bytes(amount(Dim::MEMORY))),
            ("pods".into(), Quantity::from(amount(Dim::PODS))),
        ];
        let shares = self.cluster.shares().map(|dim| (dim, amount(dim))).filter(|(_, amount)| *amount > 0);
        let shares = shares.map(|(dim, amount)| (self.cluster.resource(dim).clone(), Quantity::from(amount)));
        amounts.into_iter().chain(shares).collect::<Map<Quantity>>()
    }

    pub(super) fn was_committed(&mut self, now: Now, number: u64, answer: &Answer) {
        match answer {
            Answer::Committed(_) => self.at_once = (self.at_once * 2).min(self.settings.at_once.max(1)),
            // Somebody else was first with one of them: the others need not wait for that one.
            Answer::Conflict => self.at_once = (self.at_once / 4).max(1),
            Answer::Failed(error) if !error.is_retryable() => self.at_once = (self.at_once / 4).max(1),
            _ => {}
        }
        if self.settings.tell_scheduled && matches!(answer, Answer::Committed(_)) {
            self.tell_scheduled(number);
        }
        let at_once = matches!(answer, Answer::Committed(_) | Answer::Conflict | Answer::Unknown);
        self.give_up(number, now, at_once);
    }

    /// A batch is over: whoever of it is not seen to have a place is tried again.
    pub(super) fn give_up(&mut self, number: u64, now: Now, at_once: bool) {
        let Some(batch) = self.batches.remove(&number) else { return };
        for node in &batch.nodes {
            if let Some(state) = self.nodes.get_mut(node).filter(|state| state.batch == Some(number)) {
                state.batch = None;
            }
        }
        for key in &batch.pods {
            let is_open = self.pods.get(key);
            if is_open.is_some_and(|waiting| matches!(waiting.at, At::Batch(_, its) if its == number)) {
                self.undo(key, now, at_once);
            }
        }
        self.is_busy = true;
    }
}

const NODE: orchestra_core::object::Kind =
    <orchestra_core::kinds::NodeSpec as orchestra_core::object::Spec>::KIND;

/// A transaction, as it is made.
struct Binding {
    txn: Txn,
    pods: Vec<Key>,
    nodes: BTreeMap<Str, (Revision, Uid)>,
    bytes: usize,
    /// What was read beside the pods,
    also: BTreeMap<Key, Option<Arc<Entry>>>,
    /// and what of it is guarded and changed: pods may share a claim.
    guarded: BTreeSet<Key>,
    changed: BTreeSet<Key>,
}

impl Binding {
    /// Adds what is changed with a pod.
    fn with(&mut self, also: Txn) {
        self.bytes += also.bytes();
        let guards: Vec<_> = also.guards().iter().map(|it| (it.key.clone(), it.expect)).collect();
        let mut txn = std::mem::take(&mut self.txn);
        for (key, expect) in guards {
            if self.guarded.insert(key.clone()) {
                txn = txn.guard(key, expect);
            }
        }
        for write in also.into_writes() {
            if let Write::Put(key, value) = write
                && self.changed.insert(key.clone())
            {
                txn = txn.put(key, value);
            }
        }
        self.txn = txn;
    }
}

/// What becomes of one pod of a batch.
enum Fate {
    Bound,
    /// It does not wait any more.
    Gone,
    /// Its node is not as it was when this was decided.
    Overtaken,
    /// There is no room for it in the transaction.
    TooLarge,
    /// It is not as it was seen.
    Unseen,
    /// It cannot be bound.
    Refused(String),
}

pub(super) fn join(txn: Txn, other: Txn, guarded: bool) -> Txn {
    let guards = other.guards().iter().filter(|_| guarded);
    let txn = guards.fold(txn, |txn, guard| txn.guard(guard.key.clone(), guard.expect));
    other.into_writes().into_iter().fold(txn, |txn, write| match write {
        Write::Put(key, value) => txn.put(key, value),
        Write::Delete(key) => txn.delete(key),
    })
}
