//! The suite is tested itself: a store that is sabotaged fails the very case that names the fault.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use std::time::Duration;

use orchestra_core::store::conformance::{Case, LIMIT, store_conformance};

mod commits;
mod reads;
mod right;
mod tamper;
mod watches;

use tamper::{Tamper, Tampered};

/// A store with one fault, and the case that must find it.
pub(crate) struct Sabotage {
    what: &'static str,
    case: &'static str,
    tamper: Tamper,
    /// Something then never comes, so that only the limit ends the case.
    hangs: bool,
}

pub(crate) fn sabotage(what: &'static str, case: &'static str, tamper: Tamper) -> Sabotage {
    Sabotage { what, case, tamper, hangs: false }
}

pub(crate) fn hanging(what: &'static str, case: &'static str, tamper: Tamper) -> Sabotage {
    Sabotage { hangs: true, ..sabotage(what, case, tamper) }
}

fn all() -> Vec<Sabotage> {
    [commits::all(), reads::all(), watches::all()].into_iter().flatten().collect()
}

#[test]
fn each_sabotage_fails_the_case_that_names_its_fault() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut unseen = Vec::new();
    for Sabotage { what, case, tamper, hangs } in all() {
        let case = Case::named(case).unwrap_or_else(|| panic!("there is no case {case}"));
        let limit = if hangs { Duration::from_millis(300) } else { LIMIT };
        match runtime.block_on(case.run(Tampered::new(tamper), limit)) {
            Ok(()) => unseen.push(format!("{what}: {} did not see it", case.name)),
            Err(failure) if failure.reason.starts_with("it was not done") != hangs => {
                unseen.push(format!("{what}: {failure}"));
            }
            Err(failure) => println!("{what}\n    {failure}"),
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn there_are_many_cases_and_many_sabotages_and_each_has_a_name_of_its_own() {
    let cases: Vec<_> = orchestra_core::store::conformance::cases().collect();
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    let faults: std::collections::BTreeSet<_> = cases.iter().map(|case| case.fault).collect();
    assert_eq!((names.len(), faults.len()), (cases.len(), cases.len()));
    let sabotages: std::collections::BTreeSet<_> = all().iter().map(|sabotage| sabotage.what).collect();
    assert_eq!(sabotages.len(), all().len());
    assert!(
        cases.len() >= 120 && sabotages.len() >= 30,
        "{} cases, {} sabotages",
        cases.len(),
        sabotages.len()
    );
    println!("{} cases, {} sabotages", cases.len(), sabotages.len());
}

// And the store that they are made of passes every case, when nothing is in its way.
mod unharmed {
    use super::{Tamper, Tampered, store_conformance};
    store_conformance!(async { Tampered::new(Tamper::new()) });
}
