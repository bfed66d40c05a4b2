//! Pods whose profile has a [`Placer`]: all whose turn it is are decided about together.

use std::collections::{BTreeMap, BTreeSet};

use orchestra_core::control::Now;
use orchestra_core::object::Str;
use orchestra_core::store::Key;

use super::Algorithms;
use super::work::Work;
use crate::cluster::Dim;
use crate::contain::contained;
use crate::decide::Decision;
use crate::fair::FairTicket;
use crate::placer::Placer;
use crate::set::NodeId;
use crate::view::PodView;

/// A pod that waits, and how it is found again.
type Waits = (Key, FairTicket, PodView);

impl Work {
    /// Has each placer decide about those of its profile.
    pub(super) fn place_batches(&mut self, now: Now, batches: Vec<Waits>, algorithms: &mut Algorithms) {
        let mut by_profile: BTreeMap<Str, Vec<Waits>> = BTreeMap::new();
        for waits in batches {
            by_profile.entry(waits.2.profile().clone()).or_default().push(waits);
        }
        for (profile, batch) in by_profile {
            let Some(placer) = algorithms.placers.get_mut(&profile) else { continue };
            let batch = self.within_quotas(batch);
            let views: Vec<_> = batch.iter().map(|(_, _, view)| view.clone()).collect();
            let name = placer.name();
            let decisions = self.ask(&mut **placer, &views);
            let (decisions, trouble) = match decisions {
                Ok(decisions) => (decisions, None),
                Err(why) => (vec![Decision::NoFit; views.len()], Some(why)),
            };
            // Those who have their places first: others may have to go for the rest.
            for ((key, ..), decision) in batch.iter().zip(&decisions) {
                if let Decision::Place { node, .. } = decision {
                    self.was_decided(key, *node);
                }
            }
            for ((key, ticket, view), decision) in batch.iter().zip(decisions) {
                match decision {
                    Decision::Place { .. } => {}
                    _ if trouble.is_some() => {
                        if let Some(waiting) = self.pods.get_mut(key) {
                            waiting.trouble.clone_from(&trouble);
                        }
                        self.queue.fail(ticket, now.elapsed);
                        self.tell_later(key);
                    }
                    // What the rules would allow the placer has declined: nobody has to go for that.
                    Decision::NoFit if matches!(self.decide(view), Decision::Place { .. }) => {
                        if let Some(waiting) = self.pods.get_mut(key) {
                            waiting.trouble = Some(format!("placer {name} gives it no place"));
                        }
                        self.queue.block(ticket);
                        self.tell_later(key);
                    }
                    Decision::NoFit => {
                        self.fits_nowhere(now, key, ticket, view, &mut *algorithms.preempt);
                    }
                    Decision::Gated => self.queue.block(ticket),
                }
            }
        }
    }

    /// Those of a batch that their queues may have all together, the first ones first. The others wait.
    fn within_quotas(&mut self, batch: Vec<Waits>) -> Vec<Waits> {
        let limited: BTreeSet<_> =
            batch.iter().map(|it| it.2.queue().clone()).filter(|it| self.shares.has_quota(it)).collect();
        for queue in &limited {
            self.shares.measure(&self.cluster, queue);
        }
        let mut within = Vec::new();
        for (key, ticket, view) in batch {
            if limited.contains(view.queue()) {
                if self.shares.may_take(&view, &self.cluster).is_err() {
                    self.queue.block(&ticket);
                    self.tell_later(&key);
                    continue;
                }
                // As if it had its place; what it has in fact is measured before anybody asks again.
                self.shares.charge(&view);
            }
            within.push((key, ticket, view));
        }
        within
    }

    /// Asks a placer, and believes what it says of the batch only if it is so; what it took in vain is free again. Pods
    /// that are not of the batch it has to leave alone.
    fn ask(&mut self, placer: &mut dyn Placer, views: &[PodView]) -> Result<Vec<Decision>, String> {
        let name = placer.name();
        let said = contained(|| placer.place(views, &mut self.cluster))
            .map_err(|why| format!("placer {name} panicked: {why}"))
            .and_then(|decisions| self.check(name, views, decisions));
        if said.is_err() {
            placer.forget();
            for view in views {
                self.cluster.remove_pod(view.namespace(), view.name());
            }
        }
        said
    }

    fn check(
        &self,
        name: &str,
        views: &[PodView],
        decisions: Vec<Decision>,
    ) -> Result<Vec<Decision>, String> {
        if decisions.len() != views.len() {
            let (many, asked) = (decisions.len(), views.len());
            return Err(format!("placer {name} decided about {many} pods of {asked}"));
        }
        for (view, decision) in views.iter().zip(&decisions) {
            let decided = match decision {
                Decision::Place { node, .. } => Some(*node),
                _ => None,
            };
            let is = self.cluster.place_of(view.namespace(), view.name());
            if decided != is {
                return Err(format!(
                    "placer {name} assumed something else of pod {} than it decided",
                    view.name()
                ));
            }
            if let Some((node, dim)) = decided.and_then(|node| self.lacks(view, node)) {
                let (node, resource) = (self.cluster.name(node), self.cluster.resource(dim));
                return Err(format!(
                    "placer {name} put pod {} on {node}, which lacks {resource}",
                    view.name()
                ));
            }
        }
        Ok(decisions)
    }

    /// Of what more is taken on a node than there is.
    fn lacks(&self, view: &PodView, node: NodeId) -> Option<(NodeId, Dim)> {
        let dims = view.requests().map(|(dim, _)| dim).chain([Dim::PODS]);
        dims.into_iter().find(|dim| self.cluster.at(node).free(*dim) < 0).map(|dim| (node, dim))
    }
}
