//! Whatever bytes a manifest holds, reading them ends: with objects or with errors that say where,
//! never with a panic, and never with more memory than the limits allow. The fuzz target
//! `fuzz/fuzz_targets/manifest.rs` looks for the same without a bound.
//!
//! `PROPTEST_CASES` sets how many texts are tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use orchestra_core::kinds::{Deployment, Pod, Secret, Service};
use orchestra_core::manifest::{Limits, Reader, Registry, to_yaml};
use orchestra_core::object::sample::Sampler;
use orchestra_core::object::{Apply, FieldPath, Quantity, Resource, Selector};
use proptest::prelude::*;
use serde_json::Value;

/// Reads bytes in both modes and holds the reader to its promises.
fn read(bytes: &[u8]) {
    let registry = Registry::builtin();
    for reader in [Reader::strict(&registry), Reader::lenient(&registry)] {
        for document in reader.read("any", bytes).documents() {
            assert!(document.object.is_some() || !document.notices.is_empty(), "a document says what it is");
            assert!(document.object.is_none() || !document.is_refused(), "what is refused is not read");
            for notice in &document.notices {
                assert!(notice.mark.line > 0 && notice.mark.column > 0, "{notice} has no place");
            }
            if let Some(object) = &document.object {
                // What was read can be written and read again, and is the same.
                let written = to_yaml(&object.to_value().unwrap());
                let again =
                    Reader::lenient(&registry).read("again", &written).into_objects().unwrap_or_else(|e| {
                        panic!("{written}\n{e}");
                    });
                assert_eq!(again[0].to_value().unwrap(), object.to_value().unwrap());
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ =
            text.parse::<Quantity>().map(|quantity| assert_eq!(quantity.to_string().parse(), Ok(quantity)));
        let _ = text.parse::<Selector>();
        let _ = text.parse::<FieldPath>();
        let _ = Pod::from_json(bytes);
    }
}

/// A manifest with an arbitrary object, damaged in places: it gets deeper into the reader than noise.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let kinds = [Pod::schema(), Deployment::schema(), Service::schema(), Secret::schema()];
    let heads = [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "Secret")];
    let damage = prop_oneof![
        Just(String::new()),
        "[\\[\\]{}:,&*!|>'\"%@`#?\\-\n\t ~<=]{1,3}",
        "(&a|\\*a|<<: \\*a|---\n|!!int|0x|yes|1e400|\\.inf|\"\\\\u)",
        ".{1,2}",
    ];
    (
        any::<u64>(),
        0..kinds.len(),
        any::<bool>(),
        prop::collection::vec((any::<prop::sample::Index>(), damage), 0..4),
    )
        .prop_map(move |(seed, kind, json, damages)| {
            let mut value = Sampler::seeded(seed).value(kinds[kind]);
            value["apiVersion"] = heads[kind].0.into();
            value["kind"] = heads[kind].1.into();
            value["metadata"]["name"] = "any".into();
            let mut text = if json { value.to_string() } else { to_yaml(&value) }.into_bytes();
            for (at, damage) in damages {
                let at = at.index(text.len() + 1);
                text.splice(at..(at + 1).min(text.len()), damage.into_bytes());
            }
            text
        })
}

proptest! {
    #[test]
    fn noise_is_read_to_its_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn text_is_read_to_its_end(text in "([a-c:\\- \n\t\\[\\]{},&*!|>'\"#?%]|yes|0644|apiVersion: v1\n|kind: Pod\n){0,60}") {
        read(text.as_bytes());
    }

    #[test]
    fn damaged_manifests_are_read_to_their_end(text in damaged()) {
        read(&text);
    }

    #[test]
    fn any_field_can_be_set_without_a_panic(path in "[a-c.\\[\\]0-9=\"]{0,12}", text in ".{0,5}") {
        let apply: Apply<Pod> = Pod::new("any").set(&path, Value::String(text));
        let _ = apply.build();
    }
}

#[test]
fn what_is_too_much_is_refused_before_it_takes_up_memory() {
    let registry = Registry::builtin();
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let many = |count: usize| format!("{head}a: [{}1]\n", "1,".repeat(count));
    for (text, message) in [
        (format!("{head}a: {}", "[".repeat(10_000)), "nested deeper than 100 levels"),
        (format!("{head}a: {}", "{a: ".repeat(10_000)), "nested deeper than 100 levels"),
        ((0..5_000).map(|depth| " ".repeat(depth) + "a:\n").collect(), "nested deeper than 100 levels"),
        ("- ".repeat(100_000), "nested deeper than 100 levels"),
        ("[".repeat(1 << 20), "nested deeper than 100 levels"),
        ("{\"a\":".repeat(1 << 18), "nested deeper than 100 levels"),
        (many(1 << 19), "more than 262144 values"),
        (format!("{{\"a\":[{}1]}}", "1,".repeat(1 << 19)), "more than 262144 values"),
        ("x".repeat(17 << 20), "more than the limit of 16777216"),
        ("a: ".to_string() + &"'".repeat(1 << 20), "required, but not given"),
        (format!("a: \"{}", "\\".repeat(1 << 20)), "not YAML"),
        ("#".repeat(1 << 20) + "\n: :", "required, but not given"),
        ("&a ".repeat(1 << 16), "not YAML"),
        ("? ".repeat(1 << 16), "a key must be a word"),
        ("a: *a".to_string(), "not YAML"),
        ("a: &a [*a]".to_string(), "contains it"),
    ] {
        let manifest = Reader::strict(&registry).read("big", &text);
        let notices: Vec<_> = manifest.notices().map(ToString::to_string).collect();
        let start: String = text.chars().take(60).collect();
        assert!(
            notices.iter().any(|notice| notice.contains(message)),
            "{start:?}: {notices:?} lacks {message:?}"
        );
    }
}

/// Found by fuzzing: what is said about a list must not refuse its items.
#[test]
fn a_warning_about_a_list_is_no_refusal() {
    let text = "apiVersion: v1\nkind: List\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n";
    let registry = Registry::builtin();
    let manifest = Reader::lenient(&registry).read("list.yaml", text);
    assert_eq!(manifest.notices().count(), 1);
    assert_eq!(manifest.into_objects().unwrap().len(), 1);
    assert!(Reader::strict(&registry).read("list.yaml", text).is_refused());
}

/// A document for which no budget is left is refused, not passed over.
#[test]
fn no_document_is_passed_over_when_the_limit_is_reached() {
    let one = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let registry = Registry::builtin();
    let mut limits = Limits::default();
    for nodes in 1..20 {
        limits.nodes = nodes;
        let manifest = Reader::strict(&registry).limits(limits).read("two", format!("{one}---\n{one}"));
        assert_eq!(manifest.documents().len(), 2, "{nodes} values");
    }
}

#[test]
fn a_warning_about_a_list_of_nothing_is_said() {
    let registry = Registry::builtin();
    let manifest =
        Reader::lenient(&registry).read("list", "apiVersion: v1\nkind: List\nkind: List\nitems:\n");
    assert_eq!(manifest.notices().count(), 1);
}
