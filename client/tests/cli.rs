//! The built `quintet` against a scripted server: output, errors, exit codes.

use std::{path::Path, process::Stdio};

use expect_test::{Expect, expect};
use tempfile::TempDir;
use tokio::process::Command;
use tonic::{Code, Status};
use tonic_health::ServingStatus as Health;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::support::{FakeServer, digits, nobody};

/// What a finished `quintet` left.
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn quintet(server: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quintet"));
    command
        .env_remove("QUINTET_SERVER")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.args(args).args(["--server", server]);
    command
}

async fn run(server: &str, args: &[&str]) -> Finished {
    let output = quintet(server, args).output().await.expect("quintet runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Finished {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A folder with image files of these names; each file's content is its name.
fn images(names: &[&str]) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let paths = names.iter().map(|name| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).expect("the folder can be written");
        path.display().to_string()
    });
    let paths = paths.collect();
    (folder, paths)
}

impl Finished {
    /// Checks all of it; the folder's own path reads `DIR` and the server's `SERVER`.
    #[track_caller]
    fn check(&self, code: i32, folder: &Path, server: &str, stdout: &Expect, stderr: &Expect) {
        let folder = folder.display().to_string();
        let neutral = |text: &str| text.replace(&folder, "DIR").replace(server, "SERVER");
        stderr.assert_eq(&neutral(&self.stderr));
        stdout.assert_eq(&neutral(&self.stdout));
        assert_eq!(self.code, Some(code));
    }
}

#[tokio::test]
async fn classify_prints_a_table() {
    let server = FakeServer::answering().await;
    let (folder, paths) = images(&["a.png", "photo of a digit.jpg"]);
    let finished = run(
        &server.url(),
        &["classify", &paths[0], &paths[1], "--top-k", "2"],
    )
    .await;
    // The folder's name has its own width, and so has its column; the table's own test pins the columns.
    let lines: Vec<String> = finished
        .stdout
        .replace(&folder.path().display().to_string(), "DIR")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    expect![[r"
        IMAGE LABEL PROBABILITY
        DIR/a.png 7 90.00 %
        8 7.00 %
        DIR/photo of a digit.jpg 7 90.00 %
        8 7.00 %

        2 images by mlp version 2: 0.1 ms preparing, 0.0 ms queued, 1.5 ms computing, in a batch of 4"]]
    .assert_eq(&lines.join("\n"));
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn classify_prints_json() {
    let server = FakeServer::answering().await;
    let (folder, paths) = images(&["a.png"]);
    let finished = run(
        &server.url(),
        &["classify", &paths[0], "--top-k", "2", "--json"],
    )
    .await;
    finished.check(
        0,
        folder.path(),
        &server.url(),
        &expect![[r#"
            {
              "predictions": [
                {
                  "image": "DIR/a.png",
                  "model": "mlp",
                  "version": "2",
                  "labels": [
                    {
                      "name": "7",
                      "index": 7,
                      "probability": 0.9
                    },
                    {
                      "name": "8",
                      "index": 8,
                      "probability": 0.07
                    }
                  ]
                }
              ],
              "requests": [
                {
                  "model": "mlp",
                  "version": "2",
                  "images": 1,
                  "timing": {
                    "preprocess_us": 120,
                    "queue_us": 40,
                    "compute_us": 1500,
                    "batch_size": 4
                  }
                }
              ]
            }
        "#]],
        &expect![[""]],
    );
}

#[tokio::test]
async fn classify_sends_its_options_and_many_images_in_several_requests() {
    let server = FakeServer::answering().await;
    let names: Vec<String> = (0..20).map(|it| format!("{it}.png")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_folder, paths) = images(&names);
    let mut args = vec![
        "classify",
        "--model",
        "mlp",
        "--version",
        "2",
        "--framing",
        "none",
        "--json",
    ];
    args.extend(paths.iter().map(String::as_str));
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let named: Vec<_> = report["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["image"])
        .collect();
    assert_eq!(named, paths.iter().collect::<Vec<_>>());

    let calls = server.calls();
    let sizes: Vec<_> = calls.iter().map(|it| it.message.images.len()).collect();
    assert_eq!(sizes, [16, 4]);
    assert_eq!(calls[0].message.model, "mlp");
    assert_eq!(calls[0].message.version, "2");
    assert_eq!(calls[0].message.framing(), quintet_proto::v1::Framing::None);
}

#[tokio::test]
async fn an_image_can_come_from_stdin() {
    let server = FakeServer::answering().await;
    let (folder, paths) = images(&["a.png"]);
    let stdin = std::fs::File::open(&paths[0]).unwrap();
    let mut command = quintet(&server.url(), &["classify", "-"]);
    let output = command
        .stdin(stdin)
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    let source = server.calls()[0].message.images[0].source.clone();
    assert_eq!(
        source,
        Some(quintet_proto::v1::image::Source::Encoded("a.png".into()))
    );
}

#[tokio::test]
async fn an_unreadable_file_is_named_and_nothing_is_sent() {
    let server = FakeServer::answering().await;
    let (folder, paths) = images(&["a.png"]);
    let missing = folder.path().join("missing.png").display().to_string();
    let finished = run(&server.url(), &["classify", &paths[0], &missing]).await;
    finished.check(
        1,
        folder.path(),
        &server.url(),
        &expect![[""]],
        &expect![[r#"
            error: cannot read DIR/missing.png: No such file or directory (os error 2)
        "#]],
    );
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test]
async fn a_refused_image_is_named() {
    let details = ErrorDetails::with_bad_request_violation(
        "images[1].encoded",
        "starts like neither a PNG nor a JPEG",
    );
    let status = Status::with_error_details(Code::InvalidArgument, "bad image", details);
    let server = FakeServer::refusing(status).await;
    let (folder, paths) = images(&["a.png", "b.txt"]);
    let finished = run(&server.url(), &["classify", &paths[0], &paths[1]]).await;
    finished.check(
        1,
        folder.path(),
        &server.url(),
        &expect![[""]],
        &expect![[r#"
            error: Classify: invalid argument
              field: images[1].encoded (DIR/b.txt): starts like neither a PNG nor a JPEG
        "#]],
    );
}

#[tokio::test]
async fn models_prints_a_table() {
    let server = FakeServer::answering().await;
    let finished = run(&server.url(), &["models"]).await;
    finished.check(
        0,
        Path::new("unused"),
        &server.url(),
        &expect![[r#"
            NAME   VERSION  STATE        TASK                  ARCHITECTURE  PARAMETERS  TEST ACCURACY  DEVICE  INSTANCES  MAX BATCH
            cnn          1  unavailable  unknown               -                      -              -  -               -          -
            mlp *        2  ready        image_classification  mlp               109386        97.12 %  cpu             2         64

            cnn version 1: golden samples differ by 0.3

            * answers requests that name no model
        "#]],
        &expect![[""]],
    );
}

#[tokio::test]
async fn models_prints_json() {
    let server = FakeServer::answering().await;
    let finished = run(&server.url(), &["models", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let ready = &report["models"][1];
    assert_eq!(ready["task"], "image_classification");
    assert_eq!(ready["state"], "ready");
    assert_eq!(ready["inputs"][0]["shape"], serde_json::json!([-1, 28, 28]));
    assert_eq!(ready["metrics"]["test_accuracy"], 0.9712);
    assert_eq!(report["models"][0]["task"], "unknown");
}

#[tokio::test]
async fn health_is_in_the_exit_code() {
    let server = FakeServer::answering().await;
    server
        .health
        .set_service_status("cnn", Health::NotServing)
        .await;
    for (args, code, stdout) in [
        (&["health"][..], 0, "serving\n"),
        (&["health", "--model", "cnn"], 1, "not serving\n"),
        (&["health", "--model", "nothing"], 1, ""),
    ] {
        let finished = run(&server.url(), args).await;
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(code), stdout),
            "{args:?}"
        );
    }
}

/// Writes a test set of `count` images with the labels 0, 1, … 9, 0, …; the first pixel tells the label.
fn mnist(count: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, header: &[u32], data: Vec<u8>| {
        let mut file: Vec<u8> = header.iter().flat_map(|it| it.to_be_bytes()).collect();
        file.extend(data);
        std::fs::write(folder.path().join(name), file).expect("the folder can be written");
    };
    let labels: Vec<u8> = (0..count).map(|it| (it % 10) as u8).collect();
    let images = labels
        .iter()
        .flat_map(|&label| std::iter::once(label).chain([0; 783]))
        .collect();
    write("t10k-images-idx3-ubyte", &[2051, count, 28, 28], images);
    write("t10k-labels-idx1-ubyte", &[2049, count], labels);
    folder
}

/// A server that reads the first pixel, and takes a 9 for a 4.
async fn reader() -> FakeServer {
    FakeServer::start(|_, request| {
        Some(Ok(digits(request, |image| {
            match &request.images[image].source {
                Some(quintet_proto::v1::image::Source::Raw(raw)) if raw.data.len() == 784 => {
                    match raw.data[0] {
                        9 => 4,
                        digit => digit.into(),
                    }
                }
                _ => 0,
            }
        })))
    })
    .await
}

#[tokio::test]
async fn evaluate_counts_right_and_wrong_answers() {
    let server = reader().await;
    let data = mnist(50);
    let folder = data.path().display().to_string();
    let finished = run(
        &server.url(),
        &["evaluate", "--data-dir", &folder, "--json"],
    )
    .await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["images"], 50);
    assert_eq!(report["correct"], 45);
    assert_eq!(report["accuracy"], 0.9);
    assert_eq!(report["confusion"][9][4], 5);
    assert_eq!(report["confusion"][3][3], 5);
    assert_eq!(report["mean_batch_size"], 4.0);
    assert_eq!(report["model"], "mlp");
    assert_eq!(server.calls().len(), 50);
    assert_eq!(
        server.calls()[0].message.framing(),
        quintet_proto::v1::Framing::None
    );
}

#[tokio::test]
async fn evaluate_prints_the_accuracy_and_the_confusion_matrix() {
    let server = reader().await;
    let data = mnist(50);
    let folder = data.path().display().to_string();
    let args = [
        "evaluate",
        "--data-dir",
        &folder,
        "--limit",
        "10",
        "--concurrency",
        "1",
    ];
    let mut finished = run(&server.url(), &args).await;
    // The speed is this machine's.
    let lines = finished
        .stdout
        .lines()
        .filter(|line| !line.starts_with("speed"));
    finished.stdout = lines.collect::<Vec<_>>().join("\n");
    finished.check(
        0,
        data.path(),
        &server.url(),
        &expect![[r#"
            model            mlp version 2
            accuracy         90.00 % (9 of 10)
            mean batch size  4.0

            true \ answer  0  1  2  3  4  5  6  7  8  9
                        0  1  ·  ·  ·  ·  ·  ·  ·  ·  ·
                        1  ·  1  ·  ·  ·  ·  ·  ·  ·  ·
                        2  ·  ·  1  ·  ·  ·  ·  ·  ·  ·
                        3  ·  ·  ·  1  ·  ·  ·  ·  ·  ·
                        4  ·  ·  ·  ·  1  ·  ·  ·  ·  ·
                        5  ·  ·  ·  ·  ·  1  ·  ·  ·  ·
                        6  ·  ·  ·  ·  ·  ·  1  ·  ·  ·
                        7  ·  ·  ·  ·  ·  ·  ·  1  ·  ·
                        8  ·  ·  ·  ·  ·  ·  ·  ·  1  ·
                        9  ·  ·  ·  ·  1  ·  ·  ·  ·  ·"#]],
        &expect![[""]],
    );
}

#[tokio::test]
async fn evaluate_ends_with_the_first_failure() {
    let server = FakeServer::refusing(Status::not_found("no model \"x\"; there is mlp")).await;
    let data = mnist(10);
    let folder = data.path().display().to_string();
    let finished = run(
        &server.url(),
        &["evaluate", "--data-dir", &folder, "--model", "x"],
    )
    .await;
    finished.check(
        1,
        data.path(),
        &server.url(),
        &expect![[""]],
        &expect![[r#"
            error: Classify: not found: no model "x"; there is mlp
              hint: quintet models lists what the server has
        "#]],
    );
}

#[tokio::test]
async fn missing_data_is_named() {
    let server = reader().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let finished = run(&server.url(), &["evaluate", "--data-dir", &path]).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
    assert!(finished.stderr.contains("t10k-"), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("hint: --data-dir"),
        "{}",
        finished.stderr
    );
}

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
    let finished = run("https://localhost:1", &["models"]).await;
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("TLS"), "{}", finished.stderr);
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
