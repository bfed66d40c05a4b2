//! [`Reading`]: from what a file says to profiles.

use std::collections::BTreeMap;

use serde_json::Value;

use super::said::{Configuration, PluginConfig, Plugins, Point, ProfileSaid};
use super::{MOST_PROFILES, Profiles};
use crate::profile::{MOST_WEIGHT, Profile};
use crate::rules::{Args, Rules};

/// What Kubernetes' default scheduler has and profiles here do not: other parts do it, or nothing does yet.
const ELSEWHERE: [&str; 10] = [
    "DefaultBinder",
    "DefaultPreemption",
    "DynamicResources",
    "GangScheduling",
    "NodeDeclaredFeatures",
    "NodeVolumeLimits",
    "PrioritySort",
    "SchedulingGates",
    "VolumeRestrictions",
    "DeferredPodScheduling",
];

const VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";

/// At which of the points of a profile something is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Multi,
    Filter,
    Score,
}

impl At {
    const fn has(self, (filter, score): (bool, bool)) -> bool {
        match self {
            Self::Multi => filter || score,
            Self::Filter => filter,
            Self::Score => score,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Multi => "multiPoint",
            Self::Filter => "filter",
            Self::Score => "score",
        }
    }
}

/// A file that is being made into profiles.
pub(super) struct Reading<'a> {
    pub(super) source: &'a str,
    pub(super) rules: &'a Rules,
    pub(super) errors: Vec<String>,
    pub(super) ignored: Vec<String>,
}

impl Reading<'_> {
    fn refuse(&mut self, place: &str, why: &str) {
        self.errors.push(format!("{}: {place}: {why}", self.source));
    }

    /// Notes which of some fields are there: they have no effect.
    fn ignore(&mut self, within: &str, fields: &[(&str, bool)]) {
        let said = fields.iter().filter(|(_, is_said)| *is_said);
        self.ignored.extend(said.map(|(name, _)| format!("{within}{name}")));
    }

    pub(super) fn profiles(&mut self, file: &Configuration) -> BTreeMap<String, Profile> {
        for (place, said, known) in [("apiVersion", &file.api_version, VERSION), ("kind", &file.kind, KIND)] {
            if said.as_ref().is_some_and(|it| it != known) {
                self.refuse(place, &format!("must be {known}"));
            }
        }
        if file.extenders.as_ref().is_some_and(|it| !it.is_empty()) {
            self.refuse("extenders", "are not supported: write a Filter or a Score");
        }
        self.ignore(
            "",
            &[
                ("parallelism", file.parallelism.is_some()),
                ("leaderElection", file.leader_election.is_some()),
                ("clientConnection", file.client_connection.is_some()),
                ("enableProfiling", file.enable_profiling.is_some()),
                ("enableContentionProfiling", file.enable_contention_profiling.is_some()),
                ("percentageOfNodesToScore", file.percentage_of_nodes_to_score.is_some()),
                ("podInitialBackoffSeconds", file.pod_initial_backoff_seconds.is_some()),
                ("podMaxBackoffSeconds", file.pod_max_backoff_seconds.is_some()),
                ("delayCacheUntilActive", file.delay_cache_until_active.is_some()),
            ],
        );
        let said = file.profiles.as_deref().unwrap_or_default();
        if said.is_empty() {
            return Profiles::default().all;
        }
        if said.len() > MOST_PROFILES {
            self.refuse("profiles", &format!("are more than {MOST_PROFILES}, the limit"));
            return BTreeMap::new();
        }
        let mut all = BTreeMap::new();
        for (at, profile) in said.iter().enumerate() {
            let place = format!("profiles[{at}]");
            let name = profile.scheduler_name.clone().filter(|name| !name.is_empty());
            if name.is_none() && said.len() > 1 {
                self.refuse(
                    &format!("{place}.schedulerName"),
                    "must be given where there are several profiles",
                );
            }
            let name = name.unwrap_or_else(|| Profile::default().name().to_string());
            let made = self.profile(&place, &name, profile);
            if all.insert(name.clone(), made).is_some() {
                let why = format!("there are two profiles of the name `{name}`");
                self.refuse(&format!("{place}.schedulerName"), &why);
            }
        }
        all
    }

    fn profile(&mut self, place: &str, name: &str, said: &ProfileSaid) -> Profile {
        self.ignore(
            &format!("{place}."),
            &[("percentageOfNodesToScore", said.percentage_of_nodes_to_score.is_some())],
        );
        let args = self.args(place, said.plugin_config.as_deref().unwrap_or_default());
        let nothing = Plugins::default();
        let plugins = said.plugins.as_ref().unwrap_or(&nothing);
        self.ignore(
            &format!("{place}.plugins."),
            &[
                ("preEnqueue", plugins.pre_enqueue.is_some()),
                ("queueSort", plugins.queue_sort.is_some()),
                ("preFilter", plugins.pre_filter.is_some()),
                ("postFilter", plugins.post_filter.is_some()),
                ("preScore", plugins.pre_score.is_some()),
                ("reserve", plugins.reserve.is_some()),
                ("permit", plugins.permit.is_some()),
                ("preBind", plugins.pre_bind.is_some()),
                ("bind", plugins.bind.is_some()),
                ("postBind", plugins.post_bind.is_some()),
            ],
        );
        let mut profile = Profile::default().named(name);
        // Those that are there from the beginning are told their arguments, too.
        for (rule, weight) in Profile::default().scores() {
            profile = self.add(profile, At::Score, rule.name(), weight, place, &args);
        }
        for rule in Profile::default().filters() {
            profile = self.add(profile, At::Filter, rule.name(), 1, place, &args);
        }
        let points =
            [(At::Multi, &plugins.multi_point), (At::Filter, &plugins.filter), (At::Score, &plugins.score)];
        for (at, point) in points.into_iter().filter_map(|(at, point)| Some((at, point.as_ref()?))) {
            let place = format!("{place}.plugins.{}", at.name());
            profile = self.point(profile, at, point, &place, &args);
        }
        profile
    }

    /// What rules are told, by name.
    fn args(&mut self, place: &str, said: &[PluginConfig]) -> BTreeMap<String, Args> {
        let mut all = BTreeMap::new();
        for (at, config) in said.iter().enumerate() {
            let place = format!("{place}.pluginConfig[{at}]");
            if !self.is_known(&place, &config.name) {
                continue;
            }
            let mut value = config.args.clone().unwrap_or_default();
            if let Value::Object(fields) = &mut value {
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            let args = Args { place: format!("{}: {place}.args", self.source), value };
            if all.insert(config.name.clone(), args).is_some() {
                self.refuse(&format!("{place}.name"), "the same rule is told something twice");
            }
        }
        all
    }

    /// Whether there is a rule of a name; one that belongs elsewhere is noted.
    fn is_known(&mut self, place: &str, name: &str) -> bool {
        if self.rules.has(name) != (false, false) {
            return true;
        }
        if ELSEWHERE.contains(&name) {
            self.ignored.push(format!("{place} ({name})"));
            return false;
        }
        let hint = self.rules.near(name).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        self.refuse(&format!("{place}.name"), &format!("there is no rule `{name}`{hint}"));
        false
    }

    fn point(
        &mut self,
        mut profile: Profile,
        at: At,
        point: &Point,
        place: &str,
        args: &BTreeMap<String, Args>,
    ) -> Profile {
        for (number, plugin) in point.disabled.iter().flatten().enumerate() {
            let place = format!("{place}.disabled[{number}]");
            let names = if plugin.name == "*" {
                let filters = profile.filters().iter().map(|it| it.name());
                filters.chain(profile.scores().map(|(it, _)| it.name())).collect()
            } else if self.is_known(&place, &plugin.name) {
                vec![plugin.name.as_str()]
            } else {
                Vec::new()
            };
            for name in names {
                profile = match at {
                    At::Multi => profile.without(name),
                    At::Filter => profile.without_filter(name),
                    At::Score => profile.without_score(name),
                };
            }
        }
        let enabled = point.enabled.as_deref().unwrap_or_default();
        for (number, plugin) in enabled.iter().enumerate() {
            let place = format!("{place}.enabled[{number}]");
            if !self.is_known(&place, &plugin.name) {
                continue;
            }
            let has = self.rules.has(&plugin.name);
            if !at.has(has) {
                let other = if has.0 { "filter" } else { "score" };
                let why = format!("`{}` is a {other}, and no {}", plugin.name, at.name());
                self.refuse(&format!("{place}.name"), &why);
            } else if enabled[..number].iter().any(|it| it.name == plugin.name) {
                self.refuse(&format!("{place}.name"), "stands there twice");
            } else if plugin.weight.is_some_and(|it| !(0..=MOST_WEIGHT).contains(&it)) {
                self.refuse(&format!("{place}.weight"), &format!("must be between 1 and {MOST_WEIGHT}"));
            } else {
                // As in Kubernetes, none is one.
                let weight = plugin.weight.unwrap_or(0).max(1);
                profile = self.add(profile, at, &plugin.name, weight, &place, args);
            }
        }
        profile
    }

    /// Adds a rule, or puts it in the place of the one of its name.
    fn add(
        &mut self,
        mut profile: Profile,
        at: At,
        name: &str,
        weight: i64,
        place: &str,
        args: &BTreeMap<String, Args>,
    ) -> Profile {
        let none = || Args { place: format!("{}: {place}", self.source), value: Value::Null };
        let args = args.get(name).cloned().unwrap_or_else(none);
        let mut failed = Vec::new();
        if at != At::Score {
            match self.rules.make_filter(name, &args) {
                Some(Ok(rule)) => profile = profile.with_filter(rule),
                Some(Err(error)) => failed.push(error.to_string()),
                None => {}
            }
        }
        if at != At::Filter {
            match self.rules.make_score(name, &args) {
                Some(Ok(rule)) => profile = profile.with_score(rule, weight),
                Some(Err(error)) => failed.push(error.to_string()),
                None => {}
            }
        }
        // A rule that is told something wrong says so each time that it is made.
        failed.retain(|it| !self.errors.contains(it));
        failed.dedup();
        self.errors.append(&mut failed);
        profile
    }
}
