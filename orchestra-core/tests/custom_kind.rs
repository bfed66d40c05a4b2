//! A kind that somebody defines with plain serde has what a built-in one has: unknown fields survive
//! wherever they stand, errors have paths, manifests read it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_types)] // what users put into their types is their business

use std::collections::{BTreeMap, HashMap};

use orchestra_core::manifest::{Reader, Registry};
use orchestra_core::object::schema::{Field, Merge, Schema, Struct};
use orchestra_core::object::{Kind, NoStatus, Object, Resource, Spec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GardenSpec {
    beds: Vec<Bed>,
    by_name: BTreeMap<String, Bed>,
    by_number: HashMap<u32, Bed>,
    by_sort: BTreeMap<Sort, Bed>,
    maybe: Option<Box<Bed>>,
    pair: (u8, Bed),
    water: Water,
    wrapped: Wrapped,
    free: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Bed {
    name: String,
    length: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Sort {
    #[default]
    Flowers,
    Herbs,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Water {
    #[default]
    None,
    Pipe {
        length: u32,
    },
    Tank(Bed),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Wrapped(Bed);

impl Spec for GardenSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Garden");
    type Status = NoStatus;
    const SCHEMA: &'static Schema = &Schema::Struct(Struct {
        name: "GardenSpec",
        fields: &[Field {
            name: "beds",
            schema: &Schema::List(&Schema::Any),
            merge: Merge::Keyed(&["name"]),
        }],
        inline: None,
        atomic: false,
        unsupported: &[],
    });
}
type Garden = Object<GardenSpec>;

fn bed(name: &str) -> Value {
    json!({ "name": name, "length": 1, "extra": name })
}

#[test]
fn unknown_fields_survive_wherever_they_stand() {
    let written = json!({
        "apiVersion": "example.com/v1", "kind": "Garden", "metadata": { "name": "g", "mood": "green" }, "top": [1, { "a": 2 }],
        "spec": {
            "beds": [bed("a"), bed("b")], "byName": { "x": bed("c") }, "byNumber": { "7": bed("d") }, "bySort": { "Herbs": bed("e") },
            "maybe": bed("f"), "pair": [1, bed("g")], "water": { "Pipe": { "length": 3, "rust": true } }, "wrapped": bed("h"),
            "free": { "any": 1 }, "gnomes": 12,
        },
    });
    let mut garden = Garden::from_json(written.to_string().as_bytes()).unwrap();
    assert_eq!(garden.unknown().iter().count(), 12);
    assert_eq!(serde_json::to_value(&garden).unwrap(), written);

    // Elements of a list with keys are found again when the list changes; those that go, go whole.
    garden.spec.beds.insert(0, Bed { name: "new".into(), length: 9 });
    let again = serde_json::to_value(&garden).unwrap();
    assert_eq!(again["spec"]["beds"], json!([{ "name": "new", "length": 9 }, bed("a"), bed("b")]));
    garden.spec.beds.retain(|bed| bed.name == "b");
    assert_eq!(serde_json::to_value(&garden).unwrap()["spec"]["beds"], json!([bed("b")]));

    let tank = json!({ "spec": { "water": { "Tank": bed("t") } }, "metadata": { "name": "g" } });
    let garden: Garden = serde_json::from_value(tank.clone()).unwrap();
    assert_eq!(serde_json::to_value(&garden).unwrap()["spec"]["water"], tank["spec"]["water"]);
}

#[test]
fn errors_have_paths() {
    for (spec, message) in [
        (
            r#"{"beds":[{"length":1},{"length":"2"}]}"#,
            "line 1, column 55: spec.beds[1].length: expected a whole number",
        ),
        (r#"{"byNumber":{"x":{}}}"#, "spec.byNumber: expected a whole number"),
        (
            r#"{"byName":{"a b":{"name":3}}}"#,
            r#"spec.byName["a b"].name: expected a string, found a whole number"#,
        ),
        (r#"{"water":{"Pipe":{"length":-1}}}"#, "spec.water.Pipe.length: expected a whole number"),
        (r#"{"water":"Rain"}"#, "spec.water: `Rain` is none of None, Pipe, Tank"),
        (r#"{"pair":[1]}"#, "spec.pair: "),
    ] {
        let error = Garden::from_json(format!(r#"{{"metadata":{{}},"spec":{spec}}}"#).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{spec}: {error}");
        assert!(error.starts_with("cannot read a Garden: line 1, column "), "{error}");
    }
    let error = Garden::from_json(b"{\"kind\":\"Pod\"}").unwrap_err().to_string();
    assert!(error.contains("kind is `Pod`, not `Garden`"), "{error}");
}

#[test]
fn a_manifest_reads_it() {
    let registry = Registry::builtin().with::<Garden>();
    let text = "apiVersion: example.com/v1\nkind: Garden\nmetadata: {name: g}\nspec:\n  beds:\n  - {name: a, lenght: 2}\n";
    let manifest = Reader::lenient(&registry).read("g.yaml", text);
    let notices: Vec<_> = manifest.notices().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "g.yaml:6:15: warning: Garden g: spec.beds[name=a].lenght: unknown field, kept but not used (did you mean `length`?)"
        ]
    );
}
