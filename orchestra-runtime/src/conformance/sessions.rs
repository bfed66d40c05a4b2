//! Sessions: commands that are run inside, programs that one attaches to, ports.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::program::Program;
use super::trial::{Trial, soon};
use crate::{Attach, Error, Exec, Exit, Output, Size, Stream};

/// Commands that every harness' containers know.
fn says() -> Exec {
    Exec::new(["sh", "-c", "echo out; echo err >&2; exit 3"])
}

fn cat() -> Exec {
    Exec::new(["cat"]).with_stdin()
}

pub(super) async fn a_command_is_run_and_its_exit_told(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let (out, _, exit) = soon("it ends", trial.exec(&id, says()).await.unwrap().finish()).await.unwrap();
    assert_eq!((out.as_slice(), exit), (&b"out\n"[..], Exit::Code(3)));
}

pub(super) async fn a_commands_outputs_are_told_apart(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let (out, err, _) = soon("it ends", trial.exec(&id, says()).await.unwrap().finish()).await.unwrap();
    assert_eq!((out.as_slice(), err.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
}

pub(super) async fn a_command_is_given_input(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let mut session = trial.exec(&id, cat()).await.unwrap();
    session.write(b"one\n").await.unwrap();
    session.write(b"two\n").await.unwrap();
    session.close_input().await.unwrap();
    let (out, _, exit) = soon("it ends when it is given no more", session.finish()).await.unwrap();
    assert_eq!((out.as_slice(), exit), (&b"one\ntwo\n"[..], Exit::Code(0)));
}

pub(super) async fn a_command_that_is_not_there_is_said_so(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let failed = match trial.exec(&id, Exec::new(["/no/such/program"])).await {
        Ok(session) => match soon("it fails", session.finish()).await.unwrap() {
            (_, _, Exit::Code(126 | 127)) => return,
            other => panic!("{other:?}"),
        },
        Err(error) => error,
    };
    assert!(matches!(failed, Error::Start { .. }), "{failed:?}");
}

pub(super) async fn nothing_is_run_in_what_has_ended(trial: Trial) {
    let id = trial.started(&Program::Exits(0)).await;
    trial.ends(&id).await;
    let refused = trial.exec(&id, says()).await.map(drop);
    assert!(matches!(refused, Err(Error::WrongState { .. })), "{refused:?}");
}

pub(super) async fn many_commands_at_once_have_their_own_output(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let mut sessions = Vec::new();
    for number in 0..10 {
        let mut session = trial.exec(&id, cat()).await.unwrap();
        session.write(format!("{number}\n").as_bytes()).await.unwrap();
        sessions.push((number, session));
    }
    for (number, mut session) in sessions {
        session.close_input().await.unwrap();
        let (out, _, _) = soon("it ends", session.finish()).await.unwrap();
        assert_eq!(out, format!("{number}\n").as_bytes());
    }
}

pub(super) async fn a_terminal_is_a_terminal(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let command = Exec::new(["sh", "-c", "stty size; read line; stty size"]).with_stdin().with_tty();
    let mut session = trial.exec(&id, command).await.unwrap();
    session.resize(Size { columns: 120, rows: 40 }).await.unwrap();
    session.write(b"\n").await.unwrap();
    let (out, err, _) = soon("it ends", session.finish()).await.unwrap();
    let out = String::from_utf8_lossy(&out).into_owned();
    assert!(out.contains("40 120") && err.is_empty(), "{out}");
}

pub(super) async fn who_attaches_sees_what_is_written(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    let mut session = trial.attach(&id, Attach::default()).await.unwrap();
    let mut seen = String::new();
    while seen.matches("tick ").count() < 3 {
        match soon("it ticks", session.next()).await.unwrap() {
            Output::Data(Stream::Stdout, data) => seen.push_str(&String::from_utf8_lossy(&data)),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) async fn who_attaches_can_give_input(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.started_in(&sandbox, trial.request(&Program::Echoes).with_stdin()).await;
    let mut session = trial.attach(&id, Attach::default().with_stdin()).await.unwrap();
    session.write(b"hello\n").await.unwrap();
    let mut seen = Vec::new();
    while seen != b"hello\n" {
        match soon("it answers", session.next()).await.unwrap() {
            Output::Data(Stream::Stdout, data) => seen.extend(data),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) async fn who_attaches_is_told_the_end(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    let session = trial.attach(&id, Attach::default()).await.unwrap();
    trial.stop_container(&id, Duration::ZERO).await.unwrap();
    let (_, _, exit) = soon("it is told", session.finish()).await.unwrap();
    assert_eq!(exit.code(), trial.status(&id).await.state.exit().unwrap().code());
}

pub(super) async fn a_port_is_connected_to(trial: Trial) {
    let sandbox = trial.create_sandbox(trial.pod("web").port(8080)).await.unwrap();
    trial.started_in(&sandbox, trial.request(&Program::Serves(8080))).await;
    // It may take a moment until it listens.
    let mut connection = loop {
        match trial.forward(&sandbox, 8080).await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    connection.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    soon("it answers", connection.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"ping");
}

pub(super) async fn nobody_listens_and_it_is_said(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    trial.started_in(&sandbox, trial.request(&Program::Waits)).await;
    let refused = match soon("it is refused", trial.forward(&sandbox, 9)).await {
        Ok(mut connection) => {
            // A runtime may notice only when something is sent.
            let _ = connection.write_all(b"ping").await;
            let mut answer = Vec::new();
            soon("it ends", connection.read_to_end(&mut answer)).await.is_err() || answer.is_empty()
        }
        Err(_) => true,
    };
    assert!(refused);
}
