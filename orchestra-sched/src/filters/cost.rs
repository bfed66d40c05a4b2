use orchestra_core::kinds::PodSpec;
use orchestra_core::object::{Quantity, Str};

use crate::scores::{COST_LABEL, cost_said};
use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod is put on no node that costs more than it may, by each measure of its `orchestra.costLimits`.
///
/// What a node costs it says by labels such as `cost.orchestra.dev/usd-per-hour: "0.34"`. One that does not say,
/// or says no price, is too dear: a limit is a promise, and what is not known cannot keep it. What others do on the
/// node changes nothing, so nobody is driven out for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CostLimits;

/// What a pod's place may cost: the label that says it of a node, the measure, and the limit.
pub(crate) fn limits(spec: &PodSpec) -> Vec<(Str, Str, Quantity)> {
    let all = spec.orchestra.iter().flat_map(|it| &it.cost_limits);
    all.map(|(measure, most)| (Str::from(format!("{COST_LABEL}{measure}")), measure.clone(), *most)).collect()
}

impl Filter for CostLimits {
    fn name(&self) -> &'static str {
        "CostLimits"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        for (label, measure, most) in &pod.shape().cost_limits {
            match cost_said(node, label) {
                None => return Verdict::never(format!("node(s) did not say what they cost in {measure}")),
                Some(price) if price > *most => {
                    return Verdict::never(format!("node(s) cost more than {most} {measure}"));
                }
                Some(_) => {}
            }
        }
        Verdict::Fits
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if !pod.shape().cost_limits.is_empty() {
            fit.retain(|node| self.filter(pod, &cluster.at(node)).fits());
        }
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Node, Pod};

    use super::*;
    use crate::{Decider, Decision, Profile};

    #[test]
    fn a_node_must_say_that_it_is_cheap_enough() {
        let mut cluster = Cluster::seeded(1);
        let nodes = [
            ("cheap", Some("0.3"), Some("20")),
            ("dear", Some("0.31"), Some("20")),
            ("dirty", Some("0.1"), Some("20001m")),
            ("silent", Some("0.1"), None),
            ("garbled", Some("much"), Some("1")),
        ];
        for (name, dollars, carbon) in nodes {
            let mut node = Node::new(name).build().unwrap();
            for (measure, price) in [("usd-per-hour", dollars), ("gco2-per-hour", carbon)] {
                if let Some(price) = price {
                    node.metadata.labels.insert(format!("cost.orchestra.dev/{measure}"), price.into());
                }
            }
            cluster.set_node(&node);
        }
        let mut pod = Pod::new("pod").build().unwrap();
        let limits = &mut pod.spec.orchestra.get_or_insert_default().cost_limits;
        limits.insert("usd-per-hour", "0.3".parse().unwrap());
        limits.insert("gco2-per-hour", "20".parse().unwrap());
        let view = cluster.view(&pod);
        let mut decider = Decider::new(Profile::empty("p").filter(CostLimits));
        let node = cluster.node("cheap").unwrap();
        assert_eq!(decider.decide(&cluster, &view), Decision::Place { node, score: 0 });
        let explanation = decider.explain(&cluster, &view);
        for (name, reason) in [
            ("dear", "node(s) cost more than 300m usd-per-hour"),
            ("dirty", "node(s) cost more than 20 gco2-per-hour"),
            ("silent", "node(s) did not say what they cost in gco2-per-hour"),
            ("garbled", "node(s) did not say what they cost in usd-per-hour"),
        ] {
            let rejections = &explanation.node(name).unwrap().rejections;
            assert_eq!((rejections[0].1.reasons[0].text.as_ref(), rejections[0].1.is_final), (reason, true));
        }
        cluster.remove_node("cheap");
        assert_eq!(decider.decide(&cluster, &view), Decision::NoFit);
        let free = cluster.view(&Pod::new("free").build().unwrap());
        assert!(matches!(decider.decide(&cluster, &free), Decision::Place { .. }));
    }
}
