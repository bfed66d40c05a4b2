//! The worst manifests of the greatest size allowed take no more than a small multiple of that size.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../benches/harness/alloc.rs"]
mod alloc;

use orchestra::manifest::{Limits, Reader, Registry};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// How many times the limit on the text's size reading it may take.
const MULTIPLE: usize = 14;

// One test, so that nothing else allocates meanwhile.
#[test]
fn reading_takes_no_more_than_a_small_multiple_of_the_limit() {
    let limits = Limits::default();
    let nodes = limits.nodes;
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let keys = |count: usize, entry: fn(usize) -> String| (0..count).map(entry).collect::<String>();
    let texts = [
        ("a list of small numbers", format!("{head}a: [{}1]\n", "1,".repeat(nodes - 20))),
        ("many unknown fields", format!("{head}{}", keys(nodes - 20, |at| format!("k{at}: 1\n")))),
        ("many entries", format!("{head}data:\n{}", keys(nodes - 20, |at| format!("  k{at}: a\n")))),
        ("many annotations in JSON", {
            let entries = keys(nodes - 20, |at| format!(",\"k{at}\":\"\""));
            format!(
                "{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"annotations\":{{\"a\":\"\"{entries}}}}}}}"
            )
        }),
        ("many containers", {
            let containers = "  - {}\n".repeat(nodes - 20);
            format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n{containers}")
        }),
        ("many documents", "---\na\n".repeat(nodes - 20)),
        ("many items", format!("apiVersion: v1\nkind: List\nitems:\n{}", "- a\n".repeat(nodes - 20))),
        ("one long string", format!("{head}data:\n  a: \"{}\"\n", "x".repeat(limits.bytes - 100))),
        ("one long broken string", format!("{head}data:\n  a: \"{}", "x".repeat(limits.bytes - 100))),
        ("repeated by aliases", {
            let once = format!("a: &a [{}1]\n", "1,".repeat(1000));
            format!("{head}{once}b: [{}1]\n", "*a,".repeat(nodes / 1000 - 10))
        }),
        ("a long string, repeated by aliases", {
            let once = format!("a: &a \"{}\"\n", "x".repeat(1 << 20));
            format!("{head}{once}b: [{}1]\n", "*a,".repeat(nodes - 20))
        }),
        ("a long key, repeated by aliases", {
            let once = format!("a: &a {{{}: 1}}\n", "x".repeat(1000));
            format!("{head}{once}b: [{}1]\n", "*a,".repeat(nodes - 20))
        }),
        ("a long string, merged", {
            let once = format!("a: &a {{k: \"{}\"}}\n", "x".repeat(1 << 20));
            format!("{head}{once}b: [{}1]\n", "{<<: *a},".repeat(nodes / 3 - 20))
        }),
        ("more than is allowed", "[".repeat(limits.bytes + 1)),
    ];
    let registry = Registry::builtin();
    for (what, text) in texts {
        let (manifest, peak) = alloc::peak_of(|| Reader::lenient(&registry).read("worst", &text));
        let multiple = peak as f64 / limits.bytes as f64;
        println!(
            "{what}: {} bytes of text, {} MiB at most, {multiple:.1} times the limit",
            text.len(),
            peak >> 20
        );
        assert!(peak <= MULTIPLE * limits.bytes, "{what}: {multiple:.1} times the limit");
        drop(manifest);
    }
}
