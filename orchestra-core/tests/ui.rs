//! What the compiler says to those who make one of the usual mistakes.
//!
//! Half of the words are ours, half are the compiler's, and those change from version to version: the
//! golden files hold for the one that the workspace names, and with another the test says so and passes.
//! To change them on purpose: `TRYBUILD=overwrite cargo test -p orchestra-core --test ui`, and read the
//! difference before you commit it. The first run builds what the tests depend on, which takes a minute.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::Command;

#[test]
fn mistakes_are_explained() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version);
    let ours = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");
    if !version.starts_with(ours) {
        eprintln!("SKIPPED: the golden files hold for {ours}x, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
