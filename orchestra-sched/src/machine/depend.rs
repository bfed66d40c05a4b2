//! [`Dependencies`]: what pods depend on, and who waits for it.

use std::collections::{BTreeMap, BTreeSet};

use orchestra_core::client::ObjectName;
use orchestra_core::control::{Cache, Desk, Need, Now, Watched};
use orchestra_core::kinds::{DaemonSet, Dependency, Deployment, Job, Pod, PodExtension, StatefulSet};
use orchestra_core::object::{Condition, Conditions, Resource, Str};
use orchestra_core::store::Key;

use super::pods::{At, Held};
use super::work::Work;

/// How many pods' dependencies are looked at in a turn.
const LOOKED_AT_ONCE: usize = 64;
/// How far what waits for what is followed, in objects, to find out whether it comes round.
const MOST_FOLLOWED: usize = 64;

/// The kinds that pods may depend on.
#[derive(Default)]
pub(super) struct Dependables(Vec<Dependable>);

/// A kind that pods may depend on.
struct Dependable {
    watched: Watched,
    see: Box<See>,
}

/// How an object is seen, and whether a condition holds of it.
type See = dyn Fn(&Cache, &Object, &str) -> Option<Seen> + Send + Sync;

/// What is seen of an object that somebody depends on.
struct Seen {
    /// Whether the condition holds that was asked about.
    holds: bool,
    /// What it depends on itself.
    on: Vec<Dependency>,
}

/// An object: its kind, its namespace, its name.
type Object = (Str, Str, Str);

impl Dependables {
    /// The kinds of Kubernetes that become available, complete or ready.
    pub(super) fn builtin() -> Self {
        Self(Vec::new())
            .with::<Deployment>(
                |it, condition| it.status.conditions.is_true(condition),
                |it| {
                    let own = it.spec.orchestra.as_ref().map_or(&[][..], |it| &it.depends_on);
                    both(own, it.spec.template.spec.orchestra.as_deref())
                },
            )
            .with::<StatefulSet>(
                |it, condition| match condition {
                    "Available" => {
                        it.status.observed_generation >= it.metadata.generation
                            && it.status.available_replicas >= it.spec.replicas
                    }
                    _ => it.status.conditions.is_true(condition),
                },
                |it| both(&[], it.spec.template.spec.orchestra.as_deref()),
            )
            .with::<DaemonSet>(
                |it, condition| match condition {
                    "Available" => {
                        it.status.observed_generation >= it.metadata.generation
                            && it.status.number_available >= it.status.desired_number_scheduled
                    }
                    _ => it.status.conditions.is_true(condition),
                },
                |it| both(&[], it.spec.template.spec.orchestra.as_deref()),
            )
            .with::<Job>(
                |it, condition| it.status.conditions.is_true(condition),
                |it| both(&[], it.spec.template.spec.orchestra.as_deref()),
            )
            .with::<Pod>(
                |it, condition| it.status.conditions.is_true(condition),
                |it| both(&[], it.spec.orchestra.as_deref()),
            )
    }

    /// With one more kind, in the place of one of the same name.
    pub(super) fn with<R: Resource>(
        mut self,
        holds: impl Fn(&R, &str) -> bool + Send + Sync + 'static,
        on: impl Fn(&R) -> Vec<Dependency> + Send + Sync + 'static,
    ) -> Self {
        self.0.retain(|it| it.watched.kind().name() != R::KIND.name());
        let see = move |cache: &Cache, (_, namespace, name): &Object, condition: &str| {
            let object = cache.get::<R>(namespace, name)?;
            Some(Seen { holds: holds(object, condition), on: on(object) })
        };
        self.0.push(Dependable { watched: Watched::of::<R>(), see: Box::new(see) });
        self
    }

    pub(super) fn needs(&self) -> impl Iterator<Item = Need> + '_ {
        self.0.iter().map(|it| Need::kind(it.watched))
    }

    fn of(&self, kind: &str) -> Option<&Dependable> {
        self.0.iter().find(|it| it.watched.kind().name() == kind)
    }

    /// What something in a namespace depends on.
    fn object(&self, namespace: &Str, on: &Dependency) -> Object {
        let is_namespaced = self.of(&on.kind).is_none_or(|it| it.watched.kind().is_namespaced());
        let namespace = match is_namespaced {
            false => Str::EMPTY,
            true if on.namespace.is_empty() => namespace.clone(),
            true => on.namespace.clone(),
        };
        (on.kind.clone(), namespace, on.name.clone())
    }

    /// What a pod or another object still waits for, in words; nothing if all is there.
    fn missing(&self, cache: &Cache, namespace: &Str, on: &[Dependency]) -> Option<String> {
        on.iter().find_map(|it| self.misses(cache, namespace, it))
    }

    fn misses(&self, cache: &Cache, namespace: &Str, on: &Dependency) -> Option<String> {
        let object = self.object(namespace, on);
        let named = format!("{} {}", on.kind, object.2);
        let Some(kind) = self.of(&on.kind) else {
            return Some(format!(
                "depends on {named}, a kind whose state this scheduler is not told how to read"
            ));
        };
        let wanted = format!("waits for {named} to be {}", on.condition);
        let Some(seen) = (kind.see)(cache, &object, &on.condition) else {
            return Some(format!("{wanted}: there is none in namespace {}", object.1));
        };
        if seen.holds {
            return None;
        }
        Some(match self.comes_round(cache, &object, &seen) {
            Some(way) => format!("{wanted}, which never comes: {way}"),
            None => wanted,
        })
    }

    /// Whether an object waits for itself, by way of others, and by which.
    fn comes_round(&self, cache: &Cache, start: &Object, seen: &Seen) -> Option<String> {
        let next = |from: &Object, on: &[Dependency]| -> Vec<(Object, Dependency)> {
            on.iter().map(|it| (self.object(&from.1, it), it.clone())).collect()
        };
        let mut open = next(start, &seen.on);
        let mut came_from: BTreeMap<Object, Object> =
            open.iter().map(|(to, _)| (to.clone(), start.clone())).collect();
        while let Some((object, on)) = open.pop() {
            if object == *start {
                let mut way = vec![format!("{} {}", start.0, start.2)];
                let mut at = &object;
                while let Some(before) = came_from.get(at) {
                    way.push(format!("{} {}", before.0, before.2));
                    if before == start || way.len() > MOST_FOLLOWED {
                        break;
                    }
                    at = before;
                }
                way.reverse();
                return Some(way.join(" waits for "));
            }
            let Some(seen) = self.of(&on.kind).and_then(|it| (it.see)(cache, &object, &on.condition)) else {
                continue;
            };
            // What is there already waits for nobody.
            for (to, on) in next(&object, &seen.on).into_iter().filter(|_| !seen.holds) {
                if !came_from.contains_key(&to) && came_from.len() < MOST_FOLLOWED {
                    came_from.insert(to.clone(), object.clone());
                    open.push((to, on));
                }
            }
        }
        None
    }
}

/// What an object says of itself, and what its pods say.
fn both(own: &[Dependency], pods: Option<&PodExtension>) -> Vec<Dependency> {
    own.iter().chain(pods.into_iter().flat_map(|it| &it.depends_on)).cloned().collect()
}

/// What pods depend on, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Dependencies {
    waiting: BTreeMap<Key, (Vec<Dependency>, Vec<Object>)>,
    for_object: BTreeMap<Object, BTreeSet<Key>>,
    to_look_at: BTreeSet<Key>,
}

impl Dependencies {
    /// A pod comes that depends on something. It is looked at before anything else is done with it.
    pub(super) fn add(&mut self, key: &Key, namespace: &Str, on: &[Dependency], kinds: &Dependables) {
        let objects: Vec<_> = on.iter().map(|it| kinds.object(namespace, it)).collect();
        for object in &objects {
            self.for_object.entry(object.clone()).or_default().insert(key.clone());
        }
        self.waiting.insert(key.clone(), (on.to_vec(), objects));
        self.to_look_at.insert(key.clone());
    }

    /// It waits for nothing any more.
    pub(super) fn forget(&mut self, key: &Key) {
        for object in self.waiting.remove(key).unwrap_or_default().1 {
            if let Some(waiting) = self.for_object.get_mut(&object) {
                waiting.remove(key);
                if waiting.is_empty() {
                    self.for_object.remove(&object);
                }
            }
        }
        self.to_look_at.remove(key);
    }

    pub(super) fn on(&self, key: &Key) -> &[Dependency] {
        self.waiting.get(key).map_or(&[], |(on, _)| on)
    }

    /// Something has changed: who waits for it is looked at again.
    /// Tells whether anybody does.
    pub(super) fn changed(&mut self, watched: Watched, key: &Key) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let Some(name) = ObjectName::of_key(watched.kind(), key) else { return false };
        let object = (Str::from(watched.kind().name()), name.namespace().clone(), name.name().clone());
        let Some(waiting) = self.for_object.get(&object) else { return false };
        self.to_look_at.extend(waiting.iter().cloned());
        true
    }
}

impl Work {
    /// Looks whether what pods wait for is there.
    pub(super) fn look_at_dependencies(&mut self, now: Now, desk: &Desk<'_>) {
        for _ in 0..LOOKED_AT_ONCE {
            let Some(key) = self.dependencies.to_look_at.pop_first() else { return };
            let Some(waiting) = self.pods.get_mut(&key) else { continue };
            let namespace = waiting.view.namespace().clone();
            match self.dependables.missing(desk.cache(), &namespace, self.dependencies.on(&key)) {
                Some(why) => {
                    waiting.at = At::Held(Held { reason: "DependenciesMissing", why: why.into() });
                    self.tell_later(&key);
                }
                None => {
                    self.dependencies.forget(&key);
                    self.admit(now, &key);
                }
            }
        }
        self.is_busy = true;
    }
}

impl Held {
    /// What is said of a pod that is held back.
    pub(super) fn condition(&self, condition: Condition) -> Condition {
        condition.because(self.reason, self.why.clone())
    }
}
