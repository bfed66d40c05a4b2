//! Logs: what a program has written.

use std::time::Duration;

use super::program::Program;
use super::trial::{Trial, soon, texts};
use crate::{ContainerId, ReadLogs, Stream};

/// A program that has written so many lines to each of its outputs, and has ended.
async fn written(trial: &Trial, many: u32) -> ContainerId {
    let id = trial.started(&Program::Writes(many)).await;
    trial.ends(&id).await;
    id
}

fn of(stream: Stream) -> ReadLogs {
    ReadLogs::all().of(stream)
}

fn outs(from: u32, to: u32) -> Vec<String> {
    (from..=to).map(|number| format!("out {number}")).collect()
}

pub(super) async fn what_is_written_is_kept_in_order(trial: Trial) {
    let id = written(&trial, 100).await;
    assert_eq!(texts(&trial.log(&id, of(Stream::Stdout)).await), outs(1, 100));
    let all = trial.log(&id, ReadLogs::all()).await;
    assert_eq!(all.len(), 200);
    assert!(all.is_sorted_by_key(|line| line.at), "times go back");
}

pub(super) async fn both_outputs_are_told_apart(trial: Trial) {
    let id = written(&trial, 3).await;
    for line in trial.log(&id, ReadLogs::all()).await {
        let expected = if line.text.starts_with(b"out") { Stream::Stdout } else { Stream::Stderr };
        assert_eq!(line.stream, expected, "{}", String::from_utf8_lossy(&line.text));
    }
}

pub(super) async fn one_output_alone_can_be_read(trial: Trial) {
    let id = written(&trial, 3).await;
    assert_eq!(texts(&trial.log(&id, of(Stream::Stderr)).await), ["err 1", "err 2", "err 3"]);
}

pub(super) async fn the_last_lines_can_be_asked_for(trial: Trial) {
    let id = written(&trial, 50).await;
    assert_eq!(texts(&trial.log(&id, of(Stream::Stdout).tail(4)).await), outs(47, 50));
    assert_eq!(trial.log(&id, ReadLogs::all().tail(7)).await.len(), 7);
}

pub(super) async fn a_tail_of_more_than_there_is_is_all(trial: Trial) {
    let id = written(&trial, 5).await;
    assert_eq!(trial.log(&id, ReadLogs::all().tail(1000)).await.len(), 10);
}

pub(super) async fn a_tail_of_none_is_none(trial: Trial) {
    let id = written(&trial, 5).await;
    assert!(trial.log(&id, ReadLogs::all().tail(0)).await.is_empty());
}

pub(super) async fn what_was_written_since_can_be_asked_for(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    trial.has_written(&id, "tick 5").await;
    trial.stop_container(&id, Duration::ZERO).await.unwrap();
    let all = trial.log(&id, ReadLogs::all()).await;
    let since = all[2].at;
    let late = trial.log(&id, ReadLogs::all().since(since)).await;
    let expected: Vec<_> = all.iter().filter(|line| line.at >= since).cloned().collect();
    assert_eq!(late, expected);
    assert!(late.len() < all.len(), "the first ones are left out");
}

pub(super) async fn following_tells_what_is_written_later(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    let mut logs = trial.logs(&id, ReadLogs::all().follow()).await.unwrap();
    for number in 1..=10 {
        let line = soon("it ticks", logs.next()).await.unwrap().expect("it goes on");
        assert_eq!(line.text, format!("tick {number}").as_bytes());
    }
}

pub(super) async fn following_ends_with_the_program(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    trial.has_written(&id, "tick 2").await;
    let logs = trial.logs(&id, ReadLogs::all().follow()).await.unwrap();
    trial.stop_container(&id, Duration::ZERO).await.unwrap();
    assert!(soon("it ends", logs.collect()).await.unwrap().len() >= 2);
}

pub(super) async fn what_it_wrote_last_is_told(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    for attempt in 0..10 {
        let request = trial.request(&Program::Writes(20)).attempt(attempt);
        let id = trial.create_container(&sandbox, request).await.unwrap();
        trial.start_container(&id).await.unwrap();
        let logs = trial.logs(&id, of(Stream::Stdout).follow()).await.unwrap();
        assert_eq!(texts(&soon("it ends", logs.collect()).await.unwrap()), outs(1, 20));
    }
}

pub(super) async fn a_log_outlives_its_program(trial: Trial) {
    let id = written(&trial, 2).await;
    trial.stop_sandbox(&trial.status(&id).await.sandbox, Duration::ZERO).await.unwrap();
    assert_eq!(texts(&trial.log(&id, of(Stream::Stdout)).await), outs(1, 2));
}

pub(super) async fn each_attempt_has_its_own_log(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let first = trial.started_in(&sandbox, trial.request(&Program::Writes(1))).await;
    trial.ends(&first).await;
    let second = trial.started_in(&sandbox, trial.request(&Program::Writes(3)).attempt(1)).await;
    trial.ends(&second).await;
    assert_eq!(trial.log(&first, ReadLogs::all()).await.len(), 2);
    assert_eq!(trial.log(&second, ReadLogs::all()).await.len(), 6);
}

pub(super) async fn two_readers_both_read_all(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    let mut one = trial.logs(&id, ReadLogs::all().follow()).await.unwrap();
    let mut other = trial.logs(&id, ReadLogs::all().follow()).await.unwrap();
    for _ in 0..5 {
        let line = soon("it ticks", one.next()).await.unwrap();
        assert!(line.is_some() && soon("it ticks", other.next()).await.unwrap() == line);
    }
}

pub(super) async fn a_log_of_nothing_is_empty(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.created(&sandbox, &Program::Waits).await;
    assert!(trial.log(&id, ReadLogs::all()).await.is_empty());
}

pub(super) async fn the_log_of_what_is_not_there_is_not_there(trial: Trial) {
    let logs = trial.logs(&ContainerId("none-such".into()), ReadLogs::all()).await;
    assert!(logs.is_err_and(|error| error.is_not_found()));
}
