//! The one table of all cases, each with the fault that it is there to catch and what it needs.
//!
//! The list of cases here and the tests that `runtime_conformance!` makes both come from it.

use super::{Case, *};

/// Hands the table to a macro, after what else that is to be given.
#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_conformance_table {
    ([$($then:tt)*] $($with:tt)*) => { $($then)* ! { $($with)*
        sandboxes {
            a_sandbox_is_ready_and_says_whose_it_is: [] "a sandbox that is not what was asked for";
            creating_a_sandbox_twice_gives_the_same: [] "a second sandbox of the same attempt";
            the_next_attempt_is_another_sandbox: [] "attempts taken for one another";
            a_pod_of_another_uid_has_another_sandbox: [] "a pod taken for another of the same name";
            sandboxes_are_found_by_their_labels: [] "labels that are lost, or not heeded";
            sandboxes_are_listed_in_order: [] "a listing out of order";
            a_stopped_sandbox_is_not_ready: [] "a stopped sandbox that says that it can be used";
            stopping_a_sandbox_stops_what_runs_there: [] "a program that goes on when its sandbox is stopped";
            stopping_a_sandbox_twice_is_done_already: [] "a second stop that fails";
            a_removed_sandbox_is_gone: [] "a sandbox that is still listed when it is removed";
            removing_a_sandbox_kills_what_runs_there: [] "a program that goes on when its sandbox is removed";
            removing_a_sandbox_twice_is_done_already: [] "a second removal that fails";
            nothing_is_created_in_a_stopped_sandbox: [] "a container in a sandbox that cannot be used";
            what_is_not_there_is_said_not_to_be: [] "an unknown sandbox that is not told from a failure";
            names_that_lead_elsewhere_are_refused: [] "a name that is used as a path as it is";
            ports_say_how_they_are_reached: [OwnAddress] "a port that nobody can find";
            two_sandboxes_have_two_addresses: [OwnAddress] "an address given away twice";
        }
        containers {
            a_container_does_not_run_before_it_is_started: [] "a container that starts by itself";
            creating_a_container_twice_gives_the_same: [] "a second container of the same attempt";
            the_next_attempt_is_another_container: [] "an attempt taken for the one before";
            containers_are_found_by_their_labels: [] "labels that are lost, or not heeded";
            a_started_container_runs: [] "a start that does not start";
            starting_twice_is_done_already: [] "a second start that fails, or starts anew";
            an_exit_code_is_kept: [] "an exit code that is lost";
            every_exit_code_is_told: [] "an exit code taken for another";
            a_signal_is_told_from_a_code: [] "a signal taken for an exit code";
            what_has_ended_is_not_started_again: [] "a container that is started twice";
            a_program_that_is_not_there_is_said_so: [] "a missing program that seems to run";
            states_have_their_times: [] "an end before the beginning";
            two_containers_of_a_sandbox_are_two: [] "containers of a sandbox mixed up";
            two_that_run_at_once_end_on_their_own: [] "an exit given to another container";
            the_environment_reaches_the_program: [] "an environment that is lost";
            what_no_program_can_be_given_is_refused: [] "a request that cannot be right, and is accepted";
            an_image_that_is_not_there_is_refused: [Images] "a container of an image that is not there";
            limits_are_kept: [MemoryLimit] "limits that are lost";
            limits_change_while_it_runs: [LiveUpdate] "a change of limits that changes nothing";
            who_takes_too_much_memory_is_killed_and_said_so: [MemoryLimit] "a kill for memory taken for another";
            an_unknown_container_is_said_not_to_be_there: [] "an unknown container that is not told from a failure";
            its_usage_is_told_while_it_runs: [Stats] "usage that is made up, or missing";
            two_hundred_at_once_all_start: [] "a start that is lost among many";
        }
        stopping {
            who_is_told_to_end_ends: [] "a stop that does not stop";
            who_ends_in_its_own_way_has_its_own_code: [] "a stop that kills at once";
            who_does_not_heed_is_killed_after_the_grace: [] "a stop that waits for ever";
            no_grace_is_no_grace: [] "a grace that was not given";
            stopping_twice_is_done_already: [] "a second stop that fails";
            stopping_what_was_not_started_is_done: [] "a stop that waits for what never ran";
            what_was_stopped_is_not_started_any_more: [] "a stopped container that is started after all";
            a_signal_reaches_the_program: [] "a signal that is lost";
            children_end_with_it: [] "a grandchild that goes on";
            what_runs_is_not_removed: [] "a container that is removed while it runs";
            what_has_ended_is_removed: [] "a container that is still listed when it is removed";
            removing_twice_is_done_already: [] "a second removal that fails";
            dropping_a_stop_leaves_it_usable: [] "a call that was dropped and left a lock behind";
        }
        logs {
            what_is_written_is_kept_in_order: [] "lines lost or out of order";
            both_outputs_are_told_apart: [] "outputs taken for one another";
            one_output_alone_can_be_read: [] "a choice of the output that is not heeded";
            the_last_lines_can_be_asked_for: [] "a tail that is not the end";
            a_tail_of_more_than_there_is_is_all: [] "a tail that runs beyond the beginning";
            a_tail_of_none_is_none: [] "a tail of none taken for all";
            what_was_written_since_can_be_asked_for: [] "a time that is not heeded";
            following_tells_what_is_written_later: [] "a log that ends before the program does";
            following_ends_with_the_program: [] "a log that never ends";
            what_it_wrote_last_is_told: [] "the last lines lost when a program ends";
            a_log_outlives_its_program: [] "a log that goes with its program";
            each_attempt_has_its_own_log: [] "logs of attempts mixed up";
            two_readers_both_read_all: [] "a line that only one reader has";
            a_log_of_nothing_is_empty: [] "lines out of nothing";
            the_log_of_what_is_not_there_is_not_there: [] "an unknown container's log that is empty";
        }
        events {
            a_start_and_an_end_are_told: [] "an event that is lost";
            an_event_agrees_with_the_status: [] "a status that lags behind events";
            the_exit_is_in_the_event: [] "an event with another exit than the container's";
            events_go_on_after_a_cursor: [] "events lost or told twice between two streams";
            two_watchers_both_see_all: [] "an event that only one watcher has";
            a_removal_is_told: [] "a removal that nobody hears of";
            dropping_a_wait_loses_nothing: [] "an event lost with a future that was dropped";
            a_cursor_of_nobodys_has_a_gap: [] "a gap that is not told";
            waiting_for_what_has_ended_is_over: [] "a wait for what has happened already";
            what_happened_between_list_and_watch_is_seen: [] "an exit lost between listing and watching";
        }
        images {
            the_image_that_is_run_is_listed: [Images] "an image that is not listed";
            an_unknown_image_is_not_there: [Images] "an image out of nothing";
            an_image_in_use_is_not_removed: [Images] "an image that is removed under a container";
            what_nobody_has_cannot_be_pulled: [Pull] "a pull out of nothing";
            a_pull_tells_how_far_it_is_and_ends: [Pull] "a pull that never ends";
        }
        sessions {
            a_command_is_run_and_its_exit_told: [Exec] "a command's output or exit lost";
            a_commands_outputs_are_told_apart: [Exec] "a command's outputs taken for one another";
            a_command_is_given_input: [Exec] "input that is lost";
            a_command_that_is_not_there_is_said_so: [Exec] "a missing command that seems to run";
            nothing_is_run_in_what_has_ended: [Exec] "a command in a container that does not run";
            many_commands_at_once_have_their_own_output: [Exec] "outputs of commands mixed up";
            a_terminal_is_a_terminal: [Exec, Terminal] "a terminal that is none";
            who_attaches_sees_what_is_written: [Attach] "a program's output lost to who attaches";
            who_attaches_can_give_input: [Attach] "input that is lost";
            who_attaches_is_told_the_end: [Attach] "an end that who attaches is not told";
            a_port_is_connected_to: [Forward] "a connection that leads nowhere";
            nobody_listens_and_it_is_said: [Forward] "a connection to nobody that seems to be one";
        }
        survival {
            another_agent_finds_its_own: [] "what runs lost to an agent that is started anew";
            another_agent_reads_the_log: [Survival] "a log lost with the agent";
            another_agent_is_told_the_exit: [Survival] "an exit lost with the agent";
            another_agent_stops_it: [Survival] "what runs that only its starter can stop";
            another_agent_creates_nothing_twice: [] "a second sandbox or container after a restart";
        }
    } };
}

macro_rules! families {
    ($($family:ident { $($name:ident: [$($need:ident),*] $fault:literal;)* })*) => {
        /// The cases of each family.
        pub(super) const FAMILIES: &[&[Case]] = &[$(&[$(Case {
            family: stringify!($family),
            name: stringify!($name),
            fault: $fault,
            needs: &[$(crate::Capability::$need),*],
            body: |trial| Box::pin($family::$name(trial)),
        }),*]),*];
    };
}

__runtime_conformance_table! { [families] }

/// One `#[test]` of each case, on a harness.
///
/// `virtual time` is for a runtime that lives by tokio's clock, which is stopped then.
#[macro_export]
macro_rules! runtime_conformance {
    (virtual time, $harness:expr) => {
        $crate::__runtime_conformance_table! { [$crate::__runtime_conformance_tests] true; $harness; }
    };
    ($harness:expr) => {
        $crate::__runtime_conformance_table! { [$crate::__runtime_conformance_tests] false; $harness; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_conformance_tests {
    ($virtual:literal; $harness:expr; $($family:ident { $($name:ident: [$($need:ident),*] $fault:literal;)* })*) => {
        $(mod $family {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::conformance::test(stringify!($name), ::std::sync::Arc::new($harness), $virtual);
                }
            )*
        })*
    };
}
