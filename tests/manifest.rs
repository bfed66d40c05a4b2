//! The messages that people get for manifests that are wrong, word by word, and what the example
//! program shows for one that is right.
//!
//! `tests/golden/*.yaml` and `*.json` are the manifests; the snapshots lie in `tests/snapshots`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[allow(dead_code)] // its `main`
#[path = "../examples/manifest.rs"]
mod manifest;

use std::path::Path;

/// What the example program prints for a file, and how it ends.
fn run(flags: &[&str], file: &str) -> String {
    let path = Path::new("tests/golden").join(file);
    let arguments = flags.iter().map(|flag| flag.to_string()).chain([path.to_str().unwrap().to_string()]);
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    let status = manifest::run(arguments, &mut out, &mut complaints);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    format!("{}{}exit status {status}\n", text(out), text(complaints))
}

#[test]
fn wrong_manifests_are_explained() {
    let mut files: Vec<_> = std::fs::read_dir("tests/golden")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("wrong-"))
        .collect();
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
    for file in files {
        let shown = run(&["--strict"], &file);
        assert!(shown.ends_with("exit status 1\n"), "{file} is not refused:\n{shown}");
        insta::assert_snapshot!(file.replace('.', "-"), shown);
    }
}

#[test]
fn defaults_are_filled_in() {
    insta::assert_snapshot!(run(&["--strict"], "right.yaml"));
}

#[test]
fn a_lenient_reader_warns_and_keeps() {
    insta::assert_snapshot!(run(&[], "wrong-unknown-fields.yaml"));
}

#[test]
fn the_values_of_secrets_are_not_shown() {
    for flags in [&["--strict"][..], &[]] {
        for file in ["secret.yaml", "wrong-secret.yaml"] {
            let shown = run(flags, file);
            for secret in ["aHVudGVyMg", "hunter2", "8675309"] {
                assert!(!shown.contains(secret), "{file} shows {secret}:\n{shown}");
            }
        }
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_told_so() {
    assert!(
        run(&["--lenient"], "right.yaml").ends_with("usage: manifest [--strict] FILE...\nexit status 2\n")
    );
    assert!(run(&[], "missing.yaml").contains("missing.yaml: No such file"));
}
