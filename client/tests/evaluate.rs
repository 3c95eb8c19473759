//! `quintet evaluate` on a small test set against a scripted server.

use std::path::Path;

use expect_test::expect;
use quintet_data::fashion_mnist;
use tempfile::TempDir;
use tonic::Status;

use crate::{
    quintet::run,
    support::{FakeServer, digits},
};

fn mnist(count: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    write_test_set(folder.path(), count);
    folder
}

/// Writes a test set of `count` images with the labels 0, 1, … 9, 0, …; the first pixel tells the label.
fn write_test_set(folder: &Path, count: u32) {
    let write = |name: &str, header: &[u32], data: Vec<u8>| {
        let mut file: Vec<u8> = header.iter().flat_map(|it| it.to_be_bytes()).collect();
        file.extend(data);
        std::fs::write(folder.join(name), file).expect("the folder can be written");
    };
    let labels: Vec<u8> = (0..count).map(|it| (it % 10) as u8).collect();
    let images = labels
        .iter()
        .flat_map(|&label| std::iter::once(label).chain([0; 783]))
        .collect();
    write("t10k-images-idx3-ubyte", &[2051, count, 28, 28], images);
    write("t10k-labels-idx1-ubyte", &[2049, count], labels);
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
async fn a_model_of_garments_is_evaluated_on_garments() {
    let server = FakeServer::start(|_, request| {
        let image = request.images[0].source.as_ref();
        let Some(quintet_proto::v1::image::Source::Raw(raw)) = image else {
            return Some(Err(Status::invalid_argument("raw pixels are expected")));
        };
        // A shirt (6) is taken for a T-shirt (0).
        let garment = if raw.data[0] == 6 { 0 } else { raw.data[0] };
        let mut answer = digits(request, |_| garment.into());
        let name = fashion_mnist::LABELS[usize::from(garment)];
        name.clone_into(&mut answer.classifications[0].labels[0].name);
        Some(Ok(answer))
    })
    .await;
    let data = mnist(20);
    let garments = data.path().join("fashion-mnist");
    let folder = data.path().display().to_string();
    let args = [
        "evaluate",
        "--data-dir",
        &folder,
        "--model",
        "fashion",
        "--json",
    ];
    // MNIST's files beside it have the same names.
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, server.calls().len()), (Some(1), 0));
    assert!(
        finished.stderr.contains("fashion-mnist"),
        "{}",
        finished.stderr
    );

    std::fs::create_dir(&garments).expect("the folder can be written");
    write_test_set(&garments, 50);
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["images"], 50);
    assert_eq!(report["correct"], 45);
    assert_eq!(report["labels"][9], "Ankle boot");
    assert_eq!(report["confusion"][6][0], 5);
    assert!(
        server
            .calls()
            .iter()
            .all(|it| it.message.model == "fashion")
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
              request id: ID
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

/// An archive with the published number of reviews; each says "love" where it is good, but for every fifth good one.
fn imdb(folder: &std::path::Path) {
    use std::io::Write as _;

    let mut archive = Vec::new();
    let mut add = |path: String, text: &str| {
        let mut header = [0; 512];
        let mut put = |at: usize, field: &str| {
            header[at..at + field.len()].copy_from_slice(field.as_bytes());
        };
        put(0, &path);
        put(100, "0000644\0");
        put(124, &format!("{:011o}\0", text.len()));
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\0");
        put(263, "00");
        let sum: u32 = header.iter().map(|&it| u32::from(it)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend(header);
        archive.extend(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(512), 0);
    };
    for split in ["train", "test"] {
        for number in 0..12_500 {
            let good = if number % 5 == 0 { "fine" } else { "I love it" };
            add(format!("aclImdb/{split}/pos/{number}_9.txt"), good);
            add(format!("aclImdb/{split}/neg/{number}_2.txt"), "a waste");
        }
    }
    archive.resize(archive.len() + 1024, 0);
    let file = std::fs::File::create(folder.join("aclImdb_v1.tar.gz")).expect("a file can be made");
    let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    file.write_all(&archive).expect("the folder can be written");
    file.finish().expect("the folder can be written");
}

#[tokio::test]
async fn a_text_model_is_evaluated_on_the_reviews() {
    let server = reader().await;
    let data = mnist(10);
    imdb(data.path());
    let folder = data.path().display().to_string();
    let args = ["evaluate", "--data-dir", &folder, "--model", "lstm"];
    let finished = run(&server.url(), &[&args[..], &["--json"]].concat()).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["texts"], 25_000);
    assert_eq!(report["correct"], 22_500);
    assert_eq!(
        report["labels"],
        serde_json::json!(["NEGATIVE", "POSITIVE"])
    );
    assert_eq!(
        report["confusion"],
        serde_json::json!([[12_500, 0], [2500, 10_000]])
    );
    let calls = server.texts();
    assert!(
        calls
            .iter()
            .all(|it| it.model == "lstm" && it.texts.len() <= 16)
    );
    assert_eq!(calls.len(), 25_000_usize.div_ceil(16));
    assert_eq!(server.calls().len(), 0);

    // Without a model, the default classifier and then every text classifier.
    let args = ["evaluate", "--data-dir", &folder, "--limit", "10"];
    let mut finished = run(&server.url(), &args).await;
    let lines = finished
        .stdout
        .lines()
        .filter(|line| !line.starts_with("speed"));
    finished.stdout = lines.skip(15).collect::<Vec<_>>().join("\n");
    finished.check(
        0,
        data.path(),
        &server.url(),
        &expect![[r#"

            model            lstm version 1
            accuracy         90.00 % (9 of 10)
            mean batch size  2.0

            true \ answer NEGATIVE POSITIVE
                 NEGATIVE        5        ·
                 POSITIVE        1        4"#]],
        &expect![[""]],
    );
}

#[tokio::test]
async fn a_text_model_is_evaluated_on_own_texts() {
    let server = reader().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.tsv");
    let file = path.display().to_string();
    std::fs::write(&path, "I love it\t1\na waste\t0\nfine\t1\n").unwrap();
    let args = ["evaluate", "--texts", &file, "--json"];
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["model"], "lstm");
    assert_eq!(report["confusion"], serde_json::json!([[1, 0], [1, 1]]));
    assert_eq!(server.texts()[0].texts, ["I love it", "a waste", "fine"]);

    for (content, complaint) in [
        ("fine 1\n", "line 1: no tab and label 0 or 1 at its end"),
        ("", "has no texts"),
    ] {
        std::fs::write(&path, content).unwrap();
        let finished = run(&server.url(), &args).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains(complaint), "{}", finished.stderr);
    }
    let args = ["evaluate", "--texts", &file, "--model", "mlp"];
    let finished = run(&server.url(), &args).await;
    let complaint = "mlp is no text classifier that is ready";
    assert!(finished.stderr.contains(complaint), "{}", finished.stderr);
}

#[tokio::test]
async fn missing_reviews_are_named() {
    let server = reader().await;
    let data = mnist(10);
    let folder = data.path().display().to_string();
    let args = ["evaluate", "--data-dir", &folder, "--model", "lstm"];
    let finished = run(&server.url(), &args).await;
    finished.check(
        1,
        data.path(),
        &server.url(),
        &expect![[""]],
        &expect![[r#"
            error: DIR has no aclImdb_v1.tar.gz
              hint: --data-dir names the folder with the IMDB reviews
        "#]],
    );
}

#[tokio::test]
async fn a_generator_has_no_accuracy() {
    let server = reader().await;
    let args = ["evaluate", "--data-dir", "nowhere", "--model", "gan"];
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
    expect![[r"
        error: gan makes images, and what it makes has no right answers
          hint: quintet generate --json says how sure a classifier is of them
    "]]
    .assert_eq(&finished.stderr);
}
