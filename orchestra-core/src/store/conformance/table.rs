//! The one table of all cases, each with the fault that it is there to catch.
//!
//! The list of cases here and the tests that `store_conformance!` makes both come from it.

use super::{Case, *};

/// Hands the table to a macro, after what else that is to be given.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance_table {
    ([$($then:tt)*] $($with:tt)*) => { $($then)* ! { $($with)*
        revisions {
            a_write_makes_a_later_revision: "a revision that does not grow";
            a_delete_makes_a_later_revision: "a deletion without a revision";
            the_answer_is_the_revision_of_the_write: "an answer with another revision than the write's";
            a_txn_has_one_revision: "a transaction spread over several revisions";
            a_new_entry_is_created_when_it_is_written: "a creation with a wrong revision";
            an_update_keeps_when_it_was_created: "an update that changes when an entry was created";
            writing_again_after_deletion_begins_anew: "a new entry with the creation of the one deleted before";
            other_keys_keep_their_revisions: "a write that changes the revisions of other keys";
            the_same_value_again_is_a_write: "a write that is left out because the value is the same";
            a_revision_is_never_zero: "a write at revision zero, which means none";
            an_empty_txn_makes_no_revision: "a revision at which nothing happened";
            a_guard_alone_makes_no_revision: "a revision made by a guard";
            deleting_nothing_makes_no_revision: "a revision made by deleting what is not there";
            a_conflict_makes_no_revision: "a revision made by a conflict";
            what_changes_something_makes_a_revision_whatever_else_it_deletes:
                "a transaction taken for one that changes nothing because a part of it does not";
            a_listing_is_at_the_last_revision: "a listing with an old revision";
            a_listing_of_other_keys_is_at_the_last_revision_too: "a listing with the revision of its keys only";
        }
        reads {
            nothing_stands_there_at_first: "something out of nothing";
            an_acknowledged_write_is_read: "a lost write";
            an_acknowledged_write_is_listed: "a write that listings do not see";
            an_acknowledged_deletion_is_read: "a lost deletion";
            an_acknowledged_deletion_is_listed: "a deletion that listings do not see";
            the_last_value_is_read_every_time: "a stale read";
            the_last_value_is_listed_every_time: "a stale listing";
            one_user_reads_what_another_wrote: "a cache that does not see the writes of others";
            one_task_reads_what_another_wrote: "a cache for each task or thread";
            an_entry_is_the_same_read_and_listed: "a listing that shows entries otherwise than a get";
            only_the_very_key_is_read: "a read of a key that is merely like the one asked for";
            neighbours_are_left_alone: "a write or deletion that hits other keys";
            a_listing_is_no_older_than_what_was_read: "listings that lag behind reads";
            reads_never_go_back: "reads that go back in time";
            revisions_of_listings_never_go_back: "listings whose revision goes back";
        }
        guards {
            absent_holds_where_nothing_is: "a creation that is refused without reason";
            absent_fails_where_something_is: "a guard for absence that is not looked at";
            absent_holds_again_after_a_deletion: "a deletion that leaves something behind for guards";
            absent_fails_where_an_empty_value_is: "an empty value taken for absence";
            at_holds_at_the_revision_of_the_value: "an update that is refused without reason";
            at_fails_after_an_update: "a guard for a revision that is not looked at";
            at_means_the_last_write_not_the_creation: "a guard held against the creation";
            at_fails_after_a_deletion: "a guard for a revision that holds for nothing";
            at_fails_where_it_was_written_again: "an entry taken for its predecessor";
            at_fails_at_any_later_revision: "a guard taken for `not changed since`";
            at_fails_at_any_earlier_revision: "a guard taken for `at least as new as`";
            no_revision_is_not_absence: "revision zero taken for absence";
            a_guard_need_not_be_on_a_key_that_is_written: "a guard on another key that is refused";
            a_guard_counts_on_a_key_that_is_not_written: "a guard on another key that is not looked at";
            absence_counts_on_a_key_that_is_not_written: "a guard for another key's absence not looked at";
            every_guard_counts: "guards of which some are not looked at";
            a_conflict_names_the_guard_that_did_not_hold: "a conflict that blames another key";
            a_conflict_says_what_was_expected: "a conflict with another expectation than the guard's";
            a_conflict_says_when_what_it_found_was_written: "a conflict with a wrong revision found";
            a_conflict_says_when_it_found_nothing: "a conflict that found something where nothing is";
            of_two_guards_that_fail_one_is_named: "a conflict about neither of the guards that fail";
            a_conflict_writes_nothing: "a conflict that writes";
            a_conflict_is_not_told_to_watches: "a conflict whose writes are told to watches";
            a_guard_alone_holds_or_conflicts: "guards that are not looked at without writes";
            guards_look_before_the_writes_are_made: "guards that see the transaction's own writes";
            two_guards_on_one_key_both_count: "a second guard on a key that replaces the first";
            a_guarded_deletion_needs_its_guard: "a guard on a deletion that is not looked at";
            a_guard_on_a_deletion_of_nothing_counts: "guards not looked at because nothing would change";
            who_was_deposed_writes_nothing_more: "a fence that does not hold";
        }
        atomicity {
            all_writes_are_made: "a transaction of which a part is lost";
            as_many_writes_as_may_be_are_made: "a large transaction that is split or cut off";
            a_refused_txn_leaves_nothing: "a refused transaction that wrote before it was refused";
            a_listing_shows_no_half_of_a_txn: "a transaction torn in listings";
            gets_show_no_half_of_a_txn: "a transaction torn in reads";
            a_watch_tells_no_half_of_a_txn: "a transaction torn in watches, beside a writer";
            transfers_keep_the_sum: "a read-modify-write over several keys that is not isolated";
            of_two_txns_at_once_the_last_is_there_wholly: "transactions that mix";
            a_swap_is_whole: "a transaction that sees its own first half";
        }
        listing {
            keys_are_listed_in_the_order_of_their_bytes: "a listing out of order";
            a_prefix_lists_what_begins_so_and_nothing_else: "a prefix taken for a directory or a pattern";
            a_range_has_its_start_and_not_its_end: "a range that is off by one key";
            a_range_begins_and_ends_between_keys: "a range whose ends must exist";
            a_range_without_end_lists_to_the_last_key: "a range without end that ends";
            one_key_is_listed_without_what_begins_so: "a key taken for a prefix";
            several_ranges_are_listed_in_one_order: "several ranges listed out of order, or but one of them";
            ranges_that_overlap_list_a_key_once: "a key listed twice where ranges overlap";
            ranges_that_touch_lose_no_key: "a key lost where ranges touch";
            the_scope_of_all_lists_every_key: "a first or last key that the scope of all leaves out";
            an_empty_scope_lists_nothing: "an empty scope taken for all keys";
            a_scope_without_keys_has_a_revision_to_watch_from: "an empty listing one cannot watch from";
            what_was_deleted_is_not_listed: "what was deleted, listed";
            entries_are_listed_whole: "listings that leave out a part of the entry";
            many_entries_are_all_listed: "a listing cut off in silence";
        }
        paging {
            a_page_has_no_more_than_asked_for: "a page larger than asked for";
            pages_together_are_the_listing: "an entry skipped or doubled between pages";
            a_page_says_whether_there_are_more: "a last page that does not say so";
            the_last_page_may_be_full: "a full page always taken for not the last";
            an_update_between_pages_is_not_shown: "pages of different instants, after an update";
            a_deletion_between_pages_is_not_shown: "pages of different instants, after a deletion";
            a_creation_between_pages_is_not_shown: "pages of different instants, after a creation";
            a_page_goes_on_where_its_last_key_was_deleted: "a cursor that needs its key to exist";
            a_later_page_shows_entries_as_they_were: "old values with new revisions";
            every_page_shows_the_first_ones_revision: "a later page with a later revision";
            a_past_revision_can_be_listed: "a past revision put together wrongly";
            a_past_revision_shows_entries_as_they_were: "a past entry with present revisions";
            the_current_revision_can_be_asked_for: "the current revision taken for the future";
            a_future_revision_cannot_be_listed: "a future revision answered with the present";
            a_page_after_the_last_key_is_empty: "a cursor at the end that begins anew";
            a_page_may_follow_a_key_that_never_was: "a cursor between keys that skips one";
            a_page_does_not_leave_its_scope: "a cursor that leads out of the scope";
            pages_cross_from_range_to_range: "an entry skipped or doubled between ranges";
            a_page_of_nothing_makes_no_sense: "a page of nothing, after which one would ask for ever";
            a_page_may_be_asked_to_be_huge: "a limit that overflows";
            pages_show_one_instant_beside_a_writer: "pages of different instants, beside a writer";
        }
        watching {
            what_happens_is_told: "a watch that tells nothing, or too late";
            what_had_happened_is_told_too: "a watch that begins now instead of where it was told";
            nothing_is_told_of_the_revision_itself_or_before: "a watch that begins one revision too early";
            every_revision_is_told_once_and_in_order: "an event skipped, doubled or out of order";
            quick_changes_are_not_made_one: "changes of a key merged into one";
            a_txn_is_one_batch: "a transaction torn in watches";
            a_batch_is_in_the_order_of_the_keys: "events in the order of the writes";
            an_event_shows_the_entry_as_it_is_read: "an event with another entry than is read";
            an_update_shows_what_stood_there_before: "an update without what stood there before";
            a_deletion_shows_what_stood_there_before: "a deletion without what stood there before";
            a_deletion_shows_no_entry: "a deletion that looks like a write";
            a_creation_is_one_and_shows_nothing_before: "a creation that looks like an update";
            a_creation_after_a_deletion_is_one: "a creation after a deletion that looks like an update";
            an_update_is_no_creation: "an update that looks like a creation";
            the_same_value_again_is_told: "a write that is not told because the value is the same";
            deleting_nothing_is_not_told: "a deletion told of what was not there";
            what_is_outside_of_the_scope_is_not_told: "an event from outside of the scope";
            of_a_txn_only_what_is_in_the_scope_is_told: "a batch with events from outside of the scope";
            several_ranges_are_told_together: "a revision told once a range";
            one_key_is_watched_without_what_begins_so: "a watched key taken for a prefix";
            a_prefix_of_the_greatest_bytes_is_watched_to_its_end: "a prefix whose end is off by one";
            every_key_is_watched_in_the_scope_of_all: "a first or last key that is not watched";
            an_empty_scope_is_told_nothing: "an empty scope watched as all keys";
            a_watch_from_before_everything_waits: "a watch of a new store that never waits";
            a_waiting_watch_is_woken: "a watch that is not woken";
            a_watch_read_late_misses_nothing: "a watch that forgets what is not read at once";
            whoever_polled_last_is_woken: "a watch that wakes who does not wait any more";
            the_future_cannot_be_watched: "a future revision watched, as after a restore";
            nothing_is_told_before_it_can_be_read: "a watch ahead of reads";
            list_and_watch_leave_no_gap: "a gap between a listing and the watch after it";
            what_is_acknowledged_at_once_is_told_in_order: "concurrent writes told out of order";
            a_watch_that_nobody_writes_to_waits: "a watch that tells what nobody did or asked for";
        }
        resuming {
            a_watch_resumes_after_every_revision: "a watch that resumes one revision too early or too late";
            a_watch_resumes_after_what_happened_elsewhere: "a gap after a revision outside of the scope";
            a_watch_resumes_after_a_whole_batch: "a batch told again, or its rest";
            a_watch_resumes_after_progress: "a gap or an event told twice after progress";
            a_watch_resumes_after_an_empty_txn: "the answer to an empty transaction that leaves a gap";
            a_watch_resumes_after_a_deletion: "a deletion told again";
            a_resumed_watch_shows_what_stood_there_before: "a resumed watch without what stood there before";
            a_resumed_watch_goes_on_with_what_happens: "a gap between the history and the present";
            resuming_again_and_again_tells_all_once: "a gap or an event told twice on resuming";
            two_watches_resume_from_different_places: "watches that share a place in the history";
        }
        progress {
            an_idle_watch_is_told_how_far_it_is: "progress that never comes";
            progress_reaches_what_happens_elsewhere: "progress that stays where its scope last changed";
            progress_comes_after_what_happened_before: "progress that overtakes batches";
            progress_comes_after_a_whole_txn: "progress within a transaction";
            asking_twice_is_asking_once: "progress that nobody asked for";
            progress_can_be_asked_for_again: "progress told once only";
            progress_can_be_asked_for_while_one_waits: "a request for progress that is lost";
            a_watch_goes_on_after_progress: "a watch that ends or skips after progress";
            an_empty_scope_makes_progress: "an empty scope without progress";
            progress_is_honest_beside_a_writer: "progress that overtakes batches, beside a writer";
            one_watchs_progress_is_not_anothers: "progress told to who did not ask";
        }
        compaction {
            what_is_forgotten_cannot_be_watched: "a gap skipped in silence";
            what_is_forgotten_cannot_be_watched_where_nothing_happened: "a gap taken for an idle scope";
            what_is_forgotten_cannot_be_listed: "a forgotten revision listed as something else";
            compacted_says_what_was_asked_and_what_can_be: "a wrong word on what is still held";
            the_oldest_that_is_held_can_be_watched: "a watch at the boundary that is refused or has a gap";
            the_oldest_that_is_held_can_be_listed: "a listing at the boundary that is refused or wrong";
            what_stands_there_is_not_forgotten: "compaction that loses or changes what stands there";
            what_was_deleted_stays_deleted: "compaction that brings back what was deleted";
            guards_hold_at_forgotten_revisions: "guards that need the history";
            a_watch_that_is_past_goes_on: "compaction that ends watches which are past it";
            a_watch_that_lags_is_told_all_or_that_it_is_not: "a gap in a watch that lags";
            a_listing_that_lags_goes_on_or_is_told_that_it_cannot: "a page of another instant after compaction";
            who_is_told_to_list_again_misses_nothing: "a gap after listing again";
            revisions_grow_on_after_compaction: "compaction that changes the revision";
            what_is_forgotten_stays_forgotten: "compaction that brings back an older history";
            the_future_is_not_forgotten: "the future taken for the forgotten past";
        }
        fanout {
            a_hundred_watches_of_one_scope_are_told_the_same: "a watch left out among many";
            watches_of_different_scopes_are_told_their_own: "watches that are told what concerns others";
            scopes_within_scopes_are_each_told_all_of_theirs: "a wider scope hidden by a narrower one";
            scopes_that_overlap_are_each_told_all_of_theirs: "an event told to one of two scopes only";
            a_txn_is_told_to_everybody_it_concerns: "a transaction told to one watch only";
            a_watch_that_nobody_reads_hinders_nobody: "a watch that holds up others";
            a_dropped_watch_hinders_nobody: "a dropped watch that takes others with it";
            watches_come_and_go_beside_a_writer: "a gap where a watch begins";
        }
        values {
            an_empty_value_is_a_value: "an empty value taken for none";
            any_bytes_are_a_value: "values taken for text";
            a_short_value_replaces_a_long_one: "the rest of a longer value left behind";
            the_longest_value_is_kept_whole: "a long value cut off";
            a_value_that_is_too_long_is_refused: "a limit on bytes that does not hold";
            values_are_counted_together: "a limit on bytes that holds for each value only";
            many_long_values_are_listed_whole: "a large listing that fails or is cut off";
        }
        keys {
            a_key_may_begin_another: "a key mistaken for one that it begins";
            zero_bytes_count: "a key that ends at a zero byte";
            the_greatest_bytes_count: "a range that ends before its greatest bytes";
            case_counts: "keys whose case is folded";
            any_text_is_a_key: "keys whose text is normalised";
            a_key_is_no_path: "keys cleaned up like paths";
            blanks_and_signs_count: "keys that are trimmed, escaped or matched";
            a_key_need_not_be_text: "keys taken for text";
            each_byte_is_a_key: "bytes ordered with a sign, or not at all";
            the_longest_keys_are_kept_apart: "long keys cut off";
        }
        limits {
            limits_leave_room_for_a_txn: "limits that nobody can work with";
            too_many_writes_are_refused: "a limit on writes that does not hold";
            too_many_guards_are_refused: "a limit on guards that does not hold";
            guards_and_writes_are_counted_apart: "guards counted as writes";
            the_last_of_many_guards_counts: "guards not looked at beyond some number";
            a_key_that_is_too_long_is_refused: "a limit on keys that does not hold";
            an_empty_key_makes_no_sense: "an empty key that is written";
            a_guard_on_an_empty_key_makes_no_sense: "an empty key in a guard";
            a_key_written_twice_makes_no_sense: "a key written twice in one transaction";
            what_is_refused_is_not_told_to_watches: "refused writes told to watches";
            what_was_refused_can_be_done_right: "a refusal that leaves something behind";
        }
        cancellation {
            a_dropped_commit_is_made_wholly_or_not_at_all: "a dropped commit made by half";
            a_dropped_commit_is_not_made_twice: "a dropped commit made twice";
            the_store_goes_on_after_dropped_commits: "a dropped commit that holds up the store";
            the_store_goes_on_after_dropped_reads: "a dropped read that holds up the store";
            a_dropped_wait_loses_nothing: "an event lost with the wait for it";
            a_dropped_watch_call_leaves_nothing: "a dropped call that leaves a watch behind";
            aborted_tasks_leave_nothing_half_done: "a transaction made by half where a task was aborted";
            those_who_wait_are_not_held_up_by_who_left: "a place in a queue that nobody gives up";
        }
        identity {
            a_store_has_an_identity: "a history without a name";
            the_identity_stays: "a name that changes while the history goes on";
            everybody_is_told_the_same_identity: "a name for each user";
        }
        concurrency {
            no_increment_is_lost: "a lost update";
            of_many_creators_one_wins: "two that created the same";
            of_many_deleters_one_wins: "two that deleted the same";
            no_two_txns_share_a_revision: "a revision given twice";
            revisions_keep_to_real_time: "revisions given out of order";
            reads_keep_to_real_time: "a stale read by another user";
            nobody_conflicts_with_who_writes_elsewhere: "a conflict without reason";
            every_job_is_taken_once: "a job taken twice, or lost";
            everything_that_is_acknowledged_is_told: "an acknowledged write that is never told";
            an_election_has_one_leader_a_term: "two leaders in one term";
        }
        durability {
            what_was_acknowledged_is_there_again: "an acknowledged write that did not last";
            the_very_last_write_is_there_again: "the last write lost on closing";
            what_was_deleted_stays_deleted_when_reopened: "a deletion that did not last";
            entries_keep_their_revisions: "revisions that did not last";
            revisions_grow_on: "a revision given again";
            revisions_grow_on_after_a_deletion: "a revision given again after a deletion";
            the_identity_is_kept: "a name that changes when the store is opened";
            the_identity_is_kept_where_nothing_is: "a name that is made with the first write";
            guards_hold_as_before: "guards that do not know what was written before";
            a_watch_resumes_where_it_was_or_is_told_that_it_cannot: "a gap over a restart";
            who_watched_to_the_end_resumes: "a watch that was whole and is told to list again";
            a_listing_goes_on_or_is_told_that_it_cannot: "a page of another instant after a restart";
            txns_are_whole: "a transaction of which a part did not last";
            what_was_refused_is_not_there: "a refused write that is there after a restart";
            the_longest_value_is_there_again: "bytes that are changed on their way to the disk and back";
        }
    } };
}

macro_rules! list {
    ($($family:ident { $($case:ident: $fault:literal;)* })*) => {
        pub(super) const FAMILIES: &[&[Case]] = &[$(&[$(Case {
            family: stringify!($family),
            name: stringify!($case),
            fault: $fault,
            body: |trial| Box::pin($family::$case(trial)),
        }),*]),*];
    };
}
crate::__store_conformance_table! { [list] }
