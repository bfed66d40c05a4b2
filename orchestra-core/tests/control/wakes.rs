//! What a reconciler looks at through a kernel wakes it, by whatever it finds it; also when what it looks at
//! changes from look to look.

use orchestra_core::control::{Controller, Index, Plan, View};
use orchestra_core::kinds::{ConfigMap, Container, Namespace, Pod};
use orchestra_core::object::Selector;

use super::desk::Desk;
use super::site::{Site, SiteSpec, SiteStatus};

const BY_TITLE: Index<ConfigMap> = Index::new("title", |map, values| {
    map.spec.data.get("title").into_iter().for_each(|title| values.add(title));
});

/// Counts what it finds in one way only, and says so.
fn counts(count: impl Fn(&Site, &View<'_>) -> usize + Send + Sync + 'static) -> Desk {
    let mut desk = Desk::new([Controller::of::<Site>("count", move |site: &Site, world: &View<'_>| {
        Plan::new().status(site, SiteStatus { pages: count(site, world) })
    })]);
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 1 }));
    desk.settle();
    desk
}

fn counted(desk: &mut Desk) -> usize {
    desk.settle();
    desk.get::<Site>("blog").unwrap().status.pages
}

fn map(name: &str, title: &str) -> orchestra_core::object::Apply<ConfigMap> {
    ConfigMap::new(name).label("site", "blog").data([("title", title)])
}

#[test]
fn by_labels() {
    let mut desk = counts(|_, world| {
        let blog: Selector = "site=blog,tier notin (draft)".parse().unwrap();
        world.select::<ConfigMap>("default", blog).count()
    });
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        desk.apply(map(name, "x"));
        assert_eq!(counted(&mut desk), number + 1);
    }
    desk.apply(map("b", "x").label("tier", "draft"));
    assert_eq!(counted(&mut desk), 2);
    desk.delete::<ConfigMap>("a", Default::default());
    assert_eq!(counted(&mut desk), 1);
}

#[test]
fn by_an_index_of_ones_own() {
    let mut desk = counts(|_, world| world.by(&BY_TITLE, "news").count());
    desk.apply(map("a", "news"));
    assert_eq!(counted(&mut desk), 1);
    desk.apply(map("b", "olds"));
    assert_eq!(counted(&mut desk), 1);
    desk.apply(map("b", "news"));
    assert_eq!(counted(&mut desk), 2);
    desk.apply(map("a", "olds"));
    assert_eq!(counted(&mut desk), 1);
}

#[test]
fn by_namespace_and_by_node() {
    let mut desk = counts(|_, world| world.in_namespace::<ConfigMap>("default").count());
    desk.apply(map("a", "x"));
    assert_eq!(counted(&mut desk), 1);
    let mut desk = counts(|_, world| world.on_node("n1").count());
    let pod = |name: &str| Pod::new(name).container(Container::new("app").image("app"));
    desk.apply(pod("a").node_name("n1"));
    assert_eq!(counted(&mut desk), 1);
    desk.apply(pod("b"));
    assert_eq!(counted(&mut desk), 1);
    desk.apply(pod("b").node_name("n1"));
    assert_eq!(counted(&mut desk), 2);
}

/// Which labels it looks for stands in the object itself, and in another that it reads.
#[test]
fn by_what_changes_from_look_to_look() {
    let mut desk = counts(|_, world| {
        let wanted = world.get::<ConfigMap>("wanted").and_then(|it| it.spec.data.get("site")).cloned();
        let Some(wanted) = wanted else { return 0 };
        let selector: Selector = format!("site={wanted}").parse().unwrap();
        world.select::<ConfigMap>("default", selector).count()
    });
    desk.apply(ConfigMap::new("wanted").data([("site", "shop")]));
    desk.apply(map("a", "x"));
    assert_eq!(counted(&mut desk), 0);
    desk.apply(ConfigMap::new("wanted").data([("site", "blog")]));
    assert_eq!(counted(&mut desk), 1);
    desk.apply(map("b", "x"));
    assert_eq!(counted(&mut desk), 2);
    desk.apply(ConfigMap::new("wanted").data([("site", "shop")]));
    assert_eq!(counted(&mut desk), 0);
    desk.apply(map("a", "x").label("site", "shop"));
    assert_eq!(counted(&mut desk), 1);
}

#[test]
fn an_object_of_the_cluster_finds_what_it_makes() {
    let mut desk = Desk::new([Controller::of::<Namespace>("settings", |_, world| {
        let plan = Plan::new().ensure(ConfigMap::new("settings").data([("a", "b")]));
        match world.get::<ConfigMap>("settings") {
            Some(settings) => plan.ensure(ConfigMap::new("seen").data([("a", &*settings.spec.data["a"])])),
            None => plan,
        }
    })]);
    desk.apply(Namespace::new("team"));
    desk.settle();
    assert_eq!(desk.get::<ConfigMap>("seen").unwrap().spec.data["a"], "b");
}
