//! Random clusters in which every rule has something to say, from a seed.

use orchestra_core::kinds::{
    Affinity, Container, ContainerPort, ContainerRestartPolicy, Namespace, Node, NodeAffinity, NodeImage,
    NodePolicy, NodeSelector, NodeTerm, Pod, PodAffinity, PodTerm, PreferredNodes, PreferredPods, Protocol,
    SchedulingGate, Taint, TaintEffect, Toleration, TolerationOperator, TopologySpread, WhenUnsatisfiable,
};
use orchestra_core::object::{LabelSelector, Map, Operator, Quantity, Requirement, Resource, Str, Timestamp};

use super::{Settings, Strategy, World};

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const RACK: &str = "rack";
const GPU: &str = "example.com/gpu";
const NAMESPACES: [&str; 3] = ["apps", "data", "lab"];
const APPS: [&str; 3] = ["web", "db", "cache"];
const VERSIONS: [&str; 2] = ["v1", "v2"];
const IMAGES: [(&str, u64); 5] = [("web", 30), ("db", 400), ("cache", 90), ("model", 2500), ("tool", 15)];

/// A cluster and the pods that arrive in it, one after the other. The same seed gives the same.
pub(crate) fn sample(seed: u64) -> (World, Vec<Pod>) {
    let mut draw = Draw(seed);
    let some_namespaces = 1 + draw.below(NAMESPACES.len());
    let namespaces = NAMESPACES[..some_namespaces].iter().map(|name| namespace(&mut draw, name)).collect();
    // Small clusters are as telling as large ones, and there can be more of them.
    let most = draw.one_of(&[3, 3, 6, 6, 6, 12, 12, 12, 12, 40]);
    // Where nodes are alike, there are ties.
    let (alike, like) = (draw.percent(30), draw.next());
    let nodes: Vec<Node> = (0..1 + draw.below(most))
        .map(|at| node(&mut Draw(if alike { like.wrapping_add(at as u64 % 3) } else { draw.next() }), at))
        .collect();
    let mut world = World { nodes, namespaces, ..World::default() };
    for at in 0..draw.below(3 * world.nodes.len() + 1) {
        let mut pod = pod(&mut draw, &world, format!("placed-{at}"));
        pod.spec.node_name = draw.name_of(&world.nodes);
        pod.spec.scheduling_gates.clear();
        if draw.percent(10) {
            pod.metadata.deletion_timestamp = Some(Timestamp::default());
        }
        world.placed.push(pod);
    }
    let arrivals = (0..1 + draw.below(4)).map(|at| pod(&mut draw, &world, format!("arrival-{at}"))).collect();
    (world, arrivals)
}

/// Settings for a sample, from the same seed.
pub(crate) fn settings(seed: u64) -> Settings {
    let mut draw = Draw(!seed);
    let strategy = match draw.below(4) {
        0 => Strategy::MostAllocated,
        1 => Strategy::RequestedToCapacityRatio(vec![(0, 0), (40, 10), (100, 3)]),
        _ => Strategy::LeastAllocated,
    };
    let mut settings = Settings { strategy, ..Settings::default() };
    if draw.percent(30) {
        settings.resources.extend([(GPU.into(), 3), ("ephemeral-storage".into(), 2)]);
    }
    if draw.percent(30) {
        settings.balanced.push(GPU.into());
    }
    settings.hard_pod_affinity_weight = draw.one_of(&[0, 1, 1, 10]);
    settings.rank = (0..40).map(|at| (format!("node-{at}"), draw.next())).collect();
    settings
}

/// Numbers that look random and follow from a seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to one less than this.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn name_of(&mut self, all: &[impl Resource]) -> Str {
        all[self.below(all.len())].name().clone()
    }

    /// Something, so often, and nothing otherwise.
    fn maybe<T>(&mut self, percent: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.percent(percent).then(|| make(self))
    }

    /// One or two things, so often, and none otherwise.
    fn few<T, L: FromIterator<T>>(&mut self, percent: u64, make: impl Fn(&mut Self) -> T) -> L {
        let count = if self.percent(percent) { 1 + usize::from(self.percent(35)) } else { 0 };
        (0..count).map(|_| make(self)).collect()
    }
}

fn namespace(draw: &mut Draw, name: &str) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = name.into();
    if draw.percent(80) {
        namespace.metadata.labels.insert("team", draw.one_of(&["red", "blue"]).into());
    }
    namespace.fill_in();
    namespace
}

fn node(draw: &mut Draw, at: usize) -> Node {
    let mut node = Node::default();
    node.metadata.name = format!("node-{at}").into();
    let zone = draw.below(3);
    for (key, value, percent) in [
        (HOSTNAME, format!("node-{at}"), 95),
        (ZONE, format!("zone-{zone}"), 90),
        (REGION, format!("region-{}", zone / 2), 90),
        (RACK, format!("rack-{}", draw.below(5)), 75),
        ("disk", draw.one_of(&["ssd", "hdd"]).to_owned(), 70),
        ("generation", draw.below(6).to_string(), 70),
    ] {
        if draw.percent(percent) {
            node.metadata.labels.insert(key, value.into());
        }
    }
    node.spec.unschedulable = draw.percent(8);
    node.spec.taints = draw.few(35, taint);
    node.spec.taints.dedup_by_key(|taint| (taint.key.clone(), taint.effect));
    node.status.allocatable = allocatable(draw);
    node.status.images = IMAGES
        .iter()
        .filter(|_| draw.percent(45))
        .map(|(name, size)| NodeImage {
            names: vec![format!("{name}:latest").into()],
            size_bytes: size << 20,
        })
        .collect();
    node
}

/// What a node has: now and then nothing of something, or not even a word of it.
fn allocatable(draw: &mut Draw) -> Map<Quantity> {
    let (cpu, memory, pods) = draw.one_of(&[(2000, 4, 110), (4000, 8, 6), (8000, 16, 12), (16000, 16, 110)]);
    let mut all = Map::new();
    let devices = draw.below(5) as i64;
    for (resource, amount, zero, missing) in [
        ("cpu", Quantity::milli(cpu), 3, 2),
        ("memory", Quantity::bytes(memory << 30), 3, 2),
        ("pods", Quantity::from(pods), 1, 1),
        ("ephemeral-storage", Quantity::bytes(20 << 30), 3, 15),
        (GPU, Quantity::from(devices), 10, 50),
    ] {
        if !draw.percent(missing) {
            all.insert(resource, if draw.percent(zero) { Quantity::ZERO } else { amount });
        }
    }
    all
}

fn taint(draw: &mut Draw) -> Taint {
    let effects = [
        TaintEffect::NoSchedule,
        TaintEffect::PreferNoSchedule,
        TaintEffect::PreferNoSchedule,
        TaintEffect::NoExecute,
    ];
    Taint {
        key: draw.one_of(&["dedicated", "spot", "level"]).into(),
        value: draw.one_of(&["", "a", "b", "3", "7"]).into(),
        effect: draw.one_of(&effects),
        time_added: None,
    }
}

fn toleration(draw: &mut Draw) -> Toleration {
    let operators = [
        TolerationOperator::Equal,
        TolerationOperator::Equal,
        TolerationOperator::Exists,
        TolerationOperator::Lt,
        TolerationOperator::Gt,
    ];
    let effects = [
        None,
        Some(TaintEffect::NoSchedule),
        Some(TaintEffect::PreferNoSchedule),
        Some(TaintEffect::NoExecute),
    ];
    let operator = draw.one_of(&operators);
    let key: &str = draw.one_of(&["dedicated", "spot", "level", "node.kubernetes.io/unschedulable"]);
    let value = match operator {
        TolerationOperator::Exists => "",
        TolerationOperator::Equal => draw.one_of(&["", "a", "b"]),
        TolerationOperator::Lt | TolerationOperator::Gt => draw.one_of(&["5", "3", "a"]),
    };
    let any = operator == TolerationOperator::Exists && draw.percent(25);
    Toleration {
        key: if any { Str::EMPTY } else { key.into() },
        operator,
        value: value.into(),
        effect: draw.one_of(&effects),
        toleration_seconds: None,
    }
}

fn pod(draw: &mut Draw, world: &World, name: String) -> Pod {
    let app = draw.one_of(&APPS);
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = draw.name_of(&world.namespaces);
    pod.metadata.labels.insert("app", app.into());
    if draw.percent(60) {
        pod.metadata.labels.insert("version", draw.one_of(&VERSIONS).into());
    }
    let spec = &mut pod.spec;
    spec.containers = (0..1 + draw.below(2)).map(|_| container(draw, app, 55)).collect();
    spec.init_containers = draw.few(20, |draw| {
        let mut container = container(draw, "tool", 55);
        container.restart_policy = draw.maybe(50, |_| ContainerRestartPolicy::Always);
        container
    });
    if draw.percent(10) {
        spec.overhead = [("cpu", Quantity::milli(50))].into_iter().collect();
    }
    if draw.percent(8) {
        spec.resources.requests = amounts(draw, &["cpu", "memory"]);
    }
    spec.tolerations = draw.few(40, toleration);
    spec.topology_spread_constraints = draw.few(35, |draw| spread(draw, app));
    spec.affinity = draw.maybe(55, |draw| Box::new(affinity(draw, world, app)));
    // What a pod wants of its node matters to how it is spread.
    if draw.percent(if spec.topology_spread_constraints.is_empty() { 5 } else { 20 }) {
        spec.node_selector = [("disk", Str::from(draw.one_of(&["ssd", "hdd"])))].into_iter().collect();
    }
    if draw.percent(3) {
        spec.node_name = draw.name_of(&world.nodes);
    }
    spec.scheduling_gates = draw.few(4, |_| SchedulingGate { name: "example.com/quota".into() });
    pod.fill_in();
    pod
}

fn container(draw: &mut Draw, image: &str, asks: u64) -> Container {
    let mut container = Container {
        name: format!("c{}", draw.next()).into(),
        image: if draw.percent(15) { "model:latest".into() } else { image.into() },
        ..Container::default()
    };
    if draw.percent(asks) {
        container.resources.requests = amounts(draw, &["cpu", "memory", "ephemeral-storage", GPU]);
        // Of devices as much must be allowed as is asked for.
        if let Some(devices) = container.resources.requests.get(GPU) {
            container.resources.limits.insert(GPU, *devices);
        }
    }
    container.ports = draw.few(15, port);
    container
}

/// Some of these resources, some of them in vain.
fn amounts(draw: &mut Draw, resources: &[&str]) -> Map<Quantity> {
    let mut all = Map::new();
    for resource in resources {
        let (amount, percent) = match *resource {
            "cpu" => (Quantity::milli(draw.one_of(&[0, 100, 250, 1000, 3000])), 75),
            "memory" => (Quantity::bytes(draw.one_of(&[0, 64, 300, 1024, 3000]) << 20), 75),
            "ephemeral-storage" => (Quantity::bytes(draw.one_of(&[1, 8]) << 30), 12),
            _ => (Quantity::from(draw.one_of(&[0, 1, 2])), 12),
        };
        if draw.percent(percent) {
            all.insert(*resource, amount);
        }
    }
    all
}

fn port(draw: &mut Draw) -> ContainerPort {
    let number = draw.one_of(&[8080, 8081]);
    ContainerPort {
        container_port: number,
        host_port: if draw.percent(85) { number } else { 0 },
        host_ip: draw.one_of(&["", "0.0.0.0", "10.0.0.1", "10.0.0.2"]).into(),
        protocol: draw.one_of(&[Protocol::Tcp, Protocol::Tcp, Protocol::Udp]),
        ..ContainerPort::default()
    }
}

fn affinity(draw: &mut Draw, world: &World, app: &str) -> Affinity {
    let weight = |draw: &mut Draw| 1 + draw.below(100) as u32;
    let preferred =
        |draw: &mut Draw| PreferredPods { weight: weight(draw), pod_affinity_term: pods(draw, app) };
    Affinity {
        node_affinity: NodeAffinity {
            required: draw.maybe(15, |draw| {
                let mut node_selector_terms: Vec<NodeTerm> = draw.few(100, |draw| nodes(draw, world));
                node_selector_terms.truncate(2);
                NodeSelector { node_selector_terms }
            }),
            preferred: draw
                .few(60, |draw| PreferredNodes { weight: weight(draw), preference: nodes(draw, world) }),
        },
        pod_affinity: PodAffinity {
            required: draw.few(12, |draw| pods(draw, app)),
            preferred: draw.few(30, preferred),
        },
        pod_anti_affinity: PodAffinity {
            required: draw.few(15, |draw| pods(draw, app)),
            preferred: draw.few(30, preferred),
        },
    }
}

/// Some nodes, by labels or by name, and now and then none at all.
fn nodes(draw: &mut Draw, world: &World) -> NodeTerm {
    if draw.percent(5) {
        return NodeTerm::default();
    }
    let name = |draw: &mut Draw, operator| Requirement {
        key: "metadata.name".into(),
        operator,
        values: vec![draw.name_of(&world.nodes)],
    };
    if draw.percent(25) {
        let operator = draw.one_of(&[Operator::In, Operator::In, Operator::NotIn]);
        return NodeTerm {
            match_expressions: Vec::new(),
            match_fields: draw.few(100, |draw| name(draw, operator)),
        };
    }
    NodeTerm {
        match_expressions: draw.few(100, |draw| {
            let (key, operator, values): (_, _, &[&str]) = draw.one_of(&[
                ("disk", Operator::In, &["ssd"] as &[&str]),
                ("disk", Operator::NotIn, &["ssd"]),
                ("generation", Operator::Gt, &["2"]),
                ("generation", Operator::Lt, &["4"]),
                (RACK, Operator::Exists, &[]),
                (RACK, Operator::DoesNotExist, &[]),
                (ZONE, Operator::In, &["zone-0", "zone-1"]),
            ]);
            requirement(key, operator, values)
        }),
        match_fields: draw.maybe(5, |draw| name(draw, Operator::NotIn)).into_iter().collect(),
    }
}

/// Some pods, mostly of the same app, and how near is near.
fn pods(draw: &mut Draw, app: &str) -> PodTerm {
    PodTerm {
        label_selector: draw.maybe(95, |draw| selector(draw, app)),
        namespaces: draw.few(15, |draw| Str::from(draw.one_of(&NAMESPACES))),
        topology_key: draw.one_of(&[HOSTNAME, HOSTNAME, ZONE, ZONE, RACK, REGION]).into(),
        namespace_selector: draw.maybe(20, |draw| {
            let team = [("team", draw.one_of(&["red", "blue"]))];
            if draw.percent(40) { LabelSelector::default() } else { team.into_iter().collect() }
        }),
        match_label_keys: draw.few(15, |_| "version".into()),
        mismatch_label_keys: draw.few(12, |_| "version".into()),
    }
}

fn selector(draw: &mut Draw, app: &str) -> LabelSelector {
    let app = if draw.percent(65) { app } else { draw.one_of(&APPS) };
    match draw.below(8) {
        0 => LabelSelector::default(),
        1 => expression("version", Operator::Exists, &[]),
        2 => expression("version", Operator::DoesNotExist, &[]),
        3 => expression("app", Operator::NotIn, &[app]),
        4 => expression("version", Operator::In, &["v1"]),
        _ => [("app", app)].into_iter().collect(),
    }
}

fn expression(key: &str, operator: Operator, values: &[&str]) -> LabelSelector {
    LabelSelector {
        match_expressions: [requirement(key, operator, values)].into_iter().collect(),
        ..LabelSelector::default()
    }
}

fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
    Requirement { key: key.into(), operator, values: values.iter().map(|value| Str::from(*value)).collect() }
}

fn spread(draw: &mut Draw, app: &str) -> TopologySpread {
    let hard = draw.percent(40);
    let policy = |draw: &mut Draw| draw.one_of(&[NodePolicy::Honor, NodePolicy::Ignore]);
    TopologySpread {
        max_skew: 1 + draw.below(3) as u32,
        topology_key: draw.one_of(&[HOSTNAME, ZONE, ZONE, RACK]).into(),
        when_unsatisfiable: if hard {
            WhenUnsatisfiable::DoNotSchedule
        } else {
            WhenUnsatisfiable::ScheduleAnyway
        },
        label_selector: draw.maybe(97, |draw| selector(draw, app)),
        min_domains: if hard { draw.maybe(40, |draw| 1 + draw.below(5) as u32) } else { None },
        node_affinity_policy: draw.maybe(30, policy),
        node_taints_policy: draw.maybe(30, policy),
        match_label_keys: draw.few(15, |_| "version".into()),
    }
}
