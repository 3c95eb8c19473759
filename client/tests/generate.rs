//! `quintet generate` against a scripted server: what it sends, prints, writes, and leaves alone.

use std::{fs, path::Path};

use expect_test::expect;
use quintet_proto::v1::Layout;
use tempfile::TempDir;

use crate::{
    quintet::{Finished, run},
    support::{FakeServer, nobody},
};

/// Runs it with `--out` naming a place in a folder of its own.
async fn generate(server: &FakeServer, out: &str, args: &str) -> (TempDir, Finished) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let finished = generate_in(folder.path(), &server.url(), out, args).await;
    (folder, finished)
}

async fn generate_in(folder: &Path, server: &str, out: &str, args: &str) -> Finished {
    let out = folder.join(out).display().to_string();
    let args: Vec<_> = args.split_whitespace().collect();
    run(server, &[&["generate", "--out", &out], &args[..]].concat()).await
}

/// The files in a folder, sorted by name, and what is in them.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("the folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let content = fs::read_to_string(entry.path());
            (name, content.unwrap_or_else(|_| "a folder".into()))
        })
        .collect();
    files.sort();
    files
}

fn file(name: &str, content: &str) -> (String, String) {
    (name.to_owned(), content.to_owned())
}

#[tokio::test]
async fn a_sheet_is_written_and_told() {
    let server = FakeServer::answering().await;
    let (folder, finished) = generate(&server, "sheet.png", "--count 12 --seed 1").await;
    finished.check(
        0,
        folder.path(),
        &server.url(),
        &expect![[r#"
            images           12 (0: 2, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1)
            mean confidence  87.50 %
            seed             1
            generator        gan version 3, 12 candidates drawn
            classifier       mlp version 2
            written to       DIR/sheet.png
        "#]],
        &expect![[""]],
    );
    assert_eq!(files(folder.path()), [file("sheet.png", "seed 1, sheet")]);
    let (request, _) = &server.images()[0];
    assert_eq!((request.count, request.layout()), (12, Layout::Grid));
}

#[tokio::test]
async fn every_option_is_sent() {
    let server = FakeServer::answering().await;
    let args = "--digit 0 --min-confidence 0.25 --model g --version 3 --classifier c --no-preview";
    let (_folder, finished) = generate(&server, "a.png", args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let (request, _) = &server.images()[0];
    assert_eq!((request.count, request.seed), (10, None));
    assert_eq!(
        (request.digit, request.min_confidence),
        (Some(0), Some(0.25))
    );
    let names = [&request.model, &request.version, &request.classifier];
    assert_eq!(names, ["g", "3", "c"]);
}

#[tokio::test]
async fn a_folder_gets_a_file_each_from_a_stream() {
    let server = FakeServer::answering().await;
    let args = "--count 150 --digit 7 --seed 5 --timeout 3s";
    let (folder, finished) = generate(&server, "sevens", args).await;
    finished.check(
        0,
        folder.path(),
        &server.url(),
        &expect![[r#"
            images           150 (7: 150)
            mean confidence  87.50 %
            seed             5
            generator        gan version 3, 448 candidates drawn
            classifier       mlp version 2
            written to       DIR/sevens
        "#]],
        &expect![[""]],
    );
    let all = files(&folder.path().join("sevens"));
    assert_eq!(all.len(), 150);
    assert_eq!(all[0], file("0000-digit-7.png", "seed 5, candidate 0"));
    assert_eq!(all[149], file("0149-digit-7.png", "seed 5, candidate 447"));
    assert_eq!(files(folder.path()), [file("sevens", "a folder")]);
    // The wait for each part is bounded, not the whole.
    let (_, timeout) = &server.images()[0];
    assert!(timeout.ends_with(['H', 'M', 'S']), "{timeout}");
}

#[tokio::test]
async fn the_same_seed_writes_the_same_files() {
    let server = FakeServer::answering().await;
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    // The second run goes to an existing folder, with something else in it.
    for _ in 0..2 {
        for out in ["images", "sheet.png"] {
            let args = "--count 20 --seed 9";
            let finished = generate_in(folder.path(), &server.url(), out, args).await;
            assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        }
        let mut all = files(&folder.path().join("images"));
        all.retain(|it| it.0 != "mine");
        all.extend(files(folder.path()));
        seen.push(all);
        fs::write(folder.path().join("images/mine"), "mine").unwrap();
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].len(), 22);
    let mine = fs::read_to_string(folder.path().join("images/mine"));
    assert_eq!(mine.unwrap(), "mine");
}

#[tokio::test]
async fn json_has_all_of_it() {
    let server = FakeServer::answering().await;
    let (folder, finished) = generate(&server, "images", "--count 2 --json").await;
    finished.check(
        0,
        folder.path(),
        &server.url(),
        &expect![[r#"
            {
              "out": "DIR/images",
              "count": 2,
              "seed": 9223372036854775807,
              "candidates": 2,
              "model": "gan",
              "version": "3",
              "classifier": "mlp",
              "classifier_version": "2",
              "digits": [
                1,
                1,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0
              ],
              "mean_confidence": 0.875,
              "images": [
                {
                  "index": 0,
                  "digit": 0,
                  "confidence": 1.0,
                  "file": "DIR/images/0000-digit-0.png"
                },
                {
                  "index": 1,
                  "digit": 1,
                  "confidence": 0.75,
                  "file": "DIR/images/0001-digit-1.png"
                }
              ]
            }
        "#]],
        &expect![[""]],
    );
    let (_folder, finished) = generate(&server, "a.png", "--count 1 --json").await;
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["images"][0]["file"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_failure_leaves_nothing_behind() {
    let server = FakeServer::answering().await;
    for (out, args, message) in [
        (
            "sheet.png",
            "--digit 9",
            "too few found: found 3 of 20 images of a 9",
        ),
        (
            "images",
            "--digit 9",
            "too few found: found 3 of 20 images of a 9",
        ),
        // Sixteen images have come by then.
        (
            "images",
            "--count 40 --seed 1013",
            "GenerateDigitsStream: unavailable",
        ),
        ("images", "--count 40 --seed 1014", "24 images early"),
    ] {
        let (folder, finished) = generate(&server, out, args).await;
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
        assert!(finished.stderr.contains(message), "{}", finished.stderr);
        assert_eq!(files(folder.path()), []);
    }
    // So it does in a folder that was there.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("0000-digit-0.png"), "old").unwrap();
    let args = "--count 40 --seed 1013";
    let finished = generate_in(folder.path(), &server.url(), "", args).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(files(folder.path()), [file("0000-digit-0.png", "old")]);
}

#[tokio::test]
async fn too_many_for_a_sheet_are_told_where_they_can_go() {
    let server = FakeServer::answering().await;
    let (folder, finished) = generate(&server, "sheet.png", "--count 101").await;
    finished.check(
        1,
        folder.path(),
        &server.url(),
        &expect![[""]],
        &expect![[r#"
            error: GenerateDigits: invalid argument
              field: count: is 101; 1 to 100 are allowed
              request id: ID
              hint: a folder takes larger counts: --out DIR
        "#]],
    );
    assert_eq!(files(folder.path()), []);
}

#[tokio::test]
async fn without_a_terminal_a_place_is_needed() {
    let address = nobody().await;
    let finished = run(&address, &["generate"]).await;
    finished.check(
        2,
        Path::new("unused"),
        &address,
        &expect![[""]],
        &expect![[r#"
            error: there is nowhere to put the images
              hint: --out sheet.png writes a sheet of all of them, --out DIR a file for each
        "#]],
    );
}

#[tokio::test]
async fn json_needs_no_place() {
    let server = FakeServer::answering().await;
    let args = ["generate", "--count", "2", "--seed", "1", "--json"];
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["out"], serde_json::Value::Null);
    assert_eq!(
        report["images"][1],
        serde_json::json!({ "index": 1, "digit": 1, "confidence": 0.75, "file": null })
    );
}

#[tokio::test]
async fn a_seed_out_of_range_is_told_the_range() {
    for seed in ["-1", "18446744073709551616", "x"] {
        let finished = run(&nobody().await, &["generate", "--seed", seed]).await;
        let range = "write a whole number from 0 to 18446744073709551615 (2^64 - 1)";
        assert_eq!(finished.code, Some(2));
        assert!(finished.stderr.contains(range), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn wrong_usage_is_told_before_anything_is_made() {
    let address = nobody().await;
    for args in [
        "--count 0",
        "--digit 10",
        "--min-confidence 1.5",
        "--min-confidence nan",
        "--seed -1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let finished = generate_in(folder.path(), &address, "a.png", args).await;
        assert_eq!(finished.code, Some(2), "{args}");
    }
    let folder = tempfile::tempdir().unwrap();
    let finished = generate_in(folder.path(), &address, "sheet.jpg", "").await;
    finished.check(
        2,
        folder.path(),
        &address,
        &expect![[""]],
        &expect![[r#"
            error: --out DIR/sheet.jpg: name a .png file for a sheet, or a folder for a file each
        "#]],
    );
    let finished = generate_in(folder.path(), &address, "no/sheet.png", "").await;
    finished.check(
        1,
        folder.path(),
        &address,
        &expect![[""]],
        &expect![[r#"
            error: cannot write DIR/no/sheet.png: there is no folder DIR/no
        "#]],
    );
    let finished = generate_in(folder.path(), &address, "images", "").await;
    assert!(
        finished.stderr.starts_with("error: cannot reach"),
        "{}",
        finished.stderr
    );
    assert_eq!(files(folder.path()), []);
}
