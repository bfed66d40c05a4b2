//! [`Watch`]: what happens in a scope, as it happens.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Batch, Revision, StoreError};

/// What happens in a scope after a revision: see [`Store::watch`](super::Store::watch).
///
/// Dropping it ends it.
pub struct Watch {
    source: Box<dyn WatchSource>,
    ended: Option<StoreError>,
}

/// What a [`Watch`] yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Everything that happened in the scope at one revision.
    Batch(Arc<Batch>),
    /// Every batch up to this revision has been yielded: whoever resumes can do so after it.
    Progress(Revision),
}

/// What a store implements for its watches.
pub trait WatchSource: Send {
    /// The next batch, or the answer to a request for progress; the watch ends with an error.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when batches would be missing, or whatever else ends the watch.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>>;

    /// Asks for one [`Delivery::Progress`], as soon as the source can tell. To ask again before it
    /// came is to ask once.
    fn request_progress(&mut self);
}

impl Watch {
    /// A watch that yields what a source does.
    pub fn new(source: impl WatchSource + 'static) -> Self {
        Self { source: Box::new(source), ended: None }
    }

    /// The next delivery; waits until there is one. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What ended the watch, now and ever after. On [`StoreError::Compacted`] list and watch again.
    pub async fn next(&mut self) -> Result<Delivery, StoreError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next delivery, if there is one.
    ///
    /// # Errors
    /// What ended the watch, now and ever after.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        if let Some(error) = &self.ended {
            return Poll::Ready(Err(error.clone()));
        }
        let next = self.source.poll_next(cx);
        if let Poll::Ready(Err(error)) = &next {
            self.ended = Some(error.clone());
        }
        next
    }

    /// Asks for one [`Delivery::Progress`], so that an idle watcher learns how far it has come. To ask
    /// again before it came is to ask once.
    pub fn request_progress(&mut self) {
        self.source.request_progress();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("ended", &self.ended).finish_non_exhaustive()
    }
}
