//! A row: a cluster, a pod, and what is to be said of it. Builders that keep it short.

use orchestra_core::kinds::{
    Affinity, Container, ContainerPort, Namespace, Node, NodeImage, NodeTerm, Pod, PodTerm, PreferredNodes,
    PreferredPods, Protocol, Taint, TaintEffect, Toleration, TolerationOperator, TopologySpread,
    WhenUnsatisfiable,
};
use orchestra_core::object::{LabelSelector, Map, Quantity, Requirement, Selector, Str, Timestamp};

use crate::model::{Decision, Judge, Judged, Settings, Strategy, World, decide, summary};

/// Why a node is rejected: the rule, its words, and whether pods that are taken away could help.
pub(crate) type Why = (&'static str, &'static str, bool);

pub(crate) const NOT_NEAR: Why = ("InterPodAffinity", "node(s) didn't match pod affinity rules", false);
pub(crate) const NOT_AWAY: Why = ("InterPodAffinity", "node(s) didn't match pod anti-affinity rules", true);
pub(crate) const UNWANTED: Why =
    ("InterPodAffinity", "node(s) didn't satisfy existing pods anti-affinity rules", true);
pub(crate) const UNEVEN: Why =
    ("PodTopologySpread", "node(s) didn't match pod topology spread constraints", true);
pub(crate) const NO_PLACE: Why = (
    "PodTopologySpread",
    "node(s) didn't match pod topology spread constraints (missing required label)",
    false,
);
pub(crate) const NOT_ASKED_FOR: Why =
    ("NodeAffinity", "node(s) didn't match Pod's node affinity/selector", false);
pub(crate) const NOT_NAMED: Why = ("NodeAffinity", "node(s) didn't satisfy plugin(s) [NodeAffinity]", false);
pub(crate) const PORT_TAKEN: Why =
    ("NodePorts", "node(s) didn't have free ports for the requested pod ports", true);
pub(crate) const CLOSED: Why = ("NodeUnschedulable", "node(s) were unschedulable", false);

/// A cluster, a pod, and what is to be said of it.
pub(crate) struct Row {
    name: &'static str,
    world: World,
    pod: Pod,
    settings: Settings,
    wants: Vec<Want>,
}

enum Want {
    Fits(String),
    Rejected(String, Why),
    Score(&'static str, String, i64),
    Summary(&'static str),
    Chosen(&'static str),
}

/// Begins a row: its name, the nodes, the pods that are placed, the pod.
pub(crate) fn row<const N: usize, const P: usize>(
    name: &'static str,
    nodes: [Node; N],
    placed: [Pod; P],
    pod: Pod,
) -> Row {
    let world = World { nodes: nodes.into(), placed: placed.into(), ..World::default() };
    Row { name, world, pod, settings: Settings::default(), wants: Vec::new() }
}

impl Row {
    /// These nodes fit: `"a b"`.
    pub(crate) fn fits(mut self, nodes: &str) -> Self {
        self.wants.extend(nodes.split_whitespace().map(|node| Want::Fits(node.to_owned())));
        self
    }

    /// These nodes do not, for this reason.
    pub(crate) fn rejects(mut self, nodes: &str, why: Why) -> Self {
        self.wants.extend(nodes.split_whitespace().map(|node| Want::Rejected(node.to_owned(), why)));
        self
    }

    /// What a rule makes of nodes: `"a=100 b=50"`.
    pub(crate) fn scores(mut self, rule: &'static str, scores: &str) -> Self {
        let pairs = scores.split_whitespace().filter_map(|pair| pair.split_once('='));
        self.wants
            .extend(pairs.map(|(node, score)| Want::Score(rule, node.to_owned(), score.parse().unwrap())));
        self
    }

    /// No node fits, and this is said.
    pub(crate) fn says(mut self, summary: &'static str) -> Self {
        self.wants.push(Want::Summary(summary));
        self
    }

    /// This node is taken.
    pub(crate) fn chooses(mut self, node: &'static str) -> Self {
        self.wants.push(Want::Chosen(node));
        self
    }

    /// Adds a namespace.
    pub(crate) fn namespace(mut self, name: &str, labels: &str) -> Self {
        let mut namespace = Namespace::default();
        namespace.metadata.name = name.into();
        namespace.metadata.labels = self::labels(labels);
        self.world.namespaces.push(namespace);
        self
    }

    /// Scores resources otherwise: `"cpu=1 memory=2"`.
    pub(crate) fn by(mut self, strategy: Strategy, resources: &str) -> Self {
        self.settings.strategy = strategy;
        self.settings.resources =
            amounts(resources).iter().map(|(it, weight)| (it.clone(), weight.value())).collect();
        self
    }

    /// Balances these resources: `"cpu memory"`.
    pub(crate) fn balancing(mut self, resources: &str) -> Self {
        self.settings.balanced = resources.split_whitespace().map(Str::from).collect();
        self
    }

    /// Lets the required affinity of others count so much in scores.
    pub(crate) fn requirements_count(mut self, weight: i64) -> Self {
        self.settings.hard_pod_affinity_weight = weight;
        self
    }

    /// Takes the first of these among equals.
    pub(crate) fn ranked(mut self, nodes: &str) -> Self {
        self.settings.rank = nodes.split_whitespace().map(str::to_owned).zip(0..).collect();
        self
    }

    /// Whether it says anything at all.
    pub(crate) fn expects_something(&self) -> bool {
        !self.wants.is_empty()
    }

    /// What is not as it should be.
    pub(crate) fn check(&self, judge: &dyn Judge) -> Vec<String> {
        let judged = judge.judge(&self.world, &self.pod, &self.settings);
        let wrong = self.wants.iter().filter_map(|want| self.wrong(want, &judged));
        wrong.map(|wrong| format!("{}: {wrong}", self.name)).collect()
    }

    fn wrong(&self, want: &Want, judged: &[Judged]) -> Option<String> {
        let of = |node: &String| judged.iter().find(|judged| judged.node == *node);
        match want {
            Want::Fits(node) => {
                let rejected = of(node).map(|judged| &judged.rejected);
                (rejected != Some(&None)).then(|| format!("{node} should fit, is {rejected:?}"))
            }
            Want::Rejected(node, why) => {
                let rejected = of(node).and_then(|judged| judged.rejected.as_ref());
                let found = rejected.map(|it| (it.rule, it.reasons.join("; "), it.resolvable));
                let (rule, reason, resolvable) = *why;
                let right = found == Some((rule, reason.to_owned(), resolvable));
                (!right).then(|| format!("{node} should be {why:?}, is {found:?}"))
            }
            Want::Score(rule, node, score) => {
                let found = of(node).and_then(|judged| judged.scores.get(rule));
                (found != Some(score)).then(|| format!("{rule} of {node} should be {score}, is {found:?}"))
            }
            Want::Summary(text) => {
                let found = summary(&self.pod, judged);
                let none = !matches!(decide(&self.pod, judged, &self.settings), Decision::On(_));
                (!none || found != *text).then(|| format!("should say `{text}`, says `{found}`"))
            }
            Want::Chosen(node) => {
                let found = decide(&self.pod, judged, &self.settings);
                (found != Decision::On((*node).to_owned())).then(|| format!("should be {node}, is {found:?}"))
            }
        }
    }
}

/// Labels: `"zone=a,node=1"`.
fn labels(text: &str) -> Map<Str> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (k, Str::from(v))).collect()
}

/// Amounts: `"cpu=1 memory=2Gi"`.
fn amounts(text: &str) -> Map<Quantity> {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(resource, amount)| (resource, amount.parse().unwrap())).collect()
}

/// A selector as people type it; everything when it is empty.
pub(crate) fn selector(text: &str) -> LabelSelector {
    LabelSelector { match_expressions: requirements(text).into_iter().collect(), ..LabelSelector::default() }
}

fn requirements(text: &str) -> Vec<Requirement> {
    text.parse::<Selector>().unwrap().requirements().to_vec()
}

/// A taint: `"key=value:NoSchedule"`.
fn taint(text: &str) -> Taint {
    let (pair, effect) = text.split_once(':').unwrap();
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Taint { key: key.into(), value: value.into(), effect: self::effect(effect), time_added: None }
}

fn effect(text: &str) -> TaintEffect {
    match text {
        "NoSchedule" => TaintEffect::NoSchedule,
        "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
        "NoExecute" => TaintEffect::NoExecute,
        _ => TaintEffect::Unset,
    }
}

/// A node of this name and these labels, with room for 110 pods.
pub(crate) fn node(name: &str, labels: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    node.metadata.labels = self::labels(labels);
    node.status.allocatable = amounts("pods=110");
    node
}

/// What more is said of a node.
pub(crate) trait OfNode {
    fn has(self, amounts: &str) -> Node;
    fn tainted(self, taint: &str) -> Node;
    fn closed(self) -> Node;
    fn image(self, names: &str, mib: u64) -> Node;
}

impl OfNode for Node {
    /// It has so much for pods: `"cpu=4 memory=8Gi"`.
    fn has(mut self, amounts: &str) -> Node {
        for (resource, amount) in &self::amounts(amounts) {
            self.status.allocatable.insert(resource.clone(), *amount);
        }
        self
    }

    /// It has a taint: `"key=value:NoSchedule"`.
    fn tainted(mut self, taint: &str) -> Node {
        self.spec.taints.push(self::taint(taint));
        self
    }

    /// It takes no new pods.
    fn closed(mut self) -> Node {
        self.spec.unschedulable = true;
        self
    }

    /// It has an image by these names.
    fn image(mut self, names: &str, mib: u64) -> Node {
        let names = names.split_whitespace().map(Str::from).collect();
        self.status.images.push(NodeImage { names, size_bytes: mib << 20 });
        self
    }
}

/// A pod with these labels.
pub(crate) fn pod(labels: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.labels = self::labels(labels);
    pod
}

/// So many pods with these labels on these nodes: `"a a b"`.
pub(crate) fn pods<const N: usize>(labels: &str, nodes: [&str; N]) -> [Pod; N] {
    nodes.map(|node| pod(labels).on(node))
}

/// What more is said of a pod.
pub(crate) trait OfPod: Sized {
    fn on(self, node: &str) -> Pod;
    fn within(self, namespace: &str) -> Pod;
    fn going(self) -> Pod;
    fn asks(self, amounts: &str) -> Pod;
    fn image(self, image: &str) -> Pod;
    fn port(self, port: &str) -> Pod;
    fn tolerates(self, toleration: &str) -> Pod;
    fn selects(self, labels: &str) -> Pod;
    fn must(self, terms: &[&str]) -> Pod;
    fn must_be(self, fields: &[&str]) -> Pod;
    fn prefers(self, weight: u32, term: &str) -> Pod;
    fn near(self, term: PodTerm) -> Pod;
    fn away(self, term: PodTerm) -> Pod;
    fn rather_near(self, weight: u32, term: PodTerm) -> Pod;
    fn rather_away(self, weight: u32, term: PodTerm) -> Pod;
    fn spread(self, spread: TopologySpread) -> Pod;
}

fn affinity(pod: &mut Pod) -> &mut Affinity {
    pod.spec.affinity.get_or_insert_default()
}

impl OfPod for Pod {
    /// It is placed there.
    fn on(mut self, node: &str) -> Pod {
        self.spec.node_name = node.into();
        self
    }

    /// It is in this namespace.
    fn within(mut self, namespace: &str) -> Pod {
        self.metadata.namespace = namespace.into();
        self
    }

    /// It is being deleted.
    fn going(mut self) -> Pod {
        self.metadata.deletion_timestamp = Some(Timestamp::default());
        self
    }

    /// It has a container more, which asks for so much.
    fn asks(mut self, amounts: &str) -> Pod {
        let mut container = Container::default();
        container.resources.requests = self::amounts(amounts);
        self.spec.containers.push(container);
        self
    }

    /// It has a container more, of this image.
    fn image(mut self, image: &str) -> Pod {
        self.spec.containers.push(Container { image: image.into(), ..Container::default() });
        self
    }

    /// It has a container more, with a port of the node's: `"TCP/127.0.0.1/80"`.
    fn port(mut self, port: &str) -> Pod {
        let (protocol, rest) = port.split_once('/').unwrap();
        let (address, number) = rest.split_once('/').unwrap();
        let port = ContainerPort {
            container_port: number.parse().unwrap(),
            host_port: number.parse().unwrap(),
            host_ip: address.into(),
            protocol: if protocol == "UDP" { Protocol::Udp } else { Protocol::Tcp },
            ..ContainerPort::default()
        };
        self.spec.containers.push(Container { ports: [port].into_iter().collect(), ..Container::default() });
        self
    }

    /// It tolerates: `"key=value:NoSchedule"`, `"key>3:NoSchedule"`, `"key:NoSchedule"` whatever the value, `":"`
    /// everything.
    fn tolerates(mut self, toleration: &str) -> Pod {
        let (pair, effect) = toleration.split_once(':').unwrap();
        let at = pair.find(['=', '<', '>']);
        let operator = match at.map(|at| &pair[at..=at]) {
            Some("=") => TolerationOperator::Equal,
            Some("<") => TolerationOperator::Lt,
            Some(_) => TolerationOperator::Gt,
            None => TolerationOperator::Exists,
        };
        self.spec.tolerations.push(Toleration {
            key: pair[..at.unwrap_or(pair.len())].into(),
            operator,
            value: at.map_or("", |at| &pair[at + 1..]).into(),
            effect: (!effect.is_empty()).then(|| self::effect(effect)),
            toleration_seconds: None,
        });
        self
    }

    /// Its node must have these labels.
    fn selects(mut self, labels: &str) -> Pod {
        self.spec.node_selector = self::labels(labels);
        self
    }

    /// Its node must meet one of these terms.
    fn must(mut self, terms: &[&str]) -> Pod {
        let required = affinity(&mut self).node_affinity.required.get_or_insert_default();
        required.node_selector_terms.extend(
            terms
                .iter()
                .map(|term| NodeTerm { match_expressions: requirements(term), ..NodeTerm::default() }),
        );
        self
    }

    /// The same, with terms of the node's fields; what is after a `/` is of its labels.
    fn must_be(mut self, fields: &[&str]) -> Pod {
        let required = affinity(&mut self).node_affinity.required.get_or_insert_default();
        required.node_selector_terms.extend(fields.iter().map(|term| {
            let (fields, labels) = term.split_once('/').unwrap_or((term, ""));
            NodeTerm { match_expressions: requirements(labels), match_fields: requirements(fields) }
        }));
        self
    }

    /// It would rather be on nodes that meet this term.
    fn prefers(mut self, weight: u32, term: &str) -> Pod {
        let preference = NodeTerm { match_expressions: requirements(term), ..NodeTerm::default() };
        affinity(&mut self).node_affinity.preferred.push(PreferredNodes { weight, preference });
        self
    }

    /// It must be near these pods.
    fn near(mut self, term: PodTerm) -> Pod {
        affinity(&mut self).pod_affinity.required.push(term);
        self
    }

    /// It must be away from these pods.
    fn away(mut self, term: PodTerm) -> Pod {
        affinity(&mut self).pod_anti_affinity.required.push(term);
        self
    }

    /// It would rather be near these pods.
    fn rather_near(mut self, weight: u32, term: PodTerm) -> Pod {
        affinity(&mut self).pod_affinity.preferred.push(PreferredPods { weight, pod_affinity_term: term });
        self
    }

    /// It would rather be away from these pods.
    fn rather_away(mut self, weight: u32, term: PodTerm) -> Pod {
        affinity(&mut self)
            .pod_anti_affinity
            .preferred
            .push(PreferredPods { weight, pod_affinity_term: term });
        self
    }

    /// It is to be spread so.
    fn spread(mut self, spread: TopologySpread) -> Pod {
        self.spec.topology_spread_constraints.push(spread);
        self
    }
}

/// The pods that a selector means, by a label of the nodes.
pub(crate) fn term(selector: &str, key: &str) -> PodTerm {
    let selector = self::selector(selector);
    PodTerm { label_selector: Some(selector), topology_key: key.into(), ..PodTerm::default() }
}

/// What more is said of a term.
pub(crate) trait OfTerm {
    fn of(self, namespaces: &str) -> PodTerm;
    fn of_those(self, selector: &str) -> PodTerm;
}

impl OfTerm for PodTerm {
    /// Those of these namespaces.
    fn of(mut self, namespaces: &str) -> PodTerm {
        self.namespaces = namespaces.split_whitespace().map(Str::from).collect();
        self
    }

    /// Those of namespaces with such labels.
    fn of_those(mut self, selector: &str) -> PodTerm {
        self.namespace_selector = Some(self::selector(selector));
        self
    }
}

/// By how much places may differ in the number of pods that a selector means, at most.
pub(crate) fn hard(max_skew: u32, key: &str, selector: &str) -> TopologySpread {
    TopologySpread {
        max_skew,
        topology_key: key.into(),
        when_unsatisfiable: WhenUnsatisfiable::DoNotSchedule,
        label_selector: Some(self::selector(selector)),
        ..TopologySpread::default()
    }
}

/// The same, if possible.
pub(crate) fn soft(max_skew: u32, key: &str, selector: &str) -> TopologySpread {
    TopologySpread { when_unsatisfiable: WhenUnsatisfiable::ScheduleAnyway, ..hard(max_skew, key, selector) }
}
