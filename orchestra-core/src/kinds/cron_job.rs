//! [`CronJob`]: a Job made again and again, when a schedule says so.

use orchestra_macros::wire;

use super::job::{Job, JobSpec};
use super::pod::{PodCarrier, RestartPolicy};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Duration, IntoField, Kind, Metadata, Object, ObjectReference, Spec, Str, Timestamp,
    check_labels, names,
};

/// A Job that is made again and again, when a schedule says so.
pub type CronJob = Object<CronJobSpec>;

impl Spec for CronJobSpec {
    const KIND: Kind = Kind::namespaced("batch/v1", "CronJob");
    type Status = CronJobStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = CronJobStatus::SCHEMA;

    /// The Job's own defaults are filled in when it is made.
    fn fill_in(cron: &mut CronJob) {
        cron.spec.job_template.spec.template.fill_in();
    }

    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        Wire::texts(&mut object.spec, see);
        Wire::texts(&mut object.status, see);
    }

    fn check(cron: &CronJob, at: &At<'_>) {
        let (spec, at) = (&cron.spec, at.field("spec"));
        at.field("schedule").name(&spec.schedule, check_schedule);
        if let Some(zone) = &spec.time_zone {
            at.field("timeZone").name(zone, check_time_zone);
        }
        let at = at.field("jobTemplate");
        check_labels(&spec.job_template.metadata.labels, &at.field("metadata").field("labels"));
        let (job, at) = (&spec.job_template.spec, at.field("spec"));
        job.check(&at);
        let none = "may not be given: each Job finds its own pods";
        at.field("selector").require(job.selector.is_none(), none);
        at.field("manualSelector").require(!job.manual_selector, none);
    }

    /// The Jobs' names are the CronJob's and eleven characters more.
    fn check_name(name: &str) -> names::Verdict {
        names::dns_subdomain(name)?;
        if name.len() > 52 { Err("must be no more than 52 characters".into()) } else { Ok(()) }
    }
}

impl PodCarrier for CronJob {
    const POD_SPEC: &'static str = "spec.jobTemplate.spec.template.spec";
    const POD_METADATA: &'static str = "spec.jobTemplate.spec.template.metadata";
}

/// What is desired of a CronJob.
#[wire(spec)]
pub struct CronJobSpec {
    /// When: minute, hour, day of the month, month and day of the week, such as `30 4 * * mon-fri`.
    #[wire(required)]
    pub schedule: Str,
    /// The time zone of the schedule, such as `Europe/Berlin`; UTC when it is not given.
    pub time_zone: Option<Str>,
    /// How late a Job may still be made; however late when it is not given.
    pub starting_deadline_seconds: Option<u64>,
    /// What happens when the Job before has not ended.
    #[wire(default = ConcurrencyPolicy::Allow)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// Whether no Jobs are made for now.
    #[wire(default = false)]
    pub suspend: bool,
    /// What the Jobs are made from.
    #[wire(required)]
    pub job_template: JobTemplate,
    /// How many Jobs that succeeded are kept.
    #[wire(default = 3)]
    pub successful_jobs_history_limit: u32,
    /// How many Jobs that failed are kept.
    #[wire(default = 1)]
    pub failed_jobs_history_limit: u32,
}

/// What can be said of a CronJob beyond its fields.
impl Apply<CronJob> {
    /// Sets fields of the Jobs, each in the place of what was said of it before.
    #[must_use]
    pub fn job(self, spec: impl IntoField<JobSpec>) -> Self {
        self.put_under("spec.jobTemplate.spec", "", spec.into_field())
    }

    /// What happens when a container ends. A Job must say so: `OnFailure` or `Never`.
    #[must_use]
    pub fn restart_policy(self, policy: RestartPolicy) -> Self {
        self.put_under(CronJob::POD_SPEC, "restartPolicy", policy.into_field())
    }
}

/// A Job as a CronJob makes it.
#[wire]
pub struct JobTemplate {
    /// Labels and annotations of the Jobs.
    pub metadata: Metadata,
    /// What is desired of them.
    #[wire(required)]
    pub spec: JobSpec,
}

impl JobTemplate {
    /// Begins a description of the Job that the template makes.
    #[must_use]
    pub fn job(&self, name: impl Into<Str>) -> Apply<Job> {
        let metadata = &self.metadata;
        let job = Job::new(name).spec(self.spec.clone()).labels(metadata.labels.iter());
        metadata.annotations.iter().fold(job, |job, (key, value)| job.annotation(key, value))
    }
}

/// What happens when it is time for a Job and the one before has not ended.
#[wire]
pub enum ConcurrencyPolicy {
    /// They run beside each other.
    #[default]
    Allow,
    /// No new one is made.
    Forbid,
    /// The old one goes.
    Replace,
}

/// What is observed of a CronJob.
#[wire]
pub struct CronJobStatus {
    /// Its Jobs that have not ended.
    #[wire(atomic)]
    pub active: Vec<ObjectReference>,
    /// For when a Job was last made.
    pub last_schedule_time: Option<Timestamp>,
    /// When a Job last succeeded.
    pub last_successful_time: Option<Timestamp>,
}

/// A field of a schedule: its name, its least and greatest value, and names for some of them.
type Unit = (&'static str, u32, u32, &'static [&'static str]);

const UNITS: [Unit; 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("day of the week", 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

const SHORTHANDS: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Checks the form of a schedule: five fields, or a shorthand.
fn check_schedule(text: &str) -> Result<(), String> {
    if text.contains("TZ=") {
        return Err("may not name a time zone: that is said by timeZone".into());
    }
    if let Some(span) = text.strip_prefix("@every ") {
        let span = span.parse::<Duration>().map_err(|error| error.to_string())?;
        let ok = span >= Duration::from_secs(1);
        return if ok { Ok(()) } else { Err("@every must be at least 1s".into()) };
    }
    if text.starts_with('@') {
        let ok = SHORTHANDS.contains(&text);
        let known = SHORTHANDS.join(", ");
        return if ok { Ok(()) } else { Err(format!("`{text}` is none of {known}, @every 1h")) };
    }
    let fields: Vec<_> = text.split_ascii_whitespace().collect();
    if fields.len() != UNITS.len() {
        return Err(format!(
            "`{text}` must have five fields: minute, hour, day of the month, month, day of the week"
        ));
    }
    UNITS.iter().zip(fields).try_for_each(|(unit, field)| {
        field.split(',').try_for_each(|part| {
            check_part(part, unit).map_err(|wrong| format!("`{part}` is no {}: {wrong}", unit.0))
        })
    })
}

/// Checks `*`, `5`, `mon`, `1-5`, each with or without a step such as `/2`.
fn check_part(part: &str, unit: &Unit) -> Result<(), String> {
    let &(_, least, most, _) = unit;
    let (range, step) = part.split_once('/').unwrap_or((part, "1"));
    if number(step).is_none_or(|step| step == 0) {
        return Err(format!("the step `{step}` must be a number of 1 or more"));
    }
    if matches!(range, "*" | "?") {
        return Ok(());
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let value = |text: &str| {
        named(text, unit)
            .or_else(|| number(text))
            .filter(|value| (least..=most).contains(value))
            .ok_or_else(|| format!("`{text}` must be between {least} and {most}"))
    };
    if value(first)? > value(last)? {
        return Err("the range ends before it begins".into());
    }
    Ok(())
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn named(text: &str, &(_, least, _, names): &Unit) -> Option<u32> {
    let at = names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
    u32::try_from(at).ok().map(|at| at + least)
}

/// Checks the form of a time zone's name. Whether there is such a zone, whoever makes the Jobs says.
fn check_time_zone(text: &str) -> Result<(), String> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    if text.eq_ignore_ascii_case("local") {
        return Err("may not be Local, which is another one everywhere".into());
    }
    if text.split('/').all(part) {
        Ok(())
    } else {
        Err(format!("`{text}` must be a time zone's name, such as Europe/Berlin"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::Container;
    use crate::object::{LabelSelector, Resource};

    fn cron() -> Apply<CronJob> {
        CronJob::new("sum")
            .schedule("0 4 * * *")
            .container(Container::new("app").image("sum:1"))
            .restart_policy(RestartPolicy::Never)
    }

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        let nothing = Apply::<CronJob>::nothing;
        let parallel = Apply::<JobSpec>::nothing().parallelism(2);
        for (apply, job) in [
            (
                nothing().restart_policy(RestartPolicy::Never),
                json!({"template": {"spec": {"restartPolicy": "Never"}}}),
            ),
            (nothing().job(parallel), json!({"parallelism": 2})),
            (nothing().pod_label("a", "1"), json!({"template": {"metadata": {"labels": {"a": "1"}}}})),
            (
                nothing().container(Container::new("a")),
                json!({"template": {"spec": {"containers": [{"name": "a"}]}}}),
            ),
        ] {
            let fields = Value::Object(apply.fields().unwrap());
            assert_eq!(fields, json!({"spec": {"jobTemplate": {"spec": job}}}));
        }
    }

    #[test]
    fn what_is_not_said_is_as_in_kubernetes() {
        let cron = cron().build().unwrap();
        assert!(cron.problems().is_empty(), "{}", cron.problems());
        let spec = &cron.spec;
        assert_eq!(
            (spec.concurrency_policy, spec.successful_jobs_history_limit, spec.failed_jobs_history_limit),
            (ConcurrencyPolicy::Allow, 3, 1)
        );
        // The Job's own defaults come with the Job.
        assert_eq!(spec.job_template.spec.parallelism, None);
        let job = spec.job_template.job("sum-1").build().unwrap();
        assert_eq!((job.spec.parallelism, job.spec.backoff_limit), (Some(1), Some(6)));
    }

    #[test]
    fn a_job_has_the_labels_of_its_template() {
        let mut template = JobTemplate::default();
        template.metadata.labels.insert("a", "1".into());
        template.metadata.annotations.insert("b", "2".into());
        let job = template.job("sum-1").build().unwrap();
        assert_eq!((&job.labels()["a"], &job.metadata.annotations["b"]), (&"1".into(), &"2".into()));
    }

    #[test]
    fn schedules_are_judged_as_kubernetes_judges_them() {
        for good in [
            "* * * * *",
            "0 4 1 1 0",
            "*/5 0-23/2 ? JAN-dec mon-FRI",
            "1,2,10-20,30/5 0 31 2 sun,6",
            " 0  0 * *   * ",
            "@hourly",
            "@midnight",
            "@every 1h30m",
        ] {
            assert_eq!(check_schedule(good), Ok(()), "{good}");
        }
        for (bad, reason) in [
            ("* * * *", "must have five fields"),
            ("0 0 * * * *", "must have five fields"),
            ("60 * * * *", "`60` is no minute: `60` must be between 0 and 59"),
            ("* 24 * * *", "`24` is no hour"),
            ("* * 0 * *", "`0` is no day of the month"),
            ("* * * 13 *", "`13` is no month"),
            ("* * * * 7", "`7` is no day of the week"),
            ("* * * * fri-mon", "the range ends before it begins"),
            ("*/0 * * * *", "the step `0` must be"),
            ("*/x * * * *", "the step `x` must be"),
            ("1/2/3 * * * *", "the step `2/3` must be"),
            ("1-2-3 * * * *", "`2-3` must be between"),
            ("1, * * * *", "`` must be between"),
            ("+1 * * * *", "`+1` must be between"),
            ("mon * * * *", "`mon` is no minute"),
            ("99999999999 * * * *", "must be between"),
            ("@sometimes", "`@sometimes` is none of @yearly"),
            ("@every 5", "5"),
            ("@every 0s", "at least 1s"),
            ("TZ=UTC 0 0 * * *", "that is said by timeZone"),
        ] {
            let wrong = check_schedule(bad).unwrap_err();
            assert!(wrong.contains(reason), "{bad}: {wrong}");
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        let selector = LabelSelector::from_iter([("a", "1")]);
        for (apply, problem) in [
            (cron().schedule(""), "spec.schedule: required"),
            (cron().time_zone("Local"), "spec.timeZone: may not be Local"),
            (cron().time_zone(""), "spec.timeZone: required"),
            (cron().time_zone("../etc"), "spec.timeZone: `../etc` must be a time zone's name"),
            (
                cron().job(Apply::<JobSpec>::nothing().selector(selector)),
                "spec.jobTemplate.spec.selector: may not be given",
            ),
            (
                cron().job(Apply::<JobSpec>::nothing().manual_selector(true)),
                "spec.jobTemplate.spec.manualSelector: may not be given",
            ),
            (
                cron().restart_policy(RestartPolicy::Always),
                "spec.jobTemplate.spec.template.spec.restartPolicy: must be OnFailure or Never",
            ),
            (CronJob::new("a".repeat(53)), "metadata.name: must be no more than 52 characters"),
        ] {
            let problems = apply.build().unwrap().problems().to_string();
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
        let good = cron().time_zone("America/Port-au-Prince").build().unwrap();
        assert!(good.problems().is_empty(), "{}", good.problems());
    }
}
