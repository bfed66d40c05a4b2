//! NodeUnschedulable and TaintToleration: what keeps pods away from a node.

use orchestra_core::kinds::{Node, Pod, Taint, TaintEffect};

use super::{Rejected, Scored, Situation};

pub(super) const TAINT_TOLERATION: &str = "TaintToleration";

/// A node that is closed takes only pods that tolerate the taint that says so.
pub(super) fn unschedulable(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let closed = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        effect: TaintEffect::NoSchedule,
        ..Taint::default()
    };
    (node.spec.unschedulable && !tolerates(situation.pod, &closed))
        .then(|| Rejected::for_good("NodeUnschedulable", "node(s) were unschedulable"))
}

/// The first taint that is not tolerated is the reason.
pub(super) fn tolerated(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let taint = forbidding(situation.pod, node)?;
    let reason = format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value);
    Some(Rejected::for_good(TAINT_TOLERATION, reason))
}

/// The first taint that keeps the pod away from the node.
pub(super) fn forbidding<'a>(pod: &Pod, node: &'a Node) -> Option<&'a Taint> {
    node.spec.taints.iter().find(|taint| {
        matches!(taint.effect, TaintEffect::NoSchedule | TaintEffect::NoExecute) && !tolerates(pod, taint)
    })
}

/// The fewer taints of the weak sort are not tolerated, the better.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let disliked = |node: &&Node| {
        let taints = node.spec.taints.iter().filter(|taint| {
            taint.effect == TaintEffect::PreferNoSchedule && !tolerates(situation.pod, taint)
        });
        i64::try_from(taints.count()).unwrap_or(i64::MAX)
    };
    let mut scored = Scored::of_highest(fit.iter().map(disliked).collect());
    scored.scores.iter_mut().for_each(|score| *score = 100 - *score);
    scored
}

fn tolerates(pod: &Pod, taint: &Taint) -> bool {
    pod.spec.tolerations.iter().any(|toleration| toleration.tolerates(taint))
}
