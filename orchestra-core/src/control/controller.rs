//! [`Controller`]: a reconciler and how it is to be run, as data.

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::{Backoff, Plan, PlanError, Rate, View, Watched};
use crate::client::ObjectName;
use crate::object::{Resource, Str};

/// A reconciler, what it is called, and how it is to be run.
///
/// A reconciler is a function of an object and a [`View`] of everything else: it says what is to be done
/// so that the object becomes what it should be. It is asked again whenever something changes that it
/// has read, and it never learns why it is asked.
///
/// ```
/// use orchestra_core::control::{Controller, Plan, View};
/// use orchestra_core::kinds::{Deployment, Pod};
///
/// fn web(deployment: &Deployment, world: &View<'_>) -> Plan {
///     Plan::new().ensure(Pod::new(deployment.name().clone()).owned_by(deployment))
/// }
/// let controller = Controller::new("web", web).in_flight(4);
///
/// // A closure's types must be said.
/// let controller = Controller::of::<Deployment>("web", |deployment, world| web(deployment, world));
/// ```
#[derive(Clone)]
pub struct Controller {
    name: Str,
    of: Watched,
    reconciler: Arc<dyn Reconciler>,
    watches: Vec<Watch>,
    narrowed: Vec<TypeId>,
    owns: Vec<Watched>,
    in_flight: usize,
    rate: Rate,
    backoff: Backoff,
    resync_every: Option<Duration>,
}

impl Controller {
    /// How many of a controller's objects are looked at at once, if nothing else is said: enough that
    /// the store's answers are not waited for one after the other, few enough that one controller does
    /// not take up a store that commits a few thousand times a second.
    pub const IN_FLIGHT: usize = 16;

    /// A controller of the kind of objects that a function reconciles: a
    /// `fn(&Website, &View<'_>) -> Plan`, or one that returns a `Result<Plan, E>`.
    ///
    /// Its name is the one under which it sets fields: keep it, or what was said under the old one stays.
    pub fn new<R: Resource, P: IntoPlan>(
        name: impl Into<Str>,
        reconcile: impl Fn(&R, &View<'_>) -> P + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            of: Watched::of::<R>(),
            reconciler: Arc::new(Function { reconcile, of: std::marker::PhantomData }),
            watches: Vec::new(),
            narrowed: Vec::new(),
            owns: Vec::new(),
            in_flight: Self::IN_FLIGHT,
            rate: Rate::UNLIMITED,
            backoff: Backoff::DEFAULT,
            resync_every: None,
        }
    }

    /// The same for a closure, of which it must be said what it reconciles:
    /// `Controller::of::<Website>("website", |site, world| Plan::new())`.
    pub fn of<R: Resource>(
        name: impl Into<Str>,
        reconcile: impl Reconcile<R> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, reconcile)
    }

    /// Says by hand whom a change of a `T` concerns: these objects of the controller's kind, and nobody
    /// else. What the reconciler reads of this kind is not noted then, so a change that is not named
    /// here wakes nobody. It pays where many objects read much of what seldom concerns them.
    #[must_use]
    pub fn watches<T: Resource>(
        mut self,
        concerns: impl Fn(&T) -> Vec<ObjectName> + Send + Sync + 'static,
    ) -> Self {
        let concerns = move |object: &dyn Any| object.downcast_ref().map(&concerns).unwrap_or_default();
        self.narrowed.push(TypeId::of::<T>());
        self.watches.push(Watch { of: Watched::of::<T>(), concerns: Arc::new(concerns) });
        self
    }

    /// Watches a kind from the start, not from the first look at it. That saves the first look, which
    /// is taken again once the kind is known.
    #[must_use]
    pub fn owns<T: Resource>(mut self) -> Self {
        self.owns.push(Watched::of::<T>());
        self
    }

    /// How many objects are looked at at once: one at least.
    #[must_use]
    pub fn in_flight(self, most: usize) -> Self {
        Self { in_flight: NonZeroUsize::new(most).map_or(1, NonZeroUsize::get), ..self }
    }

    /// How often objects are looked at: so often a second in the long run, and so many at once.
    #[must_use]
    pub fn rate(self, per_second: f64, burst: u32) -> Self {
        Self { rate: Rate::new(per_second, burst), ..self }
    }

    /// How long an object waits after its reconciler has failed.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Looks at each object again after so long a time, though nothing happens. That is for what no
    /// watch can show, such as the state of a cloud.
    #[must_use]
    pub fn resync_every(self, period: Duration) -> Self {
        Self { resync_every: Some(period), ..self }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Str {
        &self.name
    }

    /// Of which kind its objects are.
    #[must_use]
    pub const fn watched(&self) -> Watched {
        self.of
    }

    /// The reconciler.
    #[must_use]
    pub const fn reconciler(&self) -> &Arc<dyn Reconciler> {
        &self.reconciler
    }

    /// The kinds of which it was said by hand whom a change concerns.
    #[must_use]
    pub fn watch_list(&self) -> &[Watch] {
        &self.watches
    }

    /// The kinds that are watched from the start.
    #[must_use]
    pub fn owned_kinds(&self) -> &[Watched] {
        &self.owns
    }

    /// How many objects are looked at at once.
    #[must_use]
    pub const fn most_in_flight(&self) -> usize {
        self.in_flight
    }

    /// How often objects are looked at.
    #[must_use]
    pub const fn look_rate(&self) -> Rate {
        self.rate
    }

    /// How long an object waits after its reconciler has failed.
    #[must_use]
    pub const fn look_backoff(&self) -> Backoff {
        self.backoff
    }

    /// How often each object is looked at though nothing happens.
    #[must_use]
    pub const fn resync_period(&self) -> Option<Duration> {
        self.resync_every
    }

    /// The kinds that must be watched from the beginning.
    pub(super) fn subscriptions(&self) -> Vec<Watched> {
        let watched = self.watches.iter().map(Watch::watched);
        [self.of].into_iter().chain(watched).chain(self.owns.iter().copied()).collect()
    }

    /// The types whose changes concern only whom the controller says.
    pub(super) fn narrowed(&self) -> &[TypeId] {
        &self.narrowed
    }

    /// Whom a change of an object concerns, by what the controller says.
    pub(super) fn concerned(&self, watched: Watched, object: &dyn Any) -> Vec<ObjectName> {
        let watches = self.watches.iter().filter(|watch| watch.of == watched);
        watches.flat_map(|watch| watch.concerns(object)).collect()
    }

    /// Asks the reconciler.
    ///
    /// # Errors
    /// What the reconciler says.
    pub fn reconcile(&self, object: &dyn Any, view: &View<'_>) -> Result<Plan, ReconcileError> {
        self.reconciler.reconcile(object, view)
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("name", &self.name)
            .field("of", &self.of)
            .field("watches", &self.watches)
            .field("owns", &self.owns)
            .field("in_flight", &self.in_flight)
            .field("rate", &self.rate)
            .field("backoff", &self.backoff)
            .field("resync_every", &self.resync_every)
            .finish_non_exhaustive()
    }
}

/// A function that reconciles objects of a type.
///
/// It has a name only so that [`Controller::of`] can be told the one type and find out the other.
pub trait Reconcile<R>: Fn(&R, &View<'_>) -> Self::Plan {
    /// What it returns.
    type Plan: IntoPlan;
}

impl<R, P: IntoPlan, F: Fn(&R, &View<'_>) -> P> Reconcile<R> for F {
    type Plan = P;
}

/// A reconciler of objects of a kind that is known only when the program runs.
pub trait Reconciler: Send + Sync {
    /// Says what is to be done for an object, which is of the controller's type.
    ///
    /// # Errors
    /// What the reconciler says.
    fn reconcile(&self, object: &dyn Any, view: &View<'_>) -> Result<Plan, ReconcileError>;
}

struct Function<F, R> {
    reconcile: F,
    of: std::marker::PhantomData<fn(&R)>,
}

impl<R, P, F> Reconciler for Function<F, R>
where
    R: Resource,
    P: IntoPlan,
    F: Fn(&R, &View<'_>) -> P + Send + Sync,
{
    fn reconcile(&self, object: &dyn Any, view: &View<'_>) -> Result<Plan, ReconcileError> {
        match object.downcast_ref::<R>() {
            Some(object) => (self.reconcile)(object, view).into_plan(),
            None => Err(ReconcileError::OtherKind { kind: R::KIND.name() }),
        }
    }
}

/// Whom a change of an object concerns, said by hand.
#[derive(Clone)]
pub struct Watch {
    of: Watched,
    concerns: Arc<Concerns>,
}

type Concerns = dyn Fn(&dyn Any) -> Vec<ObjectName> + Send + Sync;

impl Watch {
    /// The kind that is watched.
    #[must_use]
    pub const fn watched(&self) -> Watched {
        self.of
    }

    /// The objects of the controller's kind that a change of this object concerns.
    #[must_use]
    pub fn concerns(&self, object: &dyn Any) -> Vec<ObjectName> {
        (self.concerns)(object)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

/// What a reconciler may return: a [`Plan`], or a `Result<Plan, E>` with any error.
#[diagnostic::on_unimplemented(
    message = "a reconciler returns a `Plan` or a `Result<Plan, E>`, not a `{Self}`",
    label = "this reconciler returns a `{Self}`",
    note = "where there is nothing to do, return `Plan::new()`",
    note = "a reconciler is no `async fn`: what takes time or reaches outside is an effect, `Plan::effect`"
)]
pub trait IntoPlan {
    /// The plan, or why there is none.
    ///
    /// # Errors
    /// What the reconciler says.
    fn into_plan(self) -> Result<Plan, ReconcileError>;
}

impl IntoPlan for Plan {
    fn into_plan(self) -> Result<Plan, ReconcileError> {
        Ok(self)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> IntoPlan for Result<Plan, E> {
    fn into_plan(self) -> Result<Plan, ReconcileError> {
        self.map_err(|error| ReconcileError::Failed(error.into()))
    }
}

/// Why there is no plan for an object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The reconciler says so.
    #[error("the reconciler failed: {0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),

    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),

    /// The object is of another type than the reconciler's.
    #[error("the object is no {kind}")]
    OtherKind {
        /// What it should be.
        kind: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Deployment, Node, Pod};

    fn plain(pod: &Pod, _world: &View<'_>) -> Plan {
        Plan::new().delete(pod)
    }

    fn may_fail(pod: &Pod, _world: &View<'_>) -> Result<Plan, std::num::ParseIntError> {
        let number: u64 = pod.name().parse()?;
        Ok(Plan::new().after(Duration::from_secs(number)))
    }

    fn fails_with_words(_pod: &Pod, _world: &View<'_>) -> Result<Plan, &'static str> {
        Err("out of paper")
    }

    fn pod(name: &str) -> Pod {
        Pod::new(name).namespace("default").build().unwrap()
    }

    #[test]
    fn functions_and_closures_are_asked() {
        let (world, seven) = (crate::control::World::new(), pod("7"));
        let view = world.view(&seven);
        let limit = 3;
        let plan = |controller: &Controller| controller.reconcile(&seven, &view);
        assert_eq!(plan(&Controller::new("a", plain)).unwrap(), Plan::new().delete(&seven));
        assert_eq!(plan(&Controller::new("a", may_fail)).unwrap(), Plan::new().after(Duration::from_secs(7)));
        let closure =
            Controller::of::<Pod>(
                "a",
                move |pod, _| if limit > 2 { Plan::new().delete(pod) } else { Plan::new() },
            );
        assert_eq!(plan(&closure).unwrap(), Plan::new().delete(&seven));
        let closure = Controller::of::<Pod>("a", may_fail);
        assert!(plan(&closure).is_ok());
        let closure = Controller::new("a", |pod: &Pod, world: &View<'_>| plain(pod, world));
        assert!(plan(&closure).is_ok());

        let error = Controller::new("a", fails_with_words).reconcile(&seven, &view).unwrap_err();
        assert_eq!(error.to_string(), "the reconciler failed: out of paper");
        let error = Controller::new("a", may_fail).reconcile(&pod("x"), &view).unwrap_err();
        assert!(error.source().unwrap().downcast_ref::<std::num::ParseIntError>().is_some());
        let error = Controller::new("a", plain).reconcile(&Node::default(), &view).unwrap_err();
        assert_eq!(error.to_string(), "the object is no Pod");
    }

    #[test]
    fn how_it_is_run_is_data() {
        let controller = Controller::new("pods", plain);
        assert_eq!((controller.name().as_str(), controller.watched()), ("pods", Watched::of::<Pod>()));
        assert_eq!(controller.most_in_flight(), Controller::IN_FLIGHT);
        assert_eq!((controller.look_rate(), controller.resync_period()), (Rate::UNLIMITED, None));

        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(2) };
        let controller = controller
            .watches(|node: &Node| {
                ObjectName::new(crate::object::Kind::namespaced("v1", "Pod"), "", node.name().clone())
                    .into_iter()
                    .collect()
            })
            .owns::<Deployment>()
            .in_flight(0)
            .rate(5.0, 10)
            .backoff(backoff)
            .resync_every(Duration::from_secs(60));
        let node = Node::new("n1").build().unwrap();
        let [watch] = controller.watch_list() else { panic!("{controller:?}") };
        assert_eq!(watch.watched(), Watched::of::<Node>());
        assert_eq!(watch.concerns(&node)[0].to_string(), "Pod default/n1");
        assert!(watch.concerns(&pod("other")).is_empty());
        assert_eq!(controller.owned_kinds(), [Watched::of::<Deployment>()]);
        assert_eq!(controller.most_in_flight(), 1);
        assert_eq!(controller.look_rate(), Rate::new(5.0, 10));
        assert_eq!(
            (controller.look_backoff(), controller.resync_period()),
            (backoff, Some(Duration::from_secs(60)))
        );
    }
}
