//! [`HorizontalPodAutoscaler`]: as many pods as there is work for.

use orchestra_macros::wire;

use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, Kind, LabelSelector, Object, Quantity, Spec, Str, Timestamp, names,
};

/// Gives something, a Deployment mostly, as many pods as there is work for.
pub type HorizontalPodAutoscaler = Object<AutoscalerSpec>;

impl Spec for AutoscalerSpec {
    const KIND: Kind = Kind::namespaced("autoscaling/v2", "HorizontalPodAutoscaler");
    type Status = AutoscalerStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = AutoscalerStatus::SCHEMA;

    fn fill_in(autoscaler: &mut HorizontalPodAutoscaler) {
        let spec = &mut autoscaler.spec;
        if spec.metrics.is_empty() {
            let name = "cpu".into();
            spec.metrics =
                vec![Metric::Resource(ResourceMetric { name, target: MetricTarget::Utilization(80) })];
        }
        if let Some(behavior) = &mut spec.behavior {
            behavior.fill_in();
        }
    }

    fn check(autoscaler: &HorizontalPodAutoscaler, at: &At<'_>) {
        let (spec, at) = (&autoscaler.spec, at.field("spec"));
        spec.scale_target_ref.check(&at.field("scaleTargetRef"));
        at.field("maxReplicas").require(spec.max_replicas > 0, "must be more than 0");
        at.field("maxReplicas")
            .require(spec.max_replicas >= spec.min_replicas, "must not be less than minReplicas");
        // Of no pods nothing can be measured that would bring them back.
        let outside =
            spec.metrics.iter().any(|metric| matches!(metric, Metric::Object(_) | Metric::External(_)));
        at.field("minReplicas").require(
            spec.min_replicas > 0 || outside,
            "may be 0 only when one of the metrics is of type Object or External",
        );
        at.each("metrics", &spec.metrics, |at, metric| metric.check(at));
        if let Some(behavior) = &spec.behavior {
            let at = at.field("behavior");
            behavior.scale_up.check(&at.field("scaleUp"));
            behavior.scale_down.check(&at.field("scaleDown"));
        }
    }
}

/// What is desired of an autoscaler.
#[wire(spec)]
pub struct AutoscalerSpec {
    /// What is given more pods or fewer.
    #[wire(required)]
    pub scale_target_ref: ScaleTarget,
    /// How many pods there are at least.
    #[wire(default = 1)]
    pub min_replicas: u32,
    /// How many pods there are at most.
    #[wire(required)]
    pub max_replicas: u32,
    /// What is measured; the one that asks for the most pods counts. The use of the processor when
    /// none is given.
    #[wire(atomic)]
    pub metrics: Vec<Metric>,
    /// How fast the number of pods may change.
    pub behavior: Option<Box<ScalingBehavior>>,
}

/// An object that can be given more pods or fewer, or of which something is measured.
#[wire]
pub struct ScaleTarget {
    /// Its kind.
    #[wire(required)]
    pub kind: Str,
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// Its group and version.
    pub api_version: Str,
}

impl ScaleTarget {
    /// The Deployment of this name.
    #[must_use]
    pub fn deployment(name: impl Into<Str>) -> Apply<Self> {
        Apply::<Self>::nothing().kind("Deployment").name(name).api_version("apps/v1")
    }

    /// The StatefulSet of this name.
    #[must_use]
    pub fn stateful_set(name: impl Into<Str>) -> Apply<Self> {
        Apply::<Self>::nothing().kind("StatefulSet").name(name).api_version("apps/v1")
    }

    fn check(&self, at: &At<'_>) {
        at.field("kind").name(&self.kind, names::path_segment);
        at.field("name").name(&self.name, names::path_segment);
    }
}

/// What is measured, and what it is to be.
#[wire(tag = "type")]
pub enum Metric {
    /// How much of a resource the pods use.
    Resource(ResourceMetric),
    /// How much of a resource one container of each pod uses.
    ContainerResource(ContainerResourceMetric),
    /// Something that each pod measures.
    Pods(NamedMetric),
    /// Something that is measured of an object of the cluster.
    Object(ObjectMetric),
    /// Something that is measured outside of the cluster.
    External(NamedMetric),
}

impl Default for Metric {
    fn default() -> Self {
        Self::Resource(ResourceMetric::default())
    }
}

impl Metric {
    /// The processor time that the pods use, in percent of what they asked for.
    #[must_use]
    pub fn cpu(percent: u32) -> Self {
        Self::resource("cpu", percent)
    }

    /// The memory that the pods use, in percent of what they asked for.
    #[must_use]
    pub fn memory(percent: u32) -> Self {
        Self::resource("memory", percent)
    }

    fn resource(name: &str, percent: u32) -> Self {
        Self::Resource(ResourceMetric { name: name.into(), target: MetricTarget::Utilization(percent) })
    }

    fn check(&self, at: &At<'_>) {
        use MetricTarget::{AverageValue, Utilization, Value};
        let target = match self {
            Self::Resource(it) => {
                at.field("resource").field("name").required(!it.name.is_empty());
                it.target.check(&at.field("resource"));
                let ok = matches!(it.target, Utilization(_) | AverageValue(_));
                ("resource", ok, "must be Utilization or AverageValue")
            }
            Self::ContainerResource(it) => {
                let content = at.field("containerResource");
                content.field("name").required(!it.name.is_empty());
                content.field("container").name(&it.container, names::dns_label);
                it.target.check(&content);
                let ok = matches!(it.target, Utilization(_) | AverageValue(_));
                ("containerResource", ok, "must be Utilization or AverageValue")
            }
            Self::Pods(it) => {
                it.check(&at.field("pods"));
                ("pods", matches!(it.target, AverageValue(_)), "must be AverageValue")
            }
            Self::Object(it) => {
                let content = at.field("object");
                it.described_object.check(&content.field("describedObject"));
                it.metric.check(&content.field("metric"));
                it.target.check(&content);
                let ok = matches!(it.target, Value(_) | AverageValue(_));
                ("object", ok, "must be Value or AverageValue")
            }
            Self::External(it) => {
                it.check(&at.field("external"));
                let ok = matches!(it.target, Value(_) | AverageValue(_));
                ("external", ok, "must be Value or AverageValue")
            }
        };
        let (content, ok, what) = target;
        at.field(content).field("target").field("type").require(ok, what);
    }
}

/// How much of a resource the pods use.
#[wire]
pub struct ResourceMetric {
    /// The resource.
    #[wire(required)]
    pub name: Str,
    /// What it is to be.
    #[wire(required)]
    pub target: MetricTarget,
}

/// How much of a resource one container of each pod uses.
#[wire]
pub struct ContainerResourceMetric {
    /// The resource.
    #[wire(required)]
    pub name: Str,
    /// The container.
    #[wire(required)]
    pub container: Str,
    /// What it is to be.
    #[wire(required)]
    pub target: MetricTarget,
}

/// Something that is measured under a name.
#[wire]
pub struct NamedMetric {
    /// What it is called.
    #[wire(required)]
    pub metric: MetricName,
    /// What it is to be.
    #[wire(required)]
    pub target: MetricTarget,
}

impl NamedMetric {
    fn check(&self, at: &At<'_>) {
        self.metric.check(&at.field("metric"));
        self.target.check(at);
    }
}

/// Something that is measured of an object of the cluster.
#[wire]
pub struct ObjectMetric {
    /// The object.
    #[wire(required)]
    pub described_object: ScaleTarget,
    /// What it is called.
    #[wire(required)]
    pub metric: MetricName,
    /// What it is to be.
    #[wire(required)]
    pub target: MetricTarget,
}

/// What a metric is called.
#[wire]
pub struct MetricName {
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// Which of its series are meant.
    pub selector: LabelSelector,
}

impl MetricName {
    fn check(&self, at: &At<'_>) {
        at.field("name").name(&self.name, names::path_segment);
        self.selector.check(&at.field("selector"));
    }
}

/// What a metric is to be.
#[wire(tag = "type", content_counts)]
pub enum MetricTarget {
    /// On average, so many percent of what the pods ask for.
    #[wire(content = "averageUtilization")]
    Utilization(u32),
    /// So much in all.
    Value(Quantity),
    /// So much a pod.
    AverageValue(Quantity),
}

impl Default for MetricTarget {
    fn default() -> Self {
        Self::Utilization(0)
    }
}

impl MetricTarget {
    /// Checks the target of the metric that stands here.
    fn check(&self, metric: &At<'_>) {
        let at = metric.field("target");
        let (content, positive) = match self {
            Self::Utilization(percent) => ("averageUtilization", *percent > 0),
            Self::Value(value) => ("value", *value > Quantity::ZERO),
            Self::AverageValue(value) => ("averageValue", *value > Quantity::ZERO),
        };
        at.field(content).require(positive, "must be given, and more than 0");
    }
}

/// How fast the number of pods may change.
#[wire]
pub struct ScalingBehavior {
    /// When it grows.
    pub scale_up: ScalingRules,
    /// When it shrinks.
    pub scale_down: ScalingRules,
}

impl ScalingBehavior {
    fn fill_in(&mut self) {
        let policy = |kind, value| ScalingPolicy { kind, value, period_seconds: 15 };
        let all = policy(ScalingUnit::Percent, 100);
        self.scale_up.stabilization_window_seconds.get_or_insert(0);
        if self.scale_up.policies.is_empty() {
            self.scale_up.policies = vec![policy(ScalingUnit::Pods, 4), all.clone()];
        }
        if self.scale_down.policies.is_empty() {
            self.scale_down.policies = vec![all];
        }
    }
}

/// How fast the number of pods may change in one direction.
#[wire]
pub struct ScalingRules {
    /// Over how long the most careful of the numbers is taken; for shrinking five minutes when it
    /// is not given.
    pub stabilization_window_seconds: Option<u32>,
    /// Which of the policies counts.
    #[wire(default = PolicyChoice::Max)]
    pub select_policy: PolicyChoice,
    /// By how much the number may change in how much time.
    #[wire(atomic)]
    pub policies: Vec<ScalingPolicy>,
    /// Which part of the target a metric may be off without anything being done; a tenth when it is
    /// not given.
    pub tolerance: Option<Quantity>,
}

impl ScalingRules {
    fn check(&self, at: &At<'_>) {
        at.field("stabilizationWindowSeconds")
            .require(self.stabilization_window_seconds <= Some(3600), "must not be more than 3600");
        at.each("policies", &self.policies, |at, policy| {
            at.field("type").required(policy.kind != ScalingUnit::Unset);
            at.field("value").require(policy.value > 0, "must be more than 0");
            at.field("periodSeconds")
                .require((1..=1800).contains(&policy.period_seconds), "must be between 1 and 1800");
        });
        let negative = self.tolerance.is_some_and(Quantity::is_negative);
        at.field("tolerance").require(!negative, "must not be less than 0");
    }
}

/// Which of several policies counts.
#[wire]
pub enum PolicyChoice {
    /// The one that allows the greatest change.
    #[default]
    Max,
    /// The one that allows the least change.
    Min,
    /// None: the number does not change in this direction.
    Disabled,
}

/// By how much the number of pods may change in how much time.
#[wire]
pub struct ScalingPolicy {
    /// What is counted.
    #[wire(required, name = "type")]
    pub kind: ScalingUnit,
    /// By how much.
    #[wire(required)]
    pub value: u32,
    /// In how much time.
    #[wire(required)]
    pub period_seconds: u32,
}

/// In what a change of the number of pods is counted.
#[wire]
pub enum ScalingUnit {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// In pods.
    Pods,
    /// In percent of the present number.
    Percent,
}

/// What is observed of an autoscaler.
#[wire]
pub struct AutoscalerStatus {
    /// The generation of the autoscaler that was looked at.
    pub observed_generation: u64,
    /// When the number of pods was last changed.
    pub last_scale_time: Option<Timestamp>,
    /// How many pods there were when it last looked.
    pub current_replicas: u32,
    /// How many there are to be.
    #[wire(required)]
    pub desired_replicas: u32,
    /// What was measured.
    #[wire(atomic)]
    pub current_metrics: Vec<CurrentMetric>,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// What was measured.
#[wire(tag = "type")]
pub enum CurrentMetric {
    /// How much of a resource the pods use.
    Resource(CurrentResource),
    /// How much of a resource one container of each pod uses.
    ContainerResource(CurrentContainerResource),
    /// Something that each pod measures.
    Pods(CurrentNamed),
    /// Something that is measured of an object of the cluster.
    Object(CurrentObject),
    /// Something that is measured outside of the cluster.
    External(CurrentNamed),
}

impl Default for CurrentMetric {
    fn default() -> Self {
        Self::Resource(CurrentResource::default())
    }
}

/// How much of a resource the pods were seen to use.
#[wire]
pub struct CurrentResource {
    /// The resource.
    #[wire(required)]
    pub name: Str,
    /// How much it was.
    #[wire(required)]
    pub current: MetricValue,
}

/// How much of a resource one container of each pod was seen to use.
#[wire]
pub struct CurrentContainerResource {
    /// The resource.
    #[wire(required)]
    pub name: Str,
    /// The container.
    #[wire(required)]
    pub container: Str,
    /// How much it was.
    #[wire(required)]
    pub current: MetricValue,
}

/// Something that was measured under a name.
#[wire]
pub struct CurrentNamed {
    /// What it is called.
    #[wire(required)]
    pub metric: MetricName,
    /// How much it was.
    #[wire(required)]
    pub current: MetricValue,
}

/// Something that was measured of an object of the cluster.
#[wire]
pub struct CurrentObject {
    /// The object.
    #[wire(required)]
    pub described_object: ScaleTarget,
    /// What it is called.
    #[wire(required)]
    pub metric: MetricName,
    /// How much it was.
    #[wire(required)]
    pub current: MetricValue,
}

/// How much was measured, in one or several ways of counting.
#[wire]
pub struct MetricValue {
    /// On average, so many percent of what the pods ask for.
    pub average_utilization: Option<u32>,
    /// So much a pod.
    pub average_value: Option<Quantity>,
    /// So much in all.
    pub value: Option<Quantity>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::object::Resource;

    fn autoscaler() -> Apply<HorizontalPodAutoscaler> {
        HorizontalPodAutoscaler::new("web").scale_target_ref(ScaleTarget::deployment("web")).max_replicas(10)
    }

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        for (apply, kind) in [
            (ScaleTarget::deployment("web"), "Deployment"),
            (ScaleTarget::stateful_set("web"), "StatefulSet"),
        ] {
            let fields = Value::Object(apply.fields().unwrap());
            assert_eq!(fields, json!({"apiVersion": "apps/v1", "kind": kind, "name": "web"}));
        }
        for (metric, name, percent) in [(Metric::cpu(50), "cpu", 50), (Metric::memory(70), "memory", 70)] {
            let target = json!({"type": "Utilization", "averageUtilization": percent});
            let metric = serde_json::to_value(metric).unwrap();
            assert_eq!(metric, json!({"type": "Resource", "resource": {"name": name, "target": target}}));
        }
    }

    #[test]
    fn what_is_not_said_is_as_in_kubernetes() {
        let built = autoscaler().build().unwrap();
        assert!(built.problems().is_empty(), "{}", built.problems());
        assert_eq!((built.spec.min_replicas, built.spec.metrics), (1, vec![Metric::cpu(80)]));
        assert_eq!(built.spec.behavior, None);
        let slow = Apply::<ScalingRules>::nothing().stabilization_window_seconds(60);
        let behavior = Apply::<ScalingBehavior>::nothing().scale_down(slow);
        let built = autoscaler().behavior(behavior).build().unwrap();
        assert!(built.problems().is_empty(), "{}", built.problems());
        let all = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
        let four = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
        assert_eq!(
            serde_json::to_value(built.spec.behavior).unwrap(),
            json!({
                "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [four, all]},
                "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [all]},
            })
        );
    }

    #[test]
    fn what_cannot_work_is_named() {
        let named = |name: &str, target| NamedMetric {
            metric: MetricName { name: name.into(), ..MetricName::default() },
            target,
        };
        let one = || MetricTarget::AverageValue(1.into());
        let share = || MetricTarget::Utilization(50);
        let up = |rules: ScalingRules| Apply::<ScalingBehavior>::nothing().scale_up(rules);
        let rules = |value, period_seconds| ScalingRules {
            policies: vec![ScalingPolicy { kind: ScalingUnit::Pods, value, period_seconds }],
            ..ScalingRules::default()
        };
        for (apply, problem) in [
            (HorizontalPodAutoscaler::new("web"), "spec.scaleTargetRef.kind: required"),
            (HorizontalPodAutoscaler::new("web"), "spec.maxReplicas: must be more than 0"),
            (autoscaler().min_replicas(11), "spec.maxReplicas: must not be less than minReplicas"),
            (autoscaler().min_replicas(0), "spec.minReplicas: may be 0 only when"),
            (autoscaler().metrics([Metric::cpu(0)]), "resource.target.averageUtilization: must be given"),
            (
                autoscaler().metrics([Metric::Pods(named("hits", share()))]),
                "spec.metrics[0].pods.target.type: must be AverageValue",
            ),
            (
                autoscaler().metrics([Metric::External(named("hits", share()))]),
                "spec.metrics[0].external.target.type: must be Value or AverageValue",
            ),
            (autoscaler().metrics([Metric::Pods(named("", one()))]), "pods.metric.name: required"),
            (
                autoscaler().metrics([Metric::Pods(named("a/b", one()))]),
                "pods.metric.name: `a/b` may contain",
            ),
            (
                autoscaler().metrics([Metric::ContainerResource(ContainerResourceMetric {
                    name: "cpu".into(),
                    target: MetricTarget::Value(1.into()),
                    ..ContainerResourceMetric::default()
                })]),
                "containerResource.container: required, but not given; \
                 spec.metrics[0].containerResource.target.type: must be Utilization or AverageValue",
            ),
            (
                autoscaler().metrics([Metric::Object(ObjectMetric::default())]),
                "object.describedObject.kind: required",
            ),
            (
                autoscaler().behavior(up(rules(0, 1))),
                "behavior.scaleUp.policies[0].value: must be more than 0",
            ),
            (autoscaler().behavior(up(rules(1, 1801))), "periodSeconds: must be between 1 and 1800"),
            (
                autoscaler().behavior(up(ScalingRules {
                    stabilization_window_seconds: Some(3601),
                    tolerance: Some((-1).into()),
                    ..ScalingRules::default()
                })),
                "stabilizationWindowSeconds: must not be more than 3600; \
                 spec.behavior.scaleUp.tolerance: must not be less than 0",
            ),
        ] {
            let problems = apply.build().unwrap().problems().to_string();
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
        let queue = Metric::External(named("queue", one()));
        let idle = autoscaler().min_replicas(0).metrics([queue]).build().unwrap();
        assert!(idle.problems().is_empty(), "{}", idle.problems());
    }
}
