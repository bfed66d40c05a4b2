//! Deadlines: by when a pod must have ended, whose is next by that, and what comes too late.

use std::time::Duration;

use orchestra_core::object::Timestamp;

use crate::queue::QueueOrder;
use crate::view::PodView;

impl PodView {
    /// When it must have ended: so long after its creation as its `orchestra.deadline` says. Nothing, where it
    /// says none, or as long as no store has it.
    #[must_use]
    pub fn must_end(&self) -> Option<Timestamp> {
        let deadline = self.shape().deadline.as_ref()?;
        Some(after(self.created()?, deadline.within.as_micros()))
    }

    /// When it must start at the latest, to have ended in time if it runs as long as it says.
    #[must_use]
    pub fn latest_start(&self) -> Option<Timestamp> {
        let deadline = self.shape().deadline.as_ref()?;
        Some(after(self.created()?, deadline.within.as_micros().saturating_sub(deadline.runtime.as_micros())))
    }

    /// Why it is of no use any more to start it, where it is not.
    ///
    /// ```
    /// use orchestra_core::kinds::{Deadline, Pod};
    /// use orchestra_core::object::{Duration, Timestamp};
    /// use orchestra_sched::Cluster;
    ///
    /// let mut pod = Pod::new("report").build()?;
    /// pod.metadata.creation_timestamp = Some(Timestamp::from_unix(1_800_000_000));
    /// let (within, runtime) = (Duration::from_secs(3600), Duration::from_secs(600));
    /// let deadline = Deadline { within, runtime };
    /// pod.spec.orchestra.get_or_insert_default().deadline = Some(deadline);
    /// let view = Cluster::seeded(1).view(&pod);
    /// assert_eq!(view.is_too_late(Timestamp::from_unix(1_800_003_000)), None);
    /// assert_eq!(
    ///     view.is_too_late(Timestamp::from_unix(1_800_003_001)).as_deref(),
    ///     Some("it runs 10m0s and must have ended by 2027-01-15T09:00:00Z: it had to start by 2027-01-15T08:50:00Z"),
    /// );
    /// # Ok::<_, orchestra_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_too_late(&self, now: Timestamp) -> Option<String> {
        let deadline = self.shape().deadline.as_ref()?;
        let (start, end) = (self.latest_start()?, self.must_end()?);
        (now > start).then(|| {
            format!("it runs {} and must have ended by {end}: it had to start by {start}", deadline.runtime)
        })
    }
}

/// The last whole second that is not later than so many microseconds after a time.
fn after(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_unix(time.unix().saturating_add(micros.div_euclid(1_000_000)))
}

/// The higher the priority, the earlier; of equals the one that must start first, and those without deadline after
/// all that have one.
///
/// It is optimal for one machine, where anything is: if all can be in time, they are. What is
/// [too late](PodView::is_too_late) already should not be let in front of what is not.
#[derive(Clone, Copy, Debug, Default)]
pub struct EarliestDeadline;

impl QueueOrder for EarliestDeadline {
    fn name(&self) -> &'static str {
        "EarliestDeadline"
    }

    fn rank(&self, pod: &PodView, _: Duration) -> [i64; 2] {
        [-i64::from(pod.priority()), pod.latest_start().map_or(i64::MAX, Timestamp::unix)]
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Deadline, Pod};
    use orchestra_core::object::Duration as Span;

    use super::*;
    use crate::cluster::Cluster;
    use crate::queue::Queue;

    fn pod(cluster: &mut Cluster, name: &str, created: i64, deadline: Option<(i64, i64)>) -> PodView {
        let mut pod = Pod::new(name).namespace("default").build().unwrap();
        pod.metadata.creation_timestamp = Some(Timestamp::from_unix(created));
        pod.spec.orchestra.get_or_insert_default().deadline = deadline.map(|(within, runtime)| {
            let (within, runtime) = (Span::from_millis(within), Span::from_millis(runtime));
            Deadline { within, runtime }
        });
        cluster.view(&pod)
    }

    #[test]
    fn who_must_start_first_is_first() {
        let (mut cluster, mut queue) = (Cluster::seeded(1), Queue::new(EarliestDeadline));
        let pods = [
            ("whenever", 0, None),
            ("long", 100, Some((100_000, 90_000))),
            ("early-end", 100, Some((50_000, 1_000))),
            ("old", 0, Some((105_000, 0))),
            ("later", 0, None),
        ];
        for (at, (name, created, deadline)) in pods.into_iter().enumerate() {
            let pod = pod(&mut cluster, name, created, deadline);
            queue.push(pod, Duration::from_secs(at as u64));
        }
        let mut important = Pod::new("important").namespace("default").build().unwrap();
        important.spec.priority = Some(1);
        let important = cluster.view(&important);
        queue.push(important, Duration::from_secs(9));
        let mut names = Vec::new();
        while let Some((_, pod)) = queue.pop(Duration::from_secs(9)) {
            names.push(pod.name().to_string());
        }
        assert_eq!(names, ["important", "old", "long", "early-end", "whenever", "later"]);
    }

    #[test]
    fn what_cannot_be_met_is_told_and_nothing_else() {
        let mut cluster = Cluster::seeded(1);
        for (within, runtime, latest) in [
            (10_000, 4_000, 1_006),
            (10_000, 4_001, 1_005), // down to the second: half of one is not there
            (1, 1, 1_000),
            (500, 0, 1_000),
            (1_000, 3_000, 998), // never in time, not even at once
        ] {
            let pod = pod(&mut cluster, "pod", 1_000, Some((within, runtime)));
            assert_eq!(pod.latest_start().map(Timestamp::unix), Some(latest), "{within} {runtime}");
            assert_eq!(pod.is_too_late(Timestamp::from_unix(latest)), None);
            assert!(pod.is_too_late(Timestamp::from_unix(latest + 1)).is_some());
        }
        let free = pod(&mut cluster, "free", 0, None);
        assert_eq!(free.is_too_late(Timestamp::from_unix(i64::MAX)), None);
        let mut unsaved = Pod::new("unsaved").build().unwrap();
        unsaved.spec.orchestra.get_or_insert_default().deadline = Some(Deadline::default());
        let unsaved = cluster.view(&unsaved);
        assert_eq!((unsaved.must_end(), unsaved.is_too_late(Timestamp::from_unix(i64::MAX))), (None, None));
        let far = pod(&mut cluster, "far", i64::MAX, Some((i64::MAX / 1000, 0)));
        assert_eq!(far.is_too_late(Timestamp::from_unix(i64::MAX)), None);
    }

    /// Of two pods of one class each has its own deadline: it follows from when it was created.
    #[test]
    fn a_class_shares_no_deadline() {
        let mut cluster = Cluster::seeded(1);
        let pods = [5, 9].map(|created| pod(&mut cluster, "pod", created, Some((10_000, 0))));
        assert_eq!(pods[0].class(), pods[1].class());
        assert_eq!(pods.map(|pod| pod.must_end().map(Timestamp::unix)), [Some(15), Some(19)]);
    }
}
