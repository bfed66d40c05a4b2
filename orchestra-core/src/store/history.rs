//! [`History`]: what happened lately, within limits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Batch, Revision, StoreError};

/// The batches of the last revisions, one for each.
#[derive(Debug)]
pub struct History {
    batches: VecDeque<Arc<Batch>>,
    /// How much memory each takes: to forget one, nothing that it refers to need be looked at.
    sizes: VecDeque<u32>,
    /// The present revision: that of the last batch, if there is one.
    revision: Revision,
    /// The oldest revision after which nothing is missing.
    oldest: Revision,
    bytes: usize,
    limits: HistoryLimits,
}

/// How much of the history is held. Whichever limit is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryLimits {
    /// So many revisions.
    pub revisions: usize,
    /// About so many bytes of memory.
    pub bytes: usize,
}

impl HistoryLimits {
    /// The default: a watcher may fall behind by this much before it must list again. Sixteen thousand
    /// changes are half a minute of a busy cluster; 32 MiB hold as many ordinary objects, and are little
    /// beside the objects themselves.
    pub const DEFAULT: Self = Self { revisions: 16_384, bytes: 32 << 20 };

    /// With another number of revisions.
    #[must_use]
    pub const fn revisions(self, revisions: usize) -> Self {
        Self { revisions, ..self }
    }

    /// With another number of bytes.
    #[must_use]
    pub const fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new(HistoryLimits::DEFAULT)
    }
}

impl History {
    /// The revision of a store in which nothing has happened: not zero, which is no revision.
    const FIRST: Revision = Revision(1);
    const FEW: usize = 8;

    pub(super) fn new(limits: HistoryLimits) -> Self {
        // Nothing has happened: nothing is missing after any revision.
        Self { oldest: Revision(0), ..Self::starting_after(Self::FIRST, limits) }
    }

    /// Nothing is known of what happened up to this revision.
    pub(super) const fn starting_after(revision: Revision, limits: HistoryLimits) -> Self {
        Self {
            batches: VecDeque::new(),
            sizes: VecDeque::new(),
            revision,
            oldest: revision,
            bytes: 0,
            limits,
        }
    }

    /// The present revision.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The oldest revision after which nothing is missing.
    #[must_use]
    pub const fn oldest(&self) -> Revision {
        self.oldest
    }

    /// About how much memory it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batches after a revision.
    ///
    /// # Errors
    /// When they are not all held any more, or the revision has not been reached.
    pub fn after(
        &self,
        revision: Revision,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Batch>> + ExactSizeIterator, StoreError> {
        if revision > self.revision {
            return Err(StoreError::Ahead { asked: revision, current: self.revision });
        }
        if revision < self.oldest {
            return Err(StoreError::Compacted { asked: revision, oldest: self.oldest });
        }
        let missed = usize::try_from(self.revision.0 - revision.0).unwrap_or(usize::MAX);
        Ok(self.batches.range(self.batches.len().saturating_sub(missed)..))
    }

    /// The batch of a revision, if it is held.
    #[must_use]
    pub fn get(&self, revision: Revision) -> Option<&Arc<Batch>> {
        let back = usize::try_from(self.revision.0.checked_sub(revision.0)?).ok()?;
        self.batches.get(self.batches.len().checked_sub(back + 1)?)
    }

    pub(super) fn push(&mut self, batch: Arc<Batch>) {
        debug_assert_eq!(batch.revision.0, self.revision.0 + 1, "revisions follow one another");
        self.revision = batch.revision;
        let size = size(&batch);
        self.bytes += size as usize;
        self.sizes.push_back(size);
        self.batches.push_back(batch);
        if self.is_over() {
            self.warm();
            let few = self.few();
            for _ in 0..few {
                self.forget_one();
            }
            while self.is_over() && self.forget_one() {}
        }
    }

    fn is_over(&self) -> bool {
        self.batches.len() > self.limits.revisions || self.bytes > self.limits.bytes
    }

    /// So many are forgotten at a time.
    fn few(&self) -> usize {
        (self.limits.revisions / 256).clamp(1, Self::FEW)
    }

    /// Looks at what is about to be forgotten. It was made long ago and is in no cache; to fetch some of
    /// it at once takes little longer than to fetch one after another.
    fn warm(&self) {
        let events = self.batches.range(..self.few().min(self.batches.len())).flat_map(|batch| &batch.events);
        let counts = events
            .filter_map(|event| event.previous.as_ref())
            .map(|entry| entry.value.first().copied().unwrap_or(0) as usize + Arc::strong_count(entry));
        std::hint::black_box(counts.sum::<usize>());
    }

    /// Forgets what happened up to a revision.
    pub(super) fn forget(&mut self, revision: Revision) {
        while self.oldest < revision && self.forget_one() {}
        self.oldest = self.oldest.max(revision.min(self.revision));
    }

    fn forget_one(&mut self) -> bool {
        let Some((batch, size)) = self.batches.pop_front().zip(self.sizes.pop_front()) else { return false };
        self.bytes -= size as usize;
        self.oldest = batch.revision;
        true
    }
}

/// About how much memory a batch keeps from being freed: what was written, and what was replaced.
fn size(batch: &Batch) -> u32 {
    let entries = batch.events.iter().flat_map(|event| [&event.entry, &event.previous]).flatten();
    let bytes = size_of::<Batch>()
        + size_of_val(&*batch.events)
        + 3 * size_of::<usize>()
        + entries.map(|entry| entry.size()).sum::<usize>();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
