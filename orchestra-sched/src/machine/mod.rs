//! [`Scheduler`]: what finds nodes for the pods in a store, and binds them.

mod batch;
mod decide;
mod depend;
mod gangs;
mod ledger;
mod nominate;
mod placers;
mod pods;
mod provisional;
mod queues;
mod room;
mod sabotage;
mod see;
mod tell;
mod volumes;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orchestra_core::control::{Answer, Cache, Changes, Desk, Need, Now, Part, Watched};
use orchestra_core::kinds::{
    Dependency, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodDisruptionBudget, PodGroup,
    StorageClass,
};
use orchestra_core::object::{Resource, Str};

use crate::fair::FairQueue;
use crate::placer::Placer;
use crate::preempt::{LeastImportant, Preempt};
use crate::profile::Profile;
use crate::queue::{PrioritySort, QueueOrder};
use depend::Dependables;
pub use ledger::{Ledger, LedgerSpec};
pub use queues::{QueueShare, QueueShareSpec};
#[doc(hidden)]
pub use sabotage::Sabotage;
use work::Work;

/// Finds nodes for the pods in a store, and binds them. It is a [`Part`]: the real driver runs it, and a
/// simulation does, unchanged.
///
/// ```
/// use orchestra_sched::{Profile, Scheduler};
/// # fn run(manager: orchestra_core::control::Manager) {
/// let scheduler = Scheduler::new("scheduler").profile(Profile::default().named("batch"));
/// let manager = manager.part(scheduler);
/// # }
/// ```
///
/// # What it sees to
/// - **Whose pods.** Those whose `schedulerName` names one of its [profiles](Self::profile); their pods
///   wait in the same queues.
/// - **No node is given away twice**, however many schedulers work on one store: a bind guards the pod, the node
///   as it was seen, and the node's [`Ledger`], which it writes anew. Which pods are near which (affinity,
///   spreading) is exact among the pods of one scheduler only.
/// - **Many at once.** Binds are gathered into transactions, several of which are under way; a node takes part in
///   one at a time. What meets with a conflict is decided again on what is seen then, in smaller transactions.
///   After an answer that was lost, what took effect is looked up before anything is decided again.
/// - **Who fits nowhere waits**, and is tried again when that would help: a few classes of pods are asked about at a
///   time, after something has changed. The pod has the condition `PodScheduled=False` and the event
///   `FailedScheduling` with a summary of the reasons.
/// - **Who is more important may drive out others**: the pod is nominated, its victims are deleted with the grace
///   that they ask for, and until it is bound the room is kept from all who are not more important. Where victims
///   are still leaving, it does not drive out more.
/// - **Queues** (`spec.orchestra.queue`) have their turns by what each has already, and no more than their
///   [`QueueShare`] allows.
/// - **What a pod depends on** (`spec.orchestra.dependsOn`) is there before it is placed: that an object of the
///   kinds Deployment, StatefulSet, DaemonSet, Job, Pod, or of [one's own](Self::depend_on), has a condition. It is
///   asked once: what fails later is no reason to wait again. Where what a pod waits for waits for itself, it is told so.
/// - **Deadlines** (`spec.orchestra.deadline`): what could not end in time any more is not placed, and told so. By
///   [`EarliestDeadline`](crate::EarliestDeadline), given as [`order`](Self::order), what must start first is first.
/// - **Volumes and devices** that were decided about are written down in the transaction that binds the pod: a volume and
///   its claim are bound to each other, a claim is told the node for which its volume is to be made. Whoever runs the pod
///   waits for what is to be made: nobody does here.
/// - **Gangs** (`spec.orchestra.podGroup`) are bound in one transaction, all or none of as many as their
///   [`PodGroup`] says. Where that is more than the store takes at once, they are bound one by one, and count only once
///   the PodGroup has the phase `Scheduled`: before that nobody may start them. Where it takes longer than
///   `scheduleTimeout`, all of them lose their nodes again. Others make way for all of a more important gang or for none.
///
/// # What it does not
/// A node that shrinks below what runs there already is nobody's fault, and nobody is driven out for it.
pub struct Scheduler {
    settings: Settings,
    composition: Composition,
    algorithms: Algorithms,
    work: Work,
}

/// What a scheduler is made of that stays as it is.
struct Composition {
    profiles: Vec<Profile>,
    /// An empty queue, in the order that was chosen.
    queue: Box<dyn Fn() -> FairQueue + Send>,
    dependables: Arc<Dependables>,
}

/// What may keep something about the cluster that it is asked about.
struct Algorithms {
    preempt: Box<dyn Preempt>,
    /// By the name of their profile.
    placers: BTreeMap<Str, Box<dyn Placer>>,
}

/// How much a [`Scheduler`] does at once, and what it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which of two equal nodes is taken follows from it. Schedulers that work on one store at the same time get
    /// in each other's way less often when theirs differ.
    pub seed: u64,
    /// How many pods are bound in one transaction at most; fewer, where the store takes less.
    pub at_once: usize,
    /// How many decisions are made in a turn, before others have theirs; one at least.
    pub per_turn: usize,
    /// How many pods are decided about and not bound yet, at most; one at least. What is decided early is decided on what may
    /// have changed.
    pub ahead: usize,
    /// How often those who fit nowhere are tried again though nothing that is known would help.
    pub flush: Duration,
    /// How often what keeps a pod waiting is written to it at most.
    pub tell_every: Duration,
    /// Whether a pod that is bound has the event `Scheduled`. It costs another write for each pod, so that fewer
    /// than half as many are bound in a second.
    pub tell_scheduled: bool,
    /// What is broken on purpose: nothing.
    #[doc(hidden)]
    pub sabotage: Option<Sabotage>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            at_once: 128,
            per_turn: 256,
            ahead: 1024,
            flush: Duration::from_secs(60),
            tell_every: Duration::from_secs(10),
            tell_scheduled: false,
            sabotage: None,
        }
    }
}

impl Scheduler {
    /// A scheduler with the profile [`Profile::default`], for the pods that name no other.
    #[must_use]
    pub fn new(name: impl Into<Str>) -> Self {
        Self {
            settings: Settings::default(),
            composition: Composition {
                profiles: vec![Profile::default()],
                queue: Box::new(|| FairQueue::new(PrioritySort)),
                dependables: Arc::new(Dependables::builtin()),
            },
            algorithms: Algorithms { preempt: Box::new(LeastImportant::default()), placers: BTreeMap::new() },
            work: Work::new(name.into()),
        }
    }

    /// With one more profile, in the place of one of the same name.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        let profiles = &mut self.composition.profiles;
        profiles.retain(|it| it.name() != profile.name());
        profiles.push(profile);
        self
    }

    /// Without the profile of a name: pods that name it are somebody else's.
    #[must_use]
    pub fn without_profile(mut self, name: &str) -> Self {
        self.composition.profiles.retain(|it| it.name() != name);
        self
    }

    /// Finds out otherwise who has to go for a more important pod.
    #[must_use]
    pub fn preempt(mut self, preempt: impl Preempt + 'static) -> Self {
        self.algorithms.preempt = Box::new(preempt);
        self
    }

    /// Has a placer decide about the pods of a profile, all together whose turn it is. What it decides is believed
    /// only where there is room; gangs, and those that are made room for, are placed by the profile's rules. A pod to
    /// which it gives no place waits: others have to go for it only where the profile's rules find no node either. It is
    /// asked again when those rules find one, or after [`Settings::flush`].
    #[must_use]
    pub fn placer(mut self, profile: impl Into<Str>, placer: impl Placer + 'static) -> Self {
        self.algorithms.placers.insert(profile.into(), Box::new(placer));
        self
    }

    /// Gives pods of one queue their turn in another order than [`PrioritySort`]'s.
    #[must_use]
    pub fn order(mut self, order: impl QueueOrder + Clone + 'static) -> Self {
        self.composition.queue = Box::new(move || FairQueue::new(order.clone()));
        self
    }

    /// Lets pods depend on objects of one more kind (`orchestra.dependsOn`): whether a condition holds of one, and
    /// what it depends on itself, which is how a circle is found out.
    ///
    /// ```
    /// use orchestra_core::kinds::Service;
    /// use orchestra_sched::Scheduler;
    ///
    /// let scheduler = Scheduler::new("scheduler")
    ///     .depend_on::<Service>(|service, _| !service.spec.cluster_ip.is_empty(), |_| Vec::new());
    /// ```
    #[must_use]
    pub fn depend_on<R: Resource>(
        mut self,
        holds: impl Fn(&R, &str) -> bool + Send + Sync + 'static,
        on: impl Fn(&R) -> Vec<Dependency> + Send + Sync + 'static,
    ) -> Self {
        let dependables = std::mem::take(&mut self.composition.dependables);
        // Nobody else has it before it begins.
        let dependables = Arc::into_inner(dependables).unwrap_or_else(Dependables::builtin);
        self.composition.dependables = Arc::new(dependables.with(holds, on));
        self
    }

    /// With other settings.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }
}

impl Part for Scheduler {
    fn name(&self) -> Str {
        self.work.name.clone()
    }

    fn needs(&self) -> Vec<Need> {
        let kinds = [
            Watched::of::<Pod>(),
            Watched::of::<Node>(),
            Watched::of::<Namespace>(),
            Watched::of::<PodDisruptionBudget>(),
            Watched::of::<PodGroup>(),
            Watched::of::<PersistentVolumeClaim>(),
            Watched::of::<PersistentVolume>(),
            Watched::of::<StorageClass>(),
            Watched::of::<Ledger>(),
            Watched::of::<QueueShare>(),
        ];
        let mut needs: Vec<_> = kinds.into_iter().map(Need::kind).collect();
        let dependables = self.composition.dependables.needs();
        needs.extend(dependables.filter(|need| !kinds.contains(&need.watched())));
        needs
    }

    fn begin(&mut self, now: Now, cache: &Cache) {
        self.algorithms.preempt.forget();
        self.algorithms.placers.values_mut().for_each(|placer| placer.forget());
        self.work = Work::new(self.work.name.clone()).with(&self.settings, &self.composition);
        self.work.see_all(now, cache);
    }

    fn changed(&mut self, now: Now, changes: &Changes) {
        self.work.see(now, changes);
    }

    fn answered(&mut self, now: Now, id: u64, answer: Answer) {
        self.work.answered(now, id, answer);
    }

    fn act(&mut self, now: Now, desk: &mut Desk<'_>) {
        self.work.act(now, desk, &mut self.algorithms);
    }

    fn due(&self) -> Option<Duration> {
        self.work.due()
    }
}
