//! Callers with tokens: who is known, what each may do, and how much of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message as _;
use quintet_e2e::{Server, ServerBuilder, Wire, frame, get_over, grpc_message, server, tiny};
use quintet_proto::v1::classify_stream_response::Result as Outcome;
use quintet_proto::{inference as oip, v1};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_types::StatusExt as _;

use crate::support::request;

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const LIST: &str = "/quintet.v1.InferenceService/ListModels";
const INDEX: &str = "/inference.GRPCInferenceService/RepositoryIndex";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// SHA-256 of `one`, `two` and `three`.
const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
const TWO: &str = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
const THREE: &str = "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f";

/// The file of callers, in a folder of its own.
struct File(TempDir);

impl File {
    /// Callers by name, digest and further lines.
    fn new(callers: &[(&str, &str, &str)]) -> Self {
        let file = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        file.write(callers);
        file
    }

    fn write(&self, callers: &[(&str, &str, &str)]) {
        let entry = |(name, sha256, lines): &(&str, &str, &str)| {
            format!("[[token]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\n{lines}\n")
        };
        let text: String = callers.iter().map(entry).collect();
        std::fs::write(self.path(), text).expect("a temporary file can be written");
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("tokens.toml")
    }

    fn server(&self) -> ServerBuilder {
        server()
            .model(tiny("digits"))
            .model(tiny("letters"))
            .option("--tokens", self.path())
    }
}

/// A call's status with this token; empty: without a header.
async fn call(wire: &Wire, token: &str, path: &str, message: &impl prost::Message) -> Status {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let headers = if token.is_empty() { &[][..] } else { &headers };
    let body = grpc_message(&message.encode_to_vec());
    let reply = wire.call(path, headers, body).await;
    reply.expect("an answer").status
}

/// The status of a classification of so many frames by this model.
async fn classify(wire: &Wire, token: &str, model: &str, frames: u8) -> Status {
    let frames: Vec<_> = (0..frames).map(frame).collect();
    let request = v1::ClassifyRequest {
        model: model.to_owned(),
        ..request(&frames)
    };
    call(
        wire,
        token,
        "/quintet.v1.InferenceService/Classify",
        &request,
    )
    .await
}

/// The reason of a refusal.
fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map(|info| info.reason.clone())
        .unwrap_or_default()
}

#[tokio::test]
async fn callers_are_known_by_their_tokens() {
    let file = File::new(&[
        ("one", ONE, "scopes = [\"infer\"]"),
        ("two", TWO, "scopes = [\"infer\"]\nexpires = 2001-01-01"),
    ]);
    let server = file.server().start().await;
    let wire = server.wire().await;
    for (token, code, told) in [
        ("", Code::Unauthenticated, "CREDENTIALS_MISSING"),
        ("none", Code::Unauthenticated, "ACCESS_TOKEN_INVALID"),
        ("two", Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED"),
        ("one", Code::Ok, ""),
    ] {
        let status = classify(&wire, token, "digits", 1).await;
        assert_eq!(
            (status.code(), &*reason(&status)),
            (code, told),
            "{status:?}"
        );
    }
    // Calls that do not exist tell strangers nothing.
    let status = call(&wire, "", "/no.such.Service/Call", &()).await;
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = call(&wire, "one", "/no.such.Service/Call", &()).await;
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(call(&wire, "", HEALTH, &()).await.code(), Code::Ok);
    let live = "/inference.GRPCInferenceService/ServerLive";
    assert_eq!(call(&wire, "", live, &()).await.code(), Code::Ok);
}

#[tokio::test]
async fn scopes_and_models_are_allowed_one_by_one() {
    let file = File::new(&[
        ("one", ONE, "scopes = [\"infer\"]\nmodels = [\"letters\"]"),
        ("two", TWO, "scopes = [\"control\"]"),
    ]);
    let server = file.server().start().await;
    let wire = server.wire().await;
    let index = oip::RepositoryIndexRequest::default();
    for (status, code, told) in [
        (classify(&wire, "one", "letters", 1).await, Code::Ok, ""),
        (
            classify(&wire, "one", "digits", 1).await,
            Code::PermissionDenied,
            "MODEL_NOT_ALLOWED",
        ),
        // The default model is `digits`, the first by name.
        (
            classify(&wire, "one", "", 1).await,
            Code::PermissionDenied,
            "MODEL_NOT_ALLOWED",
        ),
        (
            call(&wire, "one", INDEX, &index).await,
            Code::PermissionDenied,
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        ),
        (call(&wire, "two", INDEX, &index).await, Code::Ok, ""),
        (
            classify(&wire, "two", "letters", 1).await,
            Code::PermissionDenied,
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        ),
    ] {
        assert_eq!(
            (status.code(), &*reason(&status)),
            (code, told),
            "{status:?}"
        );
    }
    let headers = [("authorization", "Bearer one")];
    let body = grpc_message(&v1::ListModelsRequest {}.encode_to_vec());
    let reply = wire.call(LIST, &headers, body).await.unwrap();
    let list = v1::ListModelsResponse::decode(reply.body.slice(5..)).unwrap();
    let names: Vec<_> = list.models.iter().map(|model| &*model.name).collect();
    assert_eq!(names, ["letters"]);
}

#[tokio::test]
async fn a_caller_over_its_limits_is_told_when_to_come_back() {
    let file = File::new(&[
        ("one", ONE, "scopes = [\"infer\"]\nrate = 0.001"),
        ("two", TWO, "scopes = [\"infer\", \"metrics\"]"),
    ]);
    let server = file.server().start().await;
    let wire = server.wire().await;
    assert_eq!(classify(&wire, "one", "digits", 3).await.code(), Code::Ok);
    let status = classify(&wire, "one", "digits", 1).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(reason(&status), "RATE_LIMIT_EXCEEDED");
    let details = status.get_error_details();
    let retry = details.retry_info().and_then(|info| info.retry_delay);
    // Three rows of debt and one more, at one in a thousand seconds.
    assert!(
        retry.is_some_and(|delay| (2900..=3001).contains(&delay.as_secs())),
        "{retry:?}"
    );
    // Nobody else notices.
    assert_eq!(classify(&wire, "two", "digits", 1).await.code(), Code::Ok);

    let page = metrics_page(&server, "authorization: Bearer two\r\n").await;
    assert_eq!(page.status, 200);
    for series in [
        "quintet_caller_rows_total{caller=\"one\"} 3",
        "quintet_caller_rows_total{caller=\"two\"} 1",
        "quintet_caller_requests_total{caller=\"one\",code=\"RESOURCE_EXHAUSTED\"} 1",
    ] {
        assert!(page.body.contains(series), "{series}");
    }
}

async fn metrics_page(server: &Server, headers: &str) -> quintet_e2e::Page {
    let stream = TcpStream::connect(server.admin_address()).await;
    let stream = stream.expect("the admin port answers");
    get_over(stream, "/metrics", headers).await
}

#[tokio::test]
async fn metrics_need_their_scope() {
    let file = File::new(&[
        ("one", ONE, "scopes = [\"infer\"]"),
        ("two", TWO, "scopes = [\"metrics\"]"),
    ]);
    let server = file.server().start().await;
    for (headers, status) in [
        ("", 401),
        ("authorization: Bearer none\r\n", 401),
        ("authorization: Bearer one\r\n", 403),
        ("authorization: Bearer two\r\n", 200),
    ] {
        let page = metrics_page(&server, headers).await;
        assert_eq!(page.status, status, "{headers}");
        let has_challenge = page.head.contains("www-authenticate");
        assert_eq!(has_challenge, status == 401, "{}", page.head);
    }
    assert_eq!(server.page("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_floods_keeps_nobody_out() {
    const QUEUE: usize = 32;
    let scopes = "scopes = [\"infer\"]";
    let file = File::new(&[("one", ONE, scopes), ("two", TWO, scopes)]);
    let server = server()
        .model(tiny("digits").slow())
        .option("--tokens", file.path())
        .max_batch_size(4)
        .max_queue_size(QUEUE)
        .start()
        .await;
    let refused = Arc::new(AtomicUsize::new(0));
    let mut flood = JoinSet::new();
    let wire = server.wire().await;
    for _ in 0..4 * QUEUE {
        let (wire, refused) = (wire.clone(), Arc::clone(&refused));
        flood.spawn(async move {
            loop {
                match classify(&wire, "one", "digits", 1).await.code() {
                    Code::Ok => {}
                    Code::ResourceExhausted => drop(refused.fetch_add(1, Ordering::Relaxed)),
                    code => panic!("{code:?}"),
                }
            }
        });
    }
    let refusals = || refused.load(Ordering::Relaxed);
    let quiet = server.wire().await;
    for _ in 0..20 {
        // The queue is full again.
        let before = refusals();
        while refusals() == before {
            tokio::task::yield_now().await;
        }
        let status = classify(&quiet, "two", "digits", 1).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
    }
    flood.abort_all();
    while let Some(ended) = flood.join_next().await {
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
}

#[tokio::test]
async fn a_changed_file_is_used_and_a_bad_one_is_not() {
    let infer = "scopes = [\"infer\"]";
    let metrics = ("metrics", THREE, "scopes = [\"metrics\"]");
    let file = File::new(&[("one", ONE, infer), metrics]);
    let server = file.server().start().await;
    let wire = server.wire().await;
    assert_eq!(
        classify(&wire, "two", "digits", 1).await.code(),
        Code::Unauthenticated
    );
    file.write(&[("two", TWO, infer), metrics]);
    while classify(&wire, "two", "digits", 1).await.code() != Code::Ok {}
    assert_eq!(
        classify(&wire, "one", "digits", 1).await.code(),
        Code::Unauthenticated
    );
    // A misspelt name.
    file.write(&[("two", TWO, "scope = [\"infer\"]")]);
    let failure = "quintet_reload_failures_total{source=\"tokens\"} 1";
    let bearer = "authorization: Bearer three\r\n";
    while !metrics_page(&server, bearer).await.body.contains(failure) {}
    assert_eq!(classify(&wire, "two", "digits", 1).await.code(), Code::Ok);
}

/// A stream may outlive what its caller was allowed when it began.
#[tokio::test]
async fn each_message_of_a_stream_counts_by_the_file_as_it_is_then() {
    let infer = "scopes = [\"infer\"]";
    let file = File::new(&[("one", ONE, infer), ("two", TWO, infer)]);
    let server = file.server().start().await;
    let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
    let requests = tokio_stream::wrappers::UnboundedReceiverStream::new(requests);
    let mut call = tonic::Request::new(requests);
    let bearer = "Bearer one".parse().unwrap();
    call.metadata_mut().insert("authorization", bearer);
    let answers = server.raw().await.classify_stream(call).await.unwrap();
    let mut answers = answers.into_inner();
    let mut ask = async || {
        let message = v1::ClassifyStreamRequest {
            index: 0,
            request: Some(v1::ClassifyRequest {
                model: "digits".to_owned(),
                ..request(&[frame(1)])
            }),
        };
        sender.send(message).unwrap();
        match answers.message().await.unwrap().unwrap().result.unwrap() {
            Outcome::Response(_) => Code::Ok,
            Outcome::Error(error) => Code::from_i32(error.code),
        }
    };
    assert_eq!(ask().await, Code::Ok);
    let other = "scopes = [\"infer\"]\nmodels = [\"letters\"]";
    let expired = "scopes = [\"infer\"]\nexpires = 2001-01-01";
    let metrics = "scopes = [\"metrics\"]";
    for (now, code) in [
        (("one", ONE, other), Code::PermissionDenied),
        (("one", ONE, infer), Code::Ok),
        (("one", ONE, metrics), Code::PermissionDenied),
        (("one", ONE, infer), Code::Ok),
        (("one", ONE, expired), Code::Unauthenticated),
        (("one", ONE, infer), Code::Ok),
        (("three", THREE, infer), Code::Unauthenticated),
    ] {
        file.write(&[now, ("two", TWO, infer)]);
        while ask().await != code {}
    }
}

#[tokio::test]
async fn reflection_is_for_known_callers_for_all_or_for_nobody() {
    let file = File::new(&[("one", ONE, "scopes = [\"infer\"]")]);
    let list = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    for (who, stranger, known) in [
        ("authenticated", Code::Unauthenticated, Code::Ok),
        ("open", Code::Ok, Code::Ok),
        ("off", Code::Unauthenticated, Code::Unimplemented),
    ] {
        let server = file.server().option("--reflection", who).start().await;
        let wire = server.wire().await;
        for (token, code) in [("", stranger), ("one", known)] {
            let status = call(&wire, token, REFLECTION, &list).await;
            assert_eq!(status.code(), code, "{who} {token}: {status:?}");
        }
    }
}
