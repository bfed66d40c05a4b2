//! A rule of one's own beside the built-in ones, and a placer of one's own that sees the whole batch; and why
//! each pod is put where it is put, or nowhere.
//!
//! ```console
//! $ cargo run --example custom_scheduler
//! ```
#![allow(missing_docs)]

use std::io::{self, Write};

use orchestra::prelude::*;
use orchestra::sched::{Cluster, Decider, Decision, Dim, NodeView, Placer, PodView, Profile, Score, Verdict};

/// The fewer watts a node takes, the better.
struct LowPower;

impl Score for LowPower {
    fn name(&self) -> &'static str {
        "LowPower"
    }

    fn score(&self, _pod: &PodView, node: &NodeView<'_>) -> i64 {
        -node.label_i64("watts").unwrap_or(0)
    }
}

/// Payments are handled where that is certified.
struct Certified;

impl orchestra::sched::Filter for Certified {
    fn name(&self) -> &'static str {
        "Certified"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        match pod.label("handles") {
            Some(what) if what == "payments" && node.label("certified").is_none() => {
                Verdict::never("node(s) may not handle payments")
            }
            _ => Verdict::Fits,
        }
    }
}

/// The biggest first: what is small fits into what is left.
struct BiggestFirst(Decider);

impl Placer for BiggestFirst {
    fn name(&self) -> &'static str {
        "BiggestFirst"
    }

    fn place(&mut self, batch: &[PodView], cluster: &mut Cluster) -> Vec<Decision> {
        let mut order: Vec<_> = (0..batch.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(batch[*at].request(Dim::CPU)));
        let mut decisions = vec![Decision::NoFit; batch.len()];
        for at in order {
            decisions[at] = self.0.place(cluster, &batch[at]);
        }
        decisions
    }
}

type Anything = Box<dyn std::error::Error>;

fn main() -> Result<(), Anything> {
    run(&mut io::stdout())
}

/// Places some pods, and says why they are where they are.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Anything> {
    let mut cluster = Cluster::seeded(7);
    for (name, cpu, watts) in [("old", "4", "400"), ("new", "4", "150"), ("tiny", "1", "15")] {
        let certified = if name == "old" { "certified" } else { "as-it-came" };
        let node = Node::new(name).label("watts", watts).label(certified, "true");
        let mut node = node.build()?;
        for (resource, amount) in [("cpu", cpu), ("memory", "8Gi"), ("pods", "110")] {
            node.status.allocatable.insert(resource, amount.parse()?);
        }
        cluster.set_node(&node);
    }

    let profile = Profile::default().filter(Certified).score(LowPower, 2);
    let mut placer = BiggestFirst(Decider::new(profile.clone()));
    let pods = [
        pod("cache", "500m", "nothing")?,
        pod("till", "1", "payments")?,
        pod("train", "3500m", "nothing")?,
        pod("huge", "3500m", "payments")?,
    ];
    let batch: Vec<_> = pods.iter().map(|pod| cluster.view(pod)).collect();
    let decisions = placer.place(&batch, &mut cluster);
    for (pod, decision) in batch.iter().zip(&decisions) {
        let place = match decision {
            Decision::Place { node, score } => format!("{} ({score} points)", cluster.name(*node)),
            Decision::NoFit => "nowhere".into(),
            Decision::Gated => "held back".into(),
        };
        writeln!(out, "{:<6} -> {place}", pod.name())?;
    }

    writeln!(out)?;
    let mut decider = Decider::new(profile);
    for late in [pod("web", "250m", "nothing")?, pod("bank", "3", "payments")?] {
        let late = cluster.view(&late);
        let explained = decider.explain(&cluster, &late);
        writeln!(out, "{explained}")?;
        writeln!(out, "  why not new? {}\n", explained.why_not("new"))?;
    }
    Ok(())
}

fn pod(name: &str, cpu: &str, handles: &str) -> orchestra::Result<Pod> {
    let container = Container::new("app").image("app:1").request("cpu", cpu).request("memory", "256Mi");
    Pod::new(name).namespace("default").label("handles", handles).container(container).build()
}
