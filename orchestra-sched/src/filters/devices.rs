//! Where there are devices for a pod, and what is missing where there are none.

use crate::cluster::{DeviceAsk, WHOLE};
use crate::{Cluster, Dim, NodeId, NodeView};

/// What is missing of devices on a node.
pub(super) struct Lacking {
    /// The resource: the device, or what counts shares of it.
    pub(super) dim: Dim,
    pub(super) is_share: bool,
    /// Of devices, how many are in use; of shares, how much of that device which has most left.
    pub(super) taken: i64,
    pub(super) all: i64,
    /// Whether it would be so if nobody else was there.
    pub(super) is_final: bool,
}

/// Those of some nodes that stand side by side where there are devices for a pod.
pub(super) fn having(nodes: u64, asks: &[DeviceAsk], cluster: &Cluster, word: usize) -> u64 {
    if asks.is_empty() {
        return nodes;
    }
    let (mut having, mut left) = (nodes, nodes);
    while left != 0 {
        let bit = left.trailing_zeros() as usize;
        left &= left - 1;
        let node = NodeId::of(word * crate::set::WORD + bit);
        if !asks.iter().all(|ask| cluster.has_some(*ask, node, None)) {
            having &= !(1 << bit);
        }
    }
    having
}

/// What a node lacks of a sort of devices, if anything.
pub(super) fn lacking(ask: DeviceAsk, node: &NodeView<'_>) -> Vec<Lacking> {
    if node.has_some(ask) {
        return Vec::new();
    }
    let free = node.devices_left(ask.dim);
    let unused = free.iter().filter(|free| **free == WHOLE).count();
    let many = free.len() as i64;
    let is_never = ask.whole + usize::from(ask.share > 0) > free.len() || ask.share > WHOLE;
    let mut lacking = Vec::new();
    if unused < ask.whole {
        let taken = many - unused as i64;
        lacking.push(Lacking { dim: ask.dim, is_share: false, taken, all: many, is_final: is_never });
    }
    // One device more than those that it wants whole.
    let in_part = free.iter().copied().filter(|free| *free < WHOLE).max().unwrap_or(0);
    let most = if unused > ask.whole { WHOLE } else { in_part };
    if ask.share > most {
        let all = if free.is_empty() { 0 } else { WHOLE };
        let (taken, all) = (i64::from(all.saturating_sub(most)), i64::from(all));
        let dim = node.cluster().share_of(ask.dim);
        lacking.extend(dim.map(|dim| Lacking { dim, is_share: true, taken, all, is_final: is_never }));
    }
    lacking
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod};
    use orchestra_core::object::Quantity;

    use crate::{Cluster, Decider, Decision, Devices, NodeView, PodView, Profile, Score};

    fn pod(cluster: &mut Cluster, name: &str, asks: &[(&str, i64)]) -> PodView {
        let app = asks.iter().fold(Container::new("app"), |app, (resource, amount)| {
            app.limit(*resource, Quantity::from(*amount)).request(*resource, Quantity::from(*amount))
        });
        cluster.view(&Pod::new(name).namespace("default").container(app).build().unwrap())
    }

    fn cluster(devices: i64) -> Cluster {
        let mut cluster = Cluster::seeded(1);
        let mut node = Node::new("node").build().unwrap();
        node.status.allocatable.insert("pods", Quantity::from(110));
        node.status.allocatable.insert("nvidia.com/gpu", Quantity::from(devices));
        cluster.set_node(&node);
        cluster
    }

    /// What it comes to when pods come one after the other: the devices of each, or what is said.
    fn devices(
        cluster: &mut Cluster,
        decider: &mut Decider,
        asks: &[(&str, i64)],
    ) -> Result<Vec<u16>, String> {
        let pod = pod(cluster, &format!("pod-{}", cluster.pods()), asks);
        match decider.place(cluster, &pod) {
            Decision::Place { .. } => {
                let dim = cluster.dim("nvidia.com/gpu").unwrap();
                Ok(cluster
                    .devices_of("default", pod.name())
                    .map(|it| it.of(dim).to_vec())
                    .unwrap_or_default())
            }
            _ => Err(decider.explain(cluster, &pod).nodes[0].to_string()),
        }
    }

    const GPU: &str = "nvidia.com/gpu";
    const SHARE: &str = "nvidia.com/gpu-milli";

    #[test]
    fn a_share_is_on_one_device_and_a_whole_one_is_nobody_elses() {
        let (mut cluster, mut decider) = (cluster(4), Decider::new(Profile::default()));
        let mut next = |asks: &[(&str, i64)]| devices(&mut cluster, &mut decider, asks);
        assert_eq!(next(&[(SHARE, 600)]), Ok(vec![0]));
        assert_eq!(next(&[(SHARE, 500)]), Ok(vec![1]));
        assert_eq!(next(&[(SHARE, 400)]), Ok(vec![0]), "the fullest that still fits");
        assert_eq!(next(&[(GPU, 1), (SHARE, 300)]), Ok(vec![2, 1]), "a whole one, and a share of another");
        let said = "node: does not fit: NodeResourcesFit: Insufficient nvidia.com/gpu \
                    (asks for 2, 3 of 4 are taken: 1 missing)";
        assert_eq!(next(&[(GPU, 2)]), Err(said.into()));
        assert_eq!(next(&[(GPU, 1)]), Ok(vec![3]));
        // 200 of one and nothing of the others are left.
        let said = "node: does not fit: NodeResourcesFit: Insufficient nvidia.com/gpu-milli \
                    (asks for 250, 800 of 1000 are taken: 50 missing)";
        assert_eq!(next(&[(SHARE, 250)]), Err(said.into()));
        assert_eq!(next(&[(SHARE, 200)]), Ok(vec![1]));
        let fuller = next(&[(SHARE, 1)]).unwrap_err();
        assert!(fuller.ends_with("(asks for 1, 1000 of 1000 are taken: 1 missing)"), "{fuller}");
    }

    #[test]
    fn containers_have_their_shares_on_one_device_together() {
        let mut cluster = cluster(2);
        let share = |name: &'static str, amount: i64| {
            Container::new(name).limit(SHARE, Quantity::from(amount)).request(SHARE, Quantity::from(amount))
        };
        let mut decider = Decider::new(Profile::default());
        for (name, second, fits) in [("a", 400, true), ("b", 401, false)] {
            let pod =
                Pod::new(name).container(share("one", 600)).container(share("two", second)).build().unwrap();
            let view = cluster.view(&pod);
            assert_eq!(matches!(decider.decide(&cluster, &view), Decision::Place { .. }), fits, "{name}");
        }
    }

    #[test]
    fn no_device_gives_more_than_it_is_and_no_more_devices_than_can_be_known_are_shared() {
        let mut decider = Decider::new(Profile::default());
        for (many, asks, fits) in [
            (1, [(SHARE, 1000)], true),
            (8, [(SHARE, 1001)], false),
            (64, [(GPU, 64)], true),
            (65, [(GPU, 65)], true),
            (65, [(SHARE, 1)], false),
            (0, [(SHARE, 1)], false),
            (8, [(GPU, i64::MAX)], false),
        ] {
            let mut cluster = cluster(many);
            assert_eq!(devices(&mut cluster, &mut decider, &asks).is_ok(), fits, "{many} {asks:?}");
            let node = cluster.node("node").unwrap();
            let pod = pod(&mut cluster, "again", &asks);
            assert!(!fits || !cluster.can_have(&pod, node, &Devices::none()));
            decider = Decider::new(Profile::default());
        }
    }

    /// The emptiest device, or one that is not there at all.
    struct Emptiest(bool);

    impl Score for Emptiest {
        fn name(&self) -> &'static str {
            "Emptiest"
        }

        fn score(&self, _: &PodView, _: &NodeView<'_>) -> i64 {
            0
        }

        fn devices(&self, pod: &PodView, node: &NodeView<'_>) -> Option<Devices> {
            let ask = pod.devices().first()?;
            let free = node.devices(ask.dim);
            let emptiest = (0..free.len() as u16).max_by_key(|at| free[usize::from(*at)])?;
            Some(Devices::none().with(ask.dim, [if self.0 { emptiest } else { 99 }]))
        }
    }

    #[test]
    fn a_rule_chooses_the_device_if_the_pod_can_have_it() {
        let (mut cluster, share) = (cluster(3), [(SHARE, 300)]);
        let mut decider = Decider::new(Profile::default().score(Emptiest(true), 1));
        let mut next = |decider: &mut Decider| devices(&mut cluster, decider, &share);
        assert_eq!([(); 4].map(|()| next(&mut decider)), [2, 1, 0, 2].map(|at| Ok(vec![at])));
        let mut wrong = Decider::new(Profile::default().score(Emptiest(false), 1));
        assert_eq!([(); 3].map(|()| next(&mut wrong)), [2, 0, 0].map(|at| Ok(vec![at])));
    }
}
