//! What the example shows of its decisions, word by word.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)] // its `main`
#[path = "../examples/custom_scheduler.rs"]
mod custom_scheduler;

#[test]
fn decisions_are_explained() {
    let mut out = Vec::new();
    custom_scheduler::run(&mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}
