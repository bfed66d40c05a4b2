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

/// What was written back must be readable, and never be put where it was not.
#[test]
fn unknown_fields_go_with_what_they_belong_to() {
    use orchestra_core::kinds::{Deployment, DeploymentStrategy, Pod, VolumeSource};
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" },
        "spec": {
            "affinity": { "new": 1 },
            "containers": [{
                "name": "a",
                "env": [{ "name": "A", "value": "1", "x": 1 }, { "name": "A", "value": "2", "x": 2 }],
                "ports": [{ "containerPort": 80, "name": "u", "x": 1 }, { "containerPort": 80, "name": "v", "x": 2 }],
            }],
            "tolerations": [{ "key": "k1", "x": 1 }, { "key": "k2", "x": 2 }, { "key": "k3" }],
            "volumes": [{ "name": "v", "emptyDir": { "new": 1 } }, { "name": "w", "rbd": { "image": "i" } }],
            "null": null,
        },
    });
    let read = || serde_json::from_value::<Pod>(pod.clone()).unwrap();
    let write = |pod: &Pod| serde_json::to_value(pod).unwrap()["spec"].clone();

    // Elements that share a key each keep their own.
    let same = write(&read());
    assert_eq!(same["containers"][0]["env"], pod["spec"]["containers"][0]["env"]);
    assert_eq!([&same["containers"][0]["ports"][0]["x"], &same["containers"][0]["ports"][1]["x"]], [1, 2]);
    assert_eq!(same["volumes"], pod["spec"]["volumes"]);
    assert!(same.as_object().unwrap().contains_key("null"), "what is null is said, so it is kept");

    // Elements of a list without keys are known by their content.
    let mut changed = read();
    changed.spec.tolerations.remove(0);
    assert_eq!(write(&changed)["tolerations"][0]["x"], 2);
    assert_eq!(write(&changed)["tolerations"][1].get("x"), None);
    // One that was changed itself is known by its position while no other came or went.
    let mut changed = read();
    changed.spec.tolerations[1].key = "k9".into();
    assert_eq!(write(&changed)["tolerations"][1]["x"], 2);

    // What is gone stays gone.
    let mut changed = read();
    changed.spec.affinity = None;
    changed.spec.volumes[0].source = VolumeSource::config_map("c");
    assert_eq!(write(&changed).get("affinity"), None);
    assert_eq!(write(&changed)["volumes"][0].get("emptyDir"), None);

    let written = json!({
        "metadata": { "name": "d" }, "spec": { "strategy": { "type": "RollingUpdate", "rollingUpdate": { "new": 7 } } },
    });
    let mut deployment: Deployment = serde_json::from_value(written).unwrap();
    deployment.spec.strategy = DeploymentStrategy::Recreate;
    let again = serde_json::to_value(&deployment).unwrap();
    assert_eq!(again["spec"]["strategy"], json!({ "type": "Recreate" }));
    serde_json::from_value::<Deployment>(again).unwrap();
}

#[test]
fn the_order_of_unknown_fields_does_not_count() {
    let read = |text: &str| Garden::from_json(text.as_bytes()).unwrap();
    let one = read(r#"{"metadata":{"name":"g"},"x":1,"y":2,"spec":{"z":3}}"#);
    assert_eq!(one, read(r#"{"y":2,"spec":{"z":3},"metadata":{"name":"g"},"x":1}"#));
    assert_eq!(one, Garden::from_json(&one.to_json().unwrap()).unwrap());
    assert_ne!(one, read(r#"{"metadata":{"name":"g"},"x":1,"y":2,"spec":{"z":4}}"#));
}

#[test]
fn a_missing_field_that_is_nearly_there_is_found() {
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct StrictSpec {
        replicas: u32,
    }
    impl Spec for StrictSpec {
        const KIND: Kind = Kind::namespaced("example.com/v1", "Strict");
        type Status = NoStatus;
    }
    let registry = Registry::builtin().with::<Object<StrictSpec>>();
    let text = "{apiVersion: example.com/v1, kind: Strict, metadata: {name: a}, spec: {replica: 3}}";
    let manifest = Reader::strict(&registry).read("s.yaml", text);
    let message = manifest.notices().next().unwrap().to_string();
    assert!(
        message.ends_with(
            "spec: the field `replicas` is required, but not given (is `replica` meant to be it?)"
        ),
        "{message}"
    );
}
