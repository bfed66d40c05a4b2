//! What a policy is made of: [`Filter`]s say where a pod can be, [`Score`]s where it is best.

use std::borrow::Cow;
use std::fmt;

use orchestra_core::object::Str;

use crate::bounds::Bounds;
use crate::cluster::{Cluster, Devices, Key};
use crate::set::{NodeId, NodeSet};
use crate::view::{NodeView, PodView};

/// How many nodes a rule may be asked about [at a time](Score::add_block).
pub const BLOCK: usize = 64;

/// The best score that a rule gives a node, after [scaling](Score::scale).
pub const BEST: i64 = 100;

/// Says where a pod can be.
///
/// A few lines are enough: the pod and one node at a time. Who wants speed writes
/// [`filter_all`](Self::filter_all) over the columns, and says what the answer [depends on](Self::reads).
///
/// ```
/// use orchestra_sched::{Filter, NodeView, PodView, Verdict};
///
/// struct Certified;
/// impl Filter for Certified {
///     fn name(&self) -> &'static str { "Certified" }
///     fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
///         match pod.label("payment") {
///             Some(_) if node.label("pci").is_none() => Verdict::no("node(s) may not handle payments"),
///             _ => Verdict::Fits,
///         }
///     }
/// }
/// ```
pub trait Filter: Send + Sync {
    /// Its name, as it stands in profiles and explanations.
    fn name(&self) -> &'static str;

    /// Whether the pod can be on the node, and if not, why.
    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict;

    /// The same for many nodes: takes out of `fit` those where the pod cannot be.
    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        fit.retain(|node| self.filter(pod, &cluster.at(node)).fits());
    }

    /// The same for [`BLOCK`] nodes that stand side by side, from `block * BLOCK` on, one bit each: on which of
    /// them the pod can be. Nothing, where the rule cannot be asked so; it can for all blocks or for none. It
    /// is worth it for rules that read columns which [scores](Score::add_block) read, too.
    fn filter_block(&self, pod: &PodView, cluster: &Cluster, block: usize) -> Option<u64> {
        let _ = (pod, cluster, block);
        None
    }

    /// Whether the pod can be on none of some nodes, of which only so much is known. It saves looking at them one by
    /// one; to say so where it can makes decisions wrong.
    fn rejects_all(&self, pod: &PodView, nodes: &Bounds) -> bool {
        let _ = (pod, nodes);
        false
    }

    /// The only nodes that are worth asking about, where the pod itself names them: those of a
    /// DaemonSet do. It saves looking at all others.
    fn only(&self, pod: &PodView, cluster: &Cluster) -> Only {
        let _ = (pod, cluster);
        Only::Any
    }

    /// What the answer depends on.
    fn reads(&self, pod: &PodView, cluster: &Cluster) -> Reads {
        let _ = (pod, cluster);
        Reads::Anything
    }

    /// The answer by the domains of one key only, where the pod fits exactly if it does so by each of the
    /// keys that the rule [reads](Self::reads): what a key that each node has a value of its own for says
    /// then holds until the node changes, whatever the others say. Nothing, where keys hang together.
    fn filter_by(&self, key: Key, pod: &PodView, node: &NodeView<'_>) -> Option<Verdict> {
        let _ = (key, pod, node);
        None
    }

    /// A number that changes whenever answers for nodes that have *not* changed may be others, where the
    /// rule says that it [reads](Self::reads) only nodes or domains.
    fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        let _ = (pod, cluster);
        0
    }
}

/// Says where a pod is best.
///
/// ```
/// use orchestra_sched::{NodeView, PodView, Score};
///
/// struct LowPower;
/// impl Score for LowPower {
///     fn name(&self) -> &'static str { "LowPower" }
///     fn score(&self, _pod: &PodView, node: &NodeView<'_>) -> i64 { -node.label_i64("watts").unwrap_or(0) }
/// }
/// ```
pub trait Score: Send + Sync {
    /// Its name, as it stands in profiles and explanations.
    fn name(&self) -> &'static str;

    /// How good the node is for the pod, the greater the better.
    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64;

    /// The same for many nodes: writes the score of each node in `fit` in its place in `out`, which has
    /// one for each of the [`places`](Cluster::places). What stands in the others does not matter.
    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        fit.iter().for_each(|node| out[node.at()] = self.score(pod, &cluster.at(node)));
    }

    /// The same for [`BLOCK`] nodes that stand side by side, from `block * BLOCK` on: adds to `out` what each
    /// scores, so many times, and tells whether it did. Only a rule whose scores are whole numbers from 0 to
    /// [`BEST`] already ([`Scale::Is`]) can. Processors count several such numbers at a time, so a rule
    /// that takes the columns like this costs a nanosecond a node.
    fn add_block(
        &self,
        pod: &PodView,
        cluster: &Cluster,
        block: usize,
        times: f64,
        out: &mut [f64; BLOCK],
    ) -> bool {
        let _ = (pod, cluster, block, times, out);
        false
    }

    /// The most that it scores one of some nodes, of which only so much is known, where its scores are whole numbers
    /// from 0 to [`BEST`] already ([`Scale::Is`]); it can tell for all nodes or for none. With it, nodes that cannot be
    /// best are passed over together, so that pods that all differ need not look at each node. To say too little
    /// makes decisions wrong.
    fn at_most(&self, pod: &PodView, nodes: &Bounds) -> Option<i64> {
        let _ = (pod, nodes);
        None
    }

    /// How scores become numbers from 0 to [`BEST`], so that weights mean something.
    fn scale(&self) -> Scale {
        Scale::Span
    }

    /// Brings scores to 0 to [`BEST`] in a way of one's own, where the [scale](Self::scale) is
    /// [`Scale::Own`].
    fn normalise(&self, fit: &NodeSet, out: &mut [i64]) {
        let _ = (fit, out);
    }

    /// What the score depends on.
    fn reads(&self, pod: &PodView, cluster: &Cluster) -> Reads {
        let _ = (pod, cluster);
        Reads::Anything
    }

    /// As for [filters](Filter::version).
    fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        let _ = (pod, cluster);
        0
    }

    /// Which devices the pod is to have on the node that is taken, where the rule has a say in that. Of several
    /// rules the first one counts that names devices which the pod [can have](Cluster::can_have) there; where none
    /// does, [the fullest](Cluster::choose_devices) are taken that still fit.
    fn devices(&self, pod: &PodView, node: &NodeView<'_>) -> Option<Devices> {
        let _ = (pod, node);
        None
    }

    /// The score after scaling that *all* nodes have, where that can be told without looking at them:
    /// the rule has nothing to say then.
    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        let _ = (pod, cluster);
        None
    }
}

/// What a rule's answer for one node depends on, beside the class of the pod. The less it is, the longer
/// an answer holds; to say too little makes decisions wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// On that node: its object, what is taken there, which pods are there; and not on which others fit.
    Node,
    /// On the domains that the node is in, by these keys. The rule is asked about one node of each.
    Domains(Vec<Key>),
    /// On any node, but for one pod as for all others of its class.
    Cluster,
    /// On anything.
    Anything,
}

/// How scores become numbers from 0 to [`BEST`]. What counts are the nodes where the pod fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// They are already. What is beyond is cut.
    Is,
    /// The greatest becomes [`BEST`], and nothing stays 0; without any, all are 0.
    Greatest,
    /// The greatest becomes 0, and nothing becomes [`BEST`].
    Least,
    /// The least becomes 0, the greatest [`BEST`]; where all are the same, all are 0.
    Span,
    /// As the rule itself [says](Score::normalise).
    Own,
}

/// Which nodes are worth asking about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// All.
    Any,
    /// These.
    These(NodeSet),
    /// None, whichever there are, and why: what the pod says contradicts itself, for example.
    Never(Cow<'static, str>),
}

/// Whether a pod can be on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can.
    Fits,
    /// It cannot.
    Rejects(Rejection),
}

impl Verdict {
    /// It cannot, for a reason in words such as people know them: `node(s) had untolerated taint`.
    pub fn no(reason: impl Into<Cow<'static, str>>) -> Self {
        let reasons = vec![Reason { text: reason.into(), missing: None }];
        Self::Rejects(Rejection { reasons, is_final: false })
    }

    /// As [`no`](Self::no), and driving out other pods would not help.
    pub fn never(reason: impl Into<Cow<'static, str>>) -> Self {
        let reasons = vec![Reason { text: reason.into(), missing: None }];
        Self::Rejects(Rejection { reasons, is_final: true })
    }

    /// Whether it can.
    #[must_use]
    pub const fn fits(&self) -> bool {
        matches!(self, Self::Fits)
    }
}

/// Why a pod cannot be on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reasons.
    pub reasons: Vec<Reason>,
    /// Whether it would be so even if no other pod was there.
    pub is_final: bool,
}

/// One reason why a pod cannot be on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// In words, the same for all nodes that it holds for.
    pub text: Cow<'static, str>,
    /// What is missing there.
    pub missing: Option<Missing>,
}

/// How much of a resource is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The resource.
    pub resource: Str,
    /// How much the pod asks for,
    pub asked: i64,
    /// how much is taken,
    pub taken: i64,
    /// and how much there is in all.
    pub allocatable: i64,
}

impl Missing {
    /// How much must become free for the pod to fit.
    #[must_use]
    pub fn amount(&self) -> i64 {
        self.asked.saturating_add(self.taken).saturating_sub(self.allocatable)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Scale {
    /// Scales the scores of some nodes.
    pub(crate) fn apply(self, rule: &dyn Score, fit: &NodeSet, out: &mut [i64]) {
        let scores = || fit.iter().map(NodeId::at);
        match self {
            Self::Is => {}
            Self::Own => rule.normalise(fit, out),
            Self::Greatest | Self::Least => {
                let greatest = scores().map(|at| out[at]).max().unwrap_or(0);
                scores().for_each(|at| out[at] = self.of(out[at], 0, greatest));
            }
            Self::Span => {
                let (least, greatest) = scores()
                    .fold((i64::MAX, i64::MIN), |(least, most), at| (least.min(out[at]), most.max(out[at])));
                scores().for_each(|at| out[at] = self.of(out[at], least, greatest));
            }
        }
        scores().for_each(|at| out[at] = out[at].clamp(0, BEST));
    }

    /// One score, where the least and the greatest are known.
    pub(crate) fn of(self, score: i64, least: i64, greatest: i64) -> i64 {
        match self {
            Self::Is | Self::Own => score,
            Self::Greatest if greatest == 0 => score,
            Self::Greatest => score.saturating_mul(BEST).saturating_div(greatest),
            Self::Least if greatest == 0 => BEST,
            Self::Least => BEST.saturating_sub(score.saturating_mul(BEST).saturating_div(greatest)),
            Self::Span if greatest <= least => 0,
            Self::Span => {
                (BEST as f64 * (score.saturating_sub(least) as f64 / greatest.saturating_sub(least) as f64))
                    as i64
            }
        }
    }
}

impl Reads {
    /// The domains of some keys; without any, nothing changes the answer but the node itself.
    #[must_use]
    pub fn domains(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() { Self::Node } else { Self::Domains(keys) }
    }
}
