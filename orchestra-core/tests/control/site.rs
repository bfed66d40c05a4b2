//! A kind and a reconciler to test with: a site has some pages, each a ConfigMap.

use std::future::Future;
use std::time::Duration;

use orchestra_core::client::{Client, Query};
use orchestra_core::control::{Controller, Manager, Plan, Running, View};
use orchestra_core::kinds::ConfigMap;
use orchestra_core::object::{Kind, Object, Spec};
use orchestra_core::store::{MemoryStore, Store};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SiteSpec {
    #[serde(default)]
    pub pages: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SiteStatus {
    #[serde(default)]
    pub pages: usize,
}

impl Spec for SiteSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Site");
    type Status = SiteStatus;
}

pub(crate) type Site = Object<SiteSpec>;

/// A page for each number; pages that are too many go.
pub(crate) fn site(site: &Site, world: &View<'_>) -> Plan {
    let wanted: Vec<_> = (0..site.spec.pages).map(|page| world.name(page)).collect();
    let have: Vec<_> = world.owned_by::<ConfigMap>(site).collect();
    let pages =
        wanted.iter().map(|name| ConfigMap::new(name.clone()).data([("title", "a page")]).owned_by(site));
    let plan = Plan::new().ensure_each(pages);
    let surplus = have.iter().filter(|page| !wanted.contains(page.name()));
    let plan = surplus.fold(plan, |plan, page| plan.delete(*page));
    plan.status(site, SiteStatus { pages: have.len() })
}

pub(crate) fn controller() -> Controller {
    Controller::new("site", site)
}

/// A manager on a store, at work.
pub(crate) async fn start(store: &MemoryStore) -> Running {
    Manager::new(store.clone()).controller(controller()).start().await
}

pub(crate) fn client(store: &(impl Store + Clone)) -> Client {
    Client::new(store.clone()).as_manager("user")
}

pub(crate) async fn pages(client: &Client) -> Vec<ConfigMap> {
    client.list::<ConfigMap>(&Query::all()).await.unwrap().complete().unwrap()
}

/// Waits until something holds, for a while.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "it never was so that {what}");
}
