//! The store of `examples/own_store` passes the whole suite, but for what it is not meant to do.

use std::sync::Arc;

use orchestra::store::conformance::store_conformance;

#[path = "../examples/own_store/store.rs"]
mod store;

store_conformance!(
    async { Arc::new(store::OwnStore::default()) },
    without compaction,
    without durability,
);

#[test]
fn it_is_as_short_as_is_said() {
    let code = include_str!("../examples/own_store/store.rs").lines();
    let code = code.skip_while(|line| line.starts_with("//!")).filter(|line| !line.trim().is_empty());
    let lines = code.filter(|line| !line.trim_start().starts_with("//")).count();
    assert_eq!(lines, 98, "CONTRIBUTING.md says how many there are");
}
