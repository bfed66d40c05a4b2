//! [`Volumes`]: claims, volumes and classes of storage, and which volume is promised to which claim.

use std::collections::{BTreeMap, BTreeSet};

use orchestra_core::kinds::{
    AccessMode, ClaimPhase, NodeSelector, PersistentVolume, PersistentVolumeClaim, PodSpec, StorageClass,
    TopologyTerm, VolumeBindingMode, VolumeMode, VolumePhase, VolumeSource,
};
use orchestra_core::object::{LabelSelector, Map, Metadata, Quantity, Revision, Str, Uid};

use super::pods::PodId;
use super::{Cluster, meets};
use crate::set::NodeId;
use crate::view::PodView;

/// The annotation by which whoever provisions storage is told for which node.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The annotation that says that a claim is bound for good.
pub(crate) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The provisioner of a class of which nothing is provisioned.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A claim of a pod, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClaimName {
    pub(crate) name: Str,
    /// Whether it is made for the pod, and goes with it.
    pub(crate) is_ephemeral: bool,
}

/// The claims of a pod, in order. A pod without a name stands for a class, in which the claims that are made for each
/// have their whole names already.
pub(crate) fn claims(pod: &Str, spec: &PodSpec) -> Vec<ClaimName> {
    let of = |volume: &orchestra_core::kinds::Volume| match &volume.source {
        VolumeSource::PersistentVolumeClaim(claim) => {
            Some(ClaimName { name: claim.claim_name.clone(), is_ephemeral: false })
        }
        VolumeSource::Ephemeral(_) if pod.is_empty() => {
            Some(ClaimName { name: volume.name.clone(), is_ephemeral: true })
        }
        VolumeSource::Ephemeral(_) => {
            Some(ClaimName { name: format!("{pod}-{}", volume.name).into(), is_ephemeral: true })
        }
        _ => None,
    };
    spec.volumes.iter().filter_map(of).collect()
}

/// What is known of an object, and as which it was seen last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known<T> {
    pub(crate) uid: Uid,
    pub(crate) revision: Revision,
    pub(crate) said: T,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claim {
    volume: Str,
    is_bound: bool,
    is_lost: bool,
    is_going: bool,
    class: Str,
    size: Quantity,
    modes: Vec<AccessMode>,
    mode: VolumeMode,
    selector: Option<LabelSelector>,
    pub(crate) selected_node: Str,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Volume {
    class: Str,
    size: Quantity,
    modes: Vec<AccessMode>,
    mode: VolumeMode,
    pub(crate) labels: Map<Str>,
    nodes: Option<NodeSelector>,
    /// The claim that it is kept for: namespace, name, and which one of that name, if that is said.
    pub(crate) claim: Option<(Str, Str, Uid)>,
    is_available: bool,
    is_going: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Class {
    provisioner: Str,
    waits: bool,
    topologies: Vec<TopologyTerm>,
}

/// What is promised to a claim: a volume, or that one will be made for a node.
#[derive(Clone, Debug)]
struct Promise {
    node: Str,
    volume: Option<Str>,
    by: Vec<PodId>,
}

type Name = (Str, Str);

/// All claims, volumes and classes of storage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volumes {
    claims: BTreeMap<Name, Known<Claim>>,
    volumes: BTreeMap<Str, Known<Volume>>,
    /// By class, the smallest first.
    by_class: BTreeMap<Str, BTreeSet<(Quantity, Str)>>,
    classes: BTreeMap<Str, Class>,
    promises: BTreeMap<Name, Promise>,
    /// The claim that a volume is promised to.
    promised: BTreeMap<Str, Name>,
    /// Raised when any of this changes.
    version: u64,
}

/// What a pod wants of volumes.
pub(crate) struct Wanted<'a> {
    /// The volumes that its claims are bound to; nothing, where there is no such volume.
    pub(crate) bound: Vec<Option<&'a Volume>>,
    /// The claims for which there is none yet, the smallest first, and the volumes that might do.
    open: Vec<(&'a Str, &'a Claim, Vec<Candidate<'a>>)>,
}

#[derive(Clone, Copy)]
struct Candidate<'a> {
    name: &'a Str,
    volume: &'a Volume,
    is_kept_for_it: bool,
}

/// What is found for a claim on a node: a volume, or nothing, where one can be made.
pub(crate) type Found<'a> = Vec<(&'a Str, Option<&'a Str>)>;

/// What of a pod's volumes a node has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    pub(crate) reach: bool,
    pub(crate) free: bool,
    pub(crate) there: bool,
}

impl Cluster {
    /// Takes over a claim; tells whether that is news.
    pub fn set_claim(&mut self, claim: &PersistentVolumeClaim) -> bool {
        let Metadata { namespace, name, annotations, .. } = &claim.metadata;
        let spec = &claim.spec;
        let is_complete = annotations.contains_key(BIND_COMPLETED) || claim.status.phase == ClaimPhase::Bound;
        let said = Claim {
            is_bound: !spec.volume_name.is_empty() && is_complete,
            volume: spec.volume_name.clone(),
            is_lost: claim.status.phase == ClaimPhase::Lost,
            is_going: claim.metadata.is_deleting(),
            class: spec.storage_class_name.clone().unwrap_or_default(),
            size: spec.resources.requests.get("storage").copied().unwrap_or_default(),
            modes: spec.access_modes.clone(),
            mode: spec.volume_mode,
            selector: spec.selector.clone(),
            selected_node: annotations.get(SELECTED_NODE).cloned().unwrap_or_default(),
        };
        let known =
            Known { uid: claim.metadata.uid.clone(), revision: claim.metadata.resource_version, said };
        let claims = &mut self.volumes.claims;
        let is_news = take_over(claims, (namespace.clone(), name.clone()), known);
        self.volumes.version += u64::from(is_news);
        is_news
    }

    /// Forgets a claim.
    pub fn remove_claim(&mut self, namespace: &str, name: &str) {
        self.volumes.claims.remove(&(namespace.into(), name.into()));
        self.volumes.version += 1;
    }

    /// Takes over a volume; tells whether that is news.
    pub fn set_volume(&mut self, volume: &PersistentVolume) -> bool {
        let (name, spec) = (&volume.metadata.name, &volume.spec);
        let claim = spec.claim_ref.as_ref().map(|it| (it.namespace.clone(), it.name.clone(), it.uid.clone()));
        let said = Volume {
            class: spec.storage_class_name.clone(),
            size: spec.capacity.get("storage").copied().unwrap_or_default(),
            modes: spec.access_modes.clone(),
            mode: spec.volume_mode,
            labels: volume.metadata.labels.clone(),
            nodes: spec.node_affinity.required.clone(),
            claim,
            is_available: volume.status.phase == VolumePhase::Available,
            is_going: volume.metadata.is_deleting(),
        };
        self.volumes.unlist(name);
        let by_class = self.volumes.by_class.entry(said.class.clone()).or_default();
        by_class.insert((said.size, name.clone()));
        let known =
            Known { uid: volume.metadata.uid.clone(), revision: volume.metadata.resource_version, said };
        let is_news = take_over(&mut self.volumes.volumes, name.clone(), known);
        self.volumes.version += u64::from(is_news);
        is_news
    }

    /// Forgets a volume.
    pub fn remove_volume(&mut self, name: &str) {
        self.volumes.unlist(name);
        self.volumes.volumes.remove(name);
        self.volumes.version += 1;
    }

    /// Takes over a class of storage; tells whether that is news.
    pub fn set_storage_class(&mut self, class: &StorageClass) -> bool {
        let spec = &class.spec;
        let said = Class {
            provisioner: spec.provisioner.clone(),
            waits: spec.volume_binding_mode == VolumeBindingMode::WaitForFirstConsumer,
            topologies: spec.allowed_topologies.clone(),
        };
        let is_news = self.volumes.classes.get(&class.metadata.name) != Some(&said);
        self.volumes.classes.insert(class.metadata.name.clone(), said);
        self.volumes.version += u64::from(is_news);
        is_news
    }

    /// Forgets a class of storage.
    pub fn remove_storage_class(&mut self, name: &str) {
        self.volumes.classes.remove(name);
        self.volumes.version += 1;
    }

    /// Raised when what is known of volumes changes.
    pub(crate) fn volumes_version(&self) -> u64 {
        self.volumes.version
    }

    /// The volumes that are meant for the claims of a pod which is placed, where that was decided with its place: each
    /// claim's name, and the volume; none, where one is to be made for the pod's node.
    pub fn volumes_of(&self, namespace: &str, name: &str) -> Vec<(Str, Option<Str>)> {
        let Some(pod) = self.pods.find(namespace, name) else { return Vec::new() };
        let Some(class) = self.classes.get(self.pods.all[pod.at()].class) else { return Vec::new() };
        let promise = |claim: &ClaimName| {
            let promise = self.volumes.promises.get(&(namespace.into(), claim.name.clone()))?;
            promise.by.contains(&pod).then(|| (claim.name.clone(), promise.volume.clone()))
        };
        let mut meant: Vec<_> = class.shape.claims.iter().filter_map(promise).collect();
        meant.sort_unstable();
        meant.dedup();
        meant
    }

    /// What is known of a claim,
    pub(crate) fn claim(&self, namespace: &Str, name: &Str) -> Option<&Known<Claim>> {
        self.volumes.claims.get(&(namespace.clone(), name.clone()))
    }

    /// and of a volume.
    pub(crate) fn volume(&self, name: &str) -> Option<&Known<Volume>> {
        self.volumes.volumes.get(name)
    }

    /// What a pod wants of volumes, or why nothing can be said of any node yet.
    pub(crate) fn wanted(&self, pod: &PodView) -> Result<Wanted<'_>, String> {
        let all = &self.volumes;
        let mut claims = Vec::with_capacity(pod.shape().claims.len());
        for ClaimName { name, is_ephemeral } in &pod.shape().claims {
            let found = all.claims.get_key_value(&(pod.namespace().clone(), name.clone()));
            let Some((key, claim)) = found else {
                return Err(match is_ephemeral {
                    true => format!(
                        "waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\""
                    ),
                    false => format!("persistentvolumeclaim \"{name}\" not found"),
                });
            };
            if claim.said.is_lost {
                let volume = &claim.said.volume;
                return Err(format!(
                    "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
                ));
            }
            if claim.said.is_going {
                return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
            }
            claims.push((key, claim));
        }
        let (bound, open): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(_, claim)| claim.said.is_bound);
        let class = |claim: &Claim| all.classes.get(&claim.class);
        if let Some((_, claim)) =
            open.iter().find(|(_, it)| !it.said.class.is_empty() && class(&it.said).is_none())
        {
            return Err(format!("storageclass.storage.k8s.io \"{}\" not found", claim.said.class));
        }
        let waits = |claim: &Claim| claim.volume.is_empty() && class(claim).is_some_and(|class| class.waits);
        if open.iter().any(|(_, claim)| !waits(&claim.said)) {
            return Err("pod has unbound immediate PersistentVolumeClaims".into());
        }
        let volume = |(_, claim): (&Name, &Known<Claim>)| Some(&all.volumes.get(&claim.said.volume)?.said);
        let bound = bound.into_iter().map(volume).collect();
        let mut open: Vec<_> =
            open.into_iter().map(|(key, claim)| (&key.1, &claim.said, all.candidates(key, claim))).collect();
        open.sort_by_key(|(name, claim, _)| (claim.size, *name));
        open.dedup_by_key(|(name, ..)| *name);
        Ok(Wanted { bound, open })
    }

    /// What a node has of what is wanted.
    pub(crate) fn find_volumes<'a>(
        &'a self,
        wanted: &Wanted<'a>,
        namespace: &Str,
        node: NodeId,
    ) -> Result<Found<'a>, Lacks> {
        let facts = self.facts(node);
        let reaches = |volume: &Volume| {
            let terms = volume.nodes.as_ref().map(|nodes| &nodes.node_selector_terms);
            terms.is_none_or(|terms| terms.iter().any(|term| meets(term, facts)))
        };
        let mut lacks = Lacks::default();
        for volume in &wanted.bound {
            match volume {
                Some(volume) if reaches(volume) => continue,
                Some(_) => lacks.reach = true,
                None => lacks.there = true,
            }
            break;
        }
        let (mut found, mut to_make): (Found<'a>, Vec<(&Str, &Claim)>) = (Vec::new(), Vec::new());
        for (name, claim, candidates) in &wanted.open {
            match self.volumes.selected_node(namespace, name, claim) {
                Some(selected) if *selected != facts.name => lacks.free = true,
                Some(_) => to_make.push((name, claim)),
                None => {
                    let kept = candidates.iter().find(|it| it.is_kept_for_it);
                    let is_taken =
                        |it: &Candidate<'_>| found.iter().any(|(_, other)| *other == Some(it.name));
                    let fits = |it: &&Candidate<'_>| !is_taken(it) && reaches(it.volume);
                    let volume = match kept {
                        Some(kept) => Some(kept).filter(fits),
                        None => candidates.iter().find(fits),
                    };
                    match volume {
                        Some(it) => found.push((name, Some(it.name))),
                        None => to_make.push((name, claim)),
                    }
                }
            }
        }
        for (name, claim) in to_make {
            lacks.free |= !self.volumes.can_be_made(claim, &facts.labels);
            found.push((name, None));
        }
        if lacks == Lacks::default() { Ok(found) } else { Err(lacks) }
    }

    /// Promises a pod that was put on a node what there is for its claims.
    pub(super) fn promise_volumes(&mut self, pod: PodId, view: &PodView, node: NodeId) {
        if view.shape().claims.is_empty() {
            return;
        }
        let Ok(wanted) = self.wanted(view) else { return };
        let Ok(found) = self.find_volumes(&wanted, view.namespace(), node) else { return };
        let found: Vec<_> =
            found.into_iter().map(|(claim, volume)| (claim.clone(), volume.cloned())).collect();
        for (claim, volume) in found {
            let claim = (view.namespace().clone(), claim);
            if let Some(volume) = &volume {
                self.volumes.promised.insert(volume.clone(), claim.clone());
            }
            let node = self.name(node).clone();
            let new = || Promise { node, volume, by: Vec::new() };
            self.volumes.promises.entry(claim).or_insert_with(new).by.push(pod);
            self.volumes.version += 1;
        }
    }

    /// The claims of a pod to which something was promised for it.
    pub(super) fn promised_to(&self, pod: PodId) -> Vec<Name> {
        let placed = &self.pods.all[pod.at()];
        let claims = self.classes.get(placed.class).map(|class| &class.shape.claims[..]).unwrap_or_default();
        let names = claims.iter().map(|claim| (placed.namespace.clone(), claim.name.clone()));
        names.filter(|it| self.volumes.promises.get(it).is_some_and(|it| it.by.contains(&pod))).collect()
    }

    /// What was promised to a pod is so to the same pod under another number.
    pub(super) fn pass_on(&mut self, promised: &[Name], old: PodId, new: PodId) {
        for claim in promised {
            if let Some(promise) = self.volumes.promises.get_mut(claim) {
                promise.by.iter_mut().filter(|it| **it == old).for_each(|it| *it = new);
            }
        }
    }

    /// Takes back what was promised to a pod, but for some claims.
    pub(super) fn take_back_volumes(&mut self, pod: PodId, but: &[Name]) {
        let placed = &self.pods.all[pod.at()];
        let Some(class) = self.classes.get(placed.class) else { return };
        for claim in &class.shape.claims {
            let claim = (placed.namespace.clone(), claim.name.clone());
            let Some(promise) = self.volumes.promises.get_mut(&claim).filter(|_| !but.contains(&claim))
            else {
                continue;
            };
            promise.by.retain(|it| *it != pod);
            if promise.by.is_empty() {
                if let Some(Promise { volume: Some(volume), .. }) = self.volumes.promises.remove(&claim) {
                    self.volumes.promised.remove(&volume);
                }
                self.volumes.version += 1;
            }
        }
    }
}

impl Volumes {
    /// The volumes that might do for a claim, the smallest first.
    fn candidates(&self, key: &Name, claim: &Known<Claim>) -> Vec<Candidate<'_>> {
        let Known { uid, said: claim, .. } = claim;
        let Some(listed) = self.by_class.get(&claim.class) else { return Vec::new() };
        let candidate = |(_, name): &(Quantity, Str)| {
            let (name, known) = self.volumes.get_key_value(name)?;
            let volume = &known.said;
            let is_promised = self.promised.get(name);
            let is_kept_for_it = is_promised == Some(key)
                || volume.claim.as_ref().is_some_and(|(namespace, name, which)| {
                    (namespace, name) == (&key.0, &key.1) && (which.is_unset() || which == uid)
                });
            let is_others = (volume.claim.is_some() || is_promised.is_some()) && !is_kept_for_it;
            let is_free = || {
                volume.is_available
                    && claim.selector.as_ref().is_none_or(|selector| selector.matches(&volume.labels))
                    && claim.modes.iter().all(|mode| volume.modes.contains(mode))
            };
            let fits = !is_others && !volume.is_going && volume.mode == claim.mode;
            (fits && (is_kept_for_it || is_free())).then_some(Candidate { name, volume, is_kept_for_it })
        };
        listed.range((claim.size, Str::EMPTY)..).filter_map(candidate).collect()
    }

    /// The node for which storage is to be made for a claim, if that is decided.
    fn selected_node<'a>(&'a self, namespace: &Str, name: &Str, claim: &'a Claim) -> Option<&'a Str> {
        let promise = self.promises.get(&(namespace.clone(), name.clone()));
        let promised = promise.filter(|promise| promise.volume.is_none()).map(|promise| &promise.node);
        promised.or_else(|| Some(&claim.selected_node).filter(|node| !node.is_empty()))
    }

    /// Whether storage can be made for a claim for a node with some labels.
    fn can_be_made(&self, claim: &Claim, labels: &Map<Str>) -> bool {
        let Some(class) = self.classes.get(&claim.class) else { return false };
        let meets = |term: &TopologyTerm| {
            let mut all = term.match_label_expressions.iter();
            !term.match_label_expressions.is_empty()
                && all.all(|it| labels.get(&it.key).is_some_and(|value| it.values.contains(value)))
        };
        let is_made = !class.provisioner.is_empty() && class.provisioner != NO_PROVISIONER;
        is_made && (class.topologies.is_empty() || class.topologies.iter().any(meets))
    }

    fn unlist(&mut self, name: &str) {
        let Some((name, known)) = self.volumes.get_key_value(name) else { return };
        if let Some(listed) = self.by_class.get_mut(&known.said.class) {
            listed.remove(&(known.said.size, name.clone()));
            if listed.is_empty() {
                self.by_class.remove(&known.said.class);
            }
        }
    }
}

/// Takes over what is known of an object; tells whether it says something else.
fn take_over<K: Ord, T: PartialEq>(all: &mut BTreeMap<K, Known<T>>, key: K, known: Known<T>) -> bool {
    let old = all.get(&key);
    let is_news = old.is_none_or(|old| old.said != known.said || old.uid != known.uid);
    all.insert(key, known);
    is_news
}
