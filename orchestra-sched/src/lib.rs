//! Decides which node runs which pod, all nodes considered, and says why.
//!
//! A [`Cluster`] is told what happens to nodes and pods and holds that as columns; a [`Decider`] finds the
//! best node for a pod by a [`Profile`], a list of small rules. The rules that come with it are those of
//! Kubernetes' default scheduler, with their documented meaning.
//!
//! ```
//! use orchestra_core::kinds::{Container, Node, Pod};
//! use orchestra_core::object::Quantity;
//! use orchestra_sched::{Cluster, Decider, Decision, Profile};
//!
//! let mut cluster = Cluster::seeded(7);
//! for (name, cpu) in [("small", 1), ("big", 4)] {
//!     let mut node = Node::new(name).build()?;
//!     node.status.allocatable.insert("cpu", Quantity::from(cpu));
//!     node.status.allocatable.insert("memory", Quantity::bytes(8 << 30));
//!     node.status.allocatable.insert("pods", Quantity::from(110));
//!     cluster.set_node(&node);
//! }
//! let mut decider = Decider::new(Profile::default());
//! let mut pod = |name: &str| {
//!     let pod = Pod::new(name).container(Container::new("app").request("cpu", "1500m")).build().unwrap();
//!     let view = cluster.view(&pod);
//!     let decision = decider.decide(&cluster, &view);
//!     if let Decision::Place { node, .. } = decision {
//!         cluster.assume(&view, node);
//!     }
//!     (decision, decider.explain(&cluster, &view).summary())
//! };
//! assert!(matches!(pod("web-0").0, Decision::Place { .. }));
//! assert!(matches!(pod("web-1").0, Decision::Place { .. }));
//! assert_eq!(pod("web-2"), (Decision::NoFit, "0/2 nodes are available: 2 Insufficient cpu.".into()));
//! # Ok::<_, orchestra_core::Error>(())
//! ```
//!
//! # A rule of one's own
//!
//! A [`Filter`] says where a pod can be, a [`Score`] where it is best. A few lines are enough: the pod and
//! one node at a time. See there for how a rule says that it can be asked less often, or looks at columns.
//!
//! A rule that panics stops nobody: the nodes about which it does are rejected, and that is the reason.
//!
//! [`Profiles`] are read from files such as Kubernetes' scheduler has, where [`Rules`] says what names stand for.
//!
//! Beyond Kubernetes' rules there are [data locality](scores::DataLocality), [cost](scores::Cost) and
//! [its limits](filters::CostLimits), and [packing](scores::BestFit); a profile that wants them names them.
//!
//! # Devices
//!
//! A node says how many it has (`nvidia.com/gpu: 8`), and a pod asks for whole ones (`nvidia.com/gpu: 2`) or for a
//! share of a single one (`nvidia.com/gpu-milli: 500`). Which ones it has is decided with its place: by a rule that
//! [has a say in it](Score::devices), or else so that the fullest is filled up. It stands in the pod
//! (`spec.orchestra.devices`), from where it is read again. Shares of the containers of a pod are on one device together.
//!
//! # How a decision is fast and still exact
//!
//! Pods that ask the same are of one *class*, found when the pod is first [seen](Cluster::view). What the
//! rules said for a class is kept, node by node, and only nodes that have changed since are asked about
//! again; what holds for a whole domain (a zone, a rack) is asked once for each. So a decision costs about
//! as much as has changed since the last one of its class, and yet it is the one that asking every rule
//! about every node would give ([`Decider::decide_anew`]); the tests hold both against a slow model, over
//! random clusters, node by node and tie by tie. Of two nodes that are equally good the one with the lower
//! rank is taken, which follows from the [cluster's seed](Cluster::seeded) and the node's name.
//!
//! `cargo bench --bench scheduling` tells what that comes to, by the workloads of Kubernetes' scheduler_perf, and has
//! the model check samples of what was decided. What limits it:
//!
//! - Pods that all differ have nothing kept for them. Where only amounts of processor time and memory tell nodes apart,
//!   each is looked up in a tree of nodes that have about the same left, and looks closely at those only that could
//!   be best ([`Score::at_most`]). Where other rules have a say, each looks at every node, 64 at a time, which costs
//!   some nanoseconds a node.
//! - Soft spreading, and what others want near a zone, is scaled between the best and the worst zone where the pod
//!   fits. So each decision asks about one node of each zone anew, whatever is kept.
//! - Preferred affinity by host is scaled between the best and the worst *node* where the pod fits, which any pod
//!   that comes may change: such a decision compares all nodes.
//! - Where room is kept for nominated pods, those of the same or a lower priority with affinity or spreading ask
//!   all rules about all nodes.
//!
//! Decisions a second of one core's time, all nodes considered, by `cargo bench --bench scheduling -- algo/ huge/` (the
//! rows `per-core`) on two cores that others used meanwhile; of each case the model made 1,000 decisions again:
//!
//! | workload | 500 nodes | 5,000 | 50,000 |
//! |---|---|---|---|
//! | SchedulingBasic | 621,000 | 341,000 | 326,000 |
//! | SchedulingDistinct | 75,000 | 34,000 | 22,000 |
//! | PodAntiAffinity | 373,000 | 291,000 | 231,000 |
//! | PodAffinity | 197,000 | 220,000 | 66,000 |
//! | NodeAffinity | 360,000 | 345,000 | 209,000 |
//! | PreferredTopologySpreading | 304,000 | 191,000 | 70,000 |
//! | TopologySpreading | 472,000 | 297,000 | 213,000 |
//! | Preemption | 84,000 | 64,000 | 52,000 |
//! | Unschedulable | 552,000 | 540,000 | 203,000 |
//! | MixedPods | 113,000 | 18,000 | 2,000 |
//! | Gang | 430,000 | 409,000 | 320,000 |
//!
//! A million equal pods took 4.7 s of a core on 100,000 nodes, and 200 MiB; a million of a thousand shapes 116 s, and 206
//! MiB. What was aimed at and not reached there: 500,000 a second for SchedulingBasic with 5,000 nodes, 40,000 for
//! SchedulingDistinct, and a minute for a thousand shapes.
//!
//! # Who is next
//!
//! A [`Queue`] holds the pods that wait. What fits nowhere waits by class, so that a million pods that ask
//! the same for what is not there cost as much as one.
//!
//! By [`PrioritySort`] the more important are first; by [`EarliestDeadline`] those of them that must start first.
//!
//! Where several share a cluster, [`Shares`] says whose turn it is, by dominant resource fairness, and who is over its
//! quota; a [`FairQueue`] pops by it.
//!
//! A pod that fits nowhere may be more important than others: [`Preempt`] says who has to go for it, and
//! [`Cluster::nominate`] keeps the room that they leave.
//! [`Packer`] places a whole batch so that as many as possible have a place.
//! What runs already may be better off elsewhere: [`rebalance`] says which moves would help.
//! Pods that are of use together only are placed by [`all_or_none`].
//!
//! # In a store
//!
//! A [`Scheduler`] does all of this for the pods in a store: it watches, decides, binds, makes room and says why
//! a pod waits. What queues may have is said by [`QueueShare`] objects.
//!
//! # What is not there yet
//!
//! How many volumes a node can attach, what room there is for those that are made on demand, and
//! `ReadWriteOncePod`. Rules see what pods and nodes *say*, not what runs.
//! Default spread constraints. Where pods of several nodes share a claim and nodes come and go, the volume that is
//! promised to it may be another than the slow model names.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bounds;
mod cluster;
mod contain;
mod deadline;
mod decide;
mod explain;
mod fair;
pub mod filters;
mod fits;
mod gang;
mod hash;
pub mod machine;
mod packer;
mod placer;
mod preempt;
mod profile;
mod profiles;
mod queue;
mod rebalance;
mod rule;
mod rules;
pub mod scores;
mod set;
mod view;

pub use bounds::Bounds;
pub use cluster::{
    ClassId, Cluster, DeviceAsk, Devices, Dim, Key, MOST, MOST_DEVICES, MOST_DIMS, PodId, WHOLE,
};
pub use deadline::EarliestDeadline;
pub use decide::{Decider, Decision, FEWEST_IN_TREE, MOST_BYTES};
pub use explain::{Explanation, Judgement, Part};
pub use fair::{FairQueue, FairTicket, MOST_QUEUE_WEIGHT, Shares};
pub use gang::{Together, all_or_none};
pub use machine::{Ledger, QueueShare, Scheduler};
pub use packer::{MOST_EJECTIONS, Packer};
pub use placer::{Greedy, Placer};
pub use preempt::{Eviction, LeastImportant, MOST_COSTS, Preempt, Victim};
pub use profile::{MOST_WEIGHT, MOST_WEIGHTS, Profile};
pub use profiles::{MOST_ERRORS, MOST_PROFILES, Profiles};
pub use queue::{FIRST_BACKOFF, MOST_BACKOFF, PrioritySort, Queue, QueueOrder, Ticket};
pub use rebalance::{Emptying, Evenness, MOST_LOOKS, Movable, Move, Objective, rebalance};
pub use rule::{BEST, BLOCK, Filter, Missing, Only, Reads, Reason, Rejection, Scale, Score, Verdict};
pub use rules::{Args, Rules};
pub use set::{NodeId, NodeSet};
pub use view::{NodeView, PodView};
