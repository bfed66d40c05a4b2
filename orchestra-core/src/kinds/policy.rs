//! What a cluster allows: [`PodDisruptionBudget`], [`PriorityClass`], [`ResourceQuota`],
//! [`LimitRange`].

use orchestra_macros::wire;

use super::deployment::check_share;
use super::pod::PreemptionPolicy;
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, IntOrPercent, IntoField, Kind, LabelSelector, Map, NoStatus, Object, Operator,
    Quantity, Spec, Str, Timestamp, names,
};

/// How many of certain pods may be taken away at a time by those who have a choice.
pub type PodDisruptionBudget = Object<DisruptionBudgetSpec>;

impl Spec for DisruptionBudgetSpec {
    const KIND: Kind = Kind::namespaced("policy/v1", "PodDisruptionBudget");
    type Status = DisruptionBudgetStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = DisruptionBudgetStatus::SCHEMA;

    fn check(budget: &PodDisruptionBudget, at: &At<'_>) {
        let (spec, at) = (&budget.spec, at.field("spec"));
        match spec.bound {
            DisruptionBound::Unset => {}
            DisruptionBound::MinAvailable(count) | DisruptionBound::MaxUnavailable(count) => {
                check_share(count, &at.field(spec.bound.key()));
            }
        }
        if let Some(selector) = &spec.selector {
            selector.check(&at.field("selector"));
        }
    }
}

/// What is desired of a PodDisruptionBudget.
#[wire(spec)]
pub struct DisruptionBudgetSpec {
    /// The pods; none when it is not given.
    pub selector: Option<LabelSelector>,
    /// How many of them must be left, or may be missing.
    #[wire(inline)]
    pub bound: DisruptionBound,
    /// When pods that run but are not ready may be taken away.
    #[wire(default = UnhealthyPods::IfHealthyBudget)]
    pub unhealthy_pod_eviction_policy: UnhealthyPods,
}

/// What can be said of a PodDisruptionBudget beyond its fields.
impl Apply<PodDisruptionBudget> {
    /// So many pods must be left.
    #[must_use]
    pub fn min_available(self, count: impl IntoField<IntOrPercent>) -> Self {
        self.put_in_spec("minAvailable", count.into_field())
    }

    /// So many pods may be missing.
    #[must_use]
    pub fn max_unavailable(self, count: impl IntoField<IntOrPercent>) -> Self {
        self.put_in_spec("maxUnavailable", count.into_field())
    }
}

/// How many pods must be left, or may be missing.
#[wire(one_of)]
pub enum DisruptionBound {
    /// That is not said: none may be taken away.
    #[default]
    Unset,
    /// So many must be left; a share is rounded up.
    MinAvailable(IntOrPercent),
    /// So many may be missing; a share is rounded up.
    MaxUnavailable(IntOrPercent),
}

/// When pods that run but are not ready may be taken away.
#[wire]
pub enum UnhealthyPods {
    /// When there are enough others.
    #[default]
    IfHealthyBudget,
    /// Always: they are of no use.
    AlwaysAllow,
}

/// What is observed of a PodDisruptionBudget.
#[wire]
pub struct DisruptionBudgetStatus {
    /// The generation of the budget that was looked at.
    pub observed_generation: u64,
    /// Pods that were promised to somebody and are not about to go yet, and since when.
    pub disrupted_pods: Map<Timestamp>,
    /// How many pods may be taken away now.
    #[wire(required)]
    pub disruptions_allowed: u32,
    /// How many pods are healthy.
    #[wire(required)]
    pub current_healthy: u32,
    /// How many pods must be healthy.
    #[wire(required)]
    pub desired_healthy: u32,
    /// How many pods there are.
    #[wire(required)]
    pub expected_pods: u32,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// A name for a priority.
pub type PriorityClass = Object<PriorityClassSpec>;

impl PriorityClassSpec {
    /// The greatest priority that is not the system's own.
    pub const GREATEST: i32 = 1_000_000_000;
}

impl Spec for PriorityClassSpec {
    const KIND: Kind = Kind::cluster("scheduling.k8s.io/v1", "PriorityClass").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(class: &PriorityClass, at: &At<'_>) {
        // The two classes that the system has of its own stand above all others.
        let (name, value) = (class.metadata.name.as_str(), class.spec.value);
        let own = matches!(
            (name, value),
            ("system-node-critical", 2_000_001_000) | ("system-cluster-critical", 2_000_000_000)
        );
        if own {
            return;
        }
        let at_name = at.field("metadata");
        at_name.field("name").require(!name.starts_with("system-"), "may not begin with `system-`");
        at.field("value").require(
            value <= Self::GREATEST,
            format!("must not be more than {}; what is above is the system's own", Self::GREATEST),
        );
    }
}

/// What a PriorityClass holds.
#[wire(spec)]
pub struct PriorityClassSpec {
    /// The priority, the greater the more important.
    #[wire(required)]
    pub value: i32,
    /// Whether pods that name no class have this one.
    pub global_default: bool,
    /// What it is meant for.
    pub description: Str,
    /// Whether its pods may drive out others of less priority.
    #[wire(default = PreemptionPolicy::PreemptLowerPriority)]
    pub preemption_policy: PreemptionPolicy,
}

/// How much all objects of a namespace may take together.
pub type ResourceQuota = Object<QuotaSpec>;

impl Spec for QuotaSpec {
    const KIND: Kind = Kind::namespaced("v1", "ResourceQuota");
    type Status = QuotaStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = QuotaStatus::SCHEMA;

    fn check(quota: &ResourceQuota, at: &At<'_>) {
        let (spec, at) = (&quota.spec, at.field("spec"));
        let hard = at.field("hard");
        for (name, amount) in &spec.hard {
            let at = hard.field(name);
            at.check(names::qualified_name(name));
            at.require(!amount.is_negative(), "must not be less than 0");
            let whole = amount.milli_value().is_none_or(|milli| milli % 1000 == 0);
            at.require(whole || !counts_objects(name), format!("`{amount}` objects: must be a whole number"));
        }
        at.distinct("scopes", &spec.scopes, |scope| *scope);
        for (one, other) in [
            (QuotaScope::BestEffort, QuotaScope::NotBestEffort),
            (QuotaScope::Terminating, QuotaScope::NotTerminating),
        ] {
            let both = spec.scopes.contains(&one) && spec.scopes.contains(&other);
            at.field("scopes").require(!both, format!("no pod is both {one} and {other}"));
        }
        let at = at.field("scopeSelector");
        at.each("matchExpressions", &spec.scope_selector.match_expressions, |at, requirement| {
            requirement.check(at)
        });
    }
}

/// What is desired of a ResourceQuota.
#[wire(spec)]
pub struct QuotaSpec {
    /// How much there may be of each resource.
    pub hard: Map<Quantity>,
    /// Which pods it is about: those in all of these scopes.
    #[wire(atomic)]
    pub scopes: Vec<QuotaScope>,
    /// Which pods it is about, in more words.
    pub scope_selector: ScopeSelector,
}

/// Whether what is limited is the number of objects of some sort.
fn counts_objects(resource: &str) -> bool {
    resource.starts_with("count/")
        || matches!(
            resource,
            "pods"
                | "services"
                | "services.nodeports"
                | "services.loadbalancers"
                | "replicationcontrollers"
                | "resourcequotas"
                | "secrets"
                | "configmaps"
                | "persistentvolumeclaims"
        )
}

/// Some of a namespace's pods.
#[wire]
pub enum QuotaScope {
    /// Those that may be active for a limited time only.
    Terminating,
    /// Those that may be active for ever.
    NotTerminating,
    /// Those that ask for nothing.
    BestEffort,
    /// Those that ask for something.
    NotBestEffort,
    /// Those of certain priorities.
    #[default]
    PriorityClass,
    /// Those that look at pods of other namespaces for their place.
    CrossNamespacePodAffinity,
    /// Not pods, but claims of certain classes.
    VolumeAttributesClass,
}

/// Some of a namespace's pods, by their scopes.
#[wire(atomic)]
pub struct ScopeSelector {
    /// What is required of them.
    #[wire(atomic)]
    pub match_expressions: Vec<ScopeRequirement>,
}

/// What is required of a pod's scopes.
#[wire]
pub struct ScopeRequirement {
    /// The scope.
    #[wire(required)]
    pub scope_name: QuotaScope,
    /// How its value is compared.
    #[wire(required)]
    pub operator: Operator,
    /// What it is compared with.
    #[wire(atomic)]
    pub values: Vec<Str>,
}

impl ScopeRequirement {
    fn check(&self, at: &At<'_>) {
        let (operator, values) = (at.field("operator"), at.field("values"));
        let compares = matches!(self.operator, Operator::In | Operator::NotIn);
        operator.require(
            compares || matches!(self.operator, Operator::Exists | Operator::DoesNotExist),
            "must be one of In, NotIn, Exists, DoesNotExist",
        );
        let has_values =
            matches!(self.scope_name, QuotaScope::PriorityClass | QuotaScope::VolumeAttributesClass);
        operator.require(
            has_values || self.operator == Operator::Exists,
            format!("must be Exists for {}", self.scope_name),
        );
        values.require(
            compares != self.values.is_empty(),
            if compares { "required for this operator" } else { "may not be given for this operator" },
        );
    }
}

/// What is observed of a ResourceQuota.
#[wire]
pub struct QuotaStatus {
    /// How much there may be of each resource.
    pub hard: Map<Quantity>,
    /// How much there is.
    pub used: Map<Quantity>,
}

/// How much one object of a namespace may take, and what it takes when it does not say.
pub type LimitRange = Object<LimitRangeSpec>;

impl Spec for LimitRangeSpec {
    const KIND: Kind = Kind::namespaced("v1", "LimitRange");
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn fill_in(range: &mut LimitRange) {
        let containers = range.spec.limits.iter_mut().filter(|limit| limit.kind == LimitKind::Container);
        for limit in containers {
            complete(&mut limit.default, &limit.max);
            complete(&mut limit.default_request, &limit.default);
            complete(&mut limit.default_request, &limit.min);
        }
    }

    fn check(range: &LimitRange, at: &At<'_>) {
        let at = at.field("spec");
        at.distinct("limits", &range.spec.limits, |limit| limit.kind);
        at.each("limits", &range.spec.limits, |at, limit| limit.check(at));
    }
}

/// Adds what is there only in the other one.
fn complete(amounts: &mut Map<Quantity>, other: &Map<Quantity>) {
    for (name, amount) in other {
        if !amounts.contains_key(name) {
            amounts.insert(name.clone(), *amount);
        }
    }
}

/// What is desired of a LimitRange.
#[wire(spec)]
pub struct LimitRangeSpec {
    /// The limits, one of each sort of object.
    #[wire(required, atomic)]
    pub limits: Vec<Limit>,
}

/// How much one object of some sort may take, and what it takes when it does not say.
#[wire]
pub struct Limit {
    /// What sort of object.
    #[wire(required, name = "type")]
    pub kind: LimitKind,
    /// How much it may take at most.
    pub max: Map<Quantity>,
    /// How much it must take at least.
    pub min: Map<Quantity>,
    /// What it may take when it does not say.
    pub default: Map<Quantity>,
    /// What it asks for when it does not say.
    pub default_request: Map<Quantity>,
    /// How many times what it asks for it may take at most.
    pub max_limit_request_ratio: Map<Quantity>,
}

/// What sort of object is limited.
#[wire]
pub enum LimitKind {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// A pod, all of its containers together.
    Pod,
    /// A container.
    Container,
    /// A claim of storage.
    PersistentVolumeClaim,
}

impl Limit {
    fn check(&self, at: &At<'_>) {
        for (name, amounts) in [
            ("max", &self.max),
            ("min", &self.min),
            ("default", &self.default),
            ("defaultRequest", &self.default_request),
            ("maxLimitRequestRatio", &self.max_limit_request_ratio),
        ] {
            for (resource, amount) in amounts {
                let at = at.field(name);
                at.field(resource).check(names::qualified_name(resource));
                at.field(resource).require(!amount.is_negative(), "must not be less than 0");
            }
        }
        // From the least to the greatest: none may be more than a later one.
        let order = [
            ("min", &self.min),
            ("defaultRequest", &self.default_request),
            ("default", &self.default),
            ("max", &self.max),
        ];
        for (index, (name, amounts)) in order.into_iter().enumerate() {
            let at = at.field(name);
            for (resource, amount) in amounts {
                for (later, bounds) in &order[index + 1..] {
                    let bound = bounds.get(resource);
                    at.field(resource).require(
                        bound.is_none_or(|bound| amount <= bound),
                        format!("is more than {later}, {}", bound.copied().unwrap_or_default()),
                    );
                }
            }
        }
        self.check_kind(at);
        let ratios = at.field("maxLimitRequestRatio");
        for (resource, ratio) in &self.max_limit_request_ratio {
            ratios.field(resource).require(*ratio >= Quantity::from(1), "must be at least 1");
            if let (Some(min), Some(max)) = (self.min.get(resource), self.max.get(resource)) {
                let greatest = max.as_f64() / min.as_f64();
                ratios.field(resource).require(
                    min.is_zero() || ratio.as_f64() <= greatest,
                    format!("is more than max and min leave room for, {greatest}"),
                );
            }
        }
    }

    fn check_kind(&self, at: &At<'_>) {
        let none = format!("may not be given for a {}", self.kind);
        match self.kind {
            LimitKind::Unset => at.field("type").required(false),
            LimitKind::Container => {}
            LimitKind::Pod => {
                at.field("default").require(self.default.is_empty(), none.clone());
                at.field("defaultRequest").require(self.default_request.is_empty(), none);
            }
            LimitKind::PersistentVolumeClaim => at.require(
                self.min.contains_key("storage") || self.max.contains_key("storage"),
                "must say min or max of storage",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::object::Resource;

    fn problems<S: Spec>(apply: Apply<Object<S>>) -> String {
        apply.build().unwrap().problems().to_string()
    }

    fn limits(limit: Value) -> Apply<LimitRange> {
        let limit: Limit = serde_json::from_value(limit).unwrap();
        LimitRange::new("limits").limits([limit])
    }

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        let nothing = Apply::<PodDisruptionBudget>::nothing;
        for (apply, spec) in [
            (nothing().min_available(2), json!({"minAvailable": 2})),
            (nothing().max_unavailable("10%"), json!({"maxUnavailable": "10%"})),
        ] {
            assert_eq!(Value::Object(apply.fields().unwrap()), json!({"spec": spec}));
        }
    }

    #[test]
    fn a_budget_has_one_bound() {
        let budget = PodDisruptionBudget::new("web");
        assert_eq!(problems(budget.clone().max_unavailable(0)), "");
        let wrong = problems(budget.clone().min_available("101%"));
        assert_eq!(wrong, "spec.minAvailable: must not be more than 100%");
        let both = budget.min_available(1).max_unavailable(1).build().unwrap_err().to_string();
        assert!(both.contains("only one of `"), "{both}");
    }

    #[test]
    fn great_priorities_are_the_systems_own() {
        let class = |name: &str, value: i32| problems(PriorityClass::new(name).value(value));
        assert_eq!(class("high", 1_000_000_000), "");
        assert_eq!(class("low", -5), "");
        assert_eq!(class("system-node-critical", 2_000_001_000), "");
        assert!(class("high", 1_000_000_001).contains("value: must not be more than 1000000000"));
        assert!(class("system-high", 1).contains("metadata.name: may not begin with `system-`"));
        let class = PriorityClass::new("high").build().unwrap();
        assert_eq!(class.spec.preemption_policy, PreemptionPolicy::PreemptLowerPriority);
    }

    #[test]
    fn quotas_that_cannot_work_are_named() {
        let quota = || ResourceQuota::new("all");
        let requirement = |scope_name, operator, values: &[&str]| ScopeSelector {
            match_expressions: vec![ScopeRequirement {
                scope_name,
                operator,
                values: values.iter().map(|value| Str::from(*value)).collect(),
            }],
        };
        for (apply, problem) in [
            (quota().hard([("cpu", "500m"), ("count/deployments.apps", "3"), ("limits.memory", "1Gi")]), ""),
            (quota().hard([("cpu", "-1")]), "spec.hard.cpu: must not be less than 0"),
            (quota().hard([("pods", "1500m")]), "spec.hard.pods: `1500m` objects"),
            (quota().hard([("a b", "1")]), "spec.hard[\"a b\"]: `a b` must be"),
            (
                quota().scopes([QuotaScope::BestEffort, QuotaScope::NotBestEffort]),
                "spec.scopes: no pod is both BestEffort and NotBestEffort",
            ),
            (
                quota().scopes([QuotaScope::BestEffort, QuotaScope::BestEffort]),
                "spec.scopes[1]: `BestEffort` is there already",
            ),
            (quota().scope_selector(requirement(QuotaScope::PriorityClass, Operator::In, &["high"])), ""),
            (
                quota().scope_selector(requirement(QuotaScope::PriorityClass, Operator::In, &[])),
                "spec.scopeSelector.matchExpressions[0].values: required",
            ),
            (
                quota().scope_selector(requirement(QuotaScope::BestEffort, Operator::DoesNotExist, &[])),
                "operator: must be Exists for BestEffort",
            ),
            (
                quota().scope_selector(requirement(QuotaScope::PriorityClass, Operator::Exists, &["a"])),
                "values: may not be given",
            ),
            (
                quota().scope_selector(requirement(QuotaScope::PriorityClass, Operator::Gt, &[])),
                "operator: must be one of In",
            ),
        ] {
            let problems = problems(apply);
            assert!(problems.contains(problem) && problem.is_empty() == problems.is_empty(), "{problems}");
        }
    }

    #[test]
    fn what_a_container_does_not_say_follows_from_its_limits() {
        let limit = json!({
            "type": "Container",
            "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}, "default": {"memory": "1Gi"},
        });
        let range = limits(limit.clone()).build().unwrap();
        assert!(range.problems().is_empty(), "{}", range.problems());
        let filled = serde_json::to_value(&range.spec.limits[0]).unwrap();
        assert_eq!(filled["default"], json!({"cpu": "2", "memory": "1Gi"}));
        assert_eq!(filled["defaultRequest"], json!({"cpu": "2", "memory": "1Gi"}));
        let mut pod = limit;
        pod["type"] = "Pod".into();
        assert!(limits(pod).build().unwrap().spec.limits[0].default_request.is_empty());
    }

    #[test]
    fn limits_that_cannot_work_are_named() {
        for (limit, problem) in [
            (
                json!({"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}),
                "spec.limits[0].min.cpu: is more than max, 1",
            ),
            (
                json!({"type": "Container", "defaultRequest": {"cpu": "2"}, "default": {"cpu": "1"}}),
                "spec.limits[0].defaultRequest.cpu: is more than default, 1",
            ),
            (json!({"type": "Container", "max": {"cpu": "-1"}}), "max.cpu: must not be less than 0"),
            (json!({"type": "Pod", "default": {"cpu": "1"}}), "default: may not be given for a Pod"),
            (json!({"type": "PersistentVolumeClaim"}), "spec.limits[0]: must say min or max of storage"),
            (
                json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}),
                "maxLimitRequestRatio.cpu: must be at least 1",
            ),
            (
                json!({"type": "Pod", "min": {"cpu": 1}, "max": {"cpu": 2}, "maxLimitRequestRatio": {"cpu": 3}}),
                "maxLimitRequestRatio.cpu: is more than max and min leave room for, 2",
            ),
        ] {
            let problems = problems(limits(limit));
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
    }
}
