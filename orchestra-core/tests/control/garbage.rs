//! What becomes of what is owned.

use orchestra_core::client::{Delete, Dependents};
use orchestra_core::control::Controller;
use orchestra_core::kinds::{ConfigMap, Secret};
use orchestra_core::object::{OwnerReference, Resource};

use super::desk::Desk;
use super::site::{Site, SiteSpec, controller};

/// A site with two pages, and a garbage collector.
fn desk() -> Desk {
    let mut desk = Desk::new([controller().owns::<Secret>()]).garbage();
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 2 }));
    desk.settle();
    assert_eq!(desk.list::<ConfigMap>().len(), 2);
    desk
}

fn owner(of: &impl Resource) -> OwnerReference {
    of.controller_reference()
}

#[test]
fn in_the_background_the_owner_goes_first() {
    let mut desk = desk();
    desk.delete::<Site>("blog", Delete::default());
    assert!(desk.get::<Site>("blog").is_none());
    desk.settle();
    assert!(desk.list::<ConfigMap>().is_empty());
}

#[test]
fn in_the_foreground_the_owner_waits() {
    let mut desk = desk();
    let page = desk.list::<ConfigMap>().remove(0);
    desk.edit::<ConfigMap>(page.name(), |page| page.metadata.finalizers.push("example.com/slow".into()));
    desk.settle();
    desk.delete::<Site>("blog", Delete::default().dependents(Dependents::Foreground));
    desk.settle();
    let pages = desk.list::<ConfigMap>();
    assert_eq!(pages.len(), 1, "the other page is gone");
    assert!(pages[0].metadata.is_deleting() && desk.get::<Site>("blog").is_some());
    desk.edit::<ConfigMap>(page.name(), |page| page.metadata.finalizers.clear());
    desk.settle();
    assert!(desk.list::<ConfigMap>().is_empty() && desk.get::<Site>("blog").is_none());
}

#[test]
fn orphans_stay_and_are_owned_no_more() {
    let mut desk = desk();
    desk.delete::<Site>("blog", Delete::default().dependents(Dependents::Orphan));
    desk.settle();
    assert!(desk.get::<Site>("blog").is_none());
    let pages = desk.list::<ConfigMap>();
    assert!(pages.len() == 2 && pages.iter().all(|page| page.metadata.owner_references.is_empty()));
}

#[test]
fn it_stays_while_one_owner_does() {
    let mut desk = desk();
    desk.apply(Site::new("shop").spec(SiteSpec { pages: 0 }));
    let (blog, shop) = (desk.get::<Site>("blog").unwrap(), desk.get::<Site>("shop").unwrap());
    let shop_too = OwnerReference { controller: false, ..owner(&shop) };
    desk.apply(Secret::new("shared").set("metadata.ownerReferences", [owner(&blog), shop_too]));
    desk.delete::<Site>("blog", Delete::default());
    desk.settle();
    let left = desk.get::<Secret>("shared").unwrap();
    assert_eq!(left.metadata.owner_references.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["shop"]);
    desk.delete::<Site>("shop", Delete::default());
    desk.settle();
    assert!(desk.get::<Secret>("shared").is_none());
}

#[test]
fn another_of_the_same_name_is_no_owner() {
    let mut desk = desk();
    let old = desk.get::<Site>("blog").unwrap();
    desk.delete::<Site>("blog", Delete::default());
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 1 }));
    desk.settle();
    let new = desk.get::<Site>("blog").unwrap();
    assert_ne!(old.metadata.uid, new.metadata.uid);
    let pages = desk.list::<ConfigMap>();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].metadata.owner_references[0].uid, new.metadata.uid);
}

#[test]
fn what_is_owned_by_the_unknown_is_let_be() {
    let mut desk = desk();
    let stranger = OwnerReference {
        api_version: "example.com/v1".into(),
        kind: "Stranger".into(),
        name: "x".into(),
        uid: "stranger".into(),
        ..OwnerReference::default()
    };
    desk.apply(Secret::new("theirs").set("metadata.ownerReferences", [stranger]));
    desk.settle();
    assert!(desk.get::<Secret>("theirs").is_some());
}

#[test]
fn what_was_orphaned_while_nobody_looked_is_found() {
    let mut desk = desk();
    let state = std::mem::take(&mut desk.state);
    let mut after = Desk::new(std::iter::empty::<Controller>());
    after.state = state;
    after.delete::<Site>("blog", Delete::default());
    assert_eq!(after.list::<ConfigMap>().len(), 2);
    after.add(controller().owns::<ConfigMap>());
    let mut after = after.garbage();
    after.settle();
    assert!(after.list::<ConfigMap>().is_empty());
}

#[test]
fn what_cannot_be_read_may_be_the_owner() {
    let mut desk = desk();
    desk.put("example.com/sites/default/blog", "{\"spec\":{\"pages\":\"three\"}}");
    desk.settle();
    desk.pass(std::time::Duration::from_secs(60));
    assert_eq!(desk.list::<ConfigMap>().len(), 2);
}

/// A cluster's object that names an owner in a namespace: nobody knows in which.
#[test]
fn an_owner_in_a_namespace_owns_nothing_of_the_cluster() {
    let mut desk = Desk::new([controller().owns::<orchestra_core::kinds::Namespace>()]).garbage();
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 0 }));
    let site = OwnerReference { name: "elsewhere".into(), ..owner(&desk.get::<Site>("blog").unwrap()) };
    desk.apply(orchestra_core::kinds::Namespace::new("n").set("metadata.ownerReferences", [site]));
    desk.settle();
    assert_eq!(desk.list::<orchestra_core::kinds::Namespace>().len(), 1);
}

/// A manager that begins when the owner is waiting already: what it owns is looked for first.
#[test]
fn what_waits_is_not_let_go_before_what_it_owns_is_known() {
    for how in [Dependents::Orphan, Dependents::Foreground] {
        let mut desk = desk();
        desk.delete::<Site>("blog", Delete::default().dependents(how));
        let state = std::mem::take(&mut desk.state);
        let mut after = Desk::new(std::iter::empty::<Controller>()).garbage();
        after.state = state;
        after.add(controller());
        after.pass(std::time::Duration::from_secs(10));
        assert!(after.get::<Site>("blog").is_none());
        let left = after.list::<ConfigMap>();
        assert_eq!(left.len(), if how == Dependents::Orphan { 2 } else { 0 });
        assert!(left.iter().all(|page| page.metadata.owner_references.is_empty()));
    }
}
