//! What a scheduler is shown, and what follows from it.

use orchestra_core::control::{Cache, Changed, Changes, Now, Watched};
use orchestra_core::kinds::{
    Dependency, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodDisruptionBudget, PodGroup,
    PodPhase, StorageClass,
};
use orchestra_core::object::Str;
use orchestra_core::store::Key;

use super::Ledger;
use super::pods::{At, Held, Waiting, key_of};
use super::queues::QueueShare;
use super::work::{NodeState, Work};

impl Work {
    /// All there is.
    pub(super) fn see_all(&mut self, now: Now, cache: &Cache) {
        cache.list::<Namespace>().for_each(|namespace| self.cluster.set_namespace(namespace));
        cache.list::<PodDisruptionBudget>().for_each(|budget| self.cluster.set_budget(budget));
        cache.list::<StorageClass>().for_each(|class| {
            self.cluster.set_storage_class(class);
        });
        cache.list::<PersistentVolume>().for_each(|volume| {
            self.cluster.set_volume(volume);
        });
        cache.list::<PersistentVolumeClaim>().for_each(|claim| {
            self.cluster.set_claim(claim);
        });
        cache.list::<Node>().for_each(|node| self.see_node(node));
        cache.list::<Ledger>().for_each(|ledger| self.see_ledger(ledger));
        cache.list::<PodGroup>().for_each(|group| self.gangs.see(group));
        cache.list::<QueueShare>().for_each(|share| self.see_queue(share));
        // Those that have their places first.
        for is_placed in [true, false] {
            for pod in cache.list::<Pod>().filter(|pod| pod.spec.node_name.is_empty() != is_placed) {
                if let Some(key) = key_of(&pod.metadata.namespace, &pod.metadata.name) {
                    self.see_pod(now, &key, None, Some(pod));
                }
            }
        }
        self.flushed = now.elapsed;
        self.is_busy = true;
    }

    pub(super) fn see(&mut self, now: Now, changes: &Changes) {
        let [pods, nodes] = [Watched::of::<Pod>(), Watched::of::<Node>()];
        for changed in &changes.changed {
            self.is_busy |= self.dependencies.changed(changed.watched, &changed.key);
            if changed.watched == pods {
                self.see_pod(now, &changed.key, changed.before::<Pod>(), changed.after::<Pod>());
            } else if changed.watched == nodes {
                match (changed.before::<Node>(), changed.after::<Node>()) {
                    (_, Some(node)) => self.see_node(node),
                    (Some(node), None) => self.lose_node(node.name()),
                    (None, None) => {}
                }
            } else if let Some(ledger) = changed.after::<Ledger>() {
                self.see_ledger(ledger);
            } else if let Some(ledger) = changed.before::<Ledger>() {
                self.ledgers.remove(ledger.name());
            } else if let Some(group) = changed.after::<PodGroup>() {
                self.gangs.see(group);
                self.is_busy = true;
            } else if let Some(group) = changed.before::<PodGroup>() {
                self.gangs.lose(group);
            } else if let Some(share) = changed.after::<QueueShare>() {
                self.see_queue(share);
            } else if let Some(share) = changed.before::<QueueShare>() {
                self.lose_queue(share);
            } else if let Some(namespace) = changed.after::<Namespace>() {
                self.cluster.set_namespace(namespace);
                self.stir();
            } else if let Some(namespace) = changed.before::<Namespace>() {
                self.cluster.remove_namespace(namespace.name());
                self.stir();
            } else if let Some(budget) = changed.after::<PodDisruptionBudget>() {
                self.cluster.set_budget(budget);
            } else if let Some(budget) = changed.before::<PodDisruptionBudget>() {
                self.cluster.remove_budget(budget.namespace(), budget.name());
            } else {
                self.see_storage(changed);
            }
        }
    }

    /// Claims, volumes and their classes. What comes may help those who wait; what goes does not.
    fn see_storage(&mut self, changed: &Changed) {
        let is_news = if let Some(claim) = changed.after::<PersistentVolumeClaim>() {
            self.cluster.set_claim(claim)
        } else if let Some(claim) = changed.before::<PersistentVolumeClaim>() {
            self.cluster.remove_claim(claim.namespace(), claim.name());
            false
        } else if let Some(volume) = changed.after::<PersistentVolume>() {
            self.cluster.set_volume(volume)
        } else if let Some(volume) = changed.before::<PersistentVolume>() {
            self.cluster.remove_volume(volume.name());
            false
        } else if let Some(class) = changed.after::<StorageClass>() {
            self.cluster.set_storage_class(class)
        } else if let Some(class) = changed.before::<StorageClass>() {
            self.cluster.remove_storage_class(class.name());
            false
        } else {
            false
        };
        if is_news {
            self.stir();
        }
    }

    fn see_node(&mut self, node: &Node) {
        self.cluster.set_node(node);
        let (revision, uid) = (node.metadata.resource_version, node.metadata.uid.clone());
        let name = node.name().clone();
        let batch = self.nodes.get(&name).and_then(|state| state.batch);
        self.nodes.insert(name.clone(), NodeState { revision, uid, basis: 0, batch });
        self.touch(&name);
        self.retry_at(&name);
        self.stir();
    }

    fn lose_node(&mut self, name: &Str) {
        self.cluster.remove_node(name);
        self.nodes.remove(name);
        self.retry_at(name);
        self.stir();
    }

    fn see_ledger(&mut self, ledger: &Ledger) {
        self.ledgers.insert(ledger.name().clone(), ledger.metadata.resource_version);
    }

    pub(super) fn see_pod(&mut self, now: Now, key: &Key, old: Option<&Pod>, new: Option<&Pod>) {
        if let (Some(old), Some(new)) = (old, new)
            && old.metadata.uid != new.metadata.uid
        {
            // Another one of the same name: the first one is gone, and nobody was told.
            self.see_pod(now, key, Some(old), None);
            return self.see_pod(now, key, None, Some(new));
        }
        let was_at = old.map(|old| &old.spec.node_name).filter(|node| !node.is_empty());
        if let Some(old) = old.filter(|old| new.is_none_or(|new| group_of(new) != group_of(old))) {
            self.gangs.leave(old, key);
        }
        match new {
            None => {
                self.forget(key);
                self.strangers.remove(key);
                if let Some(old) = old {
                    self.cluster.remove_pod(old.namespace(), old.name());
                }
            }
            Some(pod) if !pod.spec.node_name.is_empty() => self.see_placed(key, old, pod),
            Some(pod) => {
                if was_at.is_some() && !self.pods.contains_key(key) {
                    self.cluster.remove_pod(pod.namespace(), pod.name());
                }
                self.see_waiting(now, key, pod);
            }
        }
        let is_leaving = |pod: &Pod| pod.metadata.is_deleting() || has_ended(pod);
        let has_left = new.is_none_or(|new| {
            new.spec.node_name.is_empty() || is_leaving(new) != old.is_some_and(is_leaving)
        });
        if let Some(node) = was_at.filter(|_| has_left) {
            self.retry_at(&node.clone());
            self.stir();
        }
    }

    /// A pod that has its node.
    fn see_placed(&mut self, key: &Key, old: Option<&Pod>, pod: &Pod) {
        // Who has ended is none of a gang any more: who comes in its place finds others or waits for them.
        match has_ended(pod) {
            true => self.gangs.end(pod, key),
            false => self.gangs.join(pod, key, true),
        }
        let node = &pod.spec.node_name;
        let is_ours = match self.pods.remove(key) {
            Some(waiting) => {
                if let At::Nominated(node) = &waiting.at {
                    self.nominees.remove(&(node.clone(), key.clone()));
                }
                let is_ours = matches!(&waiting.at, At::Batch(decided, _) if decided.node == *node);
                if let At::Queue(ticket) = &waiting.at {
                    self.queue.remove(ticket);
                    self.tickets.remove(ticket);
                }
                self.telling.forget(key);
                self.dependencies.forget(key);
                is_ours
            }
            // It was placed as it is, or is told once more.
            None => old.is_some_and(|old| {
                old.spec.node_name == *node && old.metadata.generation == pod.metadata.generation
            }),
        };
        self.strangers.remove(key);
        self.cluster.set_pod(pod);
        if !is_ours {
            self.touch(&node.clone());
            self.stir();
        }
    }

    /// A pod that has no node yet.
    fn see_waiting(&mut self, now: Now, key: &Key, pod: &Pod) {
        self.gangs.join(pod, key, false);
        let is_wanted = self.deciders.contains_key(&pod.spec.scheduler_name)
            && !pod.metadata.is_deleting()
            && !has_ended(pod);
        if !is_wanted {
            self.forget(key);
            return self.see_stranger(key, pod);
        }
        let view = self.cluster.view(pod);
        let (revision, nominated) = (pod.metadata.resource_version, pod.status.nominated_node_name.clone());
        let group = group_of(pod);
        if let Some(waiting) = self.pods.get_mut(key) {
            if waiting.view.class() == view.class() && waiting.group == group {
                waiting.revision = revision;
                if !self.dependencies.on(key).is_empty() && self.dependencies.on(key) != depends_on(pod) {
                    self.dependencies.forget(key);
                    return self.hold_or_admit(now, key, pod);
                }
                let is_news = waiting.nominated != nominated && !nominated.is_empty();
                waiting.nominated = nominated;
                if std::mem::take(&mut waiting.is_stale) && matches!(waiting.at, At::Queue(_)) {
                    self.withdraw(key);
                    self.enqueue(key);
                } else if is_news && matches!(waiting.at, At::Queue(_)) {
                    self.take_up_nomination(key);
                }
                return;
            }
            self.forget(key);
        }
        let waiting = Waiting {
            view,
            revision,
            arrived: now.elapsed,
            failures: 0,
            group,
            at: At::Gang,
            is_stale: false,
            nominated,
            trouble: None,
        };
        self.pods.insert(key.clone(), waiting);
        self.hold_or_admit(now, key, pod);
    }

    /// What holds a pod back is seen to first.
    fn hold_or_admit(&mut self, now: Now, key: &Key, pod: &Pod) {
        let gates: Vec<_> = pod.spec.scheduling_gates.iter().map(|gate| gate.name.as_str()).collect();
        if let Some(waiting) = self.pods.get_mut(key).filter(|_| !gates.is_empty()) {
            let why = format!("{} {}", GATED, gates.join(", "));
            waiting.at = At::Held(Held { reason: "SchedulingGated", why: why.into() });
            return self.tell_later(key);
        }
        let on = depends_on(pod);
        if on.is_empty() {
            return self.admit(now, key);
        }
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.at = At::Held(Held { reason: "DependenciesMissing", why: Str::EMPTY });
        }
        self.dependencies.add(key, pod.namespace(), on, &self.dependables);
        self.is_busy = true;
    }

    /// A pod of somebody else's, for which room is being made: it is kept for it.
    fn see_stranger(&mut self, key: &Key, pod: &Pod) {
        let node = &pod.status.nominated_node_name;
        let is_wanted = !pod.metadata.is_deleting()
            && !has_ended(pod)
            && !node.is_empty()
            && !self.deciders.contains_key(&pod.spec.scheduler_name);
        if self.strangers.remove(key).is_some() {
            self.cluster.remove_pod(pod.namespace(), pod.name());
            self.stir();
        }
        if is_wanted && let Some(id) = self.cluster.node(node) {
            let view = self.cluster.view(pod);
            // Room that is kept for somebody more important is not its.
            let at = (node.clone(), Key::from(""));
            let mut there = self.nominees.range(at..).take_while(|(its, _)| its == node);
            if there.any(|(_, key)| self.pods.get(key).is_some_and(|it| it.view.priority() > view.priority()))
            {
                return;
            }
            self.cluster.assume(&view, id);
            self.strangers.insert(key.clone(), node.clone());
        }
    }

    /// A pod that waits no more.
    pub(super) fn forget(&mut self, key: &Key) {
        self.withdraw(key);
        self.pods.remove(key);
        self.telling.forget(key);
        self.dependencies.forget(key);
        self.to_retry.remove(key);
    }
}

/// What is said of a pod that somebody holds back, as Kubernetes does.
const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates:";

/// What must be there before a pod is placed.
fn depends_on(pod: &Pod) -> &[Dependency] {
    pod.spec.orchestra.as_ref().map_or(&[], |it| &it.depends_on)
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    matches!(pod.status.phase, PodPhase::Succeeded | PodPhase::Failed)
}

/// The gang that a pod belongs to, or nothing.
pub(super) fn group_of(pod: &Pod) -> Str {
    pod.spec.orchestra.as_ref().map(|it| it.pod_group.clone()).unwrap_or_default()
}
