//! Several schedulers on one store.

use orchestra_sim::{Faults, Simulation};

use crate::scene::{SECOND, all_who_fit_are_bound, busy, pod, scene, scheduler, with_nodes};
use crate::{passes, seeds};

/// Nodes and pods that come and go while things go wrong; pods that wait, whoever is there first.
pub(crate) fn crowd(seed: u64) -> Simulation {
    let mut simulation = with_nodes(scene(seed).within(SECOND * 600).chaos_for(SECOND * 40), 4, 2);
    for number in 0..12 {
        simulation = simulation.apply(pod(&format!("first-{number}"), 700));
    }
    simulation.users(1.0, busy).goal(all_who_fit_are_bound)
}

#[test]
fn three_on_one_store_give_no_room_away_twice() {
    let simulation = crowd(0).without_election().machines(3).part_with(scheduler);
    passes(simulation.faults(Faults::everything().rewinds(16)).search(0..seeds(15)));
}

#[test]
fn one_that_is_elected_loses_no_pod() {
    let simulation = crowd(0).part_with(scheduler);
    passes(simulation.faults(Faults::everything()).search(0..seeds(10)));
}
