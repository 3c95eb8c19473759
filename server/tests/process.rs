//! The program as a supervisor sees it: signals, its log and its exit code.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

/// The program on an empty repository, and its log, read as far as the line that it listens.
fn start() -> (Child, BufReader<ChildStderr>) {
    let models = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Command::new(env!("CARGO_BIN_EXE_quintet-server"))
        .arg("--models-dir")
        .arg(models.path())
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--device", "cpu", "--shutdown-delay", "100ms"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("quintet-server runs");
    let mut log = BufReader::new(server.stderr.take().expect("it is piped"));
    until(&mut log, "listening");
    (server, log)
}

/// Reads the log as far as a line with these words.
fn until(log: &mut BufReader<ChildStderr>, words: &str) {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        let read = log.read_line(&mut line).expect("the log is text");
        assert!(read > 0, "the log ends before {words:?}");
    }
}

fn send(server: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &server.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

#[test]
fn a_log_without_a_reader_does_not_end_the_server() {
    let (mut server, log) = start();
    drop(log);
    send(&server, "-TERM");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// As GNU's `timeout` sends it.
#[test]
fn a_signal_that_comes_twice_is_one() {
    let (mut server, mut log) = start();
    send(&server, "-TERM");
    until(&mut log, "shutting down");
    send(&server, "-TERM");
    until(&mut log, "stopped");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_hangup_is_no_end() {
    let (mut server, mut log) = start();
    send(&server, "-HUP");
    until(&mut log, "SIGHUP");
    send(&server, "-TERM");
    until(&mut log, "stopped");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
