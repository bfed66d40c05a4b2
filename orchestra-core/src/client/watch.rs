//! [`Watching`]: what happens to the objects that a query means, as it happens.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use super::query::Unreadable;
use super::{Client, ObjectName, Query, stored};
use crate::Result;
use crate::object::{Resource, Revision, Selector};
use crate::store::{Batch, Delivery, Entry, Event, Watch};

/// What happens to the objects that a query means, from [`Client::watch`]. Dropping it ends it.
#[derive(Debug)]
pub struct Watching<R> {
    watch: Watch,
    selector: Selector,
    of: PhantomData<fn() -> R>,
}

/// What a [`Watching`] yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Update<R> {
    /// Everything that happened at one revision to objects that are meant; never nothing.
    Batch {
        /// The revision.
        revision: Revision,
        /// What happened, in the order of the keys.
        events: Vec<Happening<R>>,
    },
    /// Every batch up to this revision has been yielded: whoever resumes can do so after it.
    Progress(Revision),
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening<R> {
    /// It is there, and as it is here. It may not have been before, or not have been meant.
    Applied {
        /// The object.
        new: R,
        /// What it was; nothing when it was not there or not meant, or the history does not hold it.
        old: Option<R>,
    },
    /// It is not there any more, or its labels are not those any more that are meant.
    Deleted {
        /// Which object.
        object: ObjectName,
        /// What it was, as far as the history holds it.
        old: Option<R>,
    },
    /// What is there now cannot be read. It says nothing of the other objects.
    Unreadable(Unreadable),
}

impl Client {
    /// What happens after a revision to the objects that a query means. A query's limit and page do not
    /// count here.
    ///
    /// Labels are looked at before and after: an object that stops being meant is deleted as far as this
    /// watch is concerned, one that begins to be is applied. Where the history does not hold what an
    /// object was, an object that is not meant now is told as deleted, though it may not have been
    /// meant before.
    ///
    /// # Errors
    /// When the store does not answer, or [does not hold](crate::store::StoreError::must_resync) the
    /// history since then: list and watch from there.
    pub async fn watch<R: Resource>(&self, query: &Query, after: Revision) -> Result<Watching<R>> {
        let (scope, selector) = query.parts(&R::KIND)?;
        let watch = self.store().watch(&scope, after).await?;
        Ok(Watching { watch, selector: selector.clone(), of: PhantomData })
    }
}

impl<R: Resource> Watching<R> {
    /// What happens next; waits until something does. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What ended the watch, now and ever after. When the history is not held any more, list and watch
    /// again.
    pub async fn next(&mut self) -> Result<Update<R>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// What happens next, if it has happened.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Update<R>>> {
        loop {
            match self.watch.poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Ready(Ok(Delivery::Progress(revision))) => {
                    return Poll::Ready(Ok(Update::Progress(revision)));
                }
                Poll::Ready(Ok(Delivery::Batch(batch))) => {
                    if let Some(update) = self.update(&batch) {
                        return Poll::Ready(Ok(update));
                    }
                }
            }
        }
    }

    /// Asks for one [`Update::Progress`], so that who is told nothing learns how far the watch has come.
    pub fn request_progress(&mut self) {
        self.watch.request_progress();
    }

    fn update(&self, batch: &Batch) -> Option<Update<R>> {
        let events: Vec<_> = batch.events.iter().filter_map(|event| self.happening(event)).collect();
        (!events.is_empty()).then_some(Update::Batch { revision: batch.revision, events })
    }

    fn happening(&self, event: &Event) -> Option<Happening<R>> {
        let is_meant = |object: &R| self.selector.matches(object.labels());
        let read = |entry: &Entry| stored::read::<R>(entry);
        // What was there and cannot be read may have been meant.
        let before = event.previous.as_deref().map(read);
        let was_meant = match &before {
            Some(Ok(object)) => is_meant(object),
            Some(Err(_)) => true,
            None => !event.is_creation(),
        };
        let old = before.and_then(Result::ok).filter(is_meant);
        match event.entry.as_deref().map(read) {
            Some(Ok(new)) if is_meant(&new) => Some(Happening::Applied { new, old }),
            Some(Err(error)) => Some(Happening::Unreadable(Unreadable::new(&event.key, error))),
            _ if was_meant => Some(match ObjectName::of_key(R::KIND, &event.key) {
                Some(object) => Happening::Deleted { object, old },
                None => Happening::Unreadable(Unreadable {
                    key: event.key.clone(),
                    reason: "its key is no object's".into(),
                }),
            }),
            _ => None,
        }
    }
}
