//! Where a pod may run: affinity, tolerations, spread, gates, and what Orchestra adds.

use orchestra_macros::wire;

use crate::object::{Apply, At, Duration, LabelSelector, Map, Requirement, Str, check_labels, names};

/// Which nodes a pod is drawn to, and which pods it keeps near or away from.
#[wire]
pub struct Affinity {
    /// To nodes.
    pub node_affinity: NodeAffinity,
    /// To nodes, zones and the like where certain pods run.
    pub pod_affinity: PodAffinity,
    /// Away from where certain pods run.
    pub pod_anti_affinity: PodAffinity,
}

impl Affinity {
    pub(super) fn check(&self, at: &At<'_>) {
        self.node_affinity.check(&at.field("nodeAffinity"));
        self.pod_affinity.check(&at.field("podAffinity"));
        self.pod_anti_affinity.check(&at.field("podAntiAffinity"));
    }
}

/// Which nodes a pod is drawn to.
#[wire]
pub struct NodeAffinity {
    /// Nodes it must run on.
    #[wire(name = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
    /// Nodes it would rather run on.
    #[wire(name = "preferredDuringSchedulingIgnoredDuringExecution", atomic)]
    pub preferred: Vec<PreferredNodes>,
}

impl NodeAffinity {
    fn check(&self, at: &At<'_>) {
        if let Some(required) = &self.required {
            required.check(&at.field("requiredDuringSchedulingIgnoredDuringExecution"));
        }
        at.each("preferredDuringSchedulingIgnoredDuringExecution", &self.preferred, |at, preferred| {
            check_weight(preferred.weight, at);
            preferred.preference.check(&at.field("preference"));
        });
    }
}

fn check_weight(weight: u32, at: &At<'_>) {
    at.field("weight").require((1..=100).contains(&weight), "must be between 1 and 100");
}

/// Nodes that meet one of several terms.
#[wire(atomic)]
pub struct NodeSelector {
    /// The terms.
    #[wire(required, atomic)]
    pub node_selector_terms: Vec<NodeTerm>,
}

impl NodeSelector {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("nodeSelectorTerms").required(!self.node_selector_terms.is_empty());
        at.each("nodeSelectorTerms", &self.node_selector_terms, |at, term| term.check(at));
    }
}

/// Requirements that a node meets together. A term without any is met by no node.
#[wire(atomic)]
pub struct NodeTerm {
    /// Of its labels.
    #[wire(atomic)]
    pub match_expressions: Vec<Requirement>,
    /// Of its fields; there is only `metadata.name`.
    #[wire(atomic)]
    pub match_fields: Vec<Requirement>,
}

impl NodeTerm {
    fn check(&self, at: &At<'_>) {
        at.each("matchExpressions", &self.match_expressions, |at, requirement| requirement.check(at));
        at.each("matchFields", &self.match_fields, |at, requirement| {
            at.field("key").require(
                requirement.key == "metadata.name",
                "must be metadata.name, the only field there is",
            );
            at.field("values").require(requirement.values.len() == 1, "must be one name");
        });
    }
}

/// Nodes that a pod would rather run on.
#[wire]
pub struct PreferredNodes {
    /// How much rather, from 1 to 100.
    #[wire(required)]
    pub weight: u32,
    /// The nodes.
    #[wire(required)]
    pub preference: NodeTerm,
}

/// Near which pods a pod is to run, or not.
#[wire]
pub struct PodAffinity {
    /// What must hold.
    #[wire(name = "requiredDuringSchedulingIgnoredDuringExecution", atomic)]
    pub required: Vec<PodTerm>,
    /// What should hold.
    #[wire(name = "preferredDuringSchedulingIgnoredDuringExecution", atomic)]
    pub preferred: Vec<PreferredPods>,
}

impl PodAffinity {
    fn check(&self, at: &At<'_>) {
        at.each("requiredDuringSchedulingIgnoredDuringExecution", &self.required, |at, term| term.check(at));
        at.each("preferredDuringSchedulingIgnoredDuringExecution", &self.preferred, |at, preferred| {
            check_weight(preferred.weight, at);
            preferred.pod_affinity_term.check(&at.field("podAffinityTerm"));
        });
    }
}

/// Certain pods, and how near is near.
#[wire]
pub struct PodTerm {
    /// The pods; none when it is not given.
    pub label_selector: Option<LabelSelector>,
    /// Their namespaces; the pod's own when none is named or selected.
    #[wire(atomic)]
    pub namespaces: Vec<Str>,
    /// The label by which nodes count as the same place.
    #[wire(required)]
    pub topology_key: Str,
    /// Their namespaces, by labels; an empty selector means all.
    pub namespace_selector: Option<LabelSelector>,
    /// Labels that the pods must have the same value of as this one.
    #[wire(atomic)]
    pub match_label_keys: Vec<Str>,
    /// Labels that they must not have the same value of.
    #[wire(atomic)]
    pub mismatch_label_keys: Vec<Str>,
}

impl PodTerm {
    fn check(&self, at: &At<'_>) {
        at.field("topologyKey").name(&self.topology_key, names::qualified_name);
        for (name, selector) in
            [("labelSelector", &self.label_selector), ("namespaceSelector", &self.namespace_selector)]
        {
            if let Some(selector) = selector {
                selector.check(&at.field(name));
            }
        }
        at.each("namespaces", &self.namespaces, |at, namespace| at.check(names::dns_label(namespace)));
    }
}

/// Certain pods, and how much a pod wants to be near them, or away.
#[wire]
pub struct PreferredPods {
    /// How much, from 1 to 100.
    #[wire(required)]
    pub weight: u32,
    /// The pods.
    #[wire(required)]
    pub pod_affinity_term: PodTerm,
}

/// A taint that a pod puts up with.
#[wire]
pub struct Toleration {
    /// The taint's key; any when it is empty.
    pub key: Str,
    /// Whether the value counts.
    #[wire(default = TolerationOperator::Equal)]
    pub operator: TolerationOperator,
    /// The taint's value.
    pub value: Str,
    /// The taint's effect; any when it is not given.
    pub effect: Option<TaintEffect>,
    /// How long it stays on a node that got a `NoExecute` taint; for ever when it is not given.
    pub toleration_seconds: Option<i64>,
}

/// How a toleration compares a taint's value.
#[wire]
pub enum TolerationOperator {
    /// The values are the same.
    #[default]
    Equal,
    /// Any value will do.
    Exists,
    /// The taint's value is a number less than this one.
    Lt,
    /// The taint's value is a number greater than this one.
    Gt,
}

/// What a taint does to pods that do not tolerate it.
#[wire]
pub enum TaintEffect {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// They are not put there.
    NoSchedule,
    /// They are put there only when nothing else is left.
    PreferNoSchedule,
    /// They are not put there, and those that run there leave.
    NoExecute,
}

impl Toleration {
    /// Whether the taint is put up with.
    #[must_use]
    pub fn tolerates(&self, taint: &super::node::Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && self.tolerates_value(&taint.value)
    }

    fn tolerates_value(&self, value: &str) -> bool {
        let numbers = || value.parse::<i64>().ok().zip(self.value.parse::<i64>().ok());
        match self.operator {
            TolerationOperator::Equal => self.value == value,
            TolerationOperator::Exists => true,
            TolerationOperator::Lt => numbers().is_some_and(|(value, bound)| value < bound),
            TolerationOperator::Gt => numbers().is_some_and(|(value, bound)| value > bound),
        }
    }

    pub(super) fn check(&self, at: &At<'_>) {
        if self.key.is_empty() {
            at.field("operator")
                .require(self.operator == TolerationOperator::Exists, "must be Exists when there is no key");
        } else {
            at.field("key").check(names::qualified_name(&self.key));
        }
        at.field("value").require(
            self.operator != TolerationOperator::Exists || self.value.is_empty(),
            "may not be given when the operator is Exists",
        );
        at.field("effect").require(
            self.toleration_seconds.is_none() || self.effect == Some(TaintEffect::NoExecute),
            "must be NoExecute when tolerationSeconds is given",
        );
    }
}

/// How evenly pods are spread over nodes, zones and the like.
#[wire]
pub struct TopologySpread {
    /// By how many pods the fullest place may exceed the emptiest.
    #[wire(required)]
    pub max_skew: u32,
    /// The label by which nodes count as the same place.
    #[wire(required)]
    pub topology_key: Str,
    /// What happens when that cannot be.
    #[wire(required)]
    pub when_unsatisfiable: WhenUnsatisfiable,
    /// The pods that are counted.
    pub label_selector: Option<LabelSelector>,
    /// How many places there must be at least.
    pub min_domains: Option<u32>,
    /// Whether nodes that the pod's own affinity rules out are counted.
    pub node_affinity_policy: Option<NodePolicy>,
    /// Whether nodes whose taints the pod does not tolerate are counted.
    pub node_taints_policy: Option<NodePolicy>,
    /// Labels that the pods must have the same value of as this one to be counted.
    #[wire(atomic)]
    pub match_label_keys: Vec<Str>,
}

/// What happens when pods cannot be spread as asked.
#[wire]
pub enum WhenUnsatisfiable {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// The pod waits.
    DoNotSchedule,
    /// The pod is put where the skew is least.
    ScheduleAnyway,
}

/// Whether a rule about nodes is followed when places are counted.
#[wire]
pub enum NodePolicy {
    /// Nodes that it rules out are not counted.
    Honor,
    /// All nodes are counted.
    Ignore,
}

impl TopologySpread {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("maxSkew").require(self.max_skew > 0, "must be more than 0");
        at.field("whenUnsatisfiable").required(self.when_unsatisfiable != WhenUnsatisfiable::Unset);
        at.field("topologyKey").name(&self.topology_key, names::qualified_name);
        at.field("minDomains").require(self.min_domains != Some(0), "must be more than 0");
        at.field("minDomains").require(
            self.min_domains.is_none() || self.when_unsatisfiable == WhenUnsatisfiable::DoNotSchedule,
            "may be given only when whenUnsatisfiable is DoNotSchedule",
        );
        if let Some(selector) = &self.label_selector {
            selector.check(&at.field("labelSelector"));
        }
    }
}

/// Something that must be taken away before a pod is scheduled.
#[wire]
pub struct SchedulingGate {
    /// Its name.
    #[wire(required)]
    pub name: Str,
}

/// What Orchestra adds to a pod's scheduling, under the field `orchestra`.
#[wire]
pub struct PodExtension {
    /// What must be there before the pod is started.
    #[wire(atomic)]
    pub depends_on: Vec<Dependency>,
    /// By when it must have done its work.
    pub deadline: Option<Deadline>,
    /// The data sets that it reads: nodes that have them near are preferred.
    #[wire(keys(name))]
    pub data: Vec<DataSet>,
    /// The PodGroup that it belongs to: its pods start together or not at all.
    pub pod_group: Str,
    /// The queue that it waits in, for fair shares between queues.
    pub queue: Str,
    /// What its place may cost, by named measures such as `usd-per-hour`.
    pub cost_limits: Map<crate::object::Quantity>,
    /// Which of its node's devices it has, by resource, counted from 0: those that it has whole, and after them
    /// the one of which it has a share. The scheduler says so when it puts the pod on its node.
    pub devices: Map<Vec<u32>>,
}

impl PodExtension {
    pub(super) fn check(&self, at: &At<'_>) {
        at.each("dependsOn", &self.depends_on, |at, dependency| dependency.check(at));
        at.each("data", &self.data, |at, data| at.field("name").required(!data.name.is_empty()));
        at.distinct("data", &self.data, |data| data.name.clone());
        if let Some(deadline) = &self.deadline {
            let at = at.field("deadline");
            at.field("within").require(deadline.within > Duration::ZERO, "must be more than 0s");
            at.field("runtime").require(deadline.runtime >= Duration::ZERO, "must not be less than 0s");
            at.field("runtime")
                .require(deadline.runtime <= deadline.within, "is more than `within`: it can never be met");
        }
        if !self.pod_group.is_empty() {
            at.field("podGroup").check(names::dns_subdomain(&self.pod_group));
        }
    }
}

/// Something that must be there first.
#[wire]
pub struct Dependency {
    /// What sort of object it is.
    #[wire(default = "Deployment")]
    pub kind: Str,
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// Its namespace; the same as the pod's when it is empty.
    pub namespace: Str,
    /// The condition that must hold of it.
    #[wire(default = "Available")]
    pub condition: Str,
}

impl Dependency {
    /// The Deployment of this name must be available.
    #[must_use]
    pub fn on(name: impl Into<Str>) -> Apply<Self> {
        Apply::<Self>::nothing().name(name)
    }

    pub(super) fn check(&self, at: &At<'_>) {
        at.field("name").name(&self.name, names::dns_subdomain);
        at.field("kind").required(!self.kind.is_empty());
        at.field("condition").required(!self.condition.is_empty());
    }
}

/// By when a pod must have done its work.
#[wire]
pub struct Deadline {
    /// How long after its creation it must have ended.
    #[wire(required)]
    pub within: Duration,
    /// How long it is expected to run.
    #[wire(required)]
    pub runtime: Duration,
}

/// A data set that a pod reads.
#[wire]
pub struct DataSet {
    /// Its name, as nodes and volumes are labelled with it.
    #[wire(required)]
    pub name: Str,
    /// How much of it is read, as a weight among several.
    pub size: crate::object::Quantity,
}

/// Checks a node selector of plain labels.
pub(super) fn check_node_selector(selector: &Map<Str>, at: &At<'_>) {
    check_labels(selector, at);
}
