//! Whatever the trees are: a difference comes to what was meant, a hash tells changes apart.

use proptest::prelude::*;

use super::*;

/// Any tree, with what makes it hard: nulls, empty maps, names with marks of JSON pointers.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[ab/~.0]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn an_edit_comes_to_exactly_the_edited_object(before in tree(), after in tree(), list in prop::collection::vec(tree(), 0..3), label in "[a-z]{0,2}") {
        let mut shelf = Shelf::default();
        let seen = shelf.with(free(before));
        let mut edited = seen.clone();
        edited.spec = FreeSpec { any: after.clone(), list };
        edited.status = FreeStatus { ready: 1, seen: after };
        edited.metadata.labels.insert("l", label.as_str().into());
        let plan = Plan::new().edit(&seen, |object| *object = edited.clone());
        shelf.make(&plan).unwrap();
        let mut now: Free = shelf.get("free").unwrap();
        // The rest is the store's business.
        now.metadata.managed_fields = edited.metadata.managed_fields.clone();
        now.metadata.resource_version = edited.metadata.resource_version;
        now.metadata.generation = edited.metadata.generation;
        prop_assert_eq!(&now, &edited);
        prop_assert!(Plan::new().edit(&now, |object| *object = edited.clone()).is_empty());
    }

    #[test]
    fn a_status_comes_to_exactly_the_status(before in tree(), after in tree()) {
        let mut shelf = Shelf::default();
        let seen = shelf.with(free(json!(1)));
        shelf.make(&Plan::new().status(&seen, FreeStatus { ready: 2, seen: before })).unwrap();
        let seen: Free = shelf.get("free").unwrap();
        let status = FreeStatus { ready: 0, seen: after };
        shelf.make(&Plan::new().status(&seen, status.clone())).unwrap();
        prop_assert_eq!(shelf.get::<Free>("free").unwrap().status, status);
    }

    #[test]
    fn hashes_are_equal_when_changes_are(one in tree(), two in tree()) {
        let plan = |tree: &Value| Plan::new().ensure(free(tree.clone()));
        let (one, two) = (plan(&one), plan(&two));
        prop_assert_eq!(one == two, only_op(&one).hash() == only_op(&two).hash());
        prop_assert_eq!(only_op(&one).hash(), only_op(&one.clone()).hash());
    }
}

#[test]
fn everything_counts_for_the_hash() {
    let seen = Shelf::default().with(web());
    let moved = {
        let mut moved = seen.clone();
        moved.metadata.resource_version = Revision(77);
        moved
    };
    let other = {
        let mut other = seen.clone();
        other.metadata.uid = Uid::from_u128(5);
        other
    };
    let merge = |tree| Patch::merge(tree);
    let json_patch = |operation| Patch::json([operation]);
    let mut plans = vec![
        Plan::new().ensure(web()),
        Plan::new().ensure_unless_owned(web()),
        Plan::new().ensure(web().namespace("b")),
        Plan::new().ensure(web().replicas(4)),
        Plan::new().ensure(web().annotation("a", "")),
        Plan::new().ensure(web().annotation("a", "\0")),
        Plan::new().ensure(web().annotation("a", "0123456789abcdef")),
        Plan::new().ensure(web().annotation("a", "0123456789abcdef0")),
        Plan::new().ensure(web().set("spec.x", json!([[], {}]))),
        Plan::new().ensure(web().set("spec.x", json!([{}, []]))),
        Plan::new().ensure(web().set("spec.x", json!([[[]]]))),
        Plan::new().ensure(web().set("spec.x", 1)),
        Plan::new().ensure(web().set("spec.x", -1)),
        Plan::new().ensure(web().set("spec.x", 1.0)),
        Plan::new().ensure(web().set("spec.x", "1")),
        Plan::new().ensure(web().set("spec.x", true)),
        Plan::new().delete(&seen),
        Plan::new().delete(&other),
        Plan::new().delete_with(&seen, Delete::default().grace(1)),
        Plan::new().finalizer(&seen, "a/b"),
        Plan::new().finalizer(&seen, "a/c"),
        Plan::new().patch(&seen, merge(json!({"spec": {"x": 1}}))),
        Plan::new().patch_status(&seen, merge(json!({"spec": {"x": 1}}))),
        Plan::new().patch(&seen, json_patch(Operation::add("/spec/x", 1))),
        Plan::new().patch(&seen, json_patch(Operation::replace("/spec/x", 1))),
        Plan::new().patch(&seen, json_patch(Operation::remove("/spec/x"))),
        Plan::new().patch(&seen, json_patch(Operation::shift("/spec/x", "/spec/y"))),
        Plan::new().patch(&seen, json_patch(Operation::copy("/spec/x", "/spec/y"))),
    ];
    // One letter among many, at each of its places.
    plans.extend((0..40).map(|at| {
        let text: String = (0..40).map(|n| if n == at { 'b' } else { 'a' }).collect();
        Plan::new().ensure(web().annotation("a", text))
    }));
    let mut hashes: Vec<_> = plans.iter().map(|plan| only_op(plan).hash()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), plans.len());
    // When it was seen does not count.
    let hash = |plan: Plan| only_op(&plan).hash();
    assert_eq!(hash(Plan::new().delete(&moved)), hash(Plan::new().delete(&seen)));
    // The same in every run and on every machine.
    assert_eq!(only_op(&Plan::new().ensure(ConfigMap::new("a"))).hash(), 11_051_198_620_595_165_749);
}
