//! [`Explanation`]: why a pod is put where it is put, or nowhere; node by node, rule by rule.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use orchestra_core::object::Str;

use crate::cluster::Cluster;
use crate::contain::contained;
use crate::decide::{Decider, Decision};
use crate::profile::Profile;
use crate::rule::{Missing, Only, Reason, Rejection, Scale, Verdict};
use crate::set::{NodeId, NodeSet};
use crate::view::PodView;

/// What each rule said of each node for one pod.
///
/// It prints as text for people; its parts are data. [`summary`](Self::summary) is the one line that
/// stands in a pod's condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The pod: `namespace/name`.
    pub pod: String,
    /// What becomes of it.
    pub decision: Decision,
    /// What was said of each node, the best first, then those where it does not fit, by name.
    pub nodes: Vec<Judgement>,
    /// Who holds the pod back.
    pub gates: Vec<Str>,
    /// Why it can be on no node, whichever it is: what it says contradicts itself, or a claim of it is not there.
    pub contradiction: Option<Cow<'static, str>>,
}

/// What was said of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The node,
    pub node: NodeId,
    /// and its name.
    pub name: Str,
    /// The filters that reject it, in the profile's order. All are asked, not only the first.
    pub rejections: Vec<(&'static str, Rejection)>,
    /// What the scores say, in the profile's order; nothing where the pod does not fit.
    pub parts: Vec<Part>,
    /// The sum of all parts.
    pub total: i64,
}

/// What one score says of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The rule.
    pub rule: &'static str,
    /// What it said,
    pub raw: i64,
    /// what that is between 0 and [`BEST`](crate::BEST), compared with the other nodes,
    pub scaled: i64,
    /// and how often that counts.
    pub weight: i64,
}

impl Decider {
    /// Explains what [`decide`](Self::decide) would say now. Nothing that is kept is used for it: it is
    /// found anew.
    pub fn explain(&mut self, cluster: &Cluster, pod: &PodView) -> Explanation {
        let decision = self.decide_anew(cluster, pod);
        contained(|| Explanation::of(self.profile(), cluster, pod, decision))
            .unwrap_or_else(|_| Explanation::of(&self.profile().contained(), cluster, pod, decision))
    }
}

impl Explanation {
    fn of(profile: &Profile, cluster: &Cluster, pod: &PodView, decision: Decision) -> Self {
        let narrow: Vec<_> = profile.filters().iter().map(|it| (it.name(), it.only(pod, cluster))).collect();
        let mut nodes: Vec<_> =
            cluster.nodes().iter().map(|node| filtered(profile, cluster, pod, node, &narrow)).collect();
        let fit: NodeSet = nodes.iter().filter(|it| it.fits()).map(|it| it.node).collect();
        let (mut raw, mut scaled) = (vec![0; cluster.places()], vec![0; cluster.places()]);
        for (rule, weight) in profile.scores().filter(|_| !fit.is_empty()) {
            rule.score_all(pod, cluster, &fit, &mut raw);
            scaled.clone_from(&raw);
            rule.scale().apply(&**rule, &fit, &mut scaled);
            if let Some(constant) = rule.constant(pod, cluster) {
                scaled.fill(constant);
                if rule.scale() == Scale::Is {
                    raw.fill(constant);
                }
            }
            for node in nodes.iter_mut().filter(|it| it.fits()) {
                let at = node.node.at();
                let part = Part { rule: rule.name(), raw: said(raw[at]), scaled: scaled[at], weight };
                node.total += part.scaled * weight;
                node.parts.push(part);
            }
        }
        nodes.sort_by(|one, other| {
            let of = |it: &Judgement| (!it.fits(), std::cmp::Reverse(it.total), cluster.rank(it.node));
            if one.fits() || other.fits() { of(one).cmp(&of(other)) } else { one.name.cmp(&other.name) }
        });
        let pod_name = format!("{}/{}", pod.namespace(), pod.name());
        let contradiction = narrow.into_iter().find_map(|(_, only)| match only {
            Only::Never(why) => Some(why),
            Only::Any | Only::These(_) => None,
        });
        Self { pod: pod_name, decision, nodes, gates: pod.shape().gates.clone(), contradiction }
    }

    /// What was said of a node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Judgement> {
        self.nodes.iter().find(|it| it.name == name)
    }

    /// Why the pod is not put on a node: in words.
    #[must_use]
    pub fn why_not(&self, name: &str) -> String {
        let Some(node) = self.node(name) else { return format!("there is no node {name}") };
        let place = match self.decision {
            Decision::Place { node: place, .. } => self.nodes.iter().find(|it| it.node == place),
            Decision::NoFit | Decision::Gated => None,
        };
        match place {
            _ if !node.fits() => node.to_string(),
            Some(place) if place.node == node.node => format!("{name}: that is where it is put"),
            Some(place) if place.total == node.total => {
                format!("{name}: as good as {} ({}), which comes first by rank", place.name, place.total)
            }
            Some(place) => {
                let differs = |(a, b): &(&Part, &Part)| a.scaled != b.scaled;
                let parts = place.parts.iter().zip(&node.parts).filter(differs);
                let parts: Vec<_> = parts
                    .map(|(a, b)| {
                        format!("{} {} against {}", a.rule, b.scaled * b.weight, a.scaled * a.weight)
                    })
                    .collect();
                let (best, total) = (&place.name, place.total);
                format!("{name}: {} points, {best} has {total}: {}", node.total, parts.join(", "))
            }
            None => format!("{name}: it would fit, but is held back: {}", self.gates.join(", ")),
        }
    }

    /// In one line, as people know it: `0/5 nodes are available: 2 Insufficient cpu, 3 node(s) were
    /// unschedulable.`
    #[must_use]
    pub fn summary(&self) -> String {
        match self.decision {
            Decision::Place { score, .. } => {
                let name = self.nodes.first().map(|it| it.name.as_str()).unwrap_or_default();
                format!("assigned {} to {name} ({score} points)", self.pod)
            }
            Decision::Gated => {
                format!("Scheduling is blocked due to non-empty scheduling gates: {}", self.gates.join(", "))
            }
            Decision::NoFit if self.nodes.is_empty() => "no nodes available to schedule pods".into(),
            Decision::NoFit => {
                if let Some(why) = &self.contradiction {
                    return format!("0/{} nodes are available: {why}.", self.nodes.len());
                }
                let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
                let first = self.nodes.iter().filter_map(|it| it.rejections.first());
                for reason in first.flat_map(|(_, rejection)| &rejection.reasons) {
                    *reasons.entry(&reason.text).or_default() += 1;
                }
                let mut reasons: Vec<_> =
                    reasons.iter().map(|(text, many)| format!("{many} {text}")).collect();
                reasons.sort();
                format!("0/{} nodes are available: {}.", self.nodes.len(), reasons.join(", "))
            }
        }
    }

    /// What would make it fit: for the nodes where one rule only is in the way, what that is, the least
    /// that is missing first.
    #[must_use]
    pub fn remedies(&self) -> Vec<String> {
        let one = |node: &&Judgement| node.rejections.len() == 1;
        let mut nodes: Vec<_> = self.nodes.iter().filter(one).collect();
        nodes.sort_by_key(|node| {
            (node.missing().count().max(1), node.missing().map(Missing::amount).sum::<i64>())
        });
        let mut seen = std::collections::BTreeSet::new();
        nodes
            .into_iter()
            .filter(|node| seen.insert(node.rejections.iter().map(|(rule, _)| *rule).collect::<Vec<_>>()))
            .flat_map(|node| {
                node.rejections.iter().map(move |(rule, rejection)| remedy(&node.name, rule, rejection))
            })
            .collect()
    }
}

/// What was said, where something was: a rule says the least number of a node that it passes over.
fn said(raw: i64) -> i64 {
    if raw == i64::MIN { 0 } else { raw }
}

fn remedy(node: &Str, rule: &str, rejection: &Rejection) -> String {
    let missing: Vec<_> = rejection.reasons.iter().filter_map(|reason| reason.missing.as_ref()).collect();
    if missing.is_empty() {
        let reasons: Vec<_> = rejection.reasons.iter().map(ToString::to_string).collect();
        return format!("on {node}, {rule} alone is in the way: {}", reasons.join(", "));
    }
    let missing: Vec<_> =
        missing.iter().map(|it| format!("{} more {}", it.amount_text(), it.resource)).collect();
    format!("on {node} it would fit with {}", missing.join(" and "))
}

fn filtered(
    profile: &Profile,
    cluster: &Cluster,
    pod: &PodView,
    node: NodeId,
    narrow: &[(&'static str, Only)],
) -> Judgement {
    let view = cluster.at(node);
    let passed_over = narrow.iter().find_map(|(rule, only)| match only {
        Only::These(nodes) if !nodes.contains(node) => {
            Some((*rule, format!("node(s) didn't satisfy plugin(s) [{rule}]").into()))
        }
        Only::Never(why) => Some((*rule, why.clone())),
        Only::Any | Only::These(_) => None,
    });
    if let Some((rule, text)) = passed_over {
        let rejections =
            vec![(rule, Rejection { reasons: vec![Reason { text, missing: None }], is_final: true })];
        return Judgement { node, name: view.name().clone(), rejections, parts: Vec::new(), total: 0 };
    }
    let kept = cluster.kept(pod, node);
    let rejection = |filter: &std::sync::Arc<dyn crate::Filter>| {
        // It must fit with those who are nominated there, and without them, should they never come.
        let verdict = match (filter.filter(pod, &view), &kept) {
            (Verdict::Fits, Some(kept)) => filter.filter(pod, &view.with(kept)),
            (verdict, _) => verdict,
        };
        match verdict {
            Verdict::Fits => None,
            Verdict::Rejects(rejection) => Some((filter.name(), rejection)),
        }
    };
    let rejections = profile.filters().iter().filter_map(rejection).collect();
    Judgement { node, name: view.name().clone(), rejections, parts: Vec::new(), total: 0 }
}

impl Judgement {
    /// Whether the pod can be there.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.rejections.is_empty()
    }

    fn missing(&self) -> impl Iterator<Item = &Missing> {
        self.rejections.iter().flat_map(|(_, it)| &it.reasons).filter_map(|it| it.missing.as_ref())
    }
}

impl Missing {
    /// An amount of the resource as people write it.
    fn text(&self, amount: i64) -> String {
        use orchestra_core::object::Quantity;
        match self.resource.as_str() {
            "cpu" => Quantity::milli(amount).to_string(),
            "memory" | "ephemeral-storage" => Quantity::bytes(amount).to_string(),
            _ => amount.to_string(),
        }
    }

    fn amount_text(&self) -> String {
        self.text(self.amount())
    }
}

/// A reason with the amounts.
fn at_length(reason: &Reason) -> String {
    match &reason.missing {
        None => reason.text.to_string(),
        Some(it) => {
            let (asked, taken, all) = (it.text(it.asked), it.text(it.taken), it.text(it.allocatable));
            format!(
                "{} (asks for {asked}, {taken} of {all} are taken: {} missing)",
                reason.text,
                it.amount_text()
            )
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fits() {
            let part = |it: &Part| match it.weight {
                1 => format!("{} {}", it.rule, it.scaled),
                weight => format!("{} {}*{weight}", it.rule, it.scaled),
            };
            let parts: Vec<_> = self.parts.iter().map(part).collect();
            return write!(f, "{}: {} = {}", self.name, self.total, parts.join(" + "));
        }
        let rejection = |(rule, it): &(&'static str, Rejection)| {
            let reasons: Vec<_> = it.reasons.iter().map(at_length).collect();
            format!("{rule}: {}", reasons.join("; "))
        };
        let rejections: Vec<_> = self.rejections.iter().map(rejection).collect();
        write!(f, "{}: does not fit: {}", self.name, rejections.join("; "))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary())?;
        for node in &self.nodes {
            writeln!(f, "  {node}")?;
        }
        for remedy in self.remedies() {
            writeln!(f, "  {remedy}")?;
        }
        Ok(())
    }
}
