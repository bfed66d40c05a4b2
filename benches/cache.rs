//! The cache: how much memory an object takes, how long a look and an event take, and how many are woken
//! for nothing.
//!
//! `cargo bench --bench cache`
#![allow(clippy::unwrap_used)]

mod harness;

use std::hint::black_box;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use harness::{Bench, alloc};
use orchestra_core::client;
use orchestra_core::control::{Cache, Interests, Now, Random, Reads, Subject, View, Watched};
use orchestra_core::kinds::Deployment;
use orchestra_core::object::{MicroTime, Resource, Uid};
use orchestra_core::store::{Batch, Entry, Event, Key};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// A Deployment as a store holds it.
fn deployment(at: usize, image: &str, revision: u64) -> Arc<Entry> {
    let (namespace, name) = (format!("team-{:03}", at % 100), format!("website-{at:06}"));
    let labels = format!(
        r#"{{"app.kubernetes.io/name":"{name}","app.kubernetes.io/managed-by":"website-controller","tier":"t{}"}}"#,
        at % 1000
    );
    let condition = |kind: &str, reason: &str| {
        format!(
            r#"{{"type":"{kind}","status":"True","reason":"{reason}","message":"Deployment has minimum availability.","lastTransitionTime":"2026-01-01T00:00:00Z","lastUpdateTime":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let conditions = if at.is_multiple_of(2) {
        format!(
            "[{},{}]",
            condition("Available", "MinimumReplicasAvailable"),
            condition("Progressing", "NewReplicaSetAvailable")
        )
    } else {
        "[]".into()
    };
    let value = format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"{name}","namespace":"{namespace}",
        "uid":"00000000-0000-4000-8000-{at:012x}","generation":1,"labels":{labels},
        "creationTimestamp":"2026-01-01T00:00:00Z",
        "ownerReferences":[{{"apiVersion":"example.com/v1","kind":"Website","name":"{name}","uid":"{}",
        "controller":true,"blockOwnerDeletion":true}}],
        "managedFields":[{{"manager":"website","operation":"Apply","apiVersion":"apps/v1","fieldsType":"FieldsV1",
        "fieldsV1":{{"f:spec":{{"f:replicas":{{}},"f:template":{{"f:spec":{{"f:containers":{{}}}}}}}}}}}}]}},
        "spec":{{"replicas":3,"selector":{{"matchLabels":{{"app":"{name}"}}}},
        "template":{{"metadata":{{"labels":{{"app":"{name}"}}}},
        "spec":{{"containers":[{{"name":"app","image":"{image}","ports":[{{"containerPort":8080}}]}}]}}}}}},
        "status":{{"observedGeneration":1,"replicas":3,"updatedReplicas":3,"readyReplicas":3,"availableReplicas":3,
        "conditions":{conditions}}}}}"#,
        owner_uid(at)
    );
    let key = Key::from(format!("apps/deployments/{namespace}/{name}"));
    Arc::new(Entry { key, value: value.into(), created: 2.into(), modified: revision.into() })
}

fn owner_uid(at: usize) -> Uid {
    Uid::from_u128(1 << 80 | at as u128)
}

fn batch(entries: impl IntoIterator<Item = Arc<Entry>>, revision: u64) -> Batch {
    let event = |entry: Arc<Entry>| Event { key: entry.key.clone(), entry: Some(entry), previous: None };
    Batch { revision: revision.into(), events: entries.into_iter().map(event).collect() }
}

fn filled(count: usize) -> Cache {
    let mut cache = Cache::new();
    cache.subscribe(Watched::of::<Deployment>());
    for at in 0..count {
        let revision = at as u64 + 2;
        cache.apply(&batch([deployment(at, "registry.example.com/website:1.0.0", revision)], revision));
    }
    cache
}

/// What one reconcile costs that looks as it is said, by the View's part in it.
fn look<T>(cache: &Cache, owner: &Uid, seen: impl FnOnce(&View<'_>) -> T) -> (T, Reads) {
    let (key, now) = (cache_key(), Now::new(MicroTime::from_unix_micros(0), Duration::ZERO));
    let subject = Subject { controller: "website", uid: owner, namespace: "team-001", name: "x", key };
    let view = View::new(cache, now, subject, 1, &[]);
    let value = seen(&view);
    (value, view.into_reads())
}

fn measure(bench: &mut Bench, cache: &mut Cache, count: usize) {
    let owners: Vec<Deployment> = (0..count)
        .map(|at| {
            let mut owner = Deployment::default();
            owner.metadata.uid = owner_uid(at);
            owner.metadata.name = format!("website-{at:06}").into();
            owner
        })
        .collect();
    let mut random = Random::seeded(1);
    let mut any = move |of: usize| usize::try_from(random.below(of as u64)).unwrap();
    let mut other = any.clone();
    let mut third = any.clone();
    let name = |case: &str| format!("{case}/{count}");
    bench.rates(&mut [
        (&name("look/nothing"), &mut || {
            black_box(look(cache, owners[any(count)].uid(), |_| ()));
        }),
        (&name("look/owned-by"), &mut || {
            let owner = &owners[other(count)];
            black_box(look(cache, owner.uid(), |view| view.owned_by::<Deployment>(owner).count()));
        }),
        (&name("look/get"), &mut || {
            let owner = &owners[third(count)];
            let found = |view: &View<'_>| view.get::<Deployment>(owner.name()).is_some();
            black_box(look(cache, owner.uid(), found));
        }),
    ]);

    // Everyone has looked at their own children and at one object by name.
    let mut interests = Interests::new();
    let before = alloc::live();
    for (at, owner) in owners.iter().enumerate() {
        let (_, reads) = look(cache, owner.uid(), |view| {
            (view.owned_by::<Deployment>(owner).count(), view.get::<Deployment>("settings").is_none())
        });
        interests.set(u32::try_from(at).unwrap(), reads);
    }
    let bytes = (alloc::live() - before) as f64 / count as f64;
    bench.record(&name("bytes-per-interest"), "B", vec![bytes]);

    let entries: Vec<_> = (0..count.min(10_000))
        .map(|at| deployment(at * (count / count.min(10_000)), "registry.example.com/website:2.0.0", 0))
        .collect();
    let (mut at, mut next, mut woken) = (0, 0, 0_u64);
    bench.rates(&mut [
        (&name("decode"), &mut || {
            at = (at + 1) % entries.len();
            drop(black_box(client::read::<Deployment>(&entries[at])));
        }),
        (&name("event"), &mut || {
            next = (next + 1) % entries.len();
            let revision = cache.revision().0 + 1;
            let entry = Entry { modified: revision.into(), ..(*entries[next]).clone() };
            let changes = cache.apply(&batch([Arc::new(entry)], revision));
            interests.woken_by(&changes, |_| woken += 1);
        }),
    ]);
    black_box(woken);
}

/// The same for everyone: making one is not the View's part.
fn cache_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::from("x"))
}

fn main() -> std::io::Result<()> {
    let mut bench = Bench::from_args("cache");
    let sizes: &[usize] = if bench.is_quick() { &[1_000, 100_000] } else { &[1_000, 100_000, 1_000_000] };
    for &count in sizes {
        let before = alloc::live();
        let mut cache = filled(count);
        let bytes = (alloc::live() - before) as f64 / count as f64;
        bench.record(&format!("bytes-per-object/{count}"), "B", vec![bytes]);
        measure(&mut bench, &mut cache, count);
    }
    bench.finish()
}
