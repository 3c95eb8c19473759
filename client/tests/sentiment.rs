//! `quintet sentiment` against a scripted server.

use std::process::Stdio;

use expect_test::expect;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::{
    quintet::{Finished, quintet, run},
    support::{FakeServer, nobody},
};

/// Runs it with this standard input.
async fn run_with(server: &str, args: &[&str], input: &[u8]) -> Finished {
    let mut command = quintet(server, args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("quintet runs");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let input = input.to_owned();
    // A process that has failed no longer reads.
    let writer = tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
    });
    let output = child.wait_with_output().await.expect("quintet ends");
    writer.await.expect("the writer ends");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Finished {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

#[tokio::test]
async fn texts_are_scored_in_their_order() {
    let server = FakeServer::answering().await;
    let args = [
        "sentiment",
        "I love it",
        "",
        "What a\nwaste",
        "--model",
        "lstm",
        "--version",
        "1",
    ];
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        finished.stdout,
        "POSITIVE  0.9375  I love it\nNEGATIVE  0.1250\nNEGATIVE  0.1250  What a waste\n"
    );
    let calls = server.texts();
    // They are asked for at once, so they arrive in any order.
    let mut texts: Vec<_> = calls.iter().flat_map(|it| &it.texts).collect();
    texts.sort();
    assert_eq!(texts, ["", "I love it", "What a\nwaste"]);
    assert!(
        calls
            .iter()
            .all(|it| it.model == "lstm" && it.version == "1")
    );
}

#[tokio::test]
async fn notes_name_what_makes_a_score_doubtful() {
    let server = FakeServer::answering().await;
    let long = "love ".repeat(201);
    let args = ["sentiment", "Dieser \"Film\"", "love", "-"];
    let finished = run_with(&server.url(), &args, format!("\n{long}").as_bytes()).await;
    assert_eq!(finished.code, Some(0));
    // Each text has its line.
    assert_eq!(finished.stdout.lines().count(), 4);
    expect![[r#"
        note: "Dieser \"Film\"": language not supported: the model knows 1 token, less than half of it
        note: line 2: truncated: the model read 202 tokens of it
    "#]]
    .assert_eq(&finished.stderr);
    let args = ["sentiment", "Dieser Film", &long, "--json"];
    assert_eq!(run(&server.url(), &args).await.stderr, "");
}

#[tokio::test]
async fn lines_become_json_with_their_numbers() {
    let server = FakeServer::answering().await;
    let args = ["sentiment", "I love it", "-", "--json"];
    let finished = run_with(&server.url(), &args, b"so so\r\n\n\"love\"").await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"text":"I love it","label":"POSITIVE","score":0.9375,"tokens":4,"truncated":false,"known_tokens":3,"language_supported":true,"model":"lstm","version":"1"}"#,
            r#"{"line":1,"text":"so so","label":"NEGATIVE","score":0.125,"tokens":3,"truncated":false,"known_tokens":2,"language_supported":true,"model":"lstm","version":"1"}"#,
            r#"{"line":2,"text":"","label":"NEGATIVE","score":0.125,"tokens":1,"truncated":false,"known_tokens":0,"language_supported":true,"model":"lstm","version":"1"}"#,
            r#"{"line":3,"text":"\"love\"","label":"POSITIVE","score":0.9375,"tokens":2,"truncated":false,"known_tokens":1,"language_supported":true,"model":"lstm","version":"1"}"#,
        ]
    );
}

#[tokio::test]
async fn many_lines_go_in_few_requests_and_keep_their_order() {
    let server = FakeServer::answering().await;
    let lines: Vec<_> = (0..5000).map(|it| format!("text {it}")).collect();
    let input = lines.join("\n");
    let finished = run_with(&server.url(), &["sentiment", "-"], input.as_bytes()).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let printed = finished.stdout.lines().map(|it| it.rsplit("  ").next());
    assert!(printed.eq(lines.iter().map(|it| Some(it.as_str()))));
    let calls = server.texts();
    assert!(calls.iter().all(|it| it.texts.len() <= 32));
    assert_eq!(calls.iter().map(|it| it.texts.len()).sum::<usize>(), 5000);
}

#[tokio::test]
async fn a_line_is_answered_before_the_next_is_written() {
    let server = FakeServer::answering().await;
    let mut command = quintet(&server.url(), &["sentiment", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    for text in ["one", "two love"] {
        stdin
            .write_all(format!("{text}\n").as_bytes())
            .await
            .unwrap();
        let line = stdout.next_line().await.unwrap().unwrap();
        assert!(line.ends_with(text), "{line}");
    }
    drop(stdin);
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_bad_line_is_named_after_the_answers_before_it() {
    let server = FakeServer::answering().await;
    let finished = run_with(&server.url(), &["sentiment", "-"], b"love\n\nno \xff\nmore").await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stdout,
        "POSITIVE  0.9375  love\nNEGATIVE  0.1250\n"
    );
    assert_eq!(finished.stderr, "error: line 3 is not UTF-8\n");

    let endless = vec![b'a'; (1 << 20) + 1];
    let finished = run_with(&server.url(), &["sentiment", "-"], &endless).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stderr,
        "error: line 1 is longer than 1048576 bytes\n"
    );
}

#[tokio::test]
async fn a_refused_line_is_named() {
    let server = FakeServer::answering().await;
    let finished = run_with(&server.url(), &["sentiment", "-"], b"I refuse\n").await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
    let field = "field: texts[0] (line 1): speaks of refusal";
    let expected = format!("error: SentimentScore: invalid argument\n  {field}\n");
    assert!(
        finished.stderr.starts_with(&expected),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn wrong_usage_and_no_server_are_told() {
    let address = nobody().await;
    assert_eq!(run(&address, &["sentiment"]).await.code, Some(2));
    let finished = run(&address, &["sentiment", "-", "-"]).await;
    assert_eq!(finished.stderr, "error: stdin (-) can be read only once\n");
    let finished = run(&address, &["sentiment", "text"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stderr
            .starts_with("error: cannot reach the server")
    );
}
