//! Manifests that people wrote, from a public collection: each document of a kind that we have is
//! read and written back to JSON that means the same, or reported with the paths that we do not
//! support. The test prints how many of each.
//!
//! The collection is not part of the project: it lies at `../shared/manifests`, or where
//! `ORCHESTRA_SHARED` says. Where it is missing the test says so and passes, unless
//! `ORCHESTRA_REQUIRE` names `shared`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use k8s_openapi::api as k8s;
use orchestra::manifest::{Document, Reader, Registry, Severity};
use orchestra::object::Quantity;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Says something that is seen although the test passes: the harness captures only macros.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn collection() -> Option<PathBuf> {
    let shared = std::env::var_os("ORCHESTRA_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let manifests = shared.join("manifests");
    if manifests.is_dir() {
        return Some(manifests);
    }
    let required =
        std::env::var("ORCHESTRA_REQUIRE").is_ok_and(|list| list.split(',').any(|part| part == "shared"));
    assert!(!required, "{} is missing, and ORCHESTRA_REQUIRE names `shared`", manifests.display());
    say(&format!("SKIPPED: no manifests at {}; set ORCHESTRA_SHARED to where they are", manifests.display()));
    None
}

fn files(folder: &Path, list: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, list);
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json") {
            list.push(path);
        }
    }
}

#[derive(Default)]
struct Counts {
    documents: usize,
    read: usize,
    warned: usize,
    refused: usize,
}

#[test]
fn what_people_wrote_is_read_and_keeps_its_meaning() {
    let Some(folder) = collection() else { return };
    let registry = Registry::builtin();
    let (mut paths, mut kinds, mut reasons) =
        (Vec::new(), BTreeMap::<String, Counts>::new(), BTreeMap::new());
    files(&folder, &mut paths);
    let (mut failures, mut filled_in) = (Vec::new(), Vec::new());
    for path in &paths {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let text = std::fs::read(path).unwrap();
        for document in Reader::lenient(&registry).read(&name, &text).documents() {
            let kind = kind_of(document);
            let counts = kinds.entry(kind).or_default();
            counts.documents += 1;
            match &document.object {
                None => counts.refused += 1,
                Some(_) if document.notices.is_empty() => counts.read += 1,
                Some(_) => counts.warned += 1,
            }
            for notice in &document.notices {
                let reason = reason(&notice.severity, &notice.text, &notice.path.to_string());
                reasons.entry(reason).or_insert_with(Vec::new).push(notice.to_string());
            }
            if let Err(failure) = keeps_its_meaning(document, &mut filled_in) {
                failures.push(format!("{name}, document {}: {failure}", document.number));
            }
        }
    }
    say(&table(&kinds, &reasons));
    if !filled_in.is_empty() {
        filled_in.sort();
        filled_in.dedup();
        say(&format!(
            "filled in, and not in this test's list of Kubernetes' defaults:\n  {}",
            filled_in.join("\n  ")
        ));
    }
    assert!(!kinds.is_empty(), "there is no manifest in {}", folder.display());
    assert!(failures.is_empty(), "{} documents lost their meaning:\n{}", failures.len(), failures.join("\n"));
}

fn kind_of(document: &Document) -> String {
    let fields = document.fields();
    match (fields.get("kind"), fields.get("apiVersion")) {
        (Some(Value::String(kind)), Some(Value::String(version))) => format!("{kind} ({version})"),
        _ => "(no object)".into(),
    }
}

/// Why something was said, without what differs between documents.
fn reason(severity: &Severity, text: &str, path: &str) -> String {
    let last = path.rsplit(['.', ']']).next().unwrap_or(path);
    let text = match text.split_once(" `") {
        Some((before, _)) => before,
        None => text,
    };
    format!("{severity}: {text}{}{last}", if last.is_empty() { "" } else { ": " })
}

fn table(kinds: &BTreeMap<String, Counts>, reasons: &BTreeMap<String, Vec<String>>) -> String {
    let mut lines =
        vec![format!("\n{:<60} {:>9} {:>6} {:>7} {:>8}", "kind", "documents", "read", "warned", "refused")];
    let mut total = Counts::default();
    for (kind, Counts { documents, read, warned, refused }) in kinds {
        lines.push(format!("{kind:<60} {documents:>9} {read:>6} {warned:>7} {refused:>8}"));
        total.documents += documents;
        total.read += read;
        total.warned += warned;
        total.refused += refused;
    }
    let Counts { documents, read, warned, refused } = total;
    lines.push(format!("{:<60} {documents:>9} {read:>6} {warned:>7} {refused:>8}\n", "all"));
    for (reason, examples) in reasons {
        lines.push(format!("{:>4} {reason}", examples.len()));
        lines.push(format!("       {}", examples[0]));
    }
    lines.join("\n")
}

/// Whether a document, read and written, says to us and to `k8s-openapi` what it said before.
fn keeps_its_meaning(document: &Document, filled_in: &mut Vec<String>) -> Result<(), String> {
    let Some(object) = &document.object else { return Ok(()) };
    let before = Value::Object(document.fields().clone());
    let after = object.to_value().map_err(|error| error.to_string())?;
    // Nothing that was written is lost, known or not.
    if let Some(lost) = lost(&before, &after, "") {
        return Err(format!("lost {lost}"));
    }
    // What was added is what Kubernetes adds.
    // What they cannot read at all (a placeholder where a number belongs) cannot be compared.
    let Ok(Some(before)) = as_they_read(&before) else { return Ok(()) };
    let Some(after) = as_they_read(&after)? else { return Ok(()) };
    if let Some(lost) = lost(&before, &after, "") {
        return Err(format!("k8s-openapi misses {lost}"));
    }
    let mut list = Vec::new();
    added(&before, &after, "", &mut list);
    for (path, value) in list {
        match is_default_of_kubernetes(&path, value) {
            Some(true) => {}
            Some(false) => {
                return Err(format!("{path} was filled in with {value}, which Kubernetes would not"));
            }
            None => filled_in.push(format!("{path}: {value}")),
        }
    }
    Ok(())
}

/// Fields for which zero means the default.
const ZERO_IS_DEFAULT: [&str; 5] =
    [".timeoutSeconds", ".periodSeconds", ".successThreshold", ".failureThreshold", ".targetPort"];

/// The first value of `before` that `after` does not have. Empty ones need not be there.
fn lost(before: &Value, after: &Value, path: &str) -> Option<String> {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => a.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match b.get(key) {
                Some(other) => lost(value, other, &path),
                None if is_empty(value) => None,
                // `stringData` is for writing only; what it says stands in `data`.
                None if path == ".stringData" => None,
                None => Some(format!("{path}: {value}")),
            }
        }),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| lost(a, b, &format!("{path}[{at}]")))
        }
        (a, b) if a == b || same_quantity(a, b) || is_empty(a) && is_empty(b) => None,
        // Line breaks within base64 do not count.
        (Value::String(a), Value::String(b)) if a.replace(['\n', '\r'], "") == *b => None,
        // What was given without a value has its default, zeros included where they mean that.
        (Value::Null, _) => None,
        (Value::String(text), _) if text.is_empty() => None,
        (Value::Number(_), _)
            if is_empty(before) && ZERO_IS_DEFAULT.iter().any(|name| path.ends_with(name)) =>
        {
            None
        }
        _ => Some(format!("{path}: {before} became {after}")),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
    }
}

fn same_quantity(a: &Value, b: &Value) -> bool {
    let quantity = |value: &Value| serde_json::from_value::<Quantity>(value.clone()).ok();
    quantity(a).is_some_and(|a| quantity(b) == Some(a))
}

/// The fields of `after` that `before` does not have, with their values.
fn added<'v>(before: &'v Value, after: &'v Value, path: &str, list: &mut Vec<(String, &'v Value)>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in b {
                let path = format!("{path}.{key}");
                match a.get(key) {
                    Some(old) if !old.is_null() => added(old, value, &path, list),
                    _ if is_empty(value) => {}
                    _ => list.push((path, value)),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                added(a, b, &format!("{path}[{at}]"), list);
            }
        }
        _ => {}
    }
}

/// Whether a field that was filled in has the value that Kubernetes fills in, as its own
/// documentation has it; `None` for fields that are not in this list, which the table then names.
fn is_default_of_kubernetes(path: &str, value: &Value) -> Option<bool> {
    let key = path.rsplit('.').next().unwrap_or(path);
    let fixed = |allowed: &[Value]| Some(allowed.contains(value));
    match key {
        // These follow from other fields; the tests of their kinds say how.
        "requests" | "selector" | "labels" | "targetPort" | "hostPort" | "policyTypes" | "serviceAccount"
        | "serviceAccountName" | "metadata" | "strategy" | "updateStrategy" | "rollingUpdate" | "scaleUp"
        | "scaleDown" | "namespace" | "status" | "completions" | "metrics" | "defaultRequest" | "default"
        | "matchLabels" | "app" => Some(true),
        // The name of a namespace as its label, the labels of a template as those of the object, and
        // what `stringData` said.
        _ if path.starts_with(".metadata.labels.") || path.starts_with(".data.") || path == ".data" => {
            Some(true)
        }
        "imagePullPolicy" => fixed(&[json!("Always"), json!("IfNotPresent")]),
        "emptyDir" => fixed(&[json!({})]),
        "restartPolicy" => fixed(&[json!("Always")]),
        "dnsPolicy" => fixed(&[json!("ClusterFirst")]),
        "schedulerName" => fixed(&[json!("default-scheduler")]),
        "terminationGracePeriodSeconds" => fixed(&[json!(30)]),
        "terminationMessagePath" => fixed(&[json!("/dev/termination-log")]),
        "terminationMessagePolicy" => fixed(&[json!("File")]),
        "enableServiceLinks" => fixed(&[json!(true)]),
        "protocol" => fixed(&[json!("TCP")]),
        "scheme" => fixed(&[json!("HTTP")]),
        "path" => fixed(&[json!("/")]),
        "failureThreshold" => fixed(&[json!(3)]),
        "successThreshold" => fixed(&[json!(1)]),
        "timeoutSeconds" => fixed(&[json!(1), json!(10800)]),
        "periodSeconds" => fixed(&[json!(10)]),
        "operator" => fixed(&[json!("Equal")]),
        "defaultMode" => fixed(&[json!(420)]),
        "expirationSeconds" => fixed(&[json!(3600)]),
        "replicas" | "minReplicas" | "parallelism" => fixed(&[json!(1)]),
        "revisionHistoryLimit" => fixed(&[json!(10)]),
        "progressDeadlineSeconds" => fixed(&[json!(600)]),
        "maxSurge" | "maxUnavailable" => fixed(&[json!("25%"), json!(1)]),
        "podManagementPolicy" => fixed(&[json!("OrderedReady")]),
        "whenDeleted" | "whenScaled" => fixed(&[json!("Retain")]),
        "persistentVolumeClaimRetentionPolicy" => {
            fixed(&[json!({ "whenDeleted": "Retain", "whenScaled": "Retain" })])
        }
        "sessionAffinity" => fixed(&[json!("None")]),
        "type" => fixed(&[json!("ClusterIP"), json!("Opaque"), json!("RollingUpdate")]),
        "internalTrafficPolicy" | "externalTrafficPolicy" => fixed(&[json!("Cluster")]),
        "allocateLoadBalancerNodePorts" => fixed(&[json!(true)]),
        "volumeMode" => fixed(&[json!("Filesystem")]),
        "reclaimPolicy" => fixed(&[json!("Delete")]),
        "persistentVolumeReclaimPolicy" => fixed(&[json!("Retain")]),
        "volumeBindingMode" => fixed(&[json!("Immediate")]),
        "selectPolicy" => fixed(&[json!("Max")]),
        "preemptionPolicy" => fixed(&[json!("PreemptLowerPriority")]),
        "unhealthyPodEvictionPolicy" => fixed(&[json!("IfHealthyBudget")]),
        // With a limit for each index there is none for all.
        "backoffLimit" => fixed(&[json!(6), json!(i32::MAX)]),
        "completionMode" => fixed(&[json!("NonIndexed")]),
        "podReplacementPolicy" => fixed(&[json!("TerminatingOrFailed"), json!("Failed")]),
        "concurrencyPolicy" => fixed(&[json!("Allow")]),
        "successfulJobsHistoryLimit" => fixed(&[json!(3)]),
        "failedJobsHistoryLimit" => fixed(&[json!(1)]),
        "apiGroup" => fixed(&[json!("rbac.authorization.k8s.io")]),
        "phase" => fixed(&[json!("Active"), json!("Pending")]),
        "apiVersion" => fixed(&[json!("v1")]),
        _ => None,
    }
}

/// The object as `k8s-openapi` reads and writes it; `None` for kinds that it does not have.
fn as_they_read(value: &Value) -> Result<Option<Value>, String> {
    fn through<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Option<Value>, String> {
        let theirs: T =
            serde_json::from_value(value.clone()).map_err(|e| format!("k8s-openapi cannot read it: {e}"))?;
        serde_json::to_value(theirs).map(Some).map_err(|e| e.to_string())
    }
    match (value["apiVersion"].as_str().unwrap_or_default(), value["kind"].as_str().unwrap_or_default()) {
        ("v1", "Pod") => through::<k8s::core::v1::Pod>(value),
        ("v1", "Node") => through::<k8s::core::v1::Node>(value),
        ("v1", "Namespace") => through::<k8s::core::v1::Namespace>(value),
        ("v1", "Service") => through::<k8s::core::v1::Service>(value),
        ("v1", "ConfigMap") => through::<k8s::core::v1::ConfigMap>(value),
        ("v1", "Secret") => through::<k8s::core::v1::Secret>(value),
        ("v1", "ServiceAccount") => through::<k8s::core::v1::ServiceAccount>(value),
        ("v1", "PersistentVolume") => through::<k8s::core::v1::PersistentVolume>(value),
        ("v1", "PersistentVolumeClaim") => through::<k8s::core::v1::PersistentVolumeClaim>(value),
        ("v1", "ReplicationController") => through::<k8s::core::v1::ReplicationController>(value),
        ("v1", "ResourceQuota") => through::<k8s::core::v1::ResourceQuota>(value),
        ("v1", "LimitRange") => through::<k8s::core::v1::LimitRange>(value),
        ("v1", "Event") => through::<k8s::core::v1::Event>(value),
        ("apps/v1", "Deployment") => through::<k8s::apps::v1::Deployment>(value),
        ("apps/v1", "ReplicaSet") => through::<k8s::apps::v1::ReplicaSet>(value),
        ("apps/v1", "StatefulSet") => through::<k8s::apps::v1::StatefulSet>(value),
        ("apps/v1", "DaemonSet") => through::<k8s::apps::v1::DaemonSet>(value),
        ("apps/v1", "ControllerRevision") => through::<k8s::apps::v1::ControllerRevision>(value),
        ("batch/v1", "Job") => through::<k8s::batch::v1::Job>(value),
        ("batch/v1", "CronJob") => through::<k8s::batch::v1::CronJob>(value),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            through::<k8s::autoscaling::v2::HorizontalPodAutoscaler>(value)
        }
        ("policy/v1", "PodDisruptionBudget") => through::<k8s::policy::v1::PodDisruptionBudget>(value),
        ("scheduling.k8s.io/v1", "PriorityClass") => through::<k8s::scheduling::v1::PriorityClass>(value),
        ("networking.k8s.io/v1", "Ingress") => through::<k8s::networking::v1::Ingress>(value),
        ("networking.k8s.io/v1", "NetworkPolicy") => through::<k8s::networking::v1::NetworkPolicy>(value),
        ("discovery.k8s.io/v1", "EndpointSlice") => through::<k8s::discovery::v1::EndpointSlice>(value),
        ("coordination.k8s.io/v1", "Lease") => through::<k8s::coordination::v1::Lease>(value),
        ("storage.k8s.io/v1", "StorageClass") => through::<k8s::storage::v1::StorageClass>(value),
        ("rbac.authorization.k8s.io/v1", "Role") => through::<k8s::rbac::v1::Role>(value),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => through::<k8s::rbac::v1::ClusterRole>(value),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => through::<k8s::rbac::v1::RoleBinding>(value),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            through::<k8s::rbac::v1::ClusterRoleBinding>(value)
        }
        _ => Ok(None),
    }
}
