//! [`Job`]: work that comes to an end.

use orchestra_macros::wire;

use super::pod::{PodCarrier, PodTemplate, RestartPolicy};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, ConditionStatus, IntoField, Kind, LabelSelector, Object, Spec, Str, Timestamp, Uid,
    names,
};

/// Work that comes to an end: pods that are made until enough of them have succeeded.
pub type Job = Object<JobSpec>;

/// The label by which a Job's pods are told from all others.
const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";

impl Spec for JobSpec {
    const KIND: Kind = Kind::namespaced("batch/v1", "Job");
    type Status = JobStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = JobStatus::SCHEMA;

    fn fill_in(job: &mut Job) {
        let Object { metadata, spec, .. } = job;
        spec.fill_in();
        // A Job that has an identity selects its pods by that, unless somebody chose otherwise.
        if !spec.manual_selector && spec.selector.is_none() && !metadata.uid.is_unset() {
            let (uid, name) = (&Str::from(metadata.uid.to_string()), &metadata.name);
            spec.selector = Some([(UID_LABEL, uid)].into_iter().collect());
            let labels = &mut spec.template.metadata.labels;
            for (key, value) in [
                (UID_LABEL, uid),
                ("controller-uid", uid),
                ("batch.kubernetes.io/job-name", name),
                ("job-name", name),
            ] {
                if !labels.contains_key(key) {
                    labels.insert(key, value.clone());
                }
            }
        }
        if metadata.labels.is_empty() {
            metadata.labels.clone_from(&spec.template.metadata.labels);
        }
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(job: &Job, at: &At<'_>) {
        let (spec, at) = (&job.spec, at.field("spec"));
        spec.check(&at);
        match &spec.selector {
            Some(selector) => {
                at.field("selector").require(
                    spec.manual_selector || !job.metadata.uid.is_unset(),
                    "may be given only when manualSelector is true; a Job finds its pods without",
                );
                selector.check(&at.field("selector"));
                at.field("template").field("metadata").field("labels").require(
                    selector.matches(&spec.template.metadata.labels),
                    "must be what the selector selects: the pods would not be found again",
                );
            }
            None => at.field("selector").required(!spec.manual_selector),
        }
        if spec.completion_mode == CompletionMode::Indexed && !job.metadata.name.is_empty() {
            // The number is part of the host name of each pod.
            let last = spec.completions.unwrap_or(1).saturating_sub(1);
            let host = format!("{}-{last}", job.metadata.name);
            if let Err(wrong) = names::dns_label(&host) {
                at.field("completionMode")
                    .problem(format!("Indexed makes the pods' host names such as {host}, which {wrong}"));
            }
        }
    }
}

impl PodCarrier for Job {
    const POD_SPEC: &'static str = "spec.template.spec";
    const POD_METADATA: &'static str = "spec.template.metadata";
}

/// What is desired of a Job.
#[wire(spec, unsupported("scheduling"))]
pub struct JobSpec {
    /// How many pods may run at a time; one when it is not given.
    pub parallelism: Option<u32>,
    /// How many pods must succeed. When neither this nor `parallelism` is given, one; when only
    /// that is, the success of any is the success of all.
    pub completions: Option<u32>,
    /// How long it may be active.
    pub active_deadline_seconds: Option<u64>,
    /// Which failures of pods are more than a failed try, or less.
    pub pod_failure_policy: Option<Box<PodFailurePolicy>>,
    /// When it has succeeded before all of its pods have.
    pub success_policy: Option<Box<SuccessPolicy>>,
    /// How many tries may fail: six when it is not given, without limit when there is one for each
    /// index.
    pub backoff_limit: Option<u32>,
    /// How many tries of one index may fail.
    pub backoff_limit_per_index: Option<u32>,
    /// How many indexes may fail.
    pub max_failed_indexes: Option<u32>,
    /// Which pods are its own; it finds that for itself.
    pub selector: Option<LabelSelector>,
    /// Whether the selector was chosen by somebody.
    pub manual_selector: bool,
    /// What the pods are made from.
    #[wire(required)]
    pub template: PodTemplate,
    /// How long it is kept when it has ended; for ever when that is not given.
    pub ttl_seconds_after_finished: Option<u32>,
    /// Whether each pod has a number.
    #[wire(default = CompletionMode::NonIndexed)]
    pub completion_mode: CompletionMode,
    /// Whether it has no pods for now.
    #[wire(default = false)]
    pub suspend: bool,
    /// When a pod that goes is replaced.
    pub pod_replacement_policy: Option<PodReplacement>,
    /// The controller that looks after it, where that is not the built-in one.
    pub managed_by: Str,
}

/// What can be said of a Job beyond its fields.
impl Apply<Job> {
    /// What happens when a container ends. A Job must say so: `OnFailure` or `Never`.
    #[must_use]
    pub fn restart_policy(self, policy: RestartPolicy) -> Self {
        self.put_under(Job::POD_SPEC, "restartPolicy", policy.into_field())
    }
}

impl JobSpec {
    fn fill_in(&mut self) {
        if self.completions.is_none() && self.parallelism.is_none() {
            self.completions = Some(1);
        }
        self.parallelism.get_or_insert(1);
        let no_limit = i32::MAX.unsigned_abs();
        self.backoff_limit.get_or_insert(if self.backoff_limit_per_index.is_some() { no_limit } else { 6 });
        self.pod_replacement_policy.get_or_insert(if self.pod_failure_policy.is_some() {
            PodReplacement::Failed
        } else {
            PodReplacement::TerminatingOrFailed
        });
        self.template.fill_in();
    }

    pub(super) fn check(&self, at: &At<'_>) {
        self.template.check(&at.field("template"));
        self.check_indexed(at);
        let policy = self.template.spec.restart_policy;
        let at_template = at.field("template");
        let at_pod = at_template.field("spec");
        let at_policy = at_pod.field("restartPolicy");
        at_policy.require(
            policy != RestartPolicy::Always,
            "must be OnFailure or Never: a Job's pods come to an end (Always is what it is when not given)",
        );
        for (name, given) in [
            ("podFailurePolicy", self.pod_failure_policy.is_some()),
            ("backoffLimitPerIndex", self.backoff_limit_per_index.is_some()),
        ] {
            at_policy.require(
                !given || policy != RestartPolicy::OnFailure,
                format!("must be Never when {name} is given"),
            );
        }
        if let Some(policy) = &self.pod_failure_policy {
            policy.check(self, &at.field("podFailurePolicy"));
            at.field("podReplacementPolicy").require(
                self.pod_replacement_policy.is_none_or(|policy| policy == PodReplacement::Failed),
                "must be Failed when podFailurePolicy is given",
            );
        }
        if let Some(policy) = &self.success_policy {
            policy.check(self, &at.field("successPolicy"));
        }
        if !self.managed_by.is_empty() {
            let managed_by = at.field("managedBy");
            managed_by.require(self.managed_by.len() <= 63, "must be no more than 63 characters");
            match self.managed_by.split_once('/') {
                Some((domain, path)) if !path.is_empty() => managed_by.check(names::dns_subdomain(domain)),
                _ => managed_by.problem("must be a domain and a path, such as example.com/controller"),
            }
        }
    }

    /// What only pods with numbers can have, and how many of them there may be.
    fn check_indexed(&self, at: &At<'_>) {
        const MANY: u32 = 100_000;
        const FEW: u32 = 10_000;
        if self.completion_mode == CompletionMode::NonIndexed {
            for (name, given) in [
                ("backoffLimitPerIndex", self.backoff_limit_per_index.is_some()),
                ("successPolicy", self.success_policy.is_some()),
            ] {
                at.field(name).require(!given, "needs the completionMode Indexed");
            }
        } else {
            at.field("completions")
                .require(self.completions.is_some(), "required when completionMode is Indexed");
            let parallelism = self.parallelism.unwrap_or(1);
            at.field("parallelism").require(
                parallelism <= MANY,
                format!("must not be more than {MANY} when completionMode is Indexed"),
            );
            if self.completions > Some(MANY) && self.backoff_limit_per_index.is_some() {
                let why = format!("when there are more than {MANY} completions, each with its own limit");
                at.field("maxFailedIndexes").require(
                    self.max_failed_indexes.is_some_and(|max| max <= FEW),
                    format!("required, and must not be more than {FEW}, {why}"),
                );
                at.field("parallelism")
                    .require(parallelism <= FEW, format!("must not be more than {FEW} {why}"));
            }
        }
        if let Some(max) = self.max_failed_indexes {
            at.field("backoffLimitPerIndex")
                .require(self.backoff_limit_per_index.is_some(), "required when maxFailedIndexes is given");
            at.field("maxFailedIndexes").require(
                self.completions.is_none_or(|completions| max <= completions),
                "must not be more than completions",
            );
        }
    }
}

/// Whether each pod of a Job has a number.
#[wire]
pub enum CompletionMode {
    /// One pod is as good as another.
    #[default]
    NonIndexed,
    /// Each has one, from 0 on, and the work of each number must be done.
    Indexed,
}

/// When a pod of a Job that goes is replaced.
#[wire]
pub enum PodReplacement {
    /// Once it is told to go.
    TerminatingOrFailed,
    /// Once it is gone.
    Failed,
}

/// Which failures of pods are more than a failed try, or less: the first rule that fits counts.
#[wire]
pub struct PodFailurePolicy {
    /// The rules.
    #[wire(required, atomic)]
    pub rules: Vec<PodFailureRule>,
}

/// How many rules a policy may have.
const MOST_RULES: usize = 20;

impl PodFailurePolicy {
    fn check(&self, job: &JobSpec, at: &At<'_>) {
        let most = format!("may be no more than {MOST_RULES}");
        at.field("rules").require(self.rules.len() <= MOST_RULES, most.clone());
        at.each("rules", &self.rules, |at, rule| {
            at.field("action").required(rule.action != PodFailureAction::Unset);
            at.field("action").require(
                rule.action != PodFailureAction::FailIndex || job.backoff_limit_per_index.is_some(),
                "FailIndex needs backoffLimitPerIndex",
            );
            match &rule.when {
                PodFailure::Unset => at.problem("must say when it holds: onExitCodes or onPodConditions"),
                PodFailure::OnExitCodes(codes) => codes.check(job, &at.field("onExitCodes")),
                PodFailure::OnPodConditions(patterns) => {
                    let list = at.field("onPodConditions");
                    list.required(!patterns.is_empty());
                    list.require(patterns.len() <= MOST_RULES, most.clone());
                    at.each("onPodConditions", patterns, |at, pattern| {
                        at.field("type").name(&pattern.kind, names::qualified_name);
                    });
                }
            }
        });
    }
}

/// What a pod's failure means.
#[wire]
pub struct PodFailureRule {
    /// What it means.
    #[wire(required)]
    pub action: PodFailureAction,
    /// When it does.
    #[wire(inline)]
    pub when: PodFailure,
}

/// What a pod's failure means for its Job.
#[wire]
pub enum PodFailureAction {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// The Job has failed.
    FailJob,
    /// The work of the pod's number has failed.
    FailIndex,
    /// Nothing: it is tried again, and this try is not counted.
    Ignore,
    /// It is tried again, and this try is counted.
    Count,
}

/// How a pod failed.
#[wire(one_of)]
pub enum PodFailure {
    /// In no way.
    #[default]
    Unset,
    /// A container ended with certain codes.
    OnExitCodes(ExitCodes),
    /// One of these conditions holds of it, or does not.
    OnPodConditions(Vec<ConditionPattern>),
}

/// Codes with which a container ends.
#[wire]
pub struct ExitCodes {
    /// The container; any when none is named.
    pub container_name: Str,
    /// Whether it is these codes or all others. 0 is no failure and never meant.
    #[wire(required)]
    pub operator: ExitCodeOperator,
    /// The codes, in order.
    #[wire(required, set)]
    pub values: Vec<i32>,
}

impl ExitCodes {
    fn check(&self, job: &JobSpec, at: &At<'_>) {
        let pod = &job.template.spec;
        let known = pod.containers.iter().chain(&pod.init_containers).any(|c| c.name == self.container_name);
        at.field("containerName").require(
            known || self.container_name.is_empty(),
            format!("the pod has no container `{}`", self.container_name),
        );
        at.field("operator").required(self.operator != ExitCodeOperator::Unset);
        let values = at.field("values");
        values.required(!self.values.is_empty());
        values.require(self.values.len() <= 255, "may be no more than 255");
        values.require(self.values.is_sorted_by(|a, b| a < b), "must be in order, each only once");
        values.require(
            self.operator == ExitCodeOperator::NotIn || !self.values.contains(&0),
            "may not contain 0 when the operator is In",
        );
    }
}

/// Whether certain codes are meant, or all others.
#[wire]
pub enum ExitCodeOperator {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// These.
    In,
    /// All others.
    NotIn,
}

/// A condition of a pod.
#[wire]
pub struct ConditionPattern {
    /// What is stated.
    #[wire(required, name = "type")]
    pub kind: Str,
    /// Whether it holds.
    #[wire(default = ConditionStatus::True)]
    pub status: ConditionStatus,
}

/// When a Job has succeeded before all of its pods have: when one of the rules is met.
#[wire]
pub struct SuccessPolicy {
    /// The rules.
    #[wire(required, atomic)]
    pub rules: Vec<SuccessRule>,
}

impl SuccessPolicy {
    fn check(&self, job: &JobSpec, at: &At<'_>) {
        let completions = job.completions.unwrap_or(u32::MAX);
        let rules = at.field("rules");
        rules.required(!self.rules.is_empty());
        rules.require(self.rules.len() <= MOST_RULES, format!("may be no more than {MOST_RULES}"));
        at.each("rules", &self.rules, |at, rule| {
            let given = !rule.succeeded_indexes.is_empty() || rule.succeeded_count.is_some();
            at.require(given, "must say what is enough: succeededIndexes or succeededCount");
            let mut most = completions;
            if !rule.succeeded_indexes.is_empty() {
                match count_indexes(&rule.succeeded_indexes, completions) {
                    Ok(count) => most = count,
                    Err(wrong) => at.field("succeededIndexes").problem(wrong),
                }
            }
            at.field("succeededCount").require(
                rule.succeeded_count.is_none_or(|count| (1..=most).contains(&count)),
                "must be at least 1, and no more than there are indexes",
            );
        });
    }
}

/// How many indexes a text such as `0,2-4` names, each less than `end`.
fn count_indexes(text: &str, end: u32) -> Result<u32, String> {
    let (mut count, mut next) = (0, 0);
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) if next <= first && first <= last && last < end => {
                count += last - first + 1;
                next = last + 1;
            }
            _ => {
                return Err(format!(
                    "`{part}` must be an index or a range such as 2-4, greater than those before and less than completions"
                ));
            }
        }
    }
    Ok(count)
}

/// What is enough for a Job to have succeeded.
#[wire]
pub struct SuccessRule {
    /// The success of these indexes, such as `0,2-4`.
    pub succeeded_indexes: Str,
    /// The success of so many of these indexes, or of all of the Job's.
    pub succeeded_count: Option<u32>,
}

/// What is observed of a Job.
#[wire]
pub struct JobStatus {
    /// What is known of it at a glance.
    #[wire(atomic)]
    pub conditions: Vec<Condition>,
    /// When it began, or was resumed.
    pub start_time: Option<Timestamp>,
    /// When it succeeded.
    pub completion_time: Option<Timestamp>,
    /// How many pods wait or run and are not about to go.
    pub active: u32,
    /// How many pods have succeeded.
    pub succeeded: u32,
    /// How many pods have failed.
    pub failed: u32,
    /// How many pods are about to go.
    pub terminating: u32,
    /// The indexes that have succeeded, such as `0,2-4`.
    pub completed_indexes: Str,
    /// The indexes that have failed, such as `0,2-4`.
    pub failed_indexes: Str,
    /// Pods that have ended and are in none of the numbers yet.
    pub uncounted_terminated_pods: UncountedPods,
    /// How many pods are ready.
    pub ready: u32,
}

/// Pods that have ended and are not counted yet: they stay until they are, so that none is missed
/// and none is counted twice.
#[wire]
pub struct UncountedPods {
    /// Those that have succeeded.
    #[wire(set)]
    pub succeeded: Vec<Uid>,
    /// Those that have failed.
    #[wire(set)]
    pub failed: Vec<Uid>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::Container;
    use crate::object::Resource;

    fn job() -> Apply<Job> {
        Job::new("sum").container(Container::new("app").image("sum:1")).restart_policy(RestartPolicy::Never)
    }

    fn indexed() -> Apply<Job> {
        job().completion_mode(CompletionMode::Indexed).completions(5)
    }

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        let apply = Apply::<Job>::nothing().restart_policy(RestartPolicy::OnFailure);
        let fields = Value::Object(apply.fields().unwrap());
        assert_eq!(fields, json!({"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}));
    }

    #[test]
    fn what_is_not_said_is_as_in_kubernetes() {
        let unlimited = Some(2_147_483_647);
        let failing = PodFailurePolicy { rules: vec![] };
        for (apply, completions, parallelism, backoff, replacement) in [
            (job(), Some(1), 1, Some(6), PodReplacement::TerminatingOrFailed),
            (job().parallelism(3), None, 3, Some(6), PodReplacement::TerminatingOrFailed),
            (job().completions(3), Some(3), 1, Some(6), PodReplacement::TerminatingOrFailed),
            (
                indexed().backoff_limit_per_index(1),
                Some(5),
                1,
                unlimited,
                PodReplacement::TerminatingOrFailed,
            ),
            (job().pod_failure_policy(failing), Some(1), 1, Some(6), PodReplacement::Failed),
        ] {
            let job = apply.build().unwrap();
            assert!(job.problems().is_empty(), "{}", job.problems());
            let spec = job.spec;
            assert_eq!(
                (spec.completions, spec.parallelism, spec.backoff_limit, spec.pod_replacement_policy),
                (completions, Some(parallelism), backoff, Some(replacement))
            );
        }
        assert_eq!(job().pod_label("a", "1").build().unwrap().labels()["a"], "1");
    }

    #[test]
    fn a_job_with_an_identity_selects_its_pods_by_it() {
        let mut job = job().build().unwrap();
        assert_eq!(job.spec.selector, None);
        job.metadata.uid = Uid::from_u128(7);
        job.fill_in();
        let uid = job.metadata.uid.to_string();
        let labels = &job.spec.template.metadata.labels;
        assert_eq!((labels["controller-uid"].as_str(), labels["job-name"].as_str()), (uid.as_str(), "sum"));
        assert_eq!(job.spec.selector, Some([(UID_LABEL, uid.as_str())].into_iter().collect()));
        assert!(job.problems().is_empty(), "{}", job.problems());
        let before = job.clone();
        job.fill_in();
        assert_eq!(job, before);
    }

    #[test]
    fn what_cannot_work_is_named() {
        let selector = || [("a", "1")].into_iter().collect::<LabelSelector>();
        let rule = |action, when| PodFailurePolicy { rules: vec![PodFailureRule { action, when }] };
        let codes = |name: &str, operator, values: &[i32]| {
            let codes = ExitCodes { container_name: name.into(), operator, values: values.to_vec() };
            rule(PodFailureAction::Ignore, PodFailure::OnExitCodes(codes))
        };
        let success = |indexes: &str, succeeded_count| SuccessPolicy {
            rules: vec![SuccessRule { succeeded_indexes: indexes.into(), succeeded_count }],
        };
        for (apply, problem) in [
            (Job::new("sum"), "spec.template.spec.restartPolicy: must be OnFailure or Never"),
            (job().selector(selector()), "spec.selector: may be given only when manualSelector is true"),
            (job().manual_selector(true), "spec.selector: required"),
            (
                job().manual_selector(true).selector(selector()),
                "template.metadata.labels: must be what the selector selects",
            ),
            (job().completion_mode(CompletionMode::Indexed).parallelism(1), "spec.completions: required"),
            (indexed().parallelism(100_001), "spec.parallelism: must not be more than 100000"),
            (
                indexed().completions(200_000).backoff_limit_per_index(1),
                "spec.maxFailedIndexes: required, and must not be more than 10000",
            ),
            (job().backoff_limit_per_index(1), "backoffLimitPerIndex: needs the completionMode Indexed"),
            (indexed().max_failed_indexes(1), "spec.backoffLimitPerIndex: required when maxFailedIndexes"),
            (
                indexed().backoff_limit_per_index(1).max_failed_indexes(6),
                "spec.maxFailedIndexes: must not be more than completions",
            ),
            (
                indexed().backoff_limit_per_index(1).restart_policy(RestartPolicy::OnFailure),
                "restartPolicy: must be Never when backoffLimitPerIndex is given",
            ),
            (
                job().pod_failure_policy(rule(PodFailureAction::FailIndex, PodFailure::Unset)),
                "rules[0].action: FailIndex needs backoffLimitPerIndex",
            ),
            (
                job().pod_failure_policy(rule(PodFailureAction::Count, PodFailure::Unset)),
                "spec.podFailurePolicy.rules[0]: must say when it holds",
            ),
            (
                job().pod_failure_policy(codes("x", ExitCodeOperator::In, &[1])),
                "onExitCodes.containerName: the pod has no container `x`",
            ),
            (
                job().pod_failure_policy(codes("app", ExitCodeOperator::In, &[0, 1])),
                "values: may not contain 0",
            ),
            (
                job().pod_failure_policy(codes("", ExitCodeOperator::NotIn, &[2, 1])),
                "values: must be in order",
            ),
            (job().pod_failure_policy(codes("", ExitCodeOperator::NotIn, &[])), "values: required"),
            (
                job()
                    .pod_failure_policy(codes("", ExitCodeOperator::In, &[1]))
                    .pod_replacement_policy(PodReplacement::TerminatingOrFailed),
                "spec.podReplacementPolicy: must be Failed",
            ),
            (job().success_policy(success("0", None)), "successPolicy: needs the completionMode Indexed"),
            (indexed().success_policy(success("", None)), "successPolicy.rules[0]: must say what is enough"),
            (indexed().success_policy(success("0,3-5", None)), "succeededIndexes: `3-5` must be"),
            (indexed().success_policy(success("2,1", None)), "succeededIndexes: `1` must be"),
            (indexed().success_policy(success("0,2-3", Some(4))), "succeededCount: must be at least 1"),
            (job().managed_by("me"), "spec.managedBy: must be a domain and a path"),
            (Job::new("a.b").completion_mode(CompletionMode::Indexed), "spec.completionMode: Indexed makes"),
        ] {
            let problems = apply.build().unwrap().problems().to_string();
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
        let fine = indexed().success_policy(success("0,2-4", Some(4))).build().unwrap();
        assert!(fine.problems().is_empty(), "{}", fine.problems());
    }
}
