//! [`Deployment`] and what it stands on: so many pods of one template, kept there and exchanged for
//! newer ones without a gap.

use orchestra_macros::wire;

use super::pod::{PodCarrier, PodTemplate, RestartPolicy};
use super::scheduling::Dependency;
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, Duration, IntOrPercent, IntoField, Kind, LabelSelector, Map, Object, Spec, Str,
    check_labels,
};

/// So many pods of one template, and how they are exchanged when it changes.
pub type Deployment = Object<DeploymentSpec>;

impl Spec for DeploymentSpec {
    const KIND: Kind = Kind::namespaced("apps/v1", "Deployment");
    type Status = DeploymentStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = DeploymentStatus::SCHEMA;

    fn fill_in(deployment: &mut Deployment) {
        let Object { metadata, spec, .. } = deployment;
        fill_in_labels(&metadata.name, &mut spec.selector, &mut spec.template);
        spec.template.fill_in();
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(deployment: &Deployment, at: &At<'_>) {
        let (spec, at) = (&deployment.spec, at.field("spec"));
        spec.selector.check(&at.field("selector"));
        check_selected(&spec.selector, &spec.template, &at);
        spec.template.check_lasting(&at.field("template"));
        spec.strategy.check(&at.field("strategy"));
        at.field("progressDeadlineSeconds").require(
            spec.progress_deadline_seconds > spec.min_ready_seconds,
            "must be more than minReadySeconds",
        );
        if let Some(extension) = &spec.orchestra {
            extension.check(&spec.strategy, &at.field("orchestra"));
        }
    }
}

impl PodCarrier for Deployment {
    const POD_SPEC: &'static str = "spec.template.spec";
    const POD_METADATA: &'static str = "spec.template.metadata";
}

/// What is desired of a Deployment.
#[wire(spec)]
pub struct DeploymentSpec {
    /// How many pods there are to be.
    #[wire(default = 1)]
    pub replicas: u32,
    /// Which pods are its own; those with the template's labels when nothing is given.
    #[wire(required)]
    pub selector: LabelSelector,
    /// What the pods are made from.
    #[wire(required)]
    pub template: PodTemplate,
    /// How pods are exchanged for newer ones.
    pub strategy: DeploymentStrategy,
    /// How long a pod must have been ready to count as available.
    pub min_ready_seconds: u32,
    /// How many earlier versions are kept to go back to.
    #[wire(default = 10)]
    pub revision_history_limit: u32,
    /// Whether nothing is exchanged for now.
    pub paused: bool,
    /// How long it may make no progress before it counts as failed.
    #[wire(default = 600)]
    pub progress_deadline_seconds: u32,
    /// What Orchestra adds.
    pub orchestra: Option<Box<DeploymentExtension>>,
}

/// What can be said of a Deployment beyond its fields.
impl Apply<Deployment> {
    /// Adds a step of a canary: so many percent of the requests go to the new pods, for so long.
    #[must_use]
    pub fn canary_step(self, weight: u32, pause: impl IntoField<Duration>) -> Self {
        let step = Apply::<CanaryStep>::nothing().weight(weight).pause(pause);
        self.append("spec.orchestra", "canary", step.into_field())
    }

    /// Goes back to the version before when the new one fails.
    #[must_use]
    pub fn rollback_on_failure(self) -> Self {
        self.put_under("spec.orchestra", "rollbackOnFailure", true.into_field())
    }

    /// Adds something that must be there before its pods are made.
    #[must_use]
    pub fn depends_on(self, dependency: impl IntoField<Dependency>) -> Self {
        self.append("spec.orchestra", "dependsOn", dependency.into_field())
    }
}

/// How pods are exchanged for newer ones.
#[wire(tag = "type")]
pub enum DeploymentStrategy {
    /// A few at a time, so that there are always enough.
    RollingUpdate(RollingUpdate),
    /// All old ones go before the first new one comes.
    Recreate,
}

impl Default for DeploymentStrategy {
    fn default() -> Self {
        Self::RollingUpdate(RollingUpdate::default())
    }
}

impl DeploymentStrategy {
    fn check(&self, at: &At<'_>) {
        if let Self::RollingUpdate(rolling) = self {
            let at = at.field("rollingUpdate");
            check_share(rolling.max_unavailable, &at.field("maxUnavailable"));
            at.field("maxUnavailable").require(
                !(is_zero(rolling.max_unavailable) && is_zero(rolling.max_surge)),
                "cannot be 0 when maxSurge is 0: nothing could ever be exchanged",
            );
        }
    }
}

/// How many pods are exchanged at a time.
#[wire]
pub struct RollingUpdate {
    /// How many may be missing meanwhile; a share is rounded down.
    #[wire(default = IntOrPercent::Percent(25))]
    pub max_unavailable: IntOrPercent,
    /// How many more than desired there may be meanwhile; a share is rounded up.
    #[wire(default = IntOrPercent::Percent(25))]
    pub max_surge: IntOrPercent,
}

/// Whether it is none at all, of however many.
pub(super) const fn is_zero(count: IntOrPercent) -> bool {
    matches!(count, IntOrPercent::Int(0) | IntOrPercent::Percent(0))
}

/// Checks a share of which more than all makes no sense.
pub(super) fn check_share(share: IntOrPercent, at: &At<'_>) {
    at.require(!matches!(share, IntOrPercent::Percent(101..)), "must not be more than 100%");
}

/// What Orchestra adds to a Deployment, under the field `orchestra`.
#[wire]
pub struct DeploymentExtension {
    /// By which steps a new version gets its share of the requests; all at once when there is none.
    #[wire(atomic)]
    pub canary: Vec<CanaryStep>,
    /// Whether it goes back to the version before when the new one fails.
    pub rollback_on_failure: bool,
    /// What must be there before its pods are made.
    #[wire(atomic)]
    pub depends_on: Vec<Dependency>,
}

impl DeploymentExtension {
    fn check(&self, strategy: &DeploymentStrategy, at: &At<'_>) {
        at.field("canary").require(
            self.canary.is_empty() || matches!(strategy, DeploymentStrategy::RollingUpdate(_)),
            "needs the strategy RollingUpdate: old and new pods run beside each other",
        );
        let mut before = 0;
        at.each("canary", &self.canary, |at, step| {
            let weight = at.field("weight");
            weight.require((1..=100).contains(&step.weight), "must be between 1 and 100");
            weight.require(step.weight > before, "must be more than in the step before");
            before = step.weight;
            at.field("pause").require(step.pause >= Duration::ZERO, "must not be less than 0s");
        });
        at.each("dependsOn", &self.depends_on, |at, dependency| dependency.check(at));
    }
}

/// A step of a canary.
#[wire]
pub struct CanaryStep {
    /// How many percent of the requests go to the new pods.
    #[wire(required)]
    pub weight: u32,
    /// For how long they are watched before the next step.
    #[wire(required)]
    pub pause: Duration,
}

/// What is observed of a Deployment.
#[wire]
pub struct DeploymentStatus {
    /// The generation of the Deployment that was looked at.
    pub observed_generation: u64,
    /// How many pods it has.
    pub replicas: u32,
    /// How many of them are of the present template.
    pub updated_replicas: u32,
    /// How many of them are ready.
    pub ready_replicas: u32,
    /// How many of them have been ready for long enough.
    pub available_replicas: u32,
    /// How many are missing.
    pub unavailable_replicas: u32,
    /// How many are about to go.
    pub terminating_replicas: u32,
    /// How often a name for a ReplicaSet was taken already.
    pub collision_count: u32,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// So many pods of one template, which never changes: a version of a Deployment.
pub type ReplicaSet = Object<ReplicaSetSpec>;

impl Spec for ReplicaSetSpec {
    const KIND: Kind = Kind::namespaced("apps/v1", "ReplicaSet");
    type Status = ReplicaSetStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = ReplicaSetStatus::SCHEMA;

    fn fill_in(set: &mut ReplicaSet) {
        let Object { metadata, spec, .. } = set;
        fill_in_labels(&metadata.name, &mut spec.selector, &mut spec.template);
        spec.template.fill_in();
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(set: &ReplicaSet, at: &At<'_>) {
        let (spec, at) = (&set.spec, at.field("spec"));
        spec.selector.check(&at.field("selector"));
        check_selected(&spec.selector, &spec.template, &at);
        spec.template.check_lasting(&at.field("template"));
    }
}

impl PodCarrier for ReplicaSet {
    const POD_SPEC: &'static str = "spec.template.spec";
    const POD_METADATA: &'static str = "spec.template.metadata";
}

/// What is desired of a ReplicaSet.
#[wire(spec)]
pub struct ReplicaSetSpec {
    /// How many pods there are to be.
    #[wire(default = 1)]
    pub replicas: u32,
    /// How long a pod must have been ready to count as available.
    pub min_ready_seconds: u32,
    /// Which pods are its own; those with the template's labels when nothing is given.
    #[wire(required)]
    pub selector: LabelSelector,
    /// What the pods are made from.
    #[wire(required)]
    pub template: PodTemplate,
}

/// What is observed of a ReplicaSet.
#[wire]
pub struct ReplicaSetStatus {
    /// How many pods it has.
    #[wire(required)]
    pub replicas: u32,
    /// How many of them have all of the template's labels.
    pub fully_labeled_replicas: u32,
    /// How many of them are ready.
    pub ready_replicas: u32,
    /// How many of them have been ready for long enough.
    pub available_replicas: u32,
    /// How many are about to go.
    pub terminating_replicas: u32,
    /// The generation that was looked at.
    pub observed_generation: u64,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// So many pods of one template: what there was before there were ReplicaSets.
pub type ReplicationController = Object<ReplicationControllerSpec>;

impl Spec for ReplicationControllerSpec {
    const KIND: Kind = Kind::namespaced("v1", "ReplicationController");
    type Status = ReplicationControllerStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = ReplicationControllerStatus::SCHEMA;

    fn fill_in(controller: &mut ReplicationController) {
        let Object { metadata, spec, .. } = controller;
        let labels = &spec.template.metadata.labels;
        for target in [&mut spec.selector, &mut metadata.labels] {
            if target.is_empty() {
                target.clone_from(labels);
            }
        }
        spec.template.fill_in();
    }

    fn check(controller: &ReplicationController, at: &At<'_>) {
        let (spec, at) = (&controller.spec, at.field("spec"));
        check_labels(&spec.selector, &at.field("selector"));
        check_selected(&LabelSelector::from_iter(spec.selector.iter()), &spec.template, &at);
        spec.template.check_lasting(&at.field("template"));
    }
}

impl PodCarrier for ReplicationController {
    const POD_SPEC: &'static str = "spec.template.spec";
    const POD_METADATA: &'static str = "spec.template.metadata";
}

/// What is desired of a ReplicationController.
#[wire(spec)]
pub struct ReplicationControllerSpec {
    /// How many pods there are to be.
    #[wire(default = 1)]
    pub replicas: u32,
    /// How long a pod must have been ready to count as available.
    pub min_ready_seconds: u32,
    /// Labels of the pods that are its own; the template's when none is given.
    #[wire(atomic)]
    pub selector: Map<Str>,
    /// What the pods are made from.
    #[wire(required)]
    pub template: PodTemplate,
}

/// What is observed of a ReplicationController.
#[wire]
pub struct ReplicationControllerStatus {
    /// How many pods it has.
    #[wire(required)]
    pub replicas: u32,
    /// How many of them have all of the template's labels.
    pub fully_labeled_replicas: u32,
    /// How many of them are ready.
    pub ready_replicas: u32,
    /// How many of them have been ready for long enough.
    pub available_replicas: u32,
    /// The generation that was looked at.
    pub observed_generation: u64,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// Labels pods that have no label with their maker's name, and lets a selector that says nothing
/// select what the template makes. Kubernetes would refuse both.
pub(super) fn fill_in_labels(name: &Str, selector: &mut LabelSelector, template: &mut PodTemplate) {
    let labels = &mut template.metadata.labels;
    if labels.is_empty() && !name.is_empty() {
        labels.insert("app", name.clone());
    }
    if selector.is_empty() {
        selector.match_labels = labels.clone();
    }
}

/// Checks that a selector selects something, and what the template beside it makes.
pub(super) fn check_selected(selector: &LabelSelector, template: &PodTemplate, at: &At<'_>) {
    at.field("selector").require(!selector.is_empty(), "must select something, not everything");
    at.field("template").field("metadata").field("labels").require(
        selector.matches(&template.metadata.labels),
        "must be what the selector selects: the pods would not be found again",
    );
}

impl PodTemplate {
    /// Checks a template whose pods run until nobody wants them.
    pub(super) fn check_lasting(&self, at: &At<'_>) {
        self.check(at);
        let at = at.field("spec");
        at.field("restartPolicy").require(
            self.spec.restart_policy == RestartPolicy::Always,
            "must be Always; for pods that come to an end there is the Job",
        );
        at.field("activeDeadlineSeconds").require(
            self.spec.active_deadline_seconds.is_none(),
            "may not be given; for pods that come to an end there is the Job",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::{Container, PodSpec};
    use crate::object::Resource;

    fn deployment() -> Apply<Deployment> {
        Deployment::new("web").container(Container::new("app").image("app:1"))
    }

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        let nothing = Apply::<Deployment>::nothing;
        for (apply, extension) in [
            (nothing().canary_step(10, "5s"), json!({"canary": [{"weight": 10, "pause": "5s"}]})),
            (nothing().rollback_on_failure(), json!({"rollbackOnFailure": true})),
            (nothing().depends_on(Dependency::on("db")), json!({"dependsOn": [{"name": "db"}]})),
        ] {
            let fields = Value::Object(apply.fields().unwrap());
            assert_eq!(fields, json!({"spec": {"orchestra": extension}}));
        }
    }

    #[test]
    fn what_is_not_said_is_as_in_kubernetes() {
        let web = deployment().build().unwrap();
        assert!(web.problems().is_empty(), "{}", web.problems());
        let spec = &web.spec;
        assert_eq!(
            (spec.replicas, spec.revision_history_limit, spec.progress_deadline_seconds),
            (1, 10, 600)
        );
        let quarter = IntOrPercent::Percent(25);
        let rolling = RollingUpdate { max_unavailable: quarter, max_surge: quarter };
        assert_eq!(spec.strategy, DeploymentStrategy::RollingUpdate(rolling));
        let partly = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
        let strategy: DeploymentStrategy = serde_json::from_value(partly).unwrap();
        let rolling = RollingUpdate { max_unavailable: quarter, max_surge: 1.into() };
        assert_eq!(strategy, DeploymentStrategy::RollingUpdate(rolling));
    }

    #[test]
    fn pods_without_labels_are_labelled_and_selected() {
        let named = Map::from([("app", Str::from("web"))]);
        let web = deployment().build().unwrap();
        assert_eq!((&web.spec.template.metadata.labels, &web.spec.selector.match_labels), (&named, &named));
        let given = Map::from([("tier", Str::from("front"))]);
        let web = deployment().pod_label("tier", "front").build().unwrap();
        assert_eq!((&web.spec.template.metadata.labels, &web.spec.selector.match_labels), (&given, &given));
        let set = ReplicaSet::new("web").build().unwrap();
        assert_eq!(set.spec.selector.match_labels, named);
        let nameless = serde_json::from_value::<Deployment>(json!({})).unwrap();
        let nameless = Apply::<Deployment>::nothing().spec(nameless.spec).build().unwrap();
        assert!(nameless.spec.selector.is_empty());
    }

    #[test]
    fn a_replication_controller_takes_the_labels_of_its_template_and_makes_none_up() {
        let labelled = ReplicationController::new("web").pod_label("a", "1").build().unwrap();
        let labels = Map::from([("a", Str::from("1"))]);
        assert_eq!((&labelled.spec.selector, &labelled.metadata.labels), (&labels, &labels));
        let bare = ReplicationController::new("web").build().unwrap();
        assert!(bare.problems().to_string().contains("spec.selector: must select something"));
    }

    #[test]
    fn what_cannot_work_is_named() {
        let rolling = |max_unavailable, max_surge| {
            DeploymentStrategy::RollingUpdate(RollingUpdate { max_unavailable, max_surge })
        };
        let (none, all) = (IntOrPercent::Int(0), IntOrPercent::Percent(101));
        for (apply, problem) in [
            (
                deployment().selector([("app", "api")].into_iter().collect::<LabelSelector>()),
                "spec.template.metadata.labels: must be what the selector selects",
            ),
            (
                deployment().pod(Apply::<PodSpec>::nothing().restart_policy(RestartPolicy::Never)),
                "spec.template.spec.restartPolicy: must be Always",
            ),
            (
                deployment().pod(Apply::<PodSpec>::nothing().active_deadline_seconds(1)),
                "spec.template.spec.activeDeadlineSeconds: may not be given",
            ),
            (deployment().container(Container::new("")), "spec.template.spec.containers[1].name: required"),
            (deployment().strategy(rolling(none, none)), "maxUnavailable: cannot be 0 when maxSurge is 0"),
            (deployment().strategy(rolling(all, none)), "maxUnavailable: must not be more than 100%"),
            (
                deployment().min_ready_seconds(600),
                "spec.progressDeadlineSeconds: must be more than minReadySeconds",
            ),
            (deployment().canary_step(0, "1m"), "spec.orchestra.canary[0].weight: must be between 1 and 100"),
            (
                deployment().canary_step(50, "1m").canary_step(20, "1m"),
                "canary[1].weight: must be more than in the step before",
            ),
            (deployment().canary_step(50, "-1m"), "canary[0].pause: must not be less than 0s"),
            (
                deployment().strategy(DeploymentStrategy::Recreate).canary_step(50, "1m"),
                "spec.orchestra.canary: needs the strategy RollingUpdate",
            ),
            (deployment().depends_on(Dependency::on("")), "spec.orchestra.dependsOn[0].name: required"),
        ] {
            let problems = apply.build().unwrap().problems().to_string();
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
    }

    #[test]
    fn a_strategy_has_only_its_own_settings() {
        let both = json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}});
        let error = serde_json::from_value::<DeploymentStrategy>(both).unwrap_err().to_string();
        assert!(error.contains("may not stand beside `type: Recreate`"), "{error}");
    }
}
