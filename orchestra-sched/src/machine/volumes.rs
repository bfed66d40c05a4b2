//! What was decided about a pod's volumes, as it is written down with its bind.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestra_core::Result;
use orchestra_core::client::{By, Change, ObjectName, Patch, Policy, prepare};
use orchestra_core::kinds::{ClaimSpec, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec};
use orchestra_core::object::{Model, Resource, Revision, Spec, Str};
use orchestra_core::store::{Entry, Key, Txn};
use serde_json::{Value, json};

use super::batch::join;
use super::work::Work;
use crate::cluster::{BIND_COMPLETED, SELECTED_NODE};
use crate::view::PodView;

/// The annotation that says that a volume was not kept for its claim by hand.
const BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

fn claim_name(namespace: &Str, name: &Str) -> Result<ObjectName> {
    ObjectName::new(ClaimSpec::KIND, namespace.clone(), name.clone())
}

fn volume_name(name: &Str) -> Result<ObjectName> {
    ObjectName::new(PersistentVolumeSpec::KIND, "", name.clone())
}

impl Work {
    /// The objects that may be changed with a pod's bind: its claims that were decided about, and their volumes.
    pub(super) fn volume_keys(&self, pod: &Key) -> Vec<Key> {
        let Some(view) = self.pods.get(pod).map(|waiting| &waiting.view) else { return Vec::new() };
        let meant = self.cluster.volumes_of(view.namespace(), view.name());
        let names = meant.iter().flat_map(|(claim, volume)| {
            [Some(claim_name(view.namespace(), claim)), volume.as_ref().map(volume_name)]
        });
        names.flatten().filter_map(Result::ok).map(|name| name.key()).collect()
    }

    /// What is written of a pod's volumes: that a volume and a claim are each other's, or for which node one is to be made. What
    /// others change meanwhile is a conflict, so that no volume is given away twice. Nothing, where something is not as
    /// it was seen.
    pub(super) fn volume_changes(
        &self,
        pod: &PodView,
        node: &Str,
        read: &BTreeMap<Key, Option<Arc<Entry>>>,
        by: &By,
        policy: &Policy,
    ) -> Result<Option<Txn>> {
        let mut txn = Txn::new();
        for (claim, volume) in self.cluster.volumes_of(pod.namespace(), pod.name()) {
            let name = claim_name(pod.namespace(), &claim)?;
            let Some(known) = self.cluster.claim(pod.namespace(), &claim) else { return Ok(None) };
            let Some(volume) = volume else {
                if known.said.selected_node != *node {
                    let patch = json!({"metadata": {"annotations": {SELECTED_NODE: node}}});
                    let Some(entry) = as_seen(&name, known.revision, read) else { return Ok(None) };
                    let made = patched::<PersistentVolumeClaim>(&name, patch, entry, by, policy)?;
                    txn = join(txn, made, true);
                }
                continue;
            };
            let target = volume_name(&volume)?;
            let Some(kept) = self.cluster.volume(&volume) else { return Ok(None) };
            let is_kept = kept.said.claim.as_ref().is_some_and(|(.., uid)| !uid.is_unset());
            if !is_kept {
                let claim_ref = json!({
                    "apiVersion": ClaimSpec::KIND.api_version(), "kind": ClaimSpec::KIND.name(),
                    "namespace": pod.namespace(), "name": claim, "uid": known.uid.to_string(),
                });
                let patch = json!({
                    "metadata": {"annotations": {BY_CONTROLLER: "yes"}}, "spec": {"claimRef": claim_ref}
                });
                let Some(entry) = as_seen(&target, kept.revision, read) else { return Ok(None) };
                txn = join(txn, patched::<PersistentVolume>(&target, patch, entry, by, policy)?, true);
            }
            // Both sides at once: no other volume is found for the claim meanwhile.
            let patch = json!({
                "metadata": {"annotations": {BY_CONTROLLER: "yes", BIND_COMPLETED: "yes"}},
                "spec": {"volumeName": volume},
            });
            let Some(entry) = as_seen(&name, known.revision, read) else { return Ok(None) };
            txn = join(txn, patched::<PersistentVolumeClaim>(&name, patch, entry, by, policy)?, true);
        }
        Ok(Some(txn))
    }
}

/// An object as it was read, if that is as it was seen when this was decided.
fn as_seen<'a>(
    name: &ObjectName,
    seen: Revision,
    read: &'a BTreeMap<Key, Option<Arc<Entry>>>,
) -> Option<&'a Entry> {
    read.get(&name.key())?.as_deref().filter(|entry| entry.modified == seen)
}

fn patched<R: Resource>(
    name: &ObjectName,
    patch: Value,
    entry: &Entry,
    by: &By,
    policy: &Policy,
) -> Result<Txn> {
    let change = Change::patch(Model::of::<R>(), name.clone(), Patch::merge(patch), by.clone());
    Ok(prepare(&change, Some(entry), policy)?.txn)
}
