//! What becomes of a pod when one of the rules panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::cluster::{Cluster, Devices};
use crate::profile::Profile;
use crate::rule::{Filter, Only, Scale, Score, Verdict};
use crate::set::NodeSet;
use crate::view::{NodeView, PodView};

/// Does something in which rules are asked; what a panic said, where one of them panics.
pub(crate) fn contained<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    // Whoever works with a state of his own puts that in order again.
    catch_unwind(AssertUnwindSafe(what)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("it does not say why").chars().take(MOST_TEXT).collect()
    })
}

/// What a filter says; that the pod can never be there, where it panics.
pub(crate) fn asked(filter: &dyn Filter, pod: &PodView, node: &NodeView<'_>) -> Verdict {
    contained(|| filter.filter(pod, node)).unwrap_or_else(|why| panicked(filter.name(), &why))
}

fn panicked(name: &str, why: &str) -> Verdict {
    Verdict::never(format!("rule {name} panicked: {why}"))
}

/// How much of what a panic said is told, in characters.
const MOST_TEXT: usize = 200;

impl Profile {
    /// The same rules, each asked about one node at a time, and each node rejected about which one of them panics, with
    /// that as the reason. It is slow, and right in spite of them.
    pub(crate) fn contained(&self) -> Self {
        let empty = Self::empty(self.name());
        let filters = self.filters().iter().fold(empty, |profile, rule| {
            let rule = rule.clone();
            profile.with_filter(Arc::new(Contained { name: rule.name(), rule }))
        });
        self.scores().filter(|(_, weight)| *weight > 0).fold(filters, |profile, (rule, weight)| {
            let rule = rule.clone();
            let probe = Contained { name: rule.name(), rule: Probe(rule.clone()) };
            profile
                .also_filter(Arc::new(probe))
                .with_score(Arc::new(Contained { name: rule.name(), rule }), weight)
        })
    }
}

/// A rule whose panics go no further.
struct Contained<R> {
    name: &'static str,
    rule: R,
}

/// A filter that asks a score, only to see whether it panics.
struct Probe(Arc<dyn Score>);

impl<R> Contained<R> {
    fn never(&self, why: &str) -> Verdict {
        panicked(self.name, why)
    }
}

impl Filter for Contained<Arc<dyn Filter>> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        contained(|| self.rule.filter(pod, node)).unwrap_or_else(|why| self.never(&why))
    }

    fn only(&self, pod: &PodView, cluster: &Cluster) -> Only {
        contained(|| self.rule.only(pod, cluster)).unwrap_or(Only::Any)
    }
}

impl Filter for Contained<Probe> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        contained(|| self.rule.0.score(pod, node)).map_or_else(|why| self.never(&why), |_| Verdict::Fits)
    }
}

impl Score for Contained<Arc<dyn Score>> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        contained(|| self.rule.score(pod, node)).unwrap_or(0)
    }

    fn scale(&self) -> Scale {
        contained(|| self.rule.scale()).unwrap_or(Scale::Is)
    }

    fn normalise(&self, fit: &NodeSet, out: &mut [i64]) {
        if contained(|| self.rule.normalise(fit, out)).is_err() {
            out.fill(0);
        }
    }

    fn devices(&self, pod: &PodView, node: &NodeView<'_>) -> Option<Devices> {
        contained(|| self.rule.devices(pod, node)).unwrap_or(None)
    }

    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        contained(|| self.rule.constant(pod, cluster)).unwrap_or(None)
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use orchestra_core::kinds::{Node, Pod};

    use super::*;
    use crate::{Decider, Decision};

    /// Panics about nodes that say so, for pods that say so.
    struct Touchy;

    fn touch(pod: &PodView, node: &NodeView<'_>) {
        if pod.label("touchy").is_some() && node.label("touchy").is_some() {
            panic!("do not touch {}", node.name());
        }
    }

    impl Filter for Touchy {
        fn name(&self) -> &'static str {
            "Touchy"
        }

        fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
            touch(pod, node);
            Verdict::Fits
        }
    }

    impl Score for Touchy {
        fn name(&self) -> &'static str {
            "Touchy"
        }

        fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
            touch(pod, node);
            i64::MIN
        }

        fn scale(&self) -> Scale {
            Scale::Greatest
        }
    }

    #[test]
    fn a_rule_that_panics_is_named_and_stops_nobody_else() {
        let filter = Profile::default().filter(Touchy);
        let score = Profile::default().score(Touchy, 5);
        for profile in [filter, score] {
            let mut cluster = Cluster::seeded(1);
            let mut node = |name: &str, touchy: bool| {
                let mut node = Node::new(name).build().unwrap();
                node.status.allocatable.insert("pods", 110.into());
                if touchy {
                    node.metadata.labels.insert("touchy", "yes".into());
                }
                cluster.set_node(&node)
            };
            let (a, b) = (node("a", true), node("b", false));
            let calm = cluster.view(&Pod::new("calm").build().unwrap());
            let touchy = cluster.view(&Pod::new("touchy").label("touchy", "yes").build().unwrap());
            let mut decider = Decider::new(profile);
            let first = decider.decide(&cluster, &calm);
            for _ in 0..3 {
                assert!(
                    matches!(decider.decide(&cluster, &touchy), Decision::Place { node, .. } if node == b)
                );
                assert_eq!(decider.decide_anew(&cluster, &touchy), decider.decide(&cluster, &touchy));
                assert_eq!(decider.decide(&cluster, &calm), first, "others are decided about as before");
            }
            let why = decider.explain(&cluster, &touchy).why_not("a");
            assert!(why.contains("rule Touchy panicked: do not touch a"), "{why}");
            cluster.remove_node("b");
            assert_eq!(decider.decide(&cluster, &touchy), Decision::NoFit);
            let explanation = decider.explain(&cluster, &touchy);
            let expected = "0/1 nodes are available: 1 rule Touchy panicked: do not touch a.";
            assert_eq!((explanation.summary().as_str(), explanation.decision), (expected, Decision::NoFit));
            assert!(matches!(decider.decide(&cluster, &calm), Decision::Place { node, .. } if node == a));
        }
    }

    /// Whatever a score says, what is made of it is from 0 to 100.
    #[test]
    fn scores_beyond_measure_are_cut() {
        struct Says(Scale, Vec<i64>);
        impl Score for Says {
            fn name(&self) -> &'static str {
                "Says"
            }
            fn score(&self, _: &PodView, node: &NodeView<'_>) -> i64 {
                self.1[node.id().at()]
            }
            fn scale(&self) -> Scale {
                self.0
            }
        }
        let mut cluster = Cluster::seeded(1);
        for name in ["a", "b", "c"] {
            cluster.set_node(&Node::new(name).build().unwrap());
        }
        let pod = cluster.view(&Pod::new("pod").build().unwrap());
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX];
        for scale in [Scale::Is, Scale::Greatest, Scale::Least, Scale::Span] {
            for at in 0..216 {
                let says = vec![ends[at % 6], ends[at / 6 % 6], ends[at / 36]];
                let profile = Profile::empty("p").score(Says(scale, says.clone()), crate::MOST_WEIGHT);
                let mut decider = Decider::new(profile);
                for part in decider.explain(&cluster, &pod).nodes.iter().flat_map(|it| &it.parts) {
                    assert!((0..=100).contains(&part.scaled), "{scale:?} {says:?}");
                }
                assert!(
                    matches!(decider.decide(&cluster, &pod), Decision::Place { .. }),
                    "{scale:?} {says:?}"
                );
            }
        }
    }
}
