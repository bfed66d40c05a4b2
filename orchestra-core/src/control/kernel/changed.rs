//! What a kernel makes of what has changed: who is looked at again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::duty::{Duty, Lane};
use super::jobs::{Begun, Work};
use super::{Kernel, seed_of};
use crate::control::changes::{Changed, Changes};
use crate::control::queue::Urgency;
use crate::object::Revision;

impl Kernel {
    /// The cache has moved.
    pub(super) fn changed(&mut self, changes: &Changes) {
        if changes.reset {
            // Another history: its revisions say nothing about what was seen in this one.
            self.must_see = Revision(0);
            self.items.iter_mut().for_each(|item| item.memory.forget());
            self.epoch += 1;
            self.reaches = false;
            self.become_unsure();
        }
        if changes.is_listing {
            self.wake_garbage();
        }
        for changed in &changes.changed {
            for lane in 0..self.lanes.len() as u32 {
                // What comes with a whole listing is looked at for good measure.
                let urgency = if changes.is_listing { Urgency::Routine } else { Urgency::Fresh };
                self.changed_in(lane, changed, urgency);
            }
            self.wake_mapped(changed);
        }
        let queue = &mut self.queue;
        self.interests.woken_by(changes, |item| queue.want(item, Urgency::Fresh));
    }

    /// An object has changed, as far as a lane is concerned.
    pub(super) fn changed_in(&mut self, lane: u32, changed: &Changed, urgency: Urgency) {
        let Some(Lane { duty, .. }) = &self.lanes[lane as usize] else { return };
        if !duty.is_about(changed.watched) {
            return;
        }
        let known = self.items.number(lane, &changed.key);
        let Some(new) = changed.new.as_ref().filter(|new| duty.concerns(new.metadata())) else {
            known.into_iter().for_each(|item| self.forget(item));
            return;
        };
        let uid = &new.metadata().uid;
        let same = known.filter(|item| self.items.get(*item).is_some_and(|item| item.uid == *uid));
        let item = same.unwrap_or_else(|| {
            known.into_iter().for_each(|item| self.forget(item));
            let item = self.items.add(lane, changed.watched, changed.key.clone(), uid.clone());
            self.queue.add(item, lane, seed_of(self.settings.seed, &changed.key));
            item
        });
        self.queue.want(item, urgency);
    }

    /// A kind has come: what could not be told before may be told now.
    pub(super) fn wake_garbage(&mut self) {
        for lane in 0..self.lanes.len() as u32 {
            if let Some(Lane { duty: Duty::Garbage, .. }) = &self.lanes[lane as usize] {
                for item in self.items.of_lane(lane) {
                    self.queue.want(item, Urgency::Routine);
                }
            }
        }
    }

    /// Wakes what controllers narrowed by hand want to see woken.
    pub(super) fn wake_mapped(&mut self, changed: &Changed) {
        for (lane, entry) in self.lanes.iter().enumerate() {
            let Some(Lane { duty: Duty::Reconcile(controller), .. }) = entry else { continue };
            for object in [&changed.old, &changed.new].into_iter().flatten() {
                let concerned = AssertUnwindSafe(|| controller.concerned(changed.watched, object.as_any()));
                let items = match catch_unwind(concerned) {
                    Ok(names) => {
                        names.iter().filter_map(|it| self.items.number(lane as u32, &it.key())).collect()
                    }
                    // It does not say whom it concerns: anybody, then.
                    Err(_) => self.items.of_lane(lane as u32),
                };
                items.into_iter().for_each(|item| self.queue.want(item, Urgency::Fresh));
            }
        }
    }

    pub(super) fn forget(&mut self, item: u32) {
        self.items.remove(item);
        self.queue.remove(item);
        self.interests.remove(item);
        self.parked.retain(|(parked, _)| *parked != item);
        for Begun { work, .. } in self.jobs.values_mut() {
            if matches!(work, Work::Plan { item: of, .. } | Work::Intent { item: of, .. } | Work::Call { item: of, .. } | Work::Answer { item: of, .. } if *of == item)
            {
                *work = Work::Nobody;
            }
        }
    }
}
