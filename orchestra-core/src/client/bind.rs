//! [`bind`]: a pod is put on a node, which is desired and observed at once.

use serde_json::{Map, Value, json};

use super::change::{By, Change, Policy};
use super::key::ObjectName;
use super::owners::UPDATE;
use super::patch::Patch;
use super::prepare::{Before, Prepared, check, prepare, updated};
use super::transaction::seal;
use crate::kinds::{Pod, PodPhase, PodSpec};
use crate::object::{self, Condition, Conditions, Model, Resource, Spec, Str};
use crate::store::{Entry, Txn, Write};
use crate::{Error, Result};

/// What it comes to that a pod is put on a node: `spec.nodeName` and the condition `PodScheduled` in one write,
/// and a node that was [nominated](crate::kinds::PodStatus::nominated_node_name) is so no more.
///
/// It comes to what two changes come to, one of what is desired and one of the status, that are
/// [prepared](prepare()) one after the other; the object is made only once.
///
/// # Errors
/// [`Error::Conflict`], when the pod is on a node already, is being deleted or has ended; otherwise what `prepare`
/// says of such changes.
pub fn bind(entry: &Entry, node: &Str, by: By, policy: &Policy) -> Result<Prepared> {
    bind_with(entry, node, &object::Map::new(), by, policy)
}

/// The same, with the devices that the pod has there: `spec.orchestra.devices`.
///
/// # Errors
/// As those of [`bind`].
pub fn bind_with(
    entry: &Entry,
    node: &Str,
    devices: &object::Map<Vec<u32>>,
    by: By,
    policy: &Policy,
) -> Result<Prepared> {
    let Some(name) = ObjectName::of_key(PodSpec::KIND, &entry.key) else {
        let object = entry.key.to_string();
        return Err(Error::Refused { object, reason: "it is no pod: only pods are put on nodes".into() });
    };
    let mut spec = json!({"nodeName": node});
    if !devices.is_empty() {
        spec["orchestra"] = json!({"devices": to_value(devices)?});
    }
    let patch = Patch::merge(json!({"spec": spec}));
    let main = Change::patch(Model::of::<Pod>(), name.clone(), patch, by.clone());
    let before = Before::read(&main, entry)?;
    let Some(pod) = before.object.downcast_ref::<Pod>() else {
        return plainly(&main, entry, by, policy);
    };
    check_free(&name, pod)?;
    let is_plain = !policy.rules.is_empty() || !devices.is_empty();
    if is_plain || !before.object.unknown().is_empty() || !before.is_named(&name) {
        return plainly(&main, entry, by, policy);
    }
    quickly(&main, &before, node, by)
}

fn check_free(name: &ObjectName, pod: &Pod) -> Result<()> {
    if !pod.spec.node_name.is_empty() {
        return Err(name.conflict(format!("it is on the node `{}` already", pod.spec.node_name)));
    }
    if pod.metadata.is_deleting() {
        return Err(name.conflict("it is being deleted"));
    }
    if matches!(pod.status.phase, PodPhase::Succeeded | PodPhase::Failed) {
        return Err(name.conflict("it has ended"));
    }
    Ok(())
}

/// The condition that says so.
fn scheduled() -> Condition {
    Condition::of("PodScheduled", true)
}

/// As two changes, one after the other.
fn plainly(main: &Change, entry: &Entry, by: By, policy: &Policy) -> Result<Prepared> {
    let first = prepare(main, Some(entry), policy)?;
    let written = first.txn.writes().iter().find(|write| *write.key() == entry.key).and_then(Write::value);
    let middle = Entry { value: written.unwrap_or(&entry.value).clone(), ..entry.clone() };
    let mut status = first.object.to_value()?.get("status").cloned().unwrap_or_default();
    let (conditions, now) = (status.get("conditions").cloned().unwrap_or_default(), by.now);
    let mut typed: Vec<Condition> = match first.object.downcast_ref::<Pod>() {
        Some(pod) => pod.status.conditions.clone(),
        None => Vec::new(),
    };
    typed.set_condition(scheduled(), now);
    let mut list = conditions.as_array().cloned().unwrap_or_default();
    // The others stay as they are written, what is not known of them included.
    let of = |condition: &Value| condition.get("type").and_then(Value::as_str) == Some("PodScheduled");
    let at = list.iter().position(of).unwrap_or(list.len());
    if let Some(condition) = typed.condition("PodScheduled") {
        list.splice(at..list.len().min(at + 1), [to_value(condition)?]);
    }
    if !status.is_object() {
        status = Value::Object(Map::new());
    }
    status["conditions"] = list.into();
    status["nominatedNodeName"] = Value::Null;
    let patch = Patch::merge(json!({"status": status}));
    let second = Change::patch(Model::of::<Pod>(), main.object().clone(), patch, by).of_status();
    let second = prepare(&second, Some(&middle), policy)?;
    let first_only = first.txn.writes().iter().filter(|write| *write.key() != entry.key);
    let txn = first
        .txn
        .guards()
        .iter()
        .filter(|guard| guard.key != entry.key)
        .fold(second.txn.clone(), |txn, guard| txn.guard(guard.key.clone(), guard.expect));
    let txn = first_only.fold(txn, |txn, write| match write {
        Write::Put(key, value) => txn.put(key.clone(), value.clone()),
        Write::Delete(key) => txn.delete(key.clone()),
    });
    Ok(Prepared { txn, ..second })
}

/// The same, making the object once, and comparing only what changes.
fn quickly(main: &Change, before: &Before, node: &Str, by: By) -> Result<Prepared> {
    let now = by.now;
    let status_change =
        Change::patch(Model::of::<Pod>(), main.object().clone(), Patch::merge(Value::Null), by).of_status();
    let mut object = before.object.clone();
    object.metadata_mut().generation = before.metadata().generation.saturating_add(1);
    let Some(pod) = object.downcast_mut::<Pod>() else { return Err(main.object().not_found()) };
    pod.spec.node_name = node.clone();
    pod.status.conditions.set_condition(scheduled(), now);
    pod.status.nominated_node_name = Str::EMPTY;
    let conditions = to_value(&pod.status.conditions)?;
    check(main, Some(before), &object)?;

    let (old, new) = (json!({"spec": {}}), json!({"spec": {"nodeName": node}}));
    let writer = main.writer(UPDATE);
    let mut owners = updated(main, &writer, Some((before.owners.clone(), &old)), &new);
    owners.settle(&writer);

    let old = before.status()?.cloned();
    let mut status = old.clone().unwrap_or_else(|| Value::Object(Map::new()));
    status["conditions"] = conditions;
    if let Value::Object(status) = &mut status {
        status.remove("nominatedNodeName");
    }
    let old = old.map_or_else(|| json!({}), |status| json!({"status": status}));
    let writer = status_change.writer(UPDATE);
    let owners = updated(&status_change, &writer, Some((owners, &old)), &json!({"status": status}));
    seal(&status_change, &writer, Some(before), owners, object, Txn::new())
}

fn to_value(what: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(what)
        .map_err(|source| Error::Encode { kind: Pod::KIND.name(), source: source.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::sample::Sampler;
    use crate::object::{Revision, Timestamp, Uid};

    fn stored(sampler: &mut Sampler, seed: u64) -> Option<Value> {
        let mut tree = match seed % 3 {
            0 => json!({"spec": {"containers": [{"name": "app", "image": "app:1"}]}}),
            _ => sampler.value(Pod::schema()),
        };
        tree["metadata"] =
            json!({"name": "it", "namespace": "default", "uid": "7f3c", "generation": seed % 4});
        if !seed.is_multiple_of(5) {
            tree["metadata"]["managedFields"] = json!([
                {"manager": "user", "operation": "Apply", "fieldsV1": {"f:spec": {"f:nodeName": {}}, "f:status": {}}},
                {"manager": "scheduler", "operation": "Update", "subresource": "status", "apiVersion": "v1",
                 "fieldsV1": {"f:status": {"f:conditions": {"k:{\"type\":\"PodScheduled\"}": {".": {}, "f:status": {}}}}}},
            ]);
        }
        tree["spec"]["nodeName"] = Value::Null;
        if !seed.is_multiple_of(7) {
            tree["status"]["phase"] = "Pending".into();
        }
        if seed.is_multiple_of(2) {
            tree["status"]["conditions"] = json!([
                {"type": "Ready", "status": "False"},
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no"},
            ]);
            tree["status"]["nominatedNodeName"] = "node-1".into();
        }
        let object = Model::of::<Pod>().read(&tree).ok()?;
        object.problems().is_empty().then(|| object.to_value().ok()).flatten()
    }

    #[test]
    fn who_has_a_place_or_needs_none_is_a_conflict() {
        for (more, reason) in [
            (json!({"spec": {"nodeName": "node-1"}}), "it is on the node `node-1` already"),
            (json!({"metadata": {"deletionTimestamp": "2026-11-21T08:00:00Z"}}), "it is being deleted"),
            (json!({"status": {"phase": "Succeeded"}}), "it has ended"),
        ] {
            let mut tree =
                json!({"metadata": {"name": "it", "namespace": "default"}, "spec": {}, "status": {}});
            for (part, fields) in more.as_object().unwrap() {
                tree[part].as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            }
            let key = ObjectName::new(PodSpec::KIND, "default", "it").unwrap().key();
            let (created, modified) = (Revision(1), Revision(3));
            let entry = Entry { key, value: tree.to_string().into(), created, modified };
            let by = By { manager: "scheduler".into(), now: Timestamp::from_unix(60), uid: Uid::default() };
            let error = bind(&entry, &"node-7".into(), by, &Policy::open()).unwrap_err();
            assert!(matches!(error, Error::Conflict { .. }) && error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn the_devices_that_it_has_are_written_with_it() {
        for spec in [json!({}), json!({"orchestra": {"queue": "q", "devices": {"example.com/gpu": [0]}}})] {
            let mut tree = json!({"metadata": {"name": "it", "namespace": "default"}, "spec": spec});
            tree["spec"]["containers"] = json!([{"name": "app", "image": "app:1"}]);
            let key = ObjectName::new(PodSpec::KIND, "default", "it").unwrap().key();
            let (created, modified) = (Revision(1), Revision(3));
            let entry = Entry { key, value: tree.to_string().into(), created, modified };
            let by = By { manager: "scheduler".into(), now: Timestamp::from_unix(60), uid: Uid::default() };
            let devices = object::Map::from_iter([("example.com/gpu", vec![3, 1])]);
            let bound = bind_with(&entry, &"node-7".into(), &devices, by, &Policy::open()).unwrap();
            let pod = bound.object.downcast_ref::<Pod>().unwrap();
            let orchestra = pod.spec.orchestra.as_ref().unwrap();
            assert_eq!((pod.spec.node_name.as_str(), &orchestra.devices), ("node-7", &devices));
            assert_eq!(orchestra.queue.is_empty(), tree["spec"]["orchestra"].is_null());
            assert!(pod.status.conditions.is_true("PodScheduled"));
            assert_eq!(bound.txn.writes().len(), 1);
        }
    }

    #[test]
    fn it_comes_to_what_two_changes_come_to() {
        let mut same = 0;
        for seed in 0..600 {
            let mut sampler = Sampler::seeded(seed);
            let Some(tree) = stored(&mut sampler, seed) else { continue };
            let name = ObjectName::new(PodSpec::KIND, "default", "it").unwrap();
            let entry = Entry {
                key: name.key(),
                value: tree.to_string().into(),
                created: Revision(1),
                modified: Revision(3),
            };
            let by = By { manager: "scheduler".into(), now: Timestamp::from_unix(60), uid: Uid::default() };
            let (node, policy) = (Str::from("node-7"), Policy::open());
            let quick = bind(&entry, &node, by.clone(), &policy);
            let main = Change::patch(
                Model::of::<Pod>(),
                name,
                Patch::merge(json!({"spec": {"nodeName": node}})),
                by.clone(),
            );
            let plain = plainly(&main, &entry, by, &policy);
            let (quick, plain) = match (quick, plain) {
                (Ok(quick), Ok(plain)) => (quick, plain),
                (quick, plain) => {
                    assert_eq!(format!("{:?}", quick.map(drop)), format!("{:?}", plain.map(drop)));
                    continue;
                }
            };
            let text = |it: &Prepared| {
                let value = it.txn.writes().iter().find_map(Write::value);
                value.map(|json| String::from_utf8_lossy(json).into_owned())
            };
            assert_eq!(text(&quick), text(&plain), "seed {seed}");
            assert_eq!((quick.outcome, &quick.txn), (plain.outcome, &plain.txn), "seed {seed}");
            assert_eq!(quick.object.to_value().unwrap(), plain.object.to_value().unwrap(), "seed {seed}");
            let pod = quick.object.downcast_ref::<Pod>().unwrap();
            assert!(pod.spec.node_name == "node-7" && pod.status.conditions.is_true("PodScheduled"));
            assert!(pod.status.nominated_node_name.is_empty());
            same += 1;
        }
        assert!(same > 150, "{same} are the same");
    }
}
