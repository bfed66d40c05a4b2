//! [`Simulation`]: what is simulated, as data.

use std::sync::Arc;
use std::time::Duration;

use orchestra_core::client::{Delete, Policy};
use orchestra_core::control::election::Times;
use orchestra_core::control::{Controller, Part, Random};
use orchestra_core::object::{Apply, Resource, Str};

use super::faults::Faults;
use super::outside::{EffectCall, Handler, HandlerAnswer, Outside};
use super::truth::Truth;
use super::user::User;
use super::verdict::Verdict;

/// A system of controllers, what is done to it, what goes wrong, and what must be true.
///
/// It runs on virtual time, in one thread, and all that is random follows from a seed: the same seed
/// gives the same run, to the byte. Runs from [many seeds](Self::search) are spread over the processor's cores;
/// that is why what it is given can be shared by threads.
///
/// - [Control machines](Self::machines), two by default, run the [controllers](Self::controller), a
///   garbage collector and the calls of effects. One of them [leads](Self::without_election). All faults
///   fall on them.
/// - The [environment](Self::environment) is a machine that runs what is not tested: what plays the
///   nodes, say. No fault falls on it.
/// - [Users](Self::apply) change what is in the store. No fault falls on them either.
///
/// A run has three parts. First things happen and go wrong, and after each commit every
/// [invariant](Self::invariant) must hold. Then everything is mended, and nothing goes wrong any more.
/// From then on the [condition](Self::converges) must become true in time, stay so, and the system must
/// come to rest.
pub struct Simulation {
    pub(crate) seed: u64,
    pub(crate) controllers: Vec<Source>,
    pub(crate) environment: Vec<Source>,
    pub(crate) parts: Vec<PartSource>,
    pub(crate) machines: usize,
    pub(crate) times: Option<Times>,
    pub(crate) faults: Faults,
    pub(crate) script: Vec<(Duration, Arc<Act>)>,
    pub(crate) users: Vec<(f64, Arc<RandomUser>)>,
    pub(crate) handlers: Vec<(Str, Arc<Handler>)>,
    pub(crate) policy: Policy,
    pub(crate) invariants: Vec<(String, Box<Check>)>,
    pub(crate) goal: Option<Box<Check>>,
    pub(crate) within: Duration,
    pub(crate) stays: Duration,
    pub(crate) chaos: Option<Duration>,
    pub(crate) shrinking: usize,
    pub(crate) strips_guards: bool,
    pub(crate) tolerates_panics: bool,
    pub(crate) leader_dies: Option<Duration>,
}

/// Where a controller comes from when a machine starts.
pub(crate) type Source = Arc<dyn Fn() -> Controller + Send + Sync>;
/// Where a part comes from when a machine starts.
pub(crate) type PartSource = Arc<dyn Fn() -> Box<dyn Part> + Send + Sync>;
pub(crate) type Act = dyn Fn(&mut User<'_>) -> orchestra_core::Result<()> + Send + Sync;
pub(crate) type RandomUser = dyn Fn(&mut User<'_>, &mut Random) + Send + Sync;
pub(crate) type Check = dyn Fn(&Truth) -> Result<(), String> + Send + Sync;

impl Simulation {
    /// How long the condition has to become true, if nothing else is said: a new leader, and twice the
    /// longest backoff.
    pub const WITHIN: Duration = Duration::from_secs(900);
    /// How long it must stay true: longer than anything that happens only now and then takes to happen.
    pub const STAYS: Duration = Duration::from_secs(60);
    /// How long things go wrong at least.
    pub const CHAOS: Duration = Duration::from_secs(60);
    /// How many runs are spent on finding out which faults are needed for a failure.
    pub const SHRINKING: usize = 200;

    /// A simulation of nothing, from a seed: two control machines with an election, and no faults. The
    /// variable `ORCHESTRA_SEED` replaces the seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            controllers: Vec::new(),
            environment: Vec::new(),
            parts: Vec::new(),
            machines: 2,
            times: Some(Times::DEFAULT),
            faults: Faults::none(),
            script: Vec::new(),
            users: Vec::new(),
            handlers: Vec::new(),
            policy: Policy::open(),
            invariants: Vec::new(),
            goal: None,
            within: Self::WITHIN,
            stays: Self::STAYS,
            chaos: None,
            shrinking: Self::SHRINKING,
            strips_guards: false,
            tolerates_panics: false,
            leader_dies: None,
        }
    }

    /// Adds a controller to the control machines. What its reconciler has captured outlives a crash, and all
    /// machines and runs share it, so that nothing is found that comes of its being lost: whoever captures
    /// more than constants takes [`controller_with`](Self::controller_with).
    #[must_use]
    pub fn controller(self, controller: Controller) -> Self {
        self.controller_with(move || controller.clone())
    }

    /// Adds a controller that is made anew whenever a machine starts, so that a crash loses what its
    /// reconciler has captured.
    #[must_use]
    pub fn controller_with(mut self, make: impl Fn() -> Controller + Send + Sync + 'static) -> Self {
        self.controllers.push(Arc::new(make));
        self
    }

    /// Adds a machine of its own sort, such as a scheduler, to the control machines. It is made anew whenever one
    /// of them starts, and each has its own.
    #[must_use]
    pub fn part_with<P: Part + 'static>(mut self, make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        self.parts.push(Arc::new(move || Box::new(make())));
        self
    }

    /// Adds a controller to the environment: none is there by default, and then there is no such machine.
    #[must_use]
    pub fn environment(mut self, controller: Controller) -> Self {
        self.environment.push(Arc::new(move || controller.clone()));
        self
    }

    /// With so many control machines: one at least; two by default.
    #[must_use]
    pub fn machines(self, machines: usize) -> Self {
        Self { machines: machines.max(1), ..self }
    }

    /// With one control machine and no election. By default there is one, with the times of
    /// [`Times::DEFAULT`]. With more [machines](Self::machines) said after it, all of them are at work at once.
    #[must_use]
    pub fn without_election(self) -> Self {
        Self { machines: 1, times: None, ..self }
    }

    /// With these times of the election, instead of [`Times::DEFAULT`].
    #[must_use]
    pub fn election(self, times: Times) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The machine that leads at a time dies then, and never comes back. By default nobody dies for good.
    #[must_use]
    pub fn leader_dies_at(self, time: Duration) -> Self {
        Self { leader_dies: Some(time), ..self }
    }

    /// With these faults. There are none by default; [`Faults::everything`] is what a test wants.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Registers a handler of effects, in the place of another of its name: what it does, it does to the
    /// [world outside](Outside).
    #[must_use]
    pub fn handler<A: HandlerAnswer>(
        mut self,
        name: impl Into<Str>,
        handle: impl Fn(&mut Outside, &EffectCall) -> A + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        self.handlers.retain(|(other, _)| *other != name);
        self.handlers.push((name, Arc::new(move |world, call| handle(world, call).into_answer())));
        self
    }

    /// Sees to it at the beginning that these fields are so, as a user who applies a manifest.
    #[must_use]
    pub fn apply<R: Resource>(self, fields: Apply<R>) -> Self {
        self.apply_at(Duration::ZERO, fields)
    }

    /// Sees to it at a time that these fields are so.
    #[must_use]
    pub fn apply_at<R: Resource>(self, time: Duration, fields: Apply<R>) -> Self {
        self.at(time, move |user| user.apply(fields.clone()))
    }

    /// Changes an object at a time.
    #[must_use]
    pub fn edit_at<R: Resource>(
        self,
        time: Duration,
        namespace: &str,
        name: &str,
        edit: impl Fn(&mut R) + Send + Sync + 'static,
    ) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.at(time, move |user| user.edit(&namespace, &name, &edit))
    }

    /// Deletes an object at a time.
    #[must_use]
    pub fn delete_at<R: Resource>(self, time: Duration, namespace: &str, name: &str, how: Delete) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.at(time, move |user| user.delete::<R>(&namespace, &name, how.clone()))
    }

    /// Does something at a time. If it fails, the simulation does.
    #[must_use]
    pub fn at(
        mut self,
        time: Duration,
        act: impl Fn(&mut User<'_>) -> orchestra_core::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.script.push((time, Arc::new(act)));
        self
    }

    /// Does something again and again while things go wrong: so often a second, on average. What goes on
    /// while nothing changes finds little: let users do all that users do, about once in three seconds.
    #[must_use]
    pub fn users(
        mut self,
        rate: f64,
        act: impl Fn(&mut User<'_>, &mut Random) + Send + Sync + 'static,
    ) -> Self {
        self.users.push((rate, Arc::new(act)));
        self
    }

    /// With rules that look at every change, of users and controllers alike. By default everything is let
    /// through.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// States what must be true after each commit, and after each call of a handler. There may be many.
    #[must_use]
    pub fn invariant<V: Verdict>(
        mut self,
        name: impl Into<String>,
        check: impl Fn(&Truth) -> V + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push((name.into(), Box::new(move |truth| check(truth).verdict())));
        self
    }

    /// States what must become true once nothing goes wrong any more, and stay so. Without it, a run ends
    /// when everything is mended: then only invariants are looked at.
    #[must_use]
    pub fn goal<V: Verdict>(self, condition: impl Fn(&Truth) -> V + Send + Sync + 'static) -> Self {
        Self { goal: Some(Box::new(move |truth| condition(truth).verdict())), ..self }
    }

    /// How long the [goal](Self::goal) has to become true: [`Self::WITHIN`] by default.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { within: time, ..self }
    }

    /// How long the [goal](Self::goal) must stay true, without a commit: [`Self::STAYS`] by default.
    #[must_use]
    pub fn stays(self, time: Duration) -> Self {
        Self { stays: time, ..self }
    }

    /// How long things go wrong. Otherwise it is [a while](Self::CHAOS), and half of it after the last
    /// thing that was to be done.
    #[must_use]
    pub fn chaos_for(self, time: Duration) -> Self {
        Self { chaos: Some(time), ..self }
    }

    /// How many runs are spent on finding out which faults are needed for a failure:
    /// [`Self::SHRINKING`] by default, and none with 0.
    #[must_use]
    pub fn shrinking(self, runs: usize) -> Self {
        Self { shrinking: runs, ..self }
    }

    /// A reconciler may panic. Otherwise that is found, like an invariant that does not hold.
    #[must_use]
    pub fn tolerates_panics(self) -> Self {
        Self { tolerates_panics: true, ..self }
    }

    /// Takes the guards from what kernels commit: a kernel that is broken on purpose, which must be
    /// found out.
    #[doc(hidden)]
    #[must_use]
    pub fn sabotaged(self) -> Self {
        Self { strips_guards: true, ..self }
    }

    /// Runs it, and panics if anything is found: the last line of a test.
    ///
    /// # Panics
    /// With what was found, what happened last, and the command that shows it again.
    pub fn converges<V: Verdict>(
        self,
        condition: impl Fn(&Truth) -> V + Send + Sync + 'static,
        within: Duration,
    ) {
        let outcome = self.goal(condition).within(within).run();
        #[allow(clippy::panic)] // an assertion, like `assert!`: this is what it is for
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }

    pub(crate) const fn may_rewind(&self) -> bool {
        self.times.is_some() || self.faults.rewinds_unelected
    }

    /// How long things go wrong.
    pub(crate) fn chaos(&self) -> Duration {
        let script = self.script.iter().map(|(at, _)| *at);
        let last = script.chain(self.leader_dies).max().unwrap_or_default();
        self.chaos.unwrap_or_else(|| Self::CHAOS.max(last + Self::CHAOS / 2))
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a simulation of {} controllers from seed {}", self.controllers.len(), self.seed)
    }
}
