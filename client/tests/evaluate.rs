//! `quintet evaluate` on a small test set against a scripted server.

use expect_test::expect;
use tempfile::TempDir;
use tonic::Status;

use crate::{
    quintet::run,
    support::{FakeServer, digits},
};

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
