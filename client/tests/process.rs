//! `quintet` as a process: exit codes, the environment, pipes, signals, and no server at all.

use std::{path::Path, process::Stdio};

use expect_test::expect;
use tokio::process::Command;

use crate::{
    quintet::{images, quintet, run},
    support::{FakeServer, nobody},
};

#[tokio::test]
async fn nobody_listening_is_said_with_the_address_and_a_way_out() {
    let address = nobody().await;
    let finished = run(&address, &["models"]).await;
    finished.check(
        1,
        Path::new("unused"),
        &address,
        &expect![[""]],
        &expect![[r#"
            error: cannot reach the server at http://SERVER: Connection refused (os error 111)
              hint: start one with quintet-server, or name another with --server or QUINTET_SERVER
        "#]],
    );
}

#[tokio::test]
async fn wrong_usage_has_its_own_exit_code() {
    for args in [
        &["classify"][..],
        &["classify", "a.png", "--top-k", "0"],
        &["models", "--timeout", "10"],
        &["nothing"],
        &[],
    ] {
        assert_eq!(run("localhost:1", args).await.code, Some(2), "{args:?}");
    }
    for (server, args, reason) in [
        ("ftp://localhost:1", &[][..], "unknown scheme"),
        ("http://localhost:1", &["--tls"], "plain text"),
        ("localhost:1", &["--tls-key", "key.pem"], "go together"),
        ("localhost:1", &["--metadata", "te=1"], "gRPC sets"),
        // What came may be a secret.
        (
            "localhost:1",
            &["--metadata", "key: hidden"],
            "write KEY=VALUE",
        ),
    ] {
        let finished = run(server, &[&["models"], args].concat()).await;
        assert_eq!(finished.code, Some(2), "{args:?}");
        assert!(finished.stderr.contains(reason), "{}", finished.stderr);
        assert!(!finished.stderr.contains("hidden"), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn the_server_can_come_from_the_environment() {
    let server = FakeServer::answering().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    let output = command
        .arg("health")
        .env("QUINTET_SERVER", server.url())
        .output()
        .await
        .unwrap();
    assert_eq!(output.stdout, b"serving\n");
}

#[tokio::test]
async fn a_reader_that_has_gone_away_is_no_failure() {
    let server = FakeServer::answering().await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = quintet(&server.url(), &["models"]);
    let output = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = output.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[tokio::test]
async fn ctrl_c_ends_a_call_cleanly() {
    let (called, mut call) = tokio::sync::mpsc::unbounded_channel();
    let server = FakeServer::start(move |_, _| {
        called.send(()).expect("the test waits");
        None
    })
    .await;
    let (_folder, paths) = images(&["a.png"]);
    let mut command = quintet(&server.url(), &["classify", &paths[0]]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    call.recv().await.unwrap();
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(output.stderr, b"error: interrupted\n");
}
