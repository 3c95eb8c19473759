//! `quintet classify`, `models` and `health` against a scripted server: what they send, print, and end with.

use std::path::Path;

use expect_test::expect;
use quintet_proto::v1::OnUnreadable;
use tonic::{Code, Status};
use tonic_health::ServingStatus as Health;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    quintet::{images, quintet, run},
    support::{FakeServer, first_is_blank},
};

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
                  "readable": true,
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
async fn classify_says_where_there_is_no_digit() {
    let server = FakeServer::start(|_, request| Some(Ok(first_is_blank(request)))).await;
    let (folder, paths) = images(&["a.png", "b.png"]);
    let args = ["classify", &paths[0], &paths[1], "--show-frame"];
    let finished = run(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let folder = folder.path().display().to_string();
    let words = |line: &str| {
        line.split(' ')
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let lines: Vec<String> = finished
        .stdout
        .replace(&folder, "DIR")
        .lines()
        .map(words)
        .collect();
    expect![[r"
        DIR/a.png: no digit, dropped 11 lines, 1 speck, 1 neighbour
        ▒▒
        ██

        DIR/b.png: dark on light, dropped 11 lines, 1 speck, 1 neighbour
        ▒▒
        ████

        IMAGE LABEL PROBABILITY
        DIR/a.png no digit found
        DIR/b.png 7 90.00 %
        note: DIR/b.png: not read: 1 neighbour of the digit

        2 images by mlp version 2: 0.1 ms preparing, 0.0 ms queued, 1.5 ms computing, in a batch of 4"]]
    .assert_eq(&lines.join("\n"));
    let without_frames = run(&server.url(), &args[..3]).await.stdout;
    let (_, end) = finished.stdout.split_once("IMAGE").unwrap();
    assert_eq!(without_frames, format!("IMAGE{end}"));
    assert_eq!(
        server.calls()[0].message.on_unreadable(),
        OnUnreadable::Answer
    );

    let args = ["classify", &paths[0], "--show-frame", "--strict", "--json"];
    let finished = run(&server.url(), &args).await;
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let prediction = &report["predictions"][0];
    assert_eq!(prediction["readable"], false);
    assert_eq!(prediction["labels"], serde_json::json!([]));
    let explanation = serde_json::json!({
        "frame": { "width": 2, "height": 2, "channels": 1, "pixels": [0, 128, 255, 0] },
        "ink_found": false,
        "polarity": "dark_on_light",
        "dropped": [
            { "kind": "line", "count": 11 },
            { "kind": "speck", "count": 1 },
            { "kind": "neighbour", "count": 1 },
        ],
    });
    assert_eq!(prediction["explanation"], explanation);
    // Without the pixels, JSON says what the notes say.
    let finished = run(&server.url(), &["classify", &paths[1], "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let mut without_frame = explanation;
    without_frame.as_object_mut().unwrap().remove("frame");
    assert_eq!(report["predictions"][0]["explanation"], without_frame);
    assert_eq!(
        server.calls()[2].message.on_unreadable(),
        OnUnreadable::Error
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
              request id: ID
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
            NAME     VERSION  STATE        TASK                  ARCHITECTURE  PARAMETERS  TEST ACCURACY  DEVICE  INSTANCES  MAX BATCH
            cnn            1  unavailable  unknown               -                      -              -  -               -          -
            fashion        1  ready        image_classification  fashion           269434        94.53 %  cpu             2         32
            gan *          3  ready        image_generation      gan              2330944              -  cpu             2         16
            lstm *         1  ready        text_classification   lstm             1331521        88.50 %  cpu             2         32
            mlp *          2  ready        image_classification  mlp               109386        97.12 %  cpu             2         64

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
    let ready = &report["models"][4];
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
    let finished = run(&server.url(), &["health", "--model", "nope"]).await;
    finished.check(
        1,
        Path::new("unused"),
        &server.url(),
        &expect![[""]],
        &expect![[r#"
            error: Check: not found: model "nope"
              hint: quintet models lists what the server has
              request id: ID
        "#]],
    );
}
