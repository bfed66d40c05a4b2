//! The client over a real store: what it reads, writes, watches, and what it does when others write, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use orchestra_core::client::{
    Client, Delete, Happening, MOST_ATTEMPTS, ObjectName, Operation, Patch, Policy, Query, Update, scope_of,
};
use orchestra_core::clock::SeededIds;
use orchestra_core::kinds::{ConfigMap, Container, Deployment, Node, Pod};
use orchestra_core::manifest::{Reader, Registry};
use orchestra_core::object::{Apply, MicroTime, Resource, Revision};
use orchestra_core::store::{
    CommitError, Entry, Key, Limits, Listing, MemoryStore, Page, Scope, Store, StoreError, StoreId, Txn,
    Watch,
};
use orchestra_core::{Error, Result};
use serde_json::json;

fn client_of(store: impl Store) -> Client {
    Client::with(store, MicroTime::from_unix_micros(1_700_000_000_000_000), SeededIds::new(1))
}

fn map(name: &str) -> Apply<ConfigMap> {
    ConfigMap::new(name)
}

async fn make(client: &Client, map: Apply<ConfigMap>) -> ConfigMap {
    client.create(&map.build().unwrap()).await.unwrap()
}

#[tokio::test]
async fn objects_come_back_as_they_were_written() {
    let client = Client::new(MemoryStore::new());
    let made = make(&client, map("a").entry("k", "v")).await;
    assert!(!made.metadata.uid.is_unset() && made.metadata.creation_timestamp.is_some());
    assert_eq!(client.get::<ConfigMap>("default", "a").await.unwrap().as_ref(), Some(&made));
    assert_eq!(client.get::<ConfigMap>("", "a").await.unwrap(), Some(made.clone()));
    assert_eq!(client.get::<ConfigMap>("other", "a").await.unwrap(), None);
    assert_eq!(client.get::<Pod>("", "a").await.unwrap(), None);
    assert!(client.get::<Node>("default", "n").await.is_err(), "nodes are in no namespace");
    assert!(client.create(&made).await.unwrap_err().is_already_exists());

    let mut changed = made.clone();
    changed.spec.data.insert("k", "w".into());
    let changed = client.replace(&changed).await.unwrap();
    assert!(changed.metadata.resource_version > made.metadata.resource_version);
    let stale = client.replace(&made).await.unwrap_err();
    assert!(stale.is_conflict() && !stale.is_retryable(), "{stale}");

    let merged: ConfigMap = client.patch("", "a", Patch::merge(json!({"data": {"l": "x"}}))).await.unwrap();
    assert_eq!(merged.spec.data.len(), 2);
    let removed = Patch::json([Operation::test("/data/l", "x"), Operation::remove("/data/l")]);
    let removed: ConfigMap = client.patch("", "a", removed).await.unwrap();
    assert_eq!(removed.spec.data.len(), 1);
    let same: ConfigMap = client.patch("", "a", Patch::merge(json!({}))).await.unwrap();
    assert_eq!(same, removed, "nothing was written, and the revision is the one before");

    let gone: ConfigMap = client.delete("", "a", Delete::default().uid(made.uid().clone())).await.unwrap();
    assert_eq!(gone, removed);
    assert!(client.delete::<ConfigMap>("", "a", Delete::default()).await.unwrap_err().is_not_found());
    assert!(client.patch::<ConfigMap>("", "a", Patch::merge(json!({}))).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn names_left_to_chance_are_tried_until_one_is_free() {
    let mut chance = map("x").build().unwrap();
    chance.metadata.name = "".into();
    chance.metadata.generate_name = "job-".into();
    // Both clients draw the same names.
    let store = MemoryStore::new();
    let first = client_of(store.clone()).create(&chance).await.unwrap();
    let second = client_of(store).create(&chance).await.unwrap();
    assert_ne!(first.name(), second.name());
    assert!(second.name().starts_with("job-"));
}

#[tokio::test]
async fn a_dry_run_does_all_but_write() {
    let client = client_of(MemoryStore::new());
    let dry = client.dry_run();
    let before = client.revision().await.unwrap();
    assert_eq!(make(&dry, map("a")).await.metadata.generation, 1);
    dry.apply(map("b").entry("k", "v")).await.unwrap();
    assert!(dry.create(&map("A").build().unwrap()).await.is_err());
    assert_eq!(client.revision().await.unwrap(), before);

    make(&client, map("a")).await;
    let patched: ConfigMap = dry.patch("", "a", Patch::merge(json!({"data": {"k": "v"}}))).await.unwrap();
    assert_eq!(patched.spec.data["k"], "v");
    dry.delete::<ConfigMap>("", "a", Delete::default()).await.unwrap();
    assert!(client.get::<ConfigMap>("", "a").await.unwrap().unwrap().spec.data.is_empty());
}

#[tokio::test]
async fn fields_are_applied_by_whom_it_says() {
    let client = client_of(MemoryStore::new());
    let (user, scaler) = (client.as_manager("user"), client.as_manager("autoscaler"));
    let app = || Deployment::new("web").container(Container::new("app").image("app:1"));
    let web = user.apply(app().replicas(3)).await.unwrap();
    assert_eq!((web.spec.replicas, web.metadata.managed_fields.entries()[0].manager.as_str()), (3, "user"));

    let refused = scaler.apply(Deployment::new("web").replicas(5)).await.unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(
        refused.to_string(),
        "Deployment default/web has fields that others set otherwise: spec.replicas is set by `user` (leave them \
         out, say the same, or force)"
    );
    let web = scaler.force().apply(Deployment::new("web").replicas(5)).await.unwrap();
    assert_eq!(web.spec.replicas, 5);
    let same = user.apply(app()).await.unwrap();
    assert_eq!((same.spec.replicas, same.metadata.resource_version), (5, web.metadata.resource_version));

    let status = Apply::<Deployment>::nothing().set("metadata.name", "web").set("status.readyReplicas", 2);
    let web = client.apply_status(status).await.unwrap();
    assert_eq!((web.status.ready_replicas, web.spec.replicas, web.metadata.generation), (2, 5, 2));
}

#[tokio::test]
async fn a_manifest_is_applied() {
    let client = client_of(MemoryStore::new()).as_manager("kubectl");
    let registry = Registry::builtin();
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: prod}, data: {k: v}}\n---\n\
                {apiVersion: v1, kind: Node, metadata: {name: n1}}";
    let manifest = Reader::strict(&registry).read("all.yaml", text);
    for document in manifest.documents() {
        client.apply_any(&registry, &document.to_apply()).await.unwrap();
    }
    assert_eq!(client.get::<ConfigMap>("prod", "a").await.unwrap().unwrap().spec.data["k"], "v");
    let node = registry.model("v1", "Node").unwrap();
    let found = client.get_any(&node, "", "n1").await.unwrap().unwrap();
    assert_eq!(found.downcast_ref::<Node>(), client.get::<Node>("", "n1").await.unwrap().as_ref());
    client.delete_any(node, "", "n1", Delete::default()).await.unwrap();
    assert!(client.get_any(&node, "", "n1").await.unwrap().is_none());
    let unknown =
        client.apply_any(&Registry::empty(), &manifest.documents()[0].to_apply()).await.unwrap_err();
    assert_eq!(unknown.to_string(), "`ConfigMap` of `v1`: the kind is not known");
}

#[tokio::test]
async fn a_list_is_one_instant() {
    let client = client_of(MemoryStore::new());
    for at in 0..10 {
        let tier = if at % 2 == 0 { "even" } else { "odd" };
        make(&client, map(&format!("m{at}")).label("tier", tier)).await;
        make(&client, map(&format!("m{at}")).namespace("other").label("tier", tier)).await;
    }
    let count = async |query: Query| client.list::<ConfigMap>(&query).await.map(|list| list.items.len());
    assert_eq!(count(Query::all()).await.unwrap(), 20);
    assert_eq!(count(Query::namespace("other")).await.unwrap(), 10);
    assert_eq!(count(Query::namespace("")).await.unwrap(), 10);
    assert_eq!(count(Query::all().labels("tier=even")).await.unwrap(), 10);
    assert_eq!(count(Query::all().labels("tier notin (even, odd)")).await.unwrap(), 0);
    assert!(
        count(Query::all().labels("tier in")).await.unwrap_err().to_string().contains("no label selector")
    );
    assert!(count(Query::namespace("a/b")).await.is_err());

    // Pages show what was there when the first one did.
    let query = Query::namespace("other").labels("tier=odd").limit(2);
    let first = client.list::<ConfigMap>(&query).await.unwrap();
    client.delete::<ConfigMap>("other", "m9", Delete::default()).await.unwrap();
    make(&client, map("m99").namespace("other").label("tier", "odd")).await;
    let (revision, mut names) = (first.revision, Vec::new());
    let mut page = first;
    loop {
        assert_eq!(page.revision, revision);
        assert!(page.items.len() <= 2);
        names.extend(page.items.iter().map(|map| map.name().to_string()));
        let Some(next) = page.next else { break };
        page = client.list::<ConfigMap>(&query.clone().from(next)).await.unwrap();
    }
    assert_eq!(names, ["m1", "m3", "m5", "m7", "m9"]);
}

#[tokio::test]
async fn one_bad_value_hides_no_other() {
    let store = MemoryStore::new();
    let client = client_of(store.clone());
    make(&client, map("a")).await;
    make(&client, map("c")).await;
    let before = client.revision().await.unwrap();
    store.commit(Txn::new().put_new("/configmaps/default/b", "hunter2")).await.unwrap();

    let list = client.list::<ConfigMap>(&Query::all()).await.unwrap();
    assert_eq!((list.items.len(), list.unreadable.len()), (2, 1));
    assert_eq!(list.unreadable[0].key, Key::from("/configmaps/default/b"));
    let error = list.complete().unwrap_err().to_string();
    assert!(
        error.starts_with("/configmaps/default/b cannot be read") && !error.contains("hunter2"),
        "{error}"
    );
    assert!(client.get::<ConfigMap>("", "b").await.is_err());

    let mut watching = client.watch::<ConfigMap>(&Query::all(), before).await.unwrap();
    let Update::Batch { events, .. } = watching.next().await.unwrap() else { panic!("progress") };
    assert!(
        matches!(&events[..], [Happening::Unreadable(it)] if it.key == Key::from("/configmaps/default/b"))
    );
    store.commit(Txn::new().delete("/configmaps/default/b")).await.unwrap();
    let Update::Batch { events, .. } = watching.next().await.unwrap() else { panic!("progress") };
    assert!(matches!(&events[..], [Happening::Deleted { old: None, .. }]), "{events:?}");
}

#[tokio::test]
async fn a_watch_tells_what_is_meant() {
    let client = client_of(MemoryStore::new());
    let before = client.revision().await.unwrap();
    let label = async |name: &str, tier: Option<&str>| {
        let patch = Patch::merge(json!({"metadata": {"labels": {"tier": tier}}}));
        client.patch::<ConfigMap>("", name, patch).await.unwrap()
    };
    make(&client, map("a").label("tier", "front")).await;
    make(&client, map("b")).await;
    make(&client, map("c").namespace("other").label("tier", "front")).await;
    label("b", Some("front")).await;
    label("a", Some("back")).await;
    label("a", Some("side")).await;
    client.delete::<ConfigMap>("", "b", Delete::default()).await.unwrap();
    client.delete::<ConfigMap>("", "a", Delete::default()).await.unwrap();
    let last = make(&client, map("d").label("tier", "front")).await;

    let query = Query::namespace("default").labels("tier=front");
    let mut watching = client.watch::<ConfigMap>(&query, before).await.unwrap();
    let mut told = Vec::new();
    loop {
        let Update::Batch { revision, events } = watching.next().await.unwrap() else { panic!("progress") };
        for event in events {
            told.push(match event {
                Happening::Applied { new, old } => {
                    format!("+{}{}", new.name(), if old.is_some() { "!" } else { "" })
                }
                Happening::Deleted { object, old } => {
                    assert_eq!(
                        object,
                        ObjectName::new(ConfigMap::KIND, "", old.unwrap().name().clone()).unwrap()
                    );
                    format!("-{}", object.name())
                }
                Happening::Unreadable(it) => panic!("{it:?}"),
            });
        }
        if revision == last.metadata.resource_version {
            break;
        }
    }
    assert_eq!(told, ["+a", "+b", "-a", "-b", "+d"]);
    watching.request_progress();
    assert_eq!(watching.next().await.unwrap(), Update::Progress(last.metadata.resource_version));

    let far = client.watch::<ConfigMap>(&query, Revision(1_000_000)).await.map(drop).unwrap_err();
    assert!(matches!(&far, Error::Store(error) if error.must_resync()), "{far}");
}

/// A store in which others interfere.
struct Meddled {
    inner: MemoryStore,
    /// So many commits are preceded by another's.
    meddle: AtomicUsize,
    /// The answers of so many commits are lost.
    lose: AtomicUsize,
    commits: AtomicUsize,
}

impl Meddled {
    fn new(meddle: usize, lose: usize) -> Arc<Self> {
        let (meddle, lose, commits) = (AtomicUsize::new(meddle), AtomicUsize::new(lose), AtomicUsize::new(0));
        Arc::new(Self { inner: MemoryStore::new(), meddle, lose, commits })
    }
}

fn take_one(from: &AtomicUsize) -> bool {
    from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Store for Meddled {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.inner.get(key).await
    }
    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.inner.list(scope, page).await
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        let count = self.commits.fetch_add(1, Ordering::SeqCst);
        if take_one(&self.meddle) {
            let other = client_of(self.inner.clone()).as_manager("meddler");
            let patch = Patch::merge(json!({"metadata": {"annotations": {"count": count.to_string()}}}));
            other.patch::<ConfigMap>("", "a", patch).await.expect("the meddler gets through");
        }
        if take_one(&self.lose) {
            self.inner.commit(txn).await?;
            return Err(CommitError::Unknown { reason: "the line went dead".into() });
        }
        self.inner.commit(txn).await
    }
    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.inner.watch(scope, after).await
    }
    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.inner.identity().await
    }
    fn limits(&self) -> Limits {
        self.inner.limits()
    }
}

#[tokio::test]
async fn who_was_second_looks_again() {
    let store = Meddled::new(0, 0);
    let client = client_of(store.clone());
    let read = make(&client, map("a")).await;
    let set = |key: &str| Patch::merge(json!({"data": {key: "v"}}));

    store.meddle.store(3, Ordering::SeqCst);
    let patched: ConfigMap = client.patch("", "a", set("x")).await.unwrap();
    assert!(patched.spec.data.contains_key("x") && patched.metadata.annotations.contains_key("count"));

    store.meddle.store(3, Ordering::SeqCst);
    let updated: ConfigMap = client
        .update("", "a", |map: &mut ConfigMap| drop(map.spec.data.insert("y", "v".into())))
        .await
        .unwrap();
    assert_eq!(updated.spec.data.len(), 2);

    store.meddle.store(3, Ordering::SeqCst);
    let applied = client.apply(map("a").entry("z", "v")).await.unwrap();
    assert_eq!(applied.spec.data.len(), 3);

    // Whoever said what they read is told, and not overruled.
    let mut stale = read;
    stale.spec.data.insert("q", "v".into());
    assert!(client.replace(&stale).await.unwrap_err().is_conflict());
    store.meddle.store(1, Ordering::SeqCst);
    let expecting = Delete::default().revision(applied.metadata.resource_version);
    assert!(client.delete::<ConfigMap>("", "a", expecting).await.unwrap_err().is_conflict());

    // There is an end to it.
    store.meddle.store(usize::MAX, Ordering::SeqCst);
    let before = store.commits.load(Ordering::SeqCst);
    let error = client.patch::<ConfigMap>("", "a", set("never")).await.unwrap_err();
    assert!(
        matches!(error, Error::Contended { attempts: MOST_ATTEMPTS, .. }) && error.is_retryable(),
        "{error}"
    );
    assert_eq!(store.commits.load(Ordering::SeqCst) - before, MOST_ATTEMPTS);
    let error = client
        .update("", "a", |map: &mut ConfigMap| drop(map.spec.data.insert("never", "v".into())))
        .await
        .unwrap_err();
    assert!(error.is_conflict(), "{error}");
}

#[tokio::test]
async fn an_unknown_fate_is_told_and_not_tried_again() {
    let store = Meddled::new(0, 1);
    let client = client_of(store.clone());
    let error = client.create(&map("a").build().unwrap()).await.unwrap_err();
    assert!(error.is_unknown() && !error.is_retryable() && !error.is_conflict(), "{error}");
    assert_eq!(store.commits.load(Ordering::SeqCst), 1);
    assert!(client.get::<ConfigMap>("", "a").await.unwrap().is_some(), "it was made all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_edit_of_many_writers_is_lost() {
    let client = client_of(MemoryStore::new());
    make(&client, map("a")).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let client = client.as_manager(format!("w{writer}"));
            tokio::spawn(async move {
                for at in 0..20 {
                    let key = format!("{writer}-{at}");
                    loop {
                        let edit = |map: &mut ConfigMap| drop(map.spec.data.insert(&key, "v".into()));
                        match client.update("", "a", edit).await {
                            Ok(_) => break,
                            Err(error) if error.is_retryable() => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(client.get::<ConfigMap>("", "a").await.unwrap().unwrap().spec.data.len(), 160);
}

#[tokio::test]
async fn keys_are_those_of_the_scope() {
    let store = MemoryStore::new();
    let client = client_of(store.clone()).with_policy(Policy::open());
    make(&client, map("a")).await;
    let listing = store.list(&scope_of(&ConfigMap::KIND), Page::first()).await.unwrap();
    assert_eq!(listing.entries[0].key, Key::from("/configmaps/default/a"));
    assert!(format!("{client:?}").contains("orchestra"));
}
