//! What can be wrong with reads, listings, the identity, and what lasts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use orchestra_core::store::{
    Batch, Cursor, Delivery, Entry, Key, KeyRange, Page, Revision, Scope, Store, StoreError, Txn,
};
use tokio::task::yield_now;

use crate::right::RightStore;
use crate::tamper::{Tamper, just_before, now, page_at};
use crate::{Sabotage, sabotage};

/// What stood under a key at a revision.
async fn get_at(store: &RightStore, key: &Key, at: Revision) -> Result<Option<Arc<Entry>>, StoreError> {
    Ok(store.list(&Scope::key(&**key), Page::at(at)).await?.entries.pop())
}

/// All that has happened.
async fn history(store: &RightStore) -> Vec<Arc<Batch>> {
    let mut watch = store.watch(&Scope::all(), Revision(0)).await.unwrap();
    let mut batches = Vec::new();
    while let Poll::Ready(Ok(Delivery::Batch(batch))) =
        watch.poll_next(&mut Context::from_waker(Waker::noop()))
    {
        batches.push(batch);
    }
    batches
}

/// A store to which this has happened.
async fn replayed(batches: impl IntoIterator<Item = Arc<Batch>>, deletions: bool) -> RightStore {
    let store = RightStore::default();
    for batch in batches {
        let txn = batch.events.iter().fold(Txn::new(), |txn, event| match &event.entry {
            Some(entry) => txn.put(event.key.clone(), entry.value.clone()),
            None if deletions => txn.delete(event.key.clone()),
            None => txn,
        });
        store.commit(txn).await.unwrap();
    }
    store
}

pub(crate) fn all() -> Vec<Sabotage> {
    [reads(), listings(), what_lasts()].into_iter().flatten().collect()
}

fn reads() -> Vec<Sabotage> {
    vec![
        sabotage(
            "reads are one revision behind",
            "the_last_value_is_read_every_time",
            Tamper::new()
                .get(|store, key| async move { get_at(&store, &key, just_before(&store).await).await }),
        ),
        sabotage("every third read is one revision behind", "reads_never_go_back", {
            let count = AtomicU64::new(0);
            Tamper::new().get(move |store, key| {
                let behind = count.fetch_add(1, Ordering::SeqCst) % 3 == 1;
                async move {
                    let at = if behind { just_before(&store).await } else { now(&store).await };
                    get_at(&store, &key, at).await
                }
            })
        }),
        sabotage("what was read once is read again", "one_user_reads_what_another_wrote", {
            let cache = Arc::new(Mutex::new(BTreeMap::new()));
            Tamper::new().get(move |store, key| {
                let cache = Arc::clone(&cache);
                async move {
                    let entry = store.get(&key).await?;
                    Ok(entry.map(|entry| cache.lock().unwrap().entry(key).or_insert(entry).clone()))
                }
            })
        }),
        sabotage("watches are ahead of reads", "nothing_is_told_before_it_can_be_read", {
            let read = Arc::new(AtomicU64::new(0));
            let publish = Arc::clone(&read);
            Tamper::new()
                .get(move |store, key| {
                    let at = Revision(read.load(Ordering::SeqCst));
                    async move { get_at(&store, &key, at).await }
                })
                .commit(move |store, txn| {
                    let publish = Arc::clone(&publish);
                    async move {
                        let made = store.commit(txn).await?;
                        yield_now().await;
                        publish.fetch_max(made.0, Ordering::SeqCst);
                        Ok(made)
                    }
                })
        }),
        sabotage(
            "a read finds a key that begins so",
            "only_the_very_key_is_read",
            Tamper::new().get(|store, key| async move {
                Ok(store.list(&Scope::prefix(&*key), Page::first()).await?.entries.first().cloned())
            }),
        ),
        sabotage(
            "an update changes when it was created",
            "an_update_keeps_when_it_was_created",
            Tamper::new().entries(|entry| Entry { created: entry.modified, ..entry }),
        ),
        sabotage("what was deleted is remembered", "writing_again_after_deletion_begins_anew", {
            let first = Arc::new(Mutex::new(BTreeMap::new()));
            let remembered = Arc::clone(&first);
            Tamper::new()
                .entries(move |entry| {
                    let created = remembered.lock().unwrap().get(&entry.key).copied();
                    Entry { created: created.unwrap_or(entry.created), ..entry }
                })
                .commit(move |store, txn| {
                    let first = Arc::clone(&first);
                    async move {
                        let made = store.commit(txn.clone()).await?;
                        let mut first = first.lock().unwrap();
                        txn.writes()
                            .iter()
                            .for_each(|write| _ = first.entry(write.key().clone()).or_insert(made));
                        Ok(made)
                    }
                })
        }),
        sabotage(
            "the revision of an entry is the store's",
            "other_keys_keep_their_revisions",
            Tamper::new().get(|store, key| async move {
                let modified = now(&store).await;
                let entry = store.get(&key).await?;
                Ok(entry.map(|entry| Arc::new(Entry { modified, ..Entry::clone(&entry) })))
            }),
        ),
        sabotage("there is no identity", "a_store_has_an_identity", Tamper::new().identity(|| 0)),
        sabotage("the identity changes", "the_identity_stays", {
            let count = AtomicU64::new(1);
            Tamper::new().identity(move || count.fetch_add(1, Ordering::SeqCst).into())
        }),
    ]
}

fn listings() -> Vec<Sabotage> {
    vec![
        sabotage(
            "listings are one revision behind",
            "the_last_value_is_listed_every_time",
            Tamper::new().list(|store, (scope, page)| async move {
                let at = page.from.as_ref().map(|cursor| cursor.revision);
                let at = at.unwrap_or(just_before(&store).await);
                store.list(&scope, page_at(at, &page)).await
            }),
        ),
        sabotage(
            "a listing is read in two halves",
            "transfers_keep_the_sum",
            Tamper::new().list(|store, (scope, page)| async move {
                let mut early = store.list(&scope, page.clone()).await?;
                yield_now().await;
                let late = store.list(&scope, page).await?;
                let half = early.entries.len() / 2;
                early.entries.splice(half.., late.entries.into_iter().skip(half));
                Ok(early)
            }),
        ),
        sabotage(
            "a listing is not in order",
            "keys_are_listed_in_the_order_of_their_bytes",
            Tamper::new()
                .listing(|listing| listing.entries.sort_by_key(|entry| entry.key.to_ascii_lowercase())),
        ),
        sabotage(
            "a listing has its newest entry's revision",
            "a_listing_of_other_keys_is_at_the_last_revision_too",
            Tamper::new().listing(|listing| {
                listing.revision =
                    listing.entries.iter().map(|entry| entry.modified).max().unwrap_or_default();
            }),
        ),
        sabotage(
            "a page is as long as it likes",
            "a_page_has_no_more_than_asked_for",
            Tamper::new().list(|store, (scope, page)| async move {
                store.list(&scope, Page { limit: page.limit.map(|limit| limit.max(3)), ..page }).await
            }),
        ),
        sabotage(
            "a later page shows the present",
            "an_update_between_pages_is_not_shown",
            Tamper::new().list(|store, (scope, page)| async move {
                let said = page.from.as_ref().map(|cursor| cursor.revision);
                let mut listing = store.list(&scope, page_at(now(&store).await, &page)).await?;
                listing.revision = said.unwrap_or(listing.revision);
                if let Some(next) = &mut listing.next {
                    next.revision = listing.revision;
                }
                Ok(listing)
            }),
        ),
        sabotage(
            "a later page has the present revision",
            "every_page_shows_the_first_ones_revision",
            Tamper::new().list(|store, (scope, page)| async move {
                store.list(&scope, page_at(now(&store).await, &page)).await
            }),
        ),
        sabotage(
            "a page begins one entry too late",
            "pages_together_are_the_listing",
            Tamper::new().list(|store, (scope, page)| async move {
                let later = page.from.as_ref().is_some_and(|cursor| cursor.after.is_some());
                let mut listing = store.list(&scope, page).await?;
                listing.entries.drain(..usize::from(later && listing.entries.len() > 1));
                Ok(listing)
            }),
        ),
        sabotage(
            "a page begins one entry too early",
            "a_page_after_the_last_key_is_empty",
            Tamper::new().list(|store, (scope, page)| async move {
                let after = page.from.clone().and_then(|cursor| cursor.after);
                let mut listing = store.list(&scope, page).await?;
                if let Some(after) = after {
                    let again = get_at(&store, &after, listing.revision).await?;
                    listing.entries.splice(..0, again);
                }
                Ok(listing)
            }),
        ),
        sabotage(
            "a full page is never the last",
            "the_last_page_may_be_full",
            Tamper::new().list(|store, (scope, page)| async move {
                let limit = page.limit;
                let mut listing = store.list(&scope, page).await?;
                if limit == Some(listing.entries.len()) {
                    let after = listing.entries.last().map(|entry| entry.key.clone());
                    listing.next = Some(Cursor { revision: listing.revision, after });
                }
                Ok(listing)
            }),
        ),
        sabotage(
            "a listing is cut off",
            "many_entries_are_all_listed",
            Tamper::new().listing(|listing| {
                if listing.entries.len() == 1000 {
                    listing.next = None;
                }
            }),
        ),
        sabotage(
            "a page of nothing is one",
            "a_page_of_nothing_makes_no_sense",
            Tamper::new().list(|store, (scope, page)| async move {
                store.list(&scope, Page { limit: page.limit.map(|limit| limit.max(1)), ..page }).await
            }),
        ),
        sabotage(
            "the future is listed as the present",
            "a_future_revision_cannot_be_listed",
            Tamper::new().list(|store, (scope, page)| async move {
                match store.list(&scope, page).await {
                    Err(StoreError::Ahead { .. }) => store.list(&scope, Page::first()).await,
                    answer => answer,
                }
            }),
        ),
        sabotage(
            "what is forgotten is listed as the present",
            "what_is_forgotten_cannot_be_listed",
            Tamper::new().list(|store, (scope, page)| async move {
                match store.list(&scope, page).await {
                    Err(StoreError::Compacted { .. }) => store.list(&scope, Page::first()).await,
                    answer => answer,
                }
            }),
        ),
        sabotage(
            "a range has its end",
            "a_range_has_its_start_and_not_its_end",
            Tamper::new().scope(|scope| {
                let ends: Vec<_> = scope.ranges().iter().filter_map(KeyRange::end).cloned().collect();
                ends.iter().fold(scope, |scope, end| scope.and(KeyRange::key(&**end)))
            }),
        ),
        sabotage(
            "only the first range is listed",
            "several_ranges_are_listed_in_one_order",
            Tamper::new().scope(|scope| scope.ranges().iter().take(1).cloned().collect()),
        ),
        sabotage(
            "an empty scope means everything",
            "an_empty_scope_lists_nothing",
            Tamper::new().scope(|scope| if scope == Scope::nothing() { Scope::all() } else { scope }),
        ),
    ]
}

fn what_lasts() -> Vec<Sabotage> {
    vec![
        sabotage(
            "the last transaction does not last",
            "the_very_last_write_is_there_again",
            Tamper::new().reopen(|store, ()| async move {
                let mut batches = history(&store).await;
                batches.pop();
                replayed(batches, true).await
            }),
        ),
        sabotage(
            "deletions do not last",
            "what_was_deleted_stays_deleted_when_reopened",
            Tamper::new().reopen(|store, ()| async move { replayed(history(&store).await, false).await }),
        ),
        sabotage(
            "revisions begin anew",
            "revisions_grow_on",
            Tamper::new().reopen(|store, ()| async move {
                let entries = store.list(&Scope::all(), Page::first()).await.unwrap().entries;
                let txn = entries.iter().fold(Txn::new(), |txn, e| txn.put(e.key.clone(), e.value.clone()));
                let store = RightStore::default();
                store.commit(txn).await.unwrap();
                store
            }),
        ),
        sabotage(
            "the revision is that of the newest entry",
            "revisions_grow_on_after_a_deletion",
            Tamper::new().reopen(|store, ()| async move {
                let entries = store.list(&Scope::all(), Page::first()).await.unwrap().entries;
                let newest = entries.iter().map(|entry| entry.modified).max().unwrap_or_default();
                replayed(history(&store).await.into_iter().filter(|batch| batch.revision <= newest), true)
                    .await
            }),
        ),
        sabotage("the identity is made on opening", "the_identity_is_kept", {
            let kept = Mutex::new(Vec::new());
            Tamper::new().reopen(move |store, ()| {
                // What is dropped would leave its place, which is its identity, to the next.
                kept.lock().unwrap().push(store.clone());
                async move { replayed(history(&store).await, true).await }
            })
        }),
    ]
}
