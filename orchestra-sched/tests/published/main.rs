//! Published examples: those of the Kubernetes documentation, and the cases of the tests that the plugins
//! of kube-scheduler have, retold as rows. Whoever implements `Judge` can be put through the same rows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../fast/mod.rs"]
mod fast;
#[path = "../model/mod.rs"]
mod model;

mod documentation;
mod nodes;
mod pods_nearby;
mod pods_preferred;
mod resources;
mod rows;
mod spread;
mod spread_preferred;
mod storage;

use fast::Fast;
use model::{Judge, Slow};
use rows::Row;

/// Puts the model and the engine through all rows, and says what went wrong in each.
fn check(rows: Vec<Row>) {
    assert!(rows.iter().all(Row::expects_something));
    for (who, judge) in [("the model", &Slow as &dyn Judge), ("the engine", &Fast)] {
        let wrong: Vec<String> = rows.iter().flat_map(|row| row.check(judge)).collect();
        assert!(wrong.is_empty(), "{who}, {} rows:\n{}", rows.len(), wrong.join("\n"));
    }
}

#[test]
fn the_documentation() {
    check(documentation::rows());
}

#[test]
fn the_documentations_web_application_finds_its_cache() {
    documentation::web_application(&Slow);
    documentation::web_application(&Fast);
}

#[test]
fn taints_selectors_ports_and_images() {
    check(nodes::rows());
}

#[test]
fn resources_that_are_taken() {
    check(resources::rows());
}

#[test]
fn storage_that_is_claimed() {
    check(storage::rows());
}

#[test]
fn pods_that_must_be_near_or_away() {
    check(pods_nearby::rows());
}

#[test]
fn pods_that_had_better_be_near_or_away() {
    check(pods_preferred::rows());
}

#[test]
fn pods_that_must_be_spread() {
    check(spread::rows());
}

#[test]
fn pods_that_had_better_be_spread() {
    check(spread_preferred::rows());
}

#[test]
fn there_are_many() {
    let tables = [
        documentation::rows(),
        nodes::rows(),
        resources::rows(),
        pods_nearby::rows(),
        pods_preferred::rows(),
        spread::rows(),
        spread_preferred::rows(),
    ];
    let rows: usize = tables.iter().map(Vec::len).sum();
    println!("{rows} rows: {:?}", tables.map(|rows| rows.len()));
    assert!(rows >= 300, "{rows}");
}
