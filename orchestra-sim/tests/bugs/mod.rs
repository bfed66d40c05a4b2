//! Bugs planted on purpose, family by family.

mod making;
mod noting;
mod outside;
mod remembering;

use orchestra_core::control::{Controller, Plan, View};
use orchestra_sim::{Found, Simulation};

use crate::fleet::{self, Fleet, FleetStatus, Worker};

/// A planted bug: what it is, the scenarios that show it, what is planted, and what is to be found.
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    /// In how many runs it is to be found point by point; one, where no fault is needed.
    pub(crate) runs: u64,
    pub(crate) random: fn(u64) -> Simulation,
    pub(crate) scripted: fn(u64) -> Simulation,
    pub(crate) plant: fn(Simulation) -> Simulation,
    pub(crate) found: fn(&Found) -> bool,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Planted> {
    [making::BUGS, noting::BUGS, remembering::BUGS, outside::BUGS].into_iter().flatten()
}

fn is_broken(found: &Found) -> bool {
    matches!(found, Found::Broken { .. })
}

fn is_astray(found: &Found) -> bool {
    matches!(found, Found::NotConverged { .. } | Found::NotStayed { .. })
}

fn is_broken_or_astray(found: &Found) -> bool {
    is_broken(found) || is_astray(found)
}

fn controller(reconcile: impl Fn(&Fleet, &View<'_>) -> Plan + Send + Sync + 'static) -> Controller {
    Controller::of::<Fleet>("fleet", reconcile).owns::<Worker>()
}

fn with(simulation: Simulation, reconcile: fn(&Fleet, &View<'_>) -> Plan) -> Simulation {
    simulation.controller(controller(reconcile))
}

fn status(plan: Plan, fleet: &Fleet, world: &View<'_>) -> Plan {
    plan.status(fleet, FleetStatus { ready: fleet::ready(fleet, world), ..fleet.status.clone() })
}

fn of(fleet: &Fleet, world: &View<'_>) -> Vec<Worker> {
    world.owned_by::<Worker>(fleet).filter(|worker| !worker.metadata.is_deleting()).cloned().collect()
}
