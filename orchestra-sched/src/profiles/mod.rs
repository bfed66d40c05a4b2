//! [`Profiles`]: several profiles at once, as a file says them.

mod reading;
mod said;

use std::collections::BTreeMap;

use orchestra_core::manifest::read_as;
use orchestra_core::{Error, Result};

use crate::profile::Profile;
use crate::rules::Rules;
use reading::Reading;
use said::Configuration;

/// Several profiles, found by the `schedulerName` that pods say.
///
/// They are read from a file in the form of Kubernetes' `KubeSchedulerConfiguration`, in YAML or JSON. As
/// there, a profile begins with the default rules; `disabled` takes some out, `"*"` all; `enabled` puts some
/// in, or gives those that are there another weight; what `filter` and `score` say goes before what `multiPoint`
/// says. A rule that comes in comes last. What there is in Kubernetes and has no meaning here is
/// [listed](Self::ignored); what nobody knows is an error.
///
/// ```
/// use orchestra_sched::{Profiles, Rules};
///
/// let profiles = Profiles::read("scheduler.yaml", "
/// apiVersion: kubescheduler.config.k8s.io/v1
/// kind: KubeSchedulerConfiguration
/// profiles:
/// - schedulerName: default-scheduler
/// - schedulerName: packing
///   plugins:
///     score:
///       disabled: [{name: '*'}]
///       enabled: [{name: NodeResourcesFit, weight: 1}]
///   pluginConfig:
///   - name: NodeResourcesFit
///     args: {scoringStrategy: {type: MostAllocated, resources: [{name: nvidia.com/gpu, weight: 3}, {name: cpu}]}}
/// ", &Rules::default())?;
/// assert_eq!(profiles.get("packing").map(|it| it.scores().len()), Some(1));
///
/// let wrong = "profiles: [{plugins: {score: {enabled: [{name: ImageLocalty}]}}}]";
/// assert_eq!(
///     Profiles::read("s.yaml", wrong, &Rules::default()).err().map(|it| it.to_string()).as_deref(),
///     Some("s.yaml: profiles[0].plugins.score.enabled[0].name: there is no rule `ImageLocalty` \
///           (did you mean `ImageLocality`?)"),
/// );
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Profiles {
    all: BTreeMap<String, Profile>,
    ignored: Vec<String>,
}

/// How many profiles there may be at once: each keeps columns of its own.
pub const MOST_PROFILES: usize = 64;

/// How many things that are wrong with a file are told at once.
pub const MOST_ERRORS: usize = 20;

impl Default for Profiles {
    /// The default profile, and no other.
    fn default() -> Self {
        [Profile::default()].into_iter().collect()
    }
}

impl FromIterator<Profile> for Profiles {
    fn from_iter<I: IntoIterator<Item = Profile>>(profiles: I) -> Self {
        let all = profiles.into_iter().map(|it| (it.name().to_string(), it)).collect();
        Self { all, ignored: Vec::new() }
    }
}

impl Profiles {
    /// Reads a file, of which `source` is the name. The rules that it names are looked for among `rules`.
    pub fn read(source: &str, text: impl AsRef<[u8]>, rules: &Rules) -> Result<Self> {
        let file: Configuration = read_as(source, text)?;
        let mut reading = Reading { source, rules, errors: Vec::new(), ignored: Vec::new() };
        let all = reading.profiles(&file);
        if reading.errors.is_empty() {
            return Ok(Self { all, ignored: reading.ignored });
        }
        let more = reading.errors.len().saturating_sub(MOST_ERRORS);
        reading.errors.truncate(MOST_ERRORS);
        if more > 0 {
            reading.errors.push(format!("{source}: and {more} more"));
        }
        Err(Error::Manifest { errors: reading.errors.join("\n") })
    }

    /// The profile of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.all.get(name)
    }

    /// The profiles, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Profile> {
        self.all.values()
    }

    /// What the file says that has no effect here, by its place.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod};
    use orchestra_core::object::Quantity;

    use super::*;
    use crate::{Cluster, Decider};

    fn read(text: &str) -> Profiles {
        Profiles::read("s.yaml", text, &Rules::default()).unwrap()
    }

    fn scores(profiles: &Profiles, name: &str) -> String {
        let said: Vec<_> =
            profiles.get(name).unwrap().scores().map(|(it, n)| format!("{}*{n}", it.name())).collect();
        said.join(" ")
    }

    #[test]
    fn nothing_said_is_the_default_profile() {
        let default = Profile::default().to_string();
        for text in
            ["{}", "profiles: []", "profiles: [{}]", "profiles: [{plugins: {score: {}}}]", "profiles:\n"]
        {
            assert_eq!(read(text).get("default-scheduler").unwrap().to_string(), default, "{text}");
        }
    }

    #[test]
    fn points_take_out_and_put_in() {
        let profiles = read(
            "profiles:
- schedulerName: a
  plugins:
    multiPoint: {disabled: [{name: PodTopologySpread}], enabled: [{name: NodeAffinity, weight: 9}]}
    score: {disabled: [{name: ImageLocality}], enabled: [{name: TaintToleration}]}
- schedulerName: b
  plugins: {multiPoint: {disabled: [{name: '*'}], enabled: [{name: NodeName}, {name: ImageLocality, weight: 7}]}}
",
        );
        assert_eq!(
            scores(&profiles, "a"),
            "TaintToleration*1 NodeAffinity*9 InterPodAffinity*2 NodeResourcesFit*1 NodeResourcesBalancedAllocation*1"
        );
        assert_eq!(profiles.get("a").unwrap().filters().len(), Profile::default().filters().len() - 1);
        assert_eq!(profiles.get("b").unwrap().to_string(), "b: NodeName; ImageLocality*7");
        assert_eq!(profiles.iter().len(), 2);
    }

    /// A node that lacks a device and a label, by a profile that ignores the one, or asks for the other.
    #[test]
    fn what_is_asked_of_nodes_for_all_pods_can_be_told() {
        let mut cluster = Cluster::seeded(1);
        let mut node = Node::new("node").build().unwrap();
        node.status.allocatable.insert("pods", Quantity::from(9));
        cluster.set_node(&node);
        let app = Container::new("app").request("a.dev/fpga", "1").limit("a.dev/fpga", "1");
        let pod = cluster.view(&Pod::new("pod").container(app).build().unwrap());
        let affinity = "{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: \
                        [{matchExpressions: [{key: rack, operator: Exists}]}]}}}";
        for (rule, args, said) in [
            ("NodeName", "{}", "0/1 nodes are available: 1 Insufficient a.dev/fpga."),
            ("NodeResourcesFit", "{ignoredResources: [a.dev/fpga]}", "assigned /pod to node"),
            (
                "NodeResourcesFit",
                "{ignoredResources: [a.dev/gpu]}",
                "0/1 nodes are available: 1 Insufficient",
            ),
            ("NodeResourcesFit", "{ignoredResourceGroups: [a.dev]}", "assigned /pod to node"),
            (
                "NodeAffinity",
                affinity,
                "0/1 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity.",
            ),
        ] {
            let profiles = read(&format!("profiles: [{{pluginConfig: [{{name: {rule}, args: {args}}}]}}]"));
            let mut decider = Decider::new(profiles.get("default-scheduler").unwrap().clone());
            let summary = decider.explain(&cluster, &pod).summary();
            assert!(summary.starts_with(said), "{args}: {summary}");
            assert_eq!(decider.decide(&cluster, &pod), decider.decide_anew(&cluster, &pod));
        }
    }

    #[test]
    fn what_has_no_effect_here_is_listed() {
        let profiles = read(
            "{parallelism: 4, profiles: [{plugins: {bind: {enabled: [{name: X}]}, multiPoint: {enabled: \
             [{name: NodeVolumeLimits}]}}, pluginConfig: [{name: DefaultPreemption, args: {minCandidateNodesAbsolute: 3}}]}]}",
        );
        assert_eq!(
            profiles.ignored(),
            [
                "parallelism",
                "profiles[0].pluginConfig[0] (DefaultPreemption)",
                "profiles[0].plugins.bind",
                "profiles[0].plugins.multiPoint.enabled[0] (NodeVolumeLimits)",
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let fit = |args: &str| {
            format!(
                "profiles: [{{pluginConfig: [{{name: NodeResourcesFit, args: {{scoringStrategy: {args}}}}}]}}]"
            )
        };
        let args = "profiles[0].pluginConfig[0].args";
        for (text, expected) in [
            ("kind: Pod".into(), "kind: must be KubeSchedulerConfiguration".to_string()),
            ("extenders: [{}]".into(), "extenders: are not supported: write a Filter or a Score".into()),
            (
                "profiles: [{schedulerName: a}, {schedulerName: a}]".into(),
                "profiles[1].schedulerName: there are two profiles of the name `a`".into(),
            ),
            (
                "profiles: [{plugins: {score: {enabled: [{name: NodeName}]}}}]".into(),
                "profiles[0].plugins.score.enabled[0].name: `NodeName` is a filter, and no score".into(),
            ),
            (
                "profiles: [{plugins: {score: {enabled: [{name: ImageLocality, weight: -1}]}}}]".into(),
                "profiles[0].plugins.score.enabled[0].weight: must be between 1 and 10000".into(),
            ),
            (
                "profiles: [{plugins: {filter: {disabled: [{name: NodePort}]}}}]".into(),
                "profiles[0].plugins.filter.disabled[0].name: there is no rule `NodePort` (did you mean `NodePorts`?)"
                    .into(),
            ),
            (
                fit("{type: RequestedToCapacityRatio}"),
                format!("{args}.scoringStrategy.requestedToCapacityRatio: must say the shape, for a strategy of that type"),
            ),
            (
                fit("{type: LeastAllocated, resources: [{name: cpu, weight: 101}]}"),
                format!("{args}.scoringStrategy.resources[0].weight: must be between 1 and 100"),
            ),
            (
                fit("{type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: [{utilization: 5, score: 1}, \
                     {utilization: 5, score: 2}]}}"),
                format!(
                    "{args}.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: must be more than that of \
                     the point before"
                ),
            ),
            (
                "profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 101}}]}]".into(),
                format!("{args}.hardPodAffinityWeight: must be between 0 and 100"),
            ),
            (
                "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {}}}]}]".into(),
                format!("{args}.addedAffinity: must require or prefer something"),
            ),
            (
                "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {ignoredResourceGroups: [a.dev/b]}}]}]".into(),
                format!("{args}.ignoredResourceGroups[0]: is no such name"),
            ),
            (
                "profiles: [{pluginConfig: [{name: NodeName, args: {color: red}}]}]".into(),
                format!("{args}.color: unknown field `color`, there are no fields"),
            ),
        ] {
            let error = Profiles::read("s.yaml", &text, &Rules::default()).unwrap_err().to_string();
            assert_eq!(error, format!("s.yaml: {expected}"), "{text}");
        }
        let slip = "profiles:\n- schedularName: a";
        let error = Profiles::read("s.yaml", slip, &Rules::default()).unwrap_err().to_string();
        assert!(error.starts_with("s.yaml:2:3: ") && error.contains("schedulerName"), "{error}");
    }

    #[test]
    fn a_rule_is_what_it_is_called() {
        let rules = Rules::default().filter("Mine", |_| Ok(crate::filters::NodeName));
        let text = "profiles: [{plugins: {filter: {enabled: [{name: Mine}]}}}]";
        let error = Profiles::read("s", text, &rules).unwrap_err().to_string();
        assert!(error.ends_with("the rule that `Mine` stands for calls itself `NodeName`"), "{error}");
    }

    #[test]
    fn what_a_rule_is_told_counts() {
        let text = "profiles:
- schedulerName: packing
  plugins: {score: {disabled: [{name: '*'}], enabled: [{name: NodeResourcesFit}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {apiVersion: kubescheduler.config.k8s.io/v1,
    kind: NodeResourcesFitArgs, scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 2}]}}}]";
        let mut cluster = Cluster::seeded(1);
        for (name, cpu) in [("large", 8), ("small", 2)] {
            let mut node = Node::new(name).build().unwrap();
            node.status.allocatable.insert("cpu", Quantity::from(cpu));
            node.status.allocatable.insert("pods", Quantity::from(9));
            cluster.set_node(&node);
        }
        let pod = Pod::new("a").container(Container::new("app").request("cpu", "1")).build().unwrap();
        let view = cluster.view(&pod);
        let mut decider = crate::Decider::new(read(text).get("packing").unwrap().clone());
        let node = cluster.node("small").unwrap();
        assert_eq!(decider.decide(&cluster, &view), crate::Decision::Place { node, score: 50 });
    }
}
