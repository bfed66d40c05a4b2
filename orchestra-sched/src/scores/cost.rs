use orchestra_core::object::{Quantity, Str};

use crate::cluster::MOST;
use crate::{Cluster, NodeView, PodView, Reads, Scale, Score};

/// The cheaper a node, the better: the cheapest where the pod fits is best, the dearest of no use.
///
/// A node says what it costs by a label such as `cost.orchestra.dev/usd-per-hour: "0.34"`. One that does not say
/// counts as the dearest that can be: what is not known is not cheap.
///
/// ```
/// use orchestra_core::kinds::{Node, Pod};
/// use orchestra_sched::{Cluster, Decider, Decision, Profile, scores};
///
/// let mut cluster = Cluster::seeded(1);
/// let price = "cost.orchestra.dev/usd-per-hour";
/// let spot = cluster.set_node(&Node::new("spot").label(price, "0.09").build()?);
/// cluster.set_node(&Node::new("reserved").label(price, "0.34").build()?);
/// let pod = cluster.view(&Pod::new("batch").build()?);
/// let mut decider = Decider::new(Profile::empty("thrifty").score(scores::Cost::by("usd-per-hour"), 1));
/// assert_eq!(decider.decide(&cluster, &pod), Decision::Place { node: spot, score: 100 });
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cost {
    label: Str,
}

/// What the label begins with by which a node says what it costs, by some measure.
pub const COST_LABEL: &str = "cost.orchestra.dev/";

impl Default for Cost {
    fn default() -> Self {
        Self::by("usd-per-hour")
    }
}

impl Cost {
    /// By this measure.
    #[must_use]
    pub fn by(measure: &str) -> Self {
        Self { label: format!("{COST_LABEL}{measure}").into() }
    }
}

/// What a node says that it costs, if it says so, and if that is a price: a quantity of at least nothing.
pub(crate) fn said(node: &NodeView<'_>, label: &str) -> Option<Quantity> {
    node.label(label)?.parse().ok().filter(|price: &Quantity| !price.is_negative())
}

impl Score for Cost {
    fn name(&self) -> &'static str {
        "Cost"
    }

    /// In millionths, less than nothing.
    fn score(&self, _: &PodView, node: &NodeView<'_>) -> i64 {
        let price = said(node, &self.label).and_then(|it| it.checked_mul(1000)?.milli_value());
        -price.unwrap_or(MOST).min(MOST)
    }

    fn normalise(&self, fit: &crate::NodeSet, out: &mut [i64]) {
        // Of those that say what they cost, so that one that does not leaves the others their differences.
        let known = || fit.iter().map(|node| out[node.at()]).filter(|price| *price > -MOST);
        let (least, greatest) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
        for node in fit.iter() {
            let price = out[node.at()];
            out[node.at()] = if price <= -MOST {
                0
            } else if greatest == least {
                crate::BEST
            } else {
                (i128::from(price - least) * i128::from(crate::BEST) / i128::from(greatest - least)) as i64
            };
        }
    }

    fn scale(&self) -> Scale {
        Scale::Own
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Node, Pod};

    use super::*;
    use crate::{Decider, Profile};

    #[test]
    fn the_cheapest_is_best_and_who_does_not_say_is_last() {
        let mut cluster = Cluster::seeded(1);
        let prices = [("a", "0.34"), ("b", "0.09"), ("c", "1"), ("d", "dear"), ("e", "-3"), ("f", "340m")];
        for (name, price) in prices {
            cluster
                .set_node(&Node::new(name).label("cost.orchestra.dev/usd-per-hour", price).build().unwrap());
        }
        cluster.set_node(&Node::new("g").build().unwrap());
        let pod = cluster.view(&Pod::new("pod").build().unwrap());
        let mut decider = Decider::new(Profile::empty("p").score(Cost::default(), 1));
        let explanation = decider.explain(&cluster, &pod);
        let score = |name| explanation.node(name).map(|it| it.total);
        let scores: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].into_iter().filter_map(score).collect();
        assert_eq!(scores, [72, 100, 0, 0, 0, 72, 0]);
    }
}
