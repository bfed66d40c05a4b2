//! [`StatefulSet`], whose pods have names and storage of their own; [`DaemonSet`], one pod a node;
//! and the versions of both.

use orchestra_macros::wire;
use serde_json::Value;

use super::deployment::{check_selected, check_share, fill_in_labels, is_zero};
use super::pod::{PodCarrier, PodTemplate};
use super::storage::PersistentVolumeClaim;
use super::volume::{ClaimSpec, Volume, VolumeSource};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, IntOrPercent, IntoField, Kind, LabelSelector, NoStatus, Object, Resource, Spec,
    Str, names,
};

/// Pods with numbers: each keeps its name and its storage wherever it runs.
pub type StatefulSet = Object<StatefulSetSpec>;

impl Spec for StatefulSetSpec {
    const KIND: Kind = Kind::namespaced("apps/v1", "StatefulSet");
    type Status = StatefulSetStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = StatefulSetStatus::SCHEMA;

    fn fill_in(set: &mut StatefulSet) {
        let Object { metadata, spec, .. } = set;
        fill_in_labels(&metadata.name, &mut spec.selector, &mut spec.template);
        spec.template.fill_in();
        spec.volume_claim_templates.iter_mut().for_each(Resource::fill_in);
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(set: &StatefulSet, at: &At<'_>) {
        let (spec, at) = (&set.spec, at.field("spec"));
        spec.selector.check(&at.field("selector"));
        check_selected(&spec.selector, &spec.template, &at);
        spec.template_with_claims().check_lasting(&at.field("template"));
        spec.check_claims(&at);
        if !spec.service_name.is_empty() {
            at.field("serviceName").check(names::dns_label(&spec.service_name));
        }
        if let StatefulStrategy::RollingUpdate(rolling) = &spec.update_strategy {
            let at = at.field("updateStrategy");
            let at = at.field("rollingUpdate");
            check_share(rolling.max_unavailable, &at.field("maxUnavailable"));
            at.field("maxUnavailable")
                .require(!is_zero(rolling.max_unavailable), "cannot be 0: nothing could ever be exchanged");
        }
    }
}

impl PodCarrier for StatefulSet {
    const POD_SPEC: &'static str = "spec.template.spec";
    const POD_METADATA: &'static str = "spec.template.metadata";
}

/// What is desired of a StatefulSet.
#[wire(spec)]
pub struct StatefulSetSpec {
    /// How many pods there are to be.
    #[wire(default = 1)]
    pub replicas: u32,
    /// Which pods are its own; those with the template's labels when nothing is given.
    #[wire(required)]
    pub selector: LabelSelector,
    /// What the pods are made from.
    #[wire(required)]
    pub template: PodTemplate,
    /// What storage each pod has: a claim is made for each, and mounted by its name.
    #[wire(atomic)]
    pub volume_claim_templates: Vec<PersistentVolumeClaim>,
    /// The Service under whose name each pod has a name of its own.
    #[wire(required)]
    pub service_name: Str,
    /// Whether a pod waits for those before it.
    #[wire(default = PodManagement::OrderedReady)]
    pub pod_management_policy: PodManagement,
    /// How pods are exchanged for newer ones.
    pub update_strategy: StatefulStrategy,
    /// How many earlier versions are kept to go back to.
    #[wire(default = 10)]
    pub revision_history_limit: u32,
    /// How long a pod must have been ready to count as available.
    pub min_ready_seconds: u32,
    /// What becomes of the claims when they are not needed any more.
    pub persistent_volume_claim_retention_policy: ClaimRetention,
    /// How the pods are numbered.
    pub ordinals: Ordinals,
}

impl StatefulSetSpec {
    /// The template with the volumes that the claims become, as each pod has them.
    fn template_with_claims(&self) -> PodTemplate {
        let mut template = self.template.clone();
        for claim in &self.volume_claim_templates {
            let volumes = &mut template.spec.volumes;
            if !claim.name().is_empty() && !volumes.iter().any(|volume| volume.name == *claim.name()) {
                let source = VolumeSource::claim(claim.name());
                volumes.push(Volume { name: claim.name().clone(), source });
            }
        }
        template
    }

    fn check_claims(&self, at: &At<'_>) {
        at.each("volumeClaimTemplates", &self.volume_claim_templates, |at, claim| {
            at.field("metadata").field("name").name(claim.name(), names::dns_label);
            <ClaimSpec as Spec>::check(claim, at);
        });
        at.distinct("volumeClaimTemplates", &self.volume_claim_templates, |claim| claim.name().clone());
    }
}

/// What can be said of a StatefulSet beyond its fields.
impl Apply<StatefulSet> {
    /// Adds storage that each pod has for itself, mounted by the claim's name.
    #[must_use]
    pub fn claim(self, claim: impl IntoField<PersistentVolumeClaim>) -> Self {
        self.append("spec", "volumeClaimTemplates", claim.into_field())
    }
}

/// Whether a pod of a StatefulSet waits for those before it.
#[wire]
pub enum PodManagement {
    /// One comes after the other, and goes in the opposite order.
    #[default]
    OrderedReady,
    /// All come and go at once.
    Parallel,
}

/// How a StatefulSet's pods are exchanged for newer ones.
#[wire(tag = "type")]
pub enum StatefulStrategy {
    /// From the last to the first.
    RollingUpdate(StatefulRollingUpdate),
    /// When somebody deletes them.
    OnDelete,
}

impl Default for StatefulStrategy {
    fn default() -> Self {
        Self::RollingUpdate(StatefulRollingUpdate::default())
    }
}

/// Which of a StatefulSet's pods are exchanged, and how many at a time.
#[wire]
pub struct StatefulRollingUpdate {
    /// The number of the first pod that is exchanged; those before it stay as they are.
    #[wire(default = 0)]
    pub partition: u32,
    /// How many may be missing meanwhile; a share is rounded up.
    #[wire(default = IntOrPercent::Int(1))]
    pub max_unavailable: IntOrPercent,
}

/// What becomes of a StatefulSet's claims when they are not needed any more.
#[wire]
pub struct ClaimRetention {
    /// When the StatefulSet is deleted.
    #[wire(default = Retention::Retain)]
    pub when_deleted: Retention,
    /// When it is given fewer pods.
    #[wire(default = Retention::Retain)]
    pub when_scaled: Retention,
}

/// What becomes of a claim.
#[wire]
pub enum Retention {
    /// It stays.
    #[default]
    Retain,
    /// It goes, and what is stored with it.
    Delete,
}

/// How a StatefulSet's pods are numbered.
#[wire]
pub struct Ordinals {
    /// The number of the first.
    pub start: u32,
}

/// What is observed of a StatefulSet.
#[wire]
pub struct StatefulSetStatus {
    /// The generation of the StatefulSet that was looked at.
    pub observed_generation: u64,
    /// How many pods it has.
    #[wire(required)]
    pub replicas: u32,
    /// How many of them are ready.
    pub ready_replicas: u32,
    /// How many of them are of the version before.
    pub current_replicas: u32,
    /// How many of them are of the newest version.
    pub updated_replicas: u32,
    /// The version before.
    pub current_revision: Str,
    /// The newest version.
    pub update_revision: Str,
    /// How often a name for a ControllerRevision was taken already.
    pub collision_count: u32,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
    /// How many pods have been ready for long enough.
    #[wire(required)]
    pub available_replicas: u32,
}

/// One pod on each node, or on each of certain nodes.
pub type DaemonSet = Object<DaemonSetSpec>;

impl Spec for DaemonSetSpec {
    const KIND: Kind = Kind::namespaced("apps/v1", "DaemonSet");
    type Status = DaemonSetStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = DaemonSetStatus::SCHEMA;

    fn fill_in(set: &mut DaemonSet) {
        let Object { metadata, spec, .. } = set;
        fill_in_labels(&metadata.name, &mut spec.selector, &mut spec.template);
        spec.template.fill_in();
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(set: &DaemonSet, at: &At<'_>) {
        let (spec, at) = (&set.spec, at.field("spec"));
        spec.selector.check(&at.field("selector"));
        check_selected(&spec.selector, &spec.template, &at);
        spec.template.check_lasting(&at.field("template"));
        spec.update_strategy.check(&at.field("updateStrategy"));
    }
}

impl PodCarrier for DaemonSet {
    const POD_SPEC: &'static str = "spec.template.spec";
    const POD_METADATA: &'static str = "spec.template.metadata";
}

/// What is desired of a DaemonSet.
#[wire(spec)]
pub struct DaemonSetSpec {
    /// Which pods are its own; those with the template's labels when nothing is given.
    #[wire(required)]
    pub selector: LabelSelector,
    /// What the pods are made from. Its node selector and affinity say on which nodes.
    #[wire(required)]
    pub template: PodTemplate,
    /// How pods are exchanged for newer ones.
    pub update_strategy: DaemonStrategy,
    /// How long a pod must have been ready to count as available.
    pub min_ready_seconds: u32,
    /// How many earlier versions are kept to go back to.
    #[wire(default = 10)]
    pub revision_history_limit: u32,
}

/// How a DaemonSet's pods are exchanged for newer ones.
#[wire(tag = "type")]
pub enum DaemonStrategy {
    /// A few nodes at a time.
    RollingUpdate(DaemonRollingUpdate),
    /// When somebody deletes them.
    OnDelete,
}

impl Default for DaemonStrategy {
    fn default() -> Self {
        Self::RollingUpdate(DaemonRollingUpdate::default())
    }
}

impl DaemonStrategy {
    fn check(&self, at: &At<'_>) {
        let Self::RollingUpdate(rolling) = self else { return };
        let at = at.field("rollingUpdate");
        check_share(rolling.max_unavailable, &at.field("maxUnavailable"));
        check_share(rolling.max_surge, &at.field("maxSurge"));
        match (is_zero(rolling.max_unavailable), is_zero(rolling.max_surge)) {
            (true, true) => at
                .field("maxUnavailable")
                .problem("cannot be 0 when maxSurge is 0: nothing could ever be exchanged"),
            (false, false) => at.field("maxSurge").problem("may not be given unless maxUnavailable is 0"),
            _ => {}
        }
    }
}

/// On how many nodes a DaemonSet's pods are exchanged at a time.
#[wire]
pub struct DaemonRollingUpdate {
    /// On how many nodes the pod may be missing meanwhile; a share is rounded up.
    #[wire(default = IntOrPercent::Int(1))]
    pub max_unavailable: IntOrPercent,
    /// On how many nodes the new pod may run beside the old one; a share is rounded up.
    #[wire(default = IntOrPercent::Int(0))]
    pub max_surge: IntOrPercent,
}

/// What is observed of a DaemonSet.
#[wire]
pub struct DaemonSetStatus {
    /// How many nodes have the pod and should.
    #[wire(required)]
    pub current_number_scheduled: u32,
    /// How many nodes have the pod and should not.
    #[wire(required)]
    pub number_misscheduled: u32,
    /// How many nodes should have the pod.
    #[wire(required)]
    pub desired_number_scheduled: u32,
    /// On how many nodes it is ready.
    #[wire(required)]
    pub number_ready: u32,
    /// The generation of the DaemonSet that was looked at.
    pub observed_generation: u64,
    /// How many nodes have the newest pod.
    pub updated_number_scheduled: u32,
    /// On how many nodes it has been ready for long enough.
    pub number_available: u32,
    /// On how many nodes it is missing or not ready for long enough yet.
    pub number_unavailable: u32,
    /// How often a name for a ControllerRevision was taken already.
    pub collision_count: u32,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// A version of a StatefulSet or DaemonSet, which never changes.
pub type ControllerRevision = Object<ControllerRevisionSpec>;

impl Spec for ControllerRevisionSpec {
    const KIND: Kind = Kind::namespaced("apps/v1", "ControllerRevision").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(revision: &ControllerRevision, at: &At<'_>) {
        at.field("data").required(!revision.spec.data.is_null());
    }
}

/// What a ControllerRevision holds.
#[wire(spec)]
pub struct ControllerRevisionSpec {
    /// What was desired.
    pub data: Value,
    /// Which version it is; the greater the newer.
    #[wire(required)]
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::{Container, PodSpec, RestartPolicy};

    fn set() -> Apply<StatefulSet> {
        StatefulSet::new("db").container(Container::new("app").image("db:1").mount("data", "/data"))
    }

    fn claim(name: &str) -> Apply<PersistentVolumeClaim> {
        PersistentVolumeClaim::new(name)
    }

    #[test]
    fn a_claim_is_added_and_nothing_else_is_set() {
        let apply = Apply::<StatefulSet>::nothing().claim(claim("data"));
        let claim =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}});
        let fields = Value::Object(apply.fields().unwrap());
        assert_eq!(fields, json!({"spec": {"volumeClaimTemplates": [claim]}}));
    }

    #[test]
    fn what_is_not_said_is_as_in_kubernetes() {
        let spec = serde_json::to_value(set().build().unwrap().spec).unwrap();
        for (path, value) in [
            ("/replicas", json!(1)),
            ("/revisionHistoryLimit", json!(10)),
            ("/podManagementPolicy", json!("OrderedReady")),
            ("/updateStrategy/type", json!("RollingUpdate")),
            ("/updateStrategy/rollingUpdate/partition", json!(0)),
            ("/persistentVolumeClaimRetentionPolicy/whenDeleted", json!("Retain")),
            ("/persistentVolumeClaimRetentionPolicy/whenScaled", json!("Retain")),
            ("/selector/matchLabels/app", json!("db")),
        ] {
            assert_eq!(spec.pointer(path), Some(&value), "{path}");
        }
        assert_eq!(spec.pointer("/ordinals"), None);
        let spec = serde_json::to_value(DaemonSet::new("log").build().unwrap().spec).unwrap();
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
        assert_eq!((&spec["updateStrategy"], &spec["revisionHistoryLimit"]), (&rolling, &json!(10)));
        assert_eq!(spec["selector"], json!({"matchLabels": {"app": "log"}}));
    }

    #[test]
    fn what_is_claimed_can_be_mounted() {
        let problems = set().build().unwrap().problems().to_string();
        assert!(problems.contains("volumeMounts[0].name: the pod has no volume `data`"), "{problems}");
        let problems = set().claim(claim("data")).build().unwrap().problems().to_string();
        assert!(!problems.contains("has no volume"), "{problems}");
    }

    #[test]
    fn a_field_that_a_claim_does_not_have_is_kept_and_named() {
        let json = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"colour": "red"}}]},
        });
        let set: StatefulSet = serde_json::from_value(json).unwrap();
        let unknown: Vec<_> = set.unknown().iter().map(|field| field.path().to_string()).collect();
        assert_eq!(unknown, ["spec.volumeClaimTemplates[0].spec.colour"]);
        let back = serde_json::to_value(&set).unwrap();
        assert_eq!(back["spec"]["volumeClaimTemplates"][0]["spec"]["colour"], "red");
    }

    #[test]
    fn what_cannot_work_is_named() {
        let never = || Apply::<PodSpec>::nothing().restart_policy(RestartPolicy::Never);
        let rolling = |max_unavailable| {
            StatefulStrategy::RollingUpdate(StatefulRollingUpdate { partition: 0, max_unavailable })
        };
        for (apply, problem) in [
            (set().pod(never()), "spec.template.spec.restartPolicy: must be Always"),
            (set().service_name("a.b"), "spec.serviceName: `a.b` must be"),
            (
                set().update_strategy(rolling(0.into())),
                "spec.updateStrategy.rollingUpdate.maxUnavailable: cannot be 0",
            ),
            (set().claim(claim("a.b")), "spec.volumeClaimTemplates[0].metadata.name: `a.b` must be"),
            (set().claim(claim("a")).claim(claim("a")), "spec.volumeClaimTemplates[1]: `a` is there already"),
            (
                set().selector([("app", "x")].into_iter().collect::<LabelSelector>()),
                "spec.template.metadata.labels: must be what the selector selects",
            ),
        ] {
            let problems = apply.build().unwrap().problems().to_string();
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
        let daemons = |max_unavailable: u32, max_surge: u32| {
            let (max_unavailable, max_surge) = (max_unavailable.into(), max_surge.into());
            let rolling = DaemonRollingUpdate { max_unavailable, max_surge };
            let set = DaemonSet::new("log").container(Container::new("a"));
            set.update_strategy(DaemonStrategy::RollingUpdate(rolling))
                .build()
                .unwrap()
                .problems()
                .to_string()
        };
        assert_eq!((daemons(1, 0).as_str(), daemons(0, 1).as_str()), ("", ""));
        assert!(daemons(0, 0).contains("rollingUpdate.maxUnavailable: cannot be 0 when maxSurge is 0"));
        assert!(
            daemons(1, 1).contains("rollingUpdate.maxSurge: may not be given unless maxUnavailable is 0")
        );
        let empty = ControllerRevision::new("web-1").revision(1_u64).build().unwrap();
        assert_eq!(empty.problems().to_string(), "data: required, but not given");
    }
}
