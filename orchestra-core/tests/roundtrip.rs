//! Objects of every kind that Kubernetes has, written by us, read and written by `k8s-openapi`, and
//! read by us again: nothing may be lost or changed. `k8s-openapi` is generated from Kubernetes' own
//! specification, so a misspelt field or a wrong type does not survive this.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use k8s_openapi::api as k8s;
use orchestra_core::kinds::*;
use orchestra_core::object::Resource;
use orchestra_core::object::sample::Sampler;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How many objects of each kind are tried.
fn seeds() -> u64 {
    std::env::var("ORCHESTRA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// `times` are the fields of a condition that Kubernetes has for this kind, beyond those that it has
/// for every kind: our one type has them all.
fn survives<Ours: Resource, Theirs: Serialize + DeserializeOwned>(times: &[&str]) {
    for seed in 0..seeds() {
        let mut sample = Sampler::seeded(seed).value(Ours::schema());
        sample["apiVersion"] = Ours::KIND.api_version().into();
        sample["kind"] = Ours::KIND.name().into();
        leave_out(&mut sample, times);
        let context = || format!("{} of seed {seed}", Ours::KIND);
        let ours: Ours = serde_json::from_value(sample).unwrap_or_else(|e| panic!("{}: {e}", context()));
        let written = serde_json::to_value(&ours).unwrap();
        let theirs: Theirs = serde_json::from_value(written.clone())
            .unwrap_or_else(|e| panic!("{}: {e}\n{written:#}", context()));
        let back = serde_json::to_value(&theirs).unwrap();
        let again: Ours =
            serde_json::from_value(back.clone()).unwrap_or_else(|e| panic!("{}: {e}\n{back:#}", context()));
        if ours != again {
            let again = serde_json::to_value(&again).unwrap();
            let difference = first_difference(&written, &again, String::new()).unwrap_or_default();
            panic!("{}: {difference}", context());
        }
    }
}

/// Leaves out what Kubernetes does not have: our extensions, and times of conditions.
fn leave_out(value: &mut Value, times: &[&str]) {
    match value {
        Value::Object(map) => {
            map.remove("orchestra");
            if let Some(Value::Array(conditions)) = map.get_mut("conditions") {
                for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
                    for time in ["observedGeneration", "lastUpdateTime", "lastProbeTime", "lastHeartbeatTime"]
                    {
                        if !times.contains(&time) {
                            condition.remove(time);
                        }
                    }
                    // Where Kubernetes always has it, it is no condition without it.
                    if times.contains(&"lastTransitionTime") {
                        condition.entry("lastTransitionTime").or_insert("2026-11-21T08:00:00Z".into());
                    }
                }
            }
            map.values_mut().for_each(|value| leave_out(value, times));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| leave_out(value, times)),
        _ => {}
    }
}

fn first_difference(a: &Value, b: &Value, path: String) -> Option<String> {
    let null = json!(null);
    match (a, b) {
        (a, b) if a == b => None,
        (Value::Object(x), Value::Object(y)) => x.keys().chain(y.keys()).find_map(|key| {
            first_difference(
                x.get(key).unwrap_or(&null),
                y.get(key).unwrap_or(&null),
                format!("{path}.{key}"),
            )
        }),
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => x
            .iter()
            .zip(y)
            .enumerate()
            .find_map(|(at, (x, y))| first_difference(x, y, format!("{path}[{at}]"))),
        _ => Some(format!("{path}: {a} became {b}")),
    }
}

macro_rules! survive {
    ($($test:ident: $ours:ty, $theirs:ty $(, $time:literal)*;)*) => {$(
        #[test]
        fn $test() {
            survives::<$ours, $theirs>(&[$($time),*]);
        }
    )*};
}

survive! {
    autoscaler: HorizontalPodAutoscaler, k8s::autoscaling::v2::HorizontalPodAutoscaler, "observedGeneration";
    cluster_role: ClusterRole, k8s::rbac::v1::ClusterRole;
    cluster_role_binding: ClusterRoleBinding, k8s::rbac::v1::ClusterRoleBinding;
    config_map: ConfigMap, k8s::core::v1::ConfigMap;
    controller_revision: ControllerRevision, k8s::apps::v1::ControllerRevision;
    cron_job: CronJob, k8s::batch::v1::CronJob;
    daemon_set: DaemonSet, k8s::apps::v1::DaemonSet;
    deployment: Deployment, k8s::apps::v1::Deployment, "lastUpdateTime";
    disruption_budget: PodDisruptionBudget, k8s::policy::v1::PodDisruptionBudget,
        "lastTransitionTime", "observedGeneration";
    endpoint_slice: EndpointSlice, k8s::discovery::v1::EndpointSlice;
    event: Event, k8s::core::v1::Event;
    ingress: Ingress, k8s::networking::v1::Ingress;
    job: Job, k8s::batch::v1::Job, "lastProbeTime";
    lease: Lease, k8s::coordination::v1::Lease;
    limit_range: LimitRange, k8s::core::v1::LimitRange;
    namespace: Namespace, k8s::core::v1::Namespace;
    network_policy: NetworkPolicy, k8s::networking::v1::NetworkPolicy;
    node: Node, k8s::core::v1::Node, "lastHeartbeatTime";
    persistent_volume: PersistentVolume, k8s::core::v1::PersistentVolume;
    persistent_volume_claim: PersistentVolumeClaim, k8s::core::v1::PersistentVolumeClaim, "lastProbeTime";
    pod: Pod, k8s::core::v1::Pod, "lastProbeTime", "observedGeneration";
    priority_class: PriorityClass, k8s::scheduling::v1::PriorityClass;
    replica_set: ReplicaSet, k8s::apps::v1::ReplicaSet;
    replication_controller: ReplicationController, k8s::core::v1::ReplicationController;
    resource_quota: ResourceQuota, k8s::core::v1::ResourceQuota;
    role: Role, k8s::rbac::v1::Role;
    role_binding: RoleBinding, k8s::rbac::v1::RoleBinding;
    secret: Secret, k8s::core::v1::Secret;
    service: Service, k8s::core::v1::Service, "lastTransitionTime", "observedGeneration";
    service_account: ServiceAccount, k8s::core::v1::ServiceAccount;
    stateful_set: StatefulSet, k8s::apps::v1::StatefulSet;
    storage_class: StorageClass, k8s::storage::v1::StorageClass;
}
