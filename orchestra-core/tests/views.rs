//! No missed trigger: whoever looked at something is woken by every change that lets them see something
//! else, and by hardly any other. Held against a model that looks through everything.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use orchestra_core::client::{ObjectName, read};
use orchestra_core::control::{
    Cache, Index, Interests, MOST_READS, Need, Now, Subject, View, Watched, World,
};
use orchestra_core::kinds::{Deployment, Node, Pod};
use orchestra_core::object::{MicroTime, Object, Resource, Revision, Selector, Spec, Timestamp, Uid};
use orchestra_core::store::{Batch, Entry, Event, Key};
use proptest::prelude::*;
use serde_json::json;

const BY_IMAGE: Index<Pod> = Index::new("image", |pod, values| {
    pod.spec.containers.iter().for_each(|container| values.add(&container.image));
});

const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];
const SELECTORS: [&str; 11] = [
    "",
    "app=x",
    "app in (x,y)",
    "app,tier=1",
    "app",
    "!app",
    "app!=x",
    "tier in (1,2),!app",
    "app=x,app=y",
    "tier>1",
    "app notin (x,y),tier",
];

/// What a pod says, in small numbers.
#[derive(Clone, Debug, PartialEq)]
struct Small {
    app: u8,
    tier: u8,
    owners: u8,
    node: u8,
    image: u8,
    /// It is no pod at all.
    is_broken: bool,
}

/// A way to look at pods.
#[derive(Clone, Debug)]
enum Look {
    Get(u8, u8),
    All,
    In(u8),
    OwnedBy(u8),
    Select(Option<u8>, u8),
    OnNode(u8),
    ByImage(u8),
}

fn small() -> impl Strategy<Value = Small> {
    (0..3_u8, 0..4_u8, 0..4_u8, 0..3_u8, 0..3_u8, 0..20_u8).prop_map(
        |(app, tier, owners, node, image, broken)| Small {
            app,
            tier,
            owners,
            node,
            image,
            is_broken: broken == 0,
        },
    )
}

fn look() -> impl Strategy<Value = Look> {
    prop_oneof![
        4 => (0..3_u8, 0..6_u8).prop_map(|(namespace, name)| Look::Get(namespace, name)),
        1 => Just(Look::All),
        1 => (0..3_u8).prop_map(Look::In),
        4 => (0..2_u8).prop_map(Look::OwnedBy),
        4 => (proptest::option::of(0..3_u8), 0..11_u8).prop_map(|(namespace, at)| Look::Select(namespace, at)),
        2 => (0..3_u8).prop_map(Look::OnNode),
        2 => (0..3_u8).prop_map(Look::ByImage),
    ]
}

/// Where a pod is, and what it says; nothing when it goes.
type Write = ((u8, u8), Option<Small>);

fn writes(most: usize) -> impl Strategy<Value = Vec<Write>> {
    let write = ((0..3_u8, 0..6_u8), proptest::option::weighted(0.8, small()));
    proptest::collection::vec(write, 0..most)
}

fn owner(number: u8) -> Deployment {
    let mut owner = Deployment::default();
    owner.metadata.uid = Uid::from_u128(u128::from(number) + 1);
    owner
}

fn key((namespace, name): (u8, u8)) -> Key {
    ObjectName::new(Pod::KIND, NAMESPACES[usize::from(namespace)], format!("p{name}")).unwrap().key()
}

fn value((namespace, name): (u8, u8), small: &Small) -> Vec<u8> {
    if small.is_broken {
        return b"{\"spec\":7}".into();
    }
    let mut labels = BTreeMap::new();
    if small.app > 0 {
        labels.insert("app", ["", "x", "y"][usize::from(small.app)].to_string());
    }
    if small.tier > 0 {
        labels.insert("tier", small.tier.to_string());
    }
    let owners: Vec<_> = (0..2_u8)
        .filter(|number| small.owners >> number & 1 == 1)
        .map(|number| json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "o", "uid": owner(number).uid()}))
        .collect();
    let pod = json!({
        "metadata": {"namespace": NAMESPACES[usize::from(namespace)], "name": format!("p{name}"),
            "labels": labels, "ownerReferences": owners,
            "managedFields": [{"manager": "test", "operation": "Update", "apiVersion": "v1"}]},
        "spec": {"nodeName": node(small.node), "containers": [{"name": "app", "image": image(small.image)}]},
    });
    serde_json::to_vec(&pod).unwrap()
}

fn node(number: u8) -> &'static str {
    ["", "n1", "n2"][usize::from(number)]
}

fn image(number: u8) -> &'static str {
    ["registry.example.com/a:1", "registry.example.com/b:1", "c"][usize::from(number)]
}

/// What is there, and when it was written.
#[derive(Default)]
struct Model(BTreeMap<Key, (Small, Pod)>);

impl Model {
    fn apply(&mut self, revision: u64, writes: &[Write]) -> Batch {
        let last: BTreeMap<Key, &Write> = writes.iter().map(|write| (key(write.0), write)).collect();
        let mut events = Vec::new();
        for (key, (place, small)) in last {
            let entry = small.as_ref().map(|small| {
                let value = value(*place, small).into();
                Arc::new(Entry {
                    key: key.clone(),
                    value,
                    created: revision.into(),
                    modified: revision.into(),
                })
            });
            match (&entry, small) {
                (Some(entry), Some(small)) if !small.is_broken => {
                    self.0.insert(key.clone(), (small.clone(), read(entry).unwrap()));
                }
                _ => drop(self.0.remove(&key)),
            }
            events.push(Event { key, entry, previous: None });
        }
        Batch { revision: revision.into(), events: events.into() }
    }

    /// What one would see, by looking through everything.
    fn sees(&self, look: &Look) -> Vec<(Key, Revision)> {
        let is_meant = |pod: &Pod, small: &Small| match look {
            Look::Get(namespace, name) => {
                pod.namespace() == NAMESPACES[usize::from(*namespace)] && *pod.name() == format!("p{name}")
            }
            Look::All => true,
            Look::In(namespace) => pod.namespace() == NAMESPACES[usize::from(*namespace)],
            Look::OwnedBy(number) => small.owners >> number & 1 == 1,
            Look::Select(namespace, at) => {
                namespace.is_none_or(|namespace| pod.namespace() == NAMESPACES[usize::from(namespace)])
                    && selector(*at).matches(pod.labels())
            }
            Look::OnNode(number) => *number > 0 && small.node == *number,
            Look::ByImage(number) => small.image == *number,
        };
        let meant = self.0.iter().filter(|(_, (small, pod))| is_meant(pod, small));
        meant.map(|(key, (_, pod))| (key.clone(), pod.metadata.resource_version)).collect()
    }
}

fn selector(at: u8) -> Selector {
    SELECTORS[usize::from(at)].parse().unwrap()
}

fn seen(view: &View<'_>, look: &Look) -> Vec<(Key, Revision)> {
    let pods: Vec<&Pod> = match look {
        Look::Get(namespace, name) => {
            view.get_in(NAMESPACES[usize::from(*namespace)], &format!("p{name}")).into_iter().collect()
        }
        Look::All => view.list().collect(),
        Look::In(namespace) => view.in_namespace(NAMESPACES[usize::from(*namespace)]).collect(),
        Look::OwnedBy(number) => view.owned_by(&owner(*number)).collect(),
        Look::Select(namespace, at) => {
            let namespace = namespace.map_or("", |namespace| NAMESPACES[usize::from(namespace)]);
            view.select(namespace, selector(*at)).collect()
        }
        Look::OnNode(number) => view.on_node(node(*number)).collect(),
        Look::ByImage(number) => view.by(&BY_IMAGE, image(*number)).collect(),
    };
    let name = |pod: &Pod| ObjectName::new(Pod::KIND, pod.namespace(), pod.name()).unwrap().key();
    pods.into_iter().map(|pod| (name(pod), pod.metadata.resource_version)).collect()
}

fn with_view<T>(cache: &Cache, look: impl FnOnce(View<'_>) -> T) -> T {
    let now = Now::new(MicroTime::from_unix_micros(0), Duration::ZERO);
    let (uid, key) = (Uid::from("u"), Key::from("k"));
    let subject = Subject { controller: "test", uid: &uid, namespace: "a", name: "web", key: &key };
    look(View::new(cache, now, subject, 1, &[]))
}

/// Looks until nothing is missing any more, and notes what was looked at.
fn look_at(cache: &mut Cache, interests: &mut Interests, item: usize, looks: &[Look], model: &Model) {
    for _ in 0..10 {
        let needs = with_view(cache, |view| {
            let all: Vec<_> = looks.iter().map(|look| seen(&view, look)).collect();
            let needs = view.needs();
            if needs.is_empty() {
                let expected: Vec<_> = looks.iter().map(|look| model.sees(look)).collect();
                assert_eq!(all, expected, "{looks:?}");
                interests.set(u32::try_from(item).unwrap(), view.into_reads());
            }
            needs
        });
        if needs.is_empty() {
            return;
        }
        for need in &needs {
            assert!(!cache.satisfies(need));
            assert!(cache.build(need) && cache.satisfies(need), "{need:?}");
        }
    }
    panic!("there is always something missing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_trigger_is_missed(
        first in writes(18),
        rounds in proptest::collection::vec(writes(4), 1..6),
        items in proptest::collection::vec(proptest::collection::vec(look(), 1..4), 1..12),
    ) {
        let (mut cache, mut model, mut interests) = (Cache::new(), Model::default(), Interests::new());
        cache.subscribe(Watched::of::<Pod>());
        cache.apply(&model.apply(2, &first));
        for (item, looks) in items.iter().enumerate() {
            look_at(&mut cache, &mut interests, item, looks, &model);
        }
        for (round, writes) in rounds.iter().enumerate() {
            let before: Vec<Vec<_>> =
                items.iter().map(|looks| looks.iter().map(|look| model.sees(look)).collect()).collect();
            let batch = model.apply(round as u64 + 3, writes);
            let changes = cache.apply(&batch);
            prop_assert_eq!(changes.revision, batch.revision);
            prop_assert!(cache.apply(&batch).is_empty(), "twice is once");
            prop_assert_eq!(cache.len(), model.0.len());
            let mut woken = BTreeSet::new();
            interests.woken_by(&changes, |item| assert!(woken.insert(item), "woken once"));
            for (item, looks) in items.iter().enumerate() {
                let after: Vec<_> = looks.iter().map(|look| model.sees(look)).collect();
                let is_woken = woken.contains(&u32::try_from(item).unwrap());
                // Everything that is seen differs when it has changed, so nobody is woken for nothing,
                // but for two places of the same number.
                prop_assert_eq!(before[item] != after, is_woken, "item {} of {:?} by {:?}", item, looks, changes);
                if is_woken {
                    look_at(&mut cache, &mut interests, item, looks, &model);
                }
            }
        }
        for item in 0..items.len() {
            prop_assert!(interests.looks_at(Watched::of::<Pod>()));
            interests.remove(u32::try_from(item).unwrap());
        }
        prop_assert!(interests.is_empty() && !interests.looks_at(Watched::of::<Pod>()));
        prop_assert!(format!("{interests:?}").ends_with("in 0 places"), "{:?}", interests);
    }
}

/// A few controllers as they are: each with a thousand objects, their children, and a setting they share.
#[test]
fn few_are_woken_for_nothing() {
    let (mut cache, mut model, mut interests) = (Cache::new(), Model::default(), Interests::new());
    cache.subscribe(Watched::of::<Pod>());
    let mut random = orchestra_core::control::Random::seeded(1);
    let mut draw = move |below: u64| u8::try_from(random.below(below)).unwrap();
    let mut write = move || {
        let small = Small {
            app: draw(3),
            tier: draw(4),
            owners: draw(4),
            node: draw(3),
            image: draw(3),
            is_broken: false,
        };
        ((draw(3), draw(6)), Some(small))
    };
    let all: Vec<Write> = (0..18).map(|_| write()).collect();
    cache.apply(&model.apply(2, &all));
    let items: Vec<Vec<Look>> = (0..200_u8)
        .map(|at| vec![Look::Get(at % 3, at % 6), Look::OwnedBy(at % 2), Look::Select(Some(at % 3), at % 11)])
        .collect();
    for (item, looks) in items.iter().enumerate() {
        look_at(&mut cache, &mut interests, item, looks, &model);
    }
    let (mut woken, mut for_nothing) = (0_u32, 0_u32);
    for revision in 3..203 {
        let before: Vec<Vec<_>> =
            items.iter().map(|looks| looks.iter().map(|look| model.sees(look)).collect()).collect();
        let changes = cache.apply(&model.apply(revision, &[write()]));
        interests.woken_by(&changes, |item| {
            woken += 1;
            let after: Vec<_> = items[item as usize].iter().map(|look| model.sees(look)).collect();
            for_nothing += u32::from(before[item as usize] == after);
        });
        for (item, looks) in items.iter().enumerate() {
            look_at(&mut cache, &mut interests, item, looks, &model);
        }
    }
    println!("{for_nothing} of {woken} were woken for nothing");
    assert!(woken > 1000 && for_nothing * 10 < woken, "{for_nothing} of {woken}");
}

#[test]
fn what_is_not_there_is_needed() {
    let mut cache = Cache::new();
    with_view(&cache, |view| {
        assert!(view.get::<Pod>("p").is_none() && view.list::<Node>().next().is_none());
        assert!(view.get::<Pod>("q").is_none());
        assert_eq!(view.needs(), [Need::kind(Watched::of::<Pod>()), Need::kind(Watched::of::<Node>())]);
    });
    cache.subscribe(Watched::of::<Pod>());
    with_view(&cache, |view| {
        assert!(view.select::<Pod>("", selector(1)).next().is_none() && view.on_node("n").next().is_none());
        assert_eq!(format!("{:?}", view.needs()), "[Pod by label app, Pod by spec.nodeName]");
    });
    // What is narrowed by hand is not remembered.
    let (uid, key) = (Uid::from("u"), Key::from("k"));
    let subject = Subject { controller: "test", uid: &uid, namespace: "a", name: "web", key: &key };
    let now = Now::new(MicroTime::from_unix_micros(0), Duration::ZERO);
    let narrowed = [std::any::TypeId::of::<Pod>()];
    let view = View::new(&cache, now, subject, 1, &narrowed);
    assert!(view.get::<Pod>("p").is_none() && view.owned_by::<Pod>(&owner(1)).next().is_none());
    assert!(view.into_reads().is_empty());
}

#[test]
fn what_cannot_be_read_is_told_and_breaks_nothing() {
    let mut cache = Cache::new();
    cache.subscribe(Watched::of::<Pod>());
    let mut model = Model::default();
    let good = Small { app: 1, tier: 1, owners: 1, node: 1, image: 1, is_broken: false };
    cache.apply(&model.apply(2, &[((0, 0), Some(good.clone())), ((0, 1), Some(good.clone()))]));
    let changes = cache.apply(&model.apply(3, &[((0, 0), Some(Small { is_broken: true, ..good.clone() }))]));
    let [changed] = &changes.changed[..] else { panic!("{changes:?}") };
    assert!(changed.before::<Pod>().is_some() && changed.new.is_none());
    assert_eq!((changes.unreadable.len(), cache.len(), cache.unreadable().count()), (1, 1, 1));
    // An object under a key that is not its own would be found by a name that it does not have.
    let entry =
        Entry { key: key((0, 2)), value: value((0, 3), &good).into(), created: 4.into(), modified: 4.into() };
    let event = Event { key: entry.key.clone(), entry: Some(entry.into()), previous: None };
    let changes = cache.apply(&Batch { revision: 4.into(), events: [event].into() });
    assert_eq!(changes.unreadable[0].reason, "its name or namespace is not that of its key");
    let changes = cache.apply(&model.apply(5, &[((0, 0), Some(good)), ((0, 2), None)]));
    assert!(changes.changed[0].after::<Pod>().is_some());
    assert_eq!((changes.changed.len(), cache.len(), cache.unreadable().count()), (1, 2, 0));
    assert!(cache.get::<Pod>("a", "p0").unwrap().metadata.managed_fields.is_empty());
}

#[test]
fn a_reconciler_is_tested_as_a_plain_function() {
    let site: Deployment = Deployment::new("site").build().unwrap();
    let other = owner(7);
    let mut pod: Pod = Pod::new("p").build().unwrap();
    pod.metadata.owner_references.push(other.controller_reference());
    let world = World::new().with(&site).with(&pod).at(Timestamp::from_unix(100));
    let view = world.view(&site);
    assert_eq!(view.owned_by::<Pod>(&other).count(), 1);
    assert_eq!(view.select::<Pod>("", selector(0)).count(), 1);
    assert!(view.get::<Node>("n1").is_none() && view.needs().is_empty());
    assert_eq!((view.now(), view.revision()), (Timestamp::from_unix(100), Revision(0)));
    assert!(view.owner::<Deployment>(&pod).is_none(), "the one of that name is another");

    let mut owned = other.clone();
    owned.metadata.name = "o".into();
    pod.metadata.owner_references = [owned.controller_reference()].into();
    let world = World::new().with(&owned).with(&pod);
    assert!(world.view(&pod).owner::<Deployment>(&pod).is_some());
    assert!(world.view(&pod).owner::<Pod>(&pod).is_none());
}

#[test]
fn names_and_numbers_follow_from_who_the_object_is() {
    let world = World::new();
    let named = |name: &str, uid: u128| {
        let mut object: Object<orchestra_core::kinds::DeploymentSpec> = Deployment::default();
        (object.metadata.name, object.metadata.uid) = (name.into(), Uid::from_u128(uid));
        object
    };
    let (one, again) = (named("web", 1), named("web", 2));
    let name = world.view(&one).name(0);
    assert_eq!((name.len(), &name[..4]), (4 + View::LETTERS, "web-"));
    assert_eq!(world.view(&one).name("0"), name, "a slot is what it says");
    assert_ne!(world.view(&again).name(0), name, "another incarnation");
    let names: BTreeSet<_> = (0..1000).map(|slot| world.view(&one).name(slot)).collect();
    assert_eq!(names.len(), 1000);
    let long = named(&format!("{}--{}", "x".repeat(52), "y".repeat(200)), 1);
    let name = world.view(&long).name(0);
    assert!(name.len() <= 63 && !name.contains("--"), "{name}");
    assert_eq!(world.view(&one).random().next_u64(), world.view(&one).random().next_u64());
    assert_ne!(world.view(&one).random().next_u64(), world.view(&again).random().next_u64());
    assert_eq!(orchestra_core::kinds::DeploymentSpec::KIND.name(), "Deployment");
}

#[test]
fn whoever_looks_at_too_much_is_woken_by_everything() {
    let mut cache = Cache::new();
    cache.subscribe(Watched::of::<Pod>());
    let mut interests = Interests::new();
    let reads = with_view(&cache, |view| {
        assert!((0..MOST_READS).all(|at| view.get::<Pod>(&format!("p{}", at % 1000)).is_none()));
        assert!((0..MOST_READS).all(|_| view.get::<Pod>("p").is_none()));
        view.into_reads()
    });
    assert!(!reads.is_anything() && reads.len() < 1010, "what is looked at twice counts once");
    let reads = with_view(&cache, |view| {
        assert!((0..=MOST_READS).all(|at| view.get::<Pod>(&format!("p{at}")).is_none()));
        view.into_reads()
    });
    assert!(reads.is_anything() && reads.needs().is_empty());
    interests.set(7, reads);
    let small = Small { app: 1, tier: 1, owners: 1, node: 1, image: 1, is_broken: false };
    let mut woken = Vec::new();
    interests.woken_by(&cache.apply(&Model::default().apply(2, &[((2, 0), Some(small))])), |item| {
        woken.push(item)
    });
    assert_eq!(woken, [7]);
    interests.woken_by(&cache.advance(3.into()), |_| panic!("nothing has changed"));
    interests.remove(7);
    assert!(interests.is_empty() && !interests.looks_at(Watched::of::<Pod>()));
}

#[test]
fn there_are_so_many_indexes_and_no_more() {
    let (mut cache, mut model) = (Cache::new(), Model::default());
    cache.subscribe(Watched::of::<Pod>());
    let small = Small { app: 1, tier: 1, owners: 1, node: 1, image: 1, is_broken: false };
    cache.apply(&model.apply(2, &[((0, 0), Some(small.clone()))]));
    let all = |view: &View<'_>| {
        let found = (0..100).flat_map(|at| {
            view.select::<Pod>("", format!("app=x,!l{at},l{at}!=1").parse::<Selector>().unwrap())
        });
        let by_label = (0..100).filter(|at| {
            view.select::<Pod>("a", format!("l{at}=1").parse::<Selector>().unwrap()).next().is_some()
        });
        (found.count(), by_label.count(), view.on_node("n1").count())
    };
    for _ in 0..100 {
        let needs = with_view(&cache, |view| {
            assert_eq!(all(&view), (100, 0, 1));
            view.needs()
        });
        needs.iter().for_each(|need| assert!(cache.build(need)));
    }
    let reads = with_view(&cache, |view| {
        all(&view);
        view.into_reads()
    });
    assert!(reads.needs().is_empty(), "{:?}", reads.needs());
    // Those that are looked through are woken all the same.
    let mut interests = Interests::new();
    interests.set(1, reads);
    let mut woken = 0;
    interests.woken_by(&cache.apply(&model.apply(3, &[((0, 0), Some(small))])), |_| woken += 1);
    assert_eq!(woken, 1);
}
