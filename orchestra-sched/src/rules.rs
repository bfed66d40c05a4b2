//! [`Rules`]: the rules that a file can name, and what they are told there.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestra_core::kinds::NodeAffinity;
use orchestra_core::manifest::{nearest, value_as};
use orchestra_core::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::rule::{BEST, Filter, Score};
use crate::scores::{MOST_BALANCED, MOST_PACKING_WEIGHT, Strategy};
use crate::{filters, scores};

/// The rules that a [file](crate::Profiles::read) can name: the built-in ones, and one's own.
///
/// ```
/// use orchestra_sched::{NodeView, PodView, Profiles, Rules, Score};
///
/// struct LowPower { most: i64 }
/// impl Score for LowPower {
///     fn name(&self) -> &'static str { "LowPower" }
///     fn score(&self, _: &PodView, node: &NodeView<'_>) -> i64 {
///         -node.label_i64("watts").unwrap_or(self.most).min(self.most)
///     }
/// }
///
/// #[derive(Default, serde::Deserialize)]
/// struct LowPowerArgs { most: Option<i64> }
///
/// let rules = Rules::default().score("LowPower", |args| {
///     let args: LowPowerArgs = args.read()?;
///     Ok(LowPower { most: args.most.unwrap_or(1000) })
/// });
/// let profiles = Profiles::read("scheduler.yaml", "
/// profiles:
/// - schedulerName: green
///   plugins: {score: {enabled: [{name: LowPower, weight: 5}]}}
///   pluginConfig: [{name: LowPower, args: {most: 400}}]
/// ", &rules)?;
/// assert!(profiles.get("green").is_some_and(|it| it.to_string().ends_with("LowPower*5")));
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Rules {
    filters: BTreeMap<String, Maker<dyn Filter>>,
    scores: BTreeMap<String, Maker<dyn Score>>,
}

type Maker<R> = Arc<dyn Fn(&Args) -> Result<Arc<R>> + Send + Sync>;

/// What a file tells a rule: the `args` of its `pluginConfig`.
#[derive(Clone, Debug)]
pub struct Args {
    /// Where they stand, for messages.
    pub(crate) place: String,
    pub(crate) value: Value,
}

impl Args {
    /// Reads them as a type, of which nothing but defaults is there when nothing is told. It is well to say
    /// `deny_unknown_fields` there, so that a slip of the finger is found.
    pub fn read<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.value.is_null() { Ok(T::default()) } else { value_as(&self.place, self.value.clone()) }
    }

    /// Refuses what stands in a field.
    #[must_use]
    pub fn refuse(&self, field: &str, why: &str) -> Error {
        Error::Manifest { errors: format!("{}.{field}: {why}", self.place) }
    }

    /// For rules to which nothing can be told.
    fn nothing(&self) -> Result<()> {
        self.read::<Nothing>().map(|_| ())
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Rules {
    /// No rules.
    #[must_use]
    pub const fn empty() -> Self {
        Self { filters: BTreeMap::new(), scores: BTreeMap::new() }
    }

    /// Adds a filter, in the place of one of the same name. The name is also the one that it calls itself.
    #[must_use]
    pub fn filter<F: Filter + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Args) -> Result<F> + Send + Sync + 'static,
    ) -> Self {
        let make = move |args: &Args| make(args).map(|rule| Arc::new(rule) as Arc<dyn Filter>);
        self.filters.insert(name.into(), Arc::new(make));
        self
    }

    /// Adds a score, likewise. A rule that is both is added as both.
    #[must_use]
    pub fn score<S: Score + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Args) -> Result<S> + Send + Sync + 'static,
    ) -> Self {
        let make = move |args: &Args| make(args).map(|rule| Arc::new(rule) as Arc<dyn Score>);
        self.scores.insert(name.into(), Arc::new(make));
        self
    }

    /// Whether there is a filter, and whether there is a score of a name.
    #[must_use]
    pub fn has(&self, name: &str) -> (bool, bool) {
        (self.filters.contains_key(name), self.scores.contains_key(name))
    }

    /// The name that may have been meant by one that is not known.
    pub(crate) fn near(&self, name: &str) -> Option<&str> {
        nearest(name, self.filters.keys().chain(self.scores.keys()).map(String::as_str))
    }

    pub(crate) fn make_filter(&self, name: &str, args: &Args) -> Option<Result<Arc<dyn Filter>>> {
        let made = self.filters.get(name)?(args);
        Some(made.and_then(|rule| is_named(rule.name(), name, args).map(|()| rule)))
    }

    pub(crate) fn make_score(&self, name: &str, args: &Args) -> Option<Result<Arc<dyn Score>>> {
        let made = self.scores.get(name)?(args);
        Some(made.and_then(|rule| is_named(rule.name(), name, args).map(|()| rule)))
    }
}

/// A profile finds a rule by the name that it calls itself.
fn is_named(own: &str, name: &str, args: &Args) -> Result<()> {
    let errors = format!("{}: the rule that `{name}` stands for calls itself `{own}`", args.place);
    if own == name { Ok(()) } else { Err(Error::Manifest { errors }) }
}

impl Default for Rules {
    /// The built-in rules.
    fn default() -> Self {
        Self::empty()
            .filter("NodeUnschedulable", |args| args.nothing().map(|()| filters::NodeUnschedulable))
            .filter("NodeName", |args| args.nothing().map(|()| filters::NodeName))
            .filter("TaintToleration", |args| args.nothing().map(|()| filters::TaintToleration))
            .filter("NodeAffinity", |args| affinity(args).map(|(filter, _)| filter))
            .filter("NodePorts", |args| args.nothing().map(|()| filters::NodePorts))
            .filter("NodeResourcesFit", ignoring)
            .filter("VolumeBinding", |args| args.read::<BindingArgs>().map(|_| filters::VolumeBinding))
            .filter("VolumeZone", |args| args.nothing().map(|()| filters::VolumeZone))
            .filter("PodTopologySpread", |args| args.nothing().map(|()| filters::PodTopologySpread))
            .filter("InterPodAffinity", |args| near(args).map(|_| filters::InterPodAffinity))
            .score("TaintToleration", |args| args.nothing().map(|()| scores::TaintToleration))
            .score("NodeAffinity", |args| affinity(args).map(|(_, score)| score))
            .score("PodTopologySpread", |args| args.nothing().map(|()| scores::PodTopologySpread))
            .score("ImageLocality", |args| args.nothing().map(|()| scores::ImageLocality))
            .filter("CostLimits", |args| args.nothing().map(|()| filters::CostLimits))
            .score("DataLocality", |args| args.nothing().map(|()| scores::DataLocality))
            .score("Cost", cost)
            .score("BestFit", |args| packing(args).map(scores::BestFit::weighing))
            .score("DotProduct", |args| packing(args).map(scores::DotProduct::weighing))
            .score("NodeResourcesFit", fit)
            .score("InterPodAffinity", near)
            .score("NodeResourcesBalancedAllocation", balanced)
    }
}

/// `VolumeBindingArgs`. What is decided is bound with the pod, so nobody waits for it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BindingArgs {
    #[serde(rename = "bindTimeoutSeconds")]
    _bind_timeout_seconds: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FitArgs {
    scoring_strategy: Option<ScoringStrategy>,
    #[serde(default)]
    ignored_resources: Vec<String>,
    #[serde(default)]
    ignored_resource_groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScoringStrategy {
    #[serde(rename = "type")]
    kind: StrategyType,
    resources: Option<Vec<Resource>>,
    requested_to_capacity_ratio: Option<Ratio>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum StrategyType {
    LeastAllocated,
    MostAllocated,
    RequestedToCapacityRatio,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    name: String,
    weight: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    shape: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    utilization: i64,
    score: i64,
}

/// How many resources a score counts at most, and how many points its curve has.
const MOST_LISTED: usize = 64;

/// `NodeResourcesFitArgs`, with the checks that Kubernetes makes.
fn fit(args: &Args) -> Result<scores::NodeResourcesFit> {
    let Some(told) = args.read::<FitArgs>()?.scoring_strategy else {
        return Ok(scores::NodeResourcesFit::default());
    };
    let ratio = "scoringStrategy.requestedToCapacityRatio";
    let strategy = match (told.kind, &told.requested_to_capacity_ratio) {
        (StrategyType::RequestedToCapacityRatio, None) => {
            return Err(args.refuse(ratio, "must say the shape, for a strategy of that type"));
        }
        (StrategyType::RequestedToCapacityRatio, Some(ratio)) => {
            Strategy::RequestedToCapacityRatio(curve(args, &ratio.shape)?)
        }
        (_, Some(_)) => return Err(args.refuse(ratio, "is of no use to a strategy of another type")),
        (StrategyType::LeastAllocated, None) => Strategy::LeastAllocated,
        (StrategyType::MostAllocated, None) => Strategy::MostAllocated,
    };
    let made = scores::NodeResourcesFit::new(strategy);
    let resources = told.resources.unwrap_or_default();
    if resources.is_empty() {
        return Ok(made);
    }
    let weight = |it: &Resource| it.weight.filter(|weight| *weight != 0).unwrap_or(1);
    for (at, resource) in resources.iter().enumerate() {
        let field = format!("scoringStrategy.resources[{at}]");
        if at == MOST_LISTED {
            return Err(args.refuse(&field, "is more than 64 resources, the limit"));
        }
        if !(1..=BEST).contains(&weight(resource)) {
            return Err(args.refuse(&format!("{field}.weight"), "must be between 1 and 100"));
        }
        if resources[..at].iter().any(|it| it.name == resource.name) {
            return Err(args.refuse(&format!("{field}.name"), "stands there twice"));
        }
    }
    Ok(made.by(resources.iter().map(|it| (it.name.as_str(), weight(it)))))
}

/// The resources that the filter does not heed.
fn ignoring(args: &Args) -> Result<filters::NodeResourcesFit> {
    fit(args)?;
    let FitArgs { ignored_resources, ignored_resource_groups, .. } = args.read()?;
    for (field, names, is_group) in [
        ("ignoredResources", &ignored_resources, false),
        ("ignoredResourceGroups", &ignored_resource_groups, true),
    ] {
        if names.len() > MOST_LISTED {
            return Err(args.refuse(field, "is more than 64 names, the limit"));
        }
        if let Some(at) = names.iter().position(|name| name.is_empty() || is_group && name.contains('/')) {
            return Err(args.refuse(&format!("{field}[{at}]"), "is no such name"));
        }
    }
    let ignored = ignored_resources.into_iter().filter(|name| name.contains('/'));
    Ok(filters::NodeResourcesFit::ignoring(ignored.chain(ignored_resource_groups)))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AffinityArgs {
    added_affinity: Option<NodeAffinity>,
}

/// `NodeAffinityArgs`.
fn affinity(args: &Args) -> Result<(filters::NodeAffinity, scores::NodeAffinity)> {
    let Some(NodeAffinity { required, preferred }) = args.read::<AffinityArgs>()?.added_affinity else {
        return Ok(Default::default());
    };
    if required.is_none() && preferred.is_empty() {
        return Err(args.refuse("addedAffinity", "must require or prefer something"));
    }
    let terms = "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    if required.as_ref().is_some_and(|it| it.node_selector_terms.is_empty()) {
        return Err(args.refuse(terms, "must be one at least"));
    }
    if let Some(at) = preferred.iter().position(|it| !(1..=100).contains(&it.weight)) {
        let field = format!("addedAffinity.preferredDuringSchedulingIgnoredDuringExecution[{at}].weight");
        return Err(args.refuse(&field, "must be between 1 and 100"));
    }
    let filter = required.map_or_else(Default::default, filters::NodeAffinity::requiring);
    Ok((filter, scores::NodeAffinity::preferring(preferred)))
}

fn curve(args: &Args, shape: &[Point]) -> Result<Vec<(i64, i64)>> {
    let field = |at: usize, name| format!("scoringStrategy.requestedToCapacityRatio.shape[{at}].{name}");
    if shape.is_empty() || shape.len() > MOST_LISTED {
        let why = "must have 1 to 64 points";
        return Err(args.refuse("scoringStrategy.requestedToCapacityRatio.shape", why));
    }
    for (at, point) in shape.iter().enumerate() {
        if !(0..=100).contains(&point.utilization) {
            return Err(args.refuse(&field(at, "utilization"), "must be between 0 and 100 percent"));
        }
        if at > 0 && shape[at - 1].utilization >= point.utilization {
            return Err(args.refuse(&field(at, "utilization"), "must be more than that of the point before"));
        }
        if !(0..=10).contains(&point.score) {
            return Err(args.refuse(&field(at, "score"), "must be between 0 and 10"));
        }
    }
    Ok(shape.iter().map(|point| (point.utilization, point.score)).collect())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NearArgs {
    hard_pod_affinity_weight: Option<i64>,
}

/// `InterPodAffinityArgs`.
fn near(args: &Args) -> Result<scores::InterPodAffinity> {
    match args.read::<NearArgs>()?.hard_pod_affinity_weight {
        None => Ok(scores::InterPodAffinity::default()),
        Some(hard_weight @ 0..=100) => Ok(scores::InterPodAffinity { hard_weight }),
        Some(_) => Err(args.refuse("hardPodAffinityWeight", "must be between 0 and 100")),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BalancedArgs {
    resources: Option<Vec<Resource>>,
}

/// `NodeResourcesBalancedAllocationArgs`.
fn balanced(args: &Args) -> Result<scores::NodeResourcesBalancedAllocation> {
    let resources = args.read::<BalancedArgs>()?.resources.unwrap_or_default();
    if resources.is_empty() {
        return Ok(scores::NodeResourcesBalancedAllocation::default());
    }
    for (at, resource) in resources.iter().enumerate() {
        if at == MOST_BALANCED {
            return Err(args.refuse(&format!("resources[{at}]"), "is more than 8 resources, the limit"));
        }
        if resource.weight.is_some_and(|weight| weight != 1) {
            return Err(args.refuse(&format!("resources[{at}].weight"), "must be 1: all count the same here"));
        }
        if resources[..at].iter().any(|it| it.name == resource.name) {
            return Err(args.refuse(&format!("resources[{at}].name"), "stands there twice"));
        }
    }
    Ok(scores::NodeResourcesBalancedAllocation::by(resources.iter().map(|it| it.name.as_str())))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostArgs {
    measure: Option<String>,
}

/// Which measure of cost counts.
fn cost(args: &Args) -> Result<scores::Cost> {
    match args.read::<CostArgs>()?.measure {
        None => Ok(scores::Cost::default()),
        Some(measure) if measure.is_empty() => {
            Err(args.refuse("measure", "must be one, such as usd-per-hour"))
        }
        Some(measure) => Ok(scores::Cost::by(&measure)),
    }
}

/// Which resources count in packing; all, where none is named.
fn packing(args: &Args) -> Result<Vec<(String, i64)>> {
    let resources = args.read::<BalancedArgs>()?.resources.unwrap_or_default();
    for (at, resource) in resources.iter().enumerate() {
        if at == MOST_LISTED {
            return Err(args.refuse(&format!("resources[{at}]"), "is more than 64 resources, the limit"));
        }
        if resource.weight.is_some_and(|weight| !(1..=MOST_PACKING_WEIGHT).contains(&weight)) {
            return Err(args.refuse(&format!("resources[{at}].weight"), "must be between 1 and 100"));
        }
    }
    Ok(resources.into_iter().map(|it| (it.name, it.weight.unwrap_or(1))).collect())
}
