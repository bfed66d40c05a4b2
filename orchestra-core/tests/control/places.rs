//! A kernel remembers where it found what it looked at, and what it read: what is otherwise now is seen.

use orchestra_core::client::Delete;
use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::kinds::ConfigMap;

use super::desk::Desk;
use super::site::{Site, SiteSpec, SiteStatus, controller};

/// What goes leaves its place in the cache to what comes next.
#[test]
fn what_takes_the_place_of_another_is_not_taken_for_it() {
    let mut desk = Desk::new([controller()]);
    for name in ["a", "b"] {
        desk.apply(Site::new(name).spec(SiteSpec { pages: 1 }));
    }
    assert!(desk.settle());
    let page = desk.list::<ConfigMap>().remove(0);
    desk.delete::<ConfigMap>(page.name(), Delete::default());
    desk.apply(ConfigMap::new("stranger").data([("title", "mine")]));
    assert!(desk.settle());
    let names: Vec<_> = desk.list::<ConfigMap>().iter().map(|page| page.name().clone()).collect();
    assert!(names.len() == 3 && names.contains(page.name()), "{names:?}");

    desk.delete::<Site>("a", Delete::default());
    desk.apply(Site::new("c").spec(SiteSpec { pages: 2 }));
    for name in ["b", "c"] {
        desk.wake::<Site>(name);
    }
    assert!(desk.settle());
    let status = |name: &str| desk.get::<Site>(name).unwrap().status.pages;
    assert_eq!((status("b"), status("c")), (1, 2));
}

/// Says how many entries the ConfigMap has to which the site's number points.
fn follow(site: &Site, world: &View<'_>) -> Plan {
    let found = world.get::<ConfigMap>(&format!("c{}", site.spec.pages));
    Plan::new().status(site, SiteStatus { pages: found.map_or(0, |found| found.spec.data.len()) })
}

#[test]
fn who_looks_elsewhere_and_back_is_woken_by_what_is_there() {
    let mut desk = Desk::new([Controller::new("follow", follow)]);
    desk.apply(ConfigMap::new("c1").data([("a", "1")]));
    desk.apply(ConfigMap::new("c2").data([("a", "1"), ("b", "2")]));
    for (points_to, entries) in [(1, 1), (2, 2), (1, 1)] {
        desk.apply(Site::new("blog").spec(SiteSpec { pages: points_to }));
        assert!(desk.settle());
        assert_eq!(desk.get::<Site>("blog").unwrap().status.pages, entries);
    }
    desk.apply(ConfigMap::new("c1").data([("a", "1"), ("b", "2"), ("c", "3")]));
    assert!(desk.settle());
    assert_eq!(desk.get::<Site>("blog").unwrap().status.pages, 3);
}
