//! [`Profile`]: which rules count, and how much.

use std::fmt;
use std::sync::Arc;

use crate::rule::{Filter, Score};
use crate::{filters, scores};

/// An ordered list of rules: by which filters a pod is kept from nodes, and by which scores one of the
/// others is chosen. A pod names its profile in `schedulerName`.
///
/// ```
/// use orchestra_sched::{NodeView, PodView, Profile, Score};
///
/// struct LowPower;
/// impl Score for LowPower {
///     fn name(&self) -> &'static str { "LowPower" }
///     fn score(&self, _pod: &PodView, node: &NodeView<'_>) -> i64 { -node.label_i64("watts").unwrap_or(0) }
/// }
///
/// let profile = Profile::default().score(LowPower, 2).without("ImageLocality");
/// assert!(profile.to_string().contains("LowPower*2"));
/// ```
#[derive(Clone)]
pub struct Profile {
    name: String,
    filters: Vec<Arc<dyn Filter>>,
    scores: Vec<Weighted>,
}

/// A score and how much it counts.
#[derive(Clone)]
pub(crate) struct Weighted {
    pub(crate) rule: Arc<dyn Score>,
    pub(crate) weight: i64,
}

/// The most that a rule may count.
pub const MOST_WEIGHT: i64 = 10_000;

/// The most that all scores of a profile count together: as much as 2000 rules that count as much as one may. Sums of
/// what they say can be counted with 32 bits then.
pub const MOST_WEIGHTS: i64 = 2_000 * MOST_WEIGHT;
const _: () = assert!(MOST_WEIGHTS * crate::BEST < i32::MAX as i64);

impl Default for Profile {
    /// The rules of Kubernetes' default scheduler, with its weights.
    fn default() -> Self {
        Self::empty("default-scheduler")
            .filter(filters::NodeUnschedulable)
            .filter(filters::NodeName)
            .filter(filters::TaintToleration)
            .filter(filters::NodeAffinity::default())
            .filter(filters::NodePorts)
            .filter(filters::NodeResourcesFit::default())
            .filter(filters::VolumeBinding)
            .filter(filters::VolumeZone)
            .filter(filters::PodTopologySpread)
            .filter(filters::InterPodAffinity)
            .score(scores::TaintToleration, 3)
            .score(scores::NodeAffinity::default(), 2)
            .score(scores::PodTopologySpread, 2)
            .score(scores::InterPodAffinity::default(), 2)
            .score(scores::NodeResourcesFit::default(), 1)
            .score(scores::NodeResourcesBalancedAllocation::default(), 1)
            .score(scores::ImageLocality, 1)
    }
}

impl Profile {
    /// A profile without any rule: every pod can be anywhere, and all nodes are equal.
    #[must_use]
    pub fn empty(name: impl Into<String>) -> Self {
        Self { name: name.into(), filters: Vec::new(), scores: Vec::new() }
    }

    /// Gives it another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a filter, in the place of one of the same name, or at the end.
    #[must_use]
    pub fn filter(self, rule: impl Filter + 'static) -> Self {
        self.with_filter(Arc::new(rule))
    }

    pub(crate) fn with_filter(mut self, rule: Arc<dyn Filter>) -> Self {
        match self.filters.iter_mut().find(|it| it.name() == rule.name()) {
            Some(old) => *old = rule,
            None => self.filters.push(rule),
        }
        self
    }

    /// Adds a score, in the place of one of the same name, or at the end. It counts 0 to
    /// [`MOST_WEIGHT`] times what it says, and all together count no more than [`MOST_WEIGHTS`]: what comes last counts
    /// as much as is left.
    #[must_use]
    pub fn score(self, rule: impl Score + 'static, weight: i64) -> Self {
        self.with_score(Arc::new(rule), weight)
    }

    /// Adds a filter at the end, also beside one of the same name.
    pub(crate) fn also_filter(mut self, rule: Arc<dyn Filter>) -> Self {
        self.filters.push(rule);
        self
    }

    pub(crate) fn with_score(mut self, rule: Arc<dyn Score>, weight: i64) -> Self {
        let weight = self.most(rule.name(), weight);
        let rule = Weighted { rule, weight };
        match self.scores.iter_mut().find(|it| it.rule.name() == rule.rule.name()) {
            Some(old) => *old = rule,
            None => self.scores.push(rule),
        }
        self
    }

    /// Lets another number of times count what a score says.
    #[must_use]
    pub fn weigh(mut self, name: &str, weight: i64) -> Self {
        let weight = self.most(name, weight);
        for score in self.scores.iter_mut().filter(|it| it.rule.name() == name) {
            score.weight = weight;
        }
        self
    }

    /// How much a score may count beside the others.
    fn most(&self, name: &str, weight: i64) -> i64 {
        let others = self.scores.iter().filter(|it| it.rule.name() != name).map(|it| it.weight);
        weight.clamp(0, MOST_WEIGHT).min(MOST_WEIGHTS - others.sum::<i64>())
    }

    /// Takes out the filter and the score of a name.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        self.without_filter(name).without_score(name)
    }

    pub(crate) fn without_filter(mut self, name: &str) -> Self {
        self.filters.retain(|it| it.name() != name);
        self
    }

    pub(crate) fn without_score(mut self, name: &str) -> Self {
        self.scores.retain(|it| it.rule.name() != name);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its filters, in order.
    #[must_use]
    pub fn filters(&self) -> &[Arc<dyn Filter>] {
        &self.filters
    }

    /// Its scores, in order, and how much they count.
    pub fn scores(&self) -> impl ExactSizeIterator<Item = (&Arc<dyn Score>, i64)> {
        self.scores.iter().map(|it| (&it.rule, it.weight))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filters: Vec<_> = self.filters.iter().map(|it| it.name()).collect();
        let scores: Vec<_> =
            self.scores.iter().map(|it| format!("{}*{}", it.rule.name(), it.weight)).collect();
        write!(f, "{}: {}; {}", self.name, filters.join(", "), scores.join(", "))
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({self})")
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Node, Pod};

    use super::*;
    use crate::{BEST, Cluster, Decider, Decision, NodeView, PodView, Reads, Scale};

    /// One of many that all prefer one node.
    struct Partial(&'static str);

    impl Score for Partial {
        fn name(&self) -> &'static str {
            self.0
        }

        fn score(&self, _: &PodView, node: &NodeView<'_>) -> i64 {
            if node.name() == "best" { i64::MAX } else { BEST - 1 }
        }

        fn scale(&self) -> Scale {
            Scale::Is
        }

        fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
            Reads::Node
        }
    }

    #[test]
    fn however_many_rules_there_are_their_sum_can_be_counted() {
        let mut profile = Profile::empty("many");
        for number in 0..2_500 {
            let name: &'static str = Box::leak(format!("rule-{number}").into_boxed_str());
            profile = profile.score(Partial(name), i64::MAX);
        }
        let weights: Vec<_> = profile.scores().map(|(_, weight)| weight).collect();
        assert_eq!((weights[0], weights[1_999], weights[2_000]), (MOST_WEIGHT, MOST_WEIGHT, 0));
        assert_eq!(profile.clone().weigh("rule-2400", 7).scores().map(|it| it.1).sum::<i64>(), MOST_WEIGHTS);
        let mut cluster = Cluster::seeded(1);
        for name in ["good", "best", "also-good"] {
            cluster.set_node(&Node::new(name).build().unwrap());
        }
        let pod = cluster.view(&Pod::new("pod").build().unwrap());
        let mut decider = Decider::new(profile);
        let node = cluster.node("best").unwrap();
        for _ in 0..4 {
            let decision = decider.decide(&cluster, &pod);
            assert_eq!(decision, Decision::Place { node, score: MOST_WEIGHTS * BEST });
            assert_eq!(decision, decider.decide_anew(&cluster, &pod));
        }
    }
}
