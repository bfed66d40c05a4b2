//! [`Column`]: what is known of each node for one class of pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decision;
use super::layout::Layout;
use super::peaks::{NO, Peaks};
use super::plan::Plan;
use super::sweep::{Sweep, best};
use crate::cluster::{Cluster, Cursor, Key};
use crate::profile::Profile;
use crate::set::NodeId;
use crate::view::PodView;

/// What is known of each node for one class of pods, and up to where in the cluster's log.
#[derive(Clone, Debug)]
pub(super) struct Column {
    generation: u32,
    pub(super) used: u64,
    plan: Plan,
    /// What the plan was made from: the cluster's objects and what pods say of others.
    made_of: Option<(u64, u64)>,
    layout: Option<Arc<Layout>>,
    peaks: Peaks,
    /// What the scaled rules say, by the node's place.
    raws: Vec<Vec<i64>>,
    version: u64,
    seen: Cursor,
    /// A node that was looked at for one pod only: the one that is nominated there.
    own: Option<NodeId>,
}

/// What is common to one decision.
#[derive(Clone, Copy)]
struct Asked<'a> {
    cluster: &'a Cluster,
    pod: &'a PodView,
}

impl Column {
    pub(super) fn new(generation: u32) -> Self {
        Self {
            generation,
            used: 0,
            plan: Plan::default(),
            made_of: None,
            layout: None,
            peaks: Peaks::default(),
            raws: Vec::new(),
            version: 0,
            seen: 0,
            own: None,
        }
    }

    /// Whether it is about the class that has its number now.
    pub(super) fn is_of(&self, generation: u32) -> bool {
        self.generation == generation
    }

    /// About how many bytes a column takes.
    pub(super) fn bytes(places: usize) -> usize {
        places * 5 + 1024
    }

    pub(super) fn decide(
        &mut self,
        profile: &Profile,
        cluster: &Cluster,
        pod: &PodView,
        layouts: &mut BTreeMap<Vec<Key>, Arc<Layout>>,
        sweep: &mut Sweep,
    ) -> Decision {
        let asked = Asked { cluster, pod };
        let of = Some((cluster.objects(), cluster.sayings()));
        let is_new = self.made_of != of;
        if is_new {
            self.plan = Plan::new(profile, cluster, pod);
            self.layout = Some(layout(cluster, &self.plan.keys, layouts));
            self.made_of = of;
        }
        let Some(layout) = self.layout.clone() else { return Decision::NoFit };
        if !self.plan.is_local && cluster.kept_from(pod).next().is_some() {
            // How filters that look beyond a node see it with those who are nominated there is not kept.
            self.made_of = if is_new { None } else { of };
            return sweep.decide(profile, cluster, pod);
        }
        let version = self.plan.version(pod, cluster);
        let changed = (!is_new && version == self.version).then(|| cluster.log().since(self.seen)).flatten();
        match changed {
            Some(changed) => changed.for_each(|node| self.look(asked, &layout, node)),
            None => self.look_at_all(asked, &layout, sweep),
        }
        self.version = version;
        self.seen = cluster.log().end();
        // For others, room is kept where the pod itself is nominated.
        let own = cluster.nominated(pod.namespace(), pod.name());
        for node in std::mem::replace(&mut self.own, own).into_iter().chain(own) {
            self.look(asked, &layout, node);
        }
        if self.plan.is_quick() {
            self.pick(asked, &layout, sweep)
        } else {
            self.finish(asked, &layout, sweep)
        }
    }

    /// Looks at one node again.
    fn look(&mut self, Asked { cluster, pod }: Asked<'_>, layout: &Layout, node: NodeId) {
        let Some(position) = layout.position.get(node.at()).filter(|at| **at != u32::MAX) else { return };
        let view = cluster.at(node);
        let value = if self.plan.fits(cluster, pod, node) {
            let scores = self.plan.scores.iter();
            scores.map(|(it, weight)| it.score(pod, &view).clamp(0, crate::BEST) * weight).sum::<i64>() as i32
        } else {
            NO
        };
        for (raw, (it, _)) in self.raws.iter_mut().zip(&self.plan.scaled) {
            raw[node.at()] = it.score(pod, &view);
        }
        self.peaks.set(layout, *position as usize, value);
    }

    fn look_at_all(&mut self, Asked { cluster, pod }: Asked<'_>, layout: &Layout, sweep: &mut Sweep) {
        sweep.fit.copy_from(cluster.nodes());
        self.plan.filters.iter().for_each(|filter| filter.filter_all(pod, cluster, &mut sweep.fit));
        sweep.leave_alone(cluster, pod, |node| self.plan.filters.iter().all(|filter| filter.fits(pod, node)));
        let scores: Vec<_> = self.plan.scores.iter().map(|(it, weight)| (it, *weight)).collect();
        let in_blocks = sweep.sum_blocks(&scores, cluster, pod);
        if !in_blocks {
            sweep.sum(scores.into_iter(), cluster, pod);
        }
        self.peaks.clear(layout);
        self.peaks.fill(layout, |at| match layout.order[at] {
            Some(node) if !sweep.fit.contains(node) => NO,
            Some(node) if in_blocks => sweep.block_sum(node) as i32,
            Some(node) => sweep.totals[node.at()] as i32,
            None => NO,
        });
        self.raws.resize_with(self.plan.scaled.len(), Vec::new);
        for (raw, (it, _)) in self.raws.iter_mut().zip(&self.plan.scaled) {
            raw.resize(cluster.places(), 0);
            it.score_all(pod, cluster, cluster.nodes(), raw);
        }
    }

    /// Takes the best group's best node.
    fn pick(&self, Asked { cluster, pod }: Asked<'_>, layout: &Layout, sweep: &mut Sweep) -> Decision {
        let first =
            |group: usize| self.peaks.first(group, layout.groups[group]).and_then(|at| layout.order[at]);
        let there = (0..layout.groups.len()).filter(|group| self.peaks.top(*group) != NO);
        let fits = |(_, node): &(usize, NodeId)| {
            self.plan.group_filters.iter().all(|filter| filter.fits(pod, &cluster.at(*node)))
        };
        let groups = there.filter_map(|group| Some((group, first(group)?))).filter(fits);
        if self.plan.group_scores.is_empty() {
            let best = groups.max_by_key(|(group, node)| {
                (self.peaks.top(*group), std::cmp::Reverse((cluster.rank(*node), *node)))
            });
            return match best {
                Some((group, node)) => {
                    Decision::Place { node, score: i64::from(self.peaks.top(group)) + self.plan.constant }
                }
                None => Decision::NoFit,
            };
        }
        // One node stands for each group.
        sweep.fit.clear(cluster.places());
        sweep.totals.resize(cluster.places(), 0);
        for (group, node) in groups {
            sweep.fit.insert(node);
            sweep.totals[node.at()] = i64::from(self.peaks.top(group)) + self.plan.constant;
        }
        sweep.add(self.plan.group_scores.iter().map(|(it, weight)| (it, *weight)), cluster, pod);
        best(cluster, &sweep.fit, &sweep.totals)
    }

    /// Asks the rules whose answers do not hold longer about each node that is left.
    fn finish(&self, Asked { cluster, pod }: Asked<'_>, layout: &Layout, sweep: &mut Sweep) -> Decision {
        sweep.fit.clear(cluster.places());
        sweep.totals.resize(cluster.places(), 0);
        for (group, range) in
            layout.groups.iter().enumerate().filter(|(group, _)| self.peaks.top(*group) != NO)
        {
            let Some(first) = self.peaks.first(group, *range).and_then(|at| layout.order[at]) else {
                continue;
            };
            if !self.plan.group_filters.iter().all(|filter| filter.fits(pod, &cluster.at(first))) {
                continue;
            }
            for at in range.from * crate::set::WORD..range.to * crate::set::WORD {
                if let Some(node) = layout.order[at].filter(|_| self.peaks.value(at) != NO) {
                    sweep.fit.insert(node);
                    sweep.totals[node.at()] = i64::from(self.peaks.value(at)) + self.plan.constant;
                }
            }
        }
        for filter in &self.plan.loose_filters {
            filter.filter_all(pod, cluster, &mut sweep.fit);
        }
        for ((it, weight), raw) in self.plan.scaled.iter().zip(&self.raws) {
            sweep.add_raw(&**it, *weight, raw);
        }
        let rest = self.plan.group_scores.iter().chain(&self.plan.loose_scores);
        sweep.add(rest.map(|(it, weight)| (it, *weight)), cluster, pod);
        best(cluster, &sweep.fit, &sweep.totals)
    }
}

/// The layout by some keys, which all classes that need it share.
fn layout(cluster: &Cluster, keys: &[Key], layouts: &mut BTreeMap<Vec<Key>, Arc<Layout>>) -> Arc<Layout> {
    if let Some(layout) = layouts.get(keys).filter(|layout| layout.objects == cluster.objects()) {
        return layout.clone();
    }
    // Those of the past are of no use to anybody.
    layouts.retain(|_, layout| layout.objects == cluster.objects());
    let layout = Arc::new(Layout::new(cluster, keys));
    layouts.insert(keys.to_vec(), layout.clone());
    layout
}
