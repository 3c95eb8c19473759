//! What several tests build and check.

use std::path::{Path, PathBuf};

use quintet_client::{Classifications, ClassifyRequest, Framing};
use quintet_e2e::{Frame, Server, near};
use quintet_proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A request for these frames without framing, with all labels in the answer.
pub(crate) fn request(frames: &[Frame]) -> v1::ClassifyRequest {
    v1::ClassifyRequest {
        images: frames.iter().map(wire_image).collect(),
        top_k: 10,
        framing: v1::Framing::None.into(),
        ..Default::default()
    }
}

/// A frame as a message.
pub(crate) fn wire_image(frame: &Frame) -> v1::Image {
    raw(28, 28, 1, frame.0.clone())
}

/// Pixels as a message.
pub(crate) fn raw(width: u32, height: u32, channels: u32, data: Vec<u8>) -> v1::Image {
    let raw = v1::RawImage {
        width,
        height,
        channels,
        data: data.into(),
    };
    v1::Image {
        source: Some(v1::image::Source::Raw(raw)),
    }
}

/// A file as a message.
pub(crate) fn encoded(file: Vec<u8>) -> v1::Image {
    v1::Image {
        source: Some(v1::image::Source::Encoded(file.into())),
    }
}

/// The same request through the SDK.
pub(crate) fn sdk_request(frames: &[Frame]) -> ClassifyRequest {
    ClassifyRequest::new(frames.iter().map(Frame::image))
        .top_k(10)
        .framing(Framing::None)
}

/// Whether each frame got its own probabilities.
pub(crate) fn is_answer_to(reply: &v1::ClassifyResponse, frames: &[Frame], turn: usize) -> bool {
    reply.classifications.len() == frames.len()
        && reply
            .classifications
            .iter()
            .zip(frames)
            .all(|(classification, frame)| {
                let expected = frame.probabilities(turn);
                classification.labels.len() == expected.len()
                    && classification.labels.iter().all(|label| {
                        near(label.probability, expected[label.index as usize])
                            && label.name == format!("class-{}", label.index)
                    })
            })
}

/// Checks that each frame got its own probabilities.
#[track_caller]
pub(crate) fn assert_answers(reply: &v1::ClassifyResponse, frames: &[Frame]) {
    assert!(is_answer_to(reply, frames, 0), "{frames:?}: {reply:?}");
}

/// Checks that each frame got its own probabilities, through the SDK.
#[track_caller]
pub(crate) fn assert_sdk_answers(answer: &Classifications, frames: &[Frame]) {
    assert_eq!(answer.predictions.len(), frames.len());
    for (prediction, frame) in answer.predictions.iter().zip(frames) {
        let expected = frame.probabilities(0);
        for label in &prediction.labels {
            assert!(near(label.probability, expected[label.index as usize]));
        }
    }
}

/// The one field that a refusal names, and its description.
#[track_caller]
pub(crate) fn violation(status: &Status) -> (String, String) {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    let violations = &details
        .bad_request()
        .expect("a BadRequest")
        .field_violations;
    assert_eq!(violations.len(), 1, "{violations:?}");
    (
        violations[0].field.clone(),
        violations[0].description.clone(),
    )
}

/// The refusal of a request.
pub(crate) async fn refusal(server: &Server, request: v1::ClassifyRequest) -> Status {
    server
        .raw()
        .await
        .classify(request)
        .await
        .expect_err("the request is wrong")
}

/// Checks that the server answers.
pub(crate) async fn assert_works(server: &Server) {
    let frames = [quintet_e2e::frame(4)];
    let reply = server.raw().await.classify(request(&frames)).await;
    assert_answers(
        &reply.expect("a good request is answered").into_inner(),
        &frames,
    );
}

/// A variable of the environment, if it is not empty.
pub(crate) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder of the data sets, from QUINTET_DATA_DIR. Without it the test prints that it is
/// skipped.
pub(crate) fn data_dir() -> Option<PathBuf> {
    let found = variable("QUINTET_DATA_DIR").map(PathBuf::from);
    if found.is_none() {
        skip("QUINTET_DATA_DIR is not set");
    }
    found
}

/// A repository of these committed models. Without the folder of models the test prints that it is
/// skipped. With it, a missing model is a failure.
pub(crate) fn committed_models(names: &[&str]) -> Option<Committed> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let repository = tempfile::tempdir().expect("a temporary folder can be made");
    for name in names {
        let model = models.join(name).canonicalize().ok();
        let Some(model) = model.filter(|model| model.is_dir()) else {
            assert!(!models.exists(), "{} holds no {name}", models.display());
            skip("there is no folder of trained models");
            return None;
        };
        std::os::unix::fs::symlink(model, repository.path().join(name)).expect("a new name");
    }
    Some(Committed(repository))
}

/// A temporary repository of links to committed models.
#[derive(Debug)]
pub(crate) struct Committed(tempfile::TempDir);

impl AsRef<Path> for Committed {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}

#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}
