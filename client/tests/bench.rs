//! `quintet bench` against scripted servers.

use std::collections::BTreeSet;

use quintet_proto::v1::ClassifyResponse;
use serde_json::Value;

use tonic::Status;

use crate::{
    quintet::{Finished, run},
    support::{FakeServer, nobody, sevens},
};

async fn bench(server: &str, args: &[&str]) -> Finished {
    let common = ["bench", "--duration", "200ms", "--warmup", "0s", "--json"];
    run(server, &[&common, args].concat()).await
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("the output is JSON")
}

/// Answers all but those that `refuse` gives a status for. The first, before the load, is always answered.
async fn sometimes(refuse: impl Fn(usize) -> Option<Status> + Send + Sync + 'static) -> FakeServer {
    FakeServer::start(move |number, request| match refuse(number) {
        Some(status) if number > 0 => Some(Err(status)),
        _ => Some(Ok(sevens(request))),
    })
    .await
}

#[tokio::test]
async fn a_closed_loop_is_measured() {
    let server = FakeServer::answering().await;
    let args = "--concurrency 4 --connections 2 --rows-per-request 3 --model mlp --timeout 3s";
    let finished = bench(&server.url(), &args.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    let number = |name: &str| report[name].as_f64().expect("the field is a number");
    assert_eq!(report["model"], "mlp");
    assert_eq!(report["version"], "2");
    assert_eq!(report["concurrency"], 4);
    assert_eq!(report["mean_batch_size"], 4.0);
    assert_eq!(report["errors"], serde_json::json!({}));
    assert_eq!(report["rate"], Value::Null);
    assert_eq!(report["lateness_us"], Value::Null);
    assert!(number("requests") > 0.0);
    assert!(number("generator_cpu_us_per_request") > 0.0);
    let rows = number("requests_per_second") * 3.0;
    assert!((number("rows_per_second") - rows).abs() < 1e-6);
    let latencies = ["p50", "p90", "p99", "p99_9", "max"].map(|it| {
        report["latency_us"][it]
            .as_f64()
            .expect("the latency is a number")
    });
    assert!(latencies[0] > 0.0 && latencies.is_sorted(), "{latencies:?}");
    // The first call, and at most one a worker that ended after the measurement.
    let calls = server.calls();
    let counted = report["requests"].as_u64().unwrap() as usize;
    assert!((counted + 1..=counted + 5).contains(&calls.len()));
    assert!(calls.iter().all(|it| it.grpc_timeout == "3000m"));
    assert!(calls.iter().all(|it| it.message.images.len() == 3));
}

#[tokio::test]
async fn a_stream_is_shared_by_many_callers() {
    let server = FakeServer::answering().await;
    let args = "--stream --concurrency 8 --connections 2 --rows-per-request 3 --timeout 3s";
    let finished = bench(&server.url(), &args.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    assert_eq!(report["protocol"], "quintet");
    assert_eq!(report["stream"], true);
    assert_eq!(report["concurrency"], 8);
    assert_eq!(report["connections"], 2);
    assert_eq!(report["mean_batch_size"], 4.0);
    assert_eq!(report["errors"], serde_json::json!({}));
    let calls = server.calls();
    let counted = report["requests"].as_u64().unwrap() as usize;
    assert!(counted > 0);
    assert!((counted + 1..=counted + 9).contains(&calls.len()));
    // The first request, the measurement, what is waited for the last answers.
    assert!(calls.iter().all(|it| it.grpc_timeout == "7200m"));
    assert!(calls.iter().all(|it| it.message.images.len() == 3));
}

#[tokio::test]
async fn refusals_on_a_stream_are_counted_and_end_nothing() {
    let server =
        sometimes(|number| (number % 2 == 1).then(|| Status::resource_exhausted("full"))).await;
    let finished = bench(&server.url(), &["--stream", "--rate", "1000"]).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    let refused = &report["errors"]["RESOURCE_EXHAUSTED"];
    assert_eq!(
        (&refused["message"], &refused["count"]),
        (&"full".into(), &100.into())
    );
    // Those count that were answered before the measurement's end, so a late last one does not.
    let answered = report["requests"].as_u64().unwrap();
    assert!((1..=100).contains(&answered), "{answered}");
}

#[tokio::test]
async fn a_text_model_is_sent_texts() {
    let server = FakeServer::answering().await;
    let args = [
        "--model",
        "lstm",
        "--rows-per-request",
        "2",
        "--mix",
        "both",
    ];
    let finished = bench(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    assert_eq!(
        (&report["model"], &report["texts"]),
        (&"lstm".into(), &"both".into())
    );
    assert_eq!(report["mean_batch_size"], 2.0);
    assert!(report["requests"].as_u64() > Some(0));
    for call in server.texts() {
        let [review, sentence] = &call.texts[..] else {
            panic!("two texts")
        };
        assert!(review.len() > sentence.len());
    }
}

#[tokio::test]
async fn an_image_model_is_sent_tensors() {
    let server = FakeServer::answering().await;
    let args = ["--protocol", "oip", "--rows-per-request", "2"];
    let finished = bench(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    assert_eq!(
        (&report["model"], &report["version"]),
        (&"mlp".into(), &"2".into())
    );
    assert_eq!(report["protocol"], "oip");
    assert_eq!(report["mean_batch_size"], Value::Null);
    assert_eq!(report["errors"], serde_json::json!({}));
    assert!(report["requests"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_generator_is_asked_for_digits() {
    let server = FakeServer::answering().await;
    let args = ["--model", "gan", "--rows-per-request", "5"];
    let finished = bench(&server.url(), &args).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    assert_eq!(
        (&report["model"], &report["version"]),
        (&"gan".into(), &"3".into())
    );
    assert_eq!(report["mean_batch_size"], 8.0);
    assert_eq!(report["errors"], serde_json::json!({}));
    assert!(report["requests"].as_u64() > Some(0));
    let mut seeds = BTreeSet::new();
    for (request, _) in &server.images() {
        assert_eq!(request.count, 5);
        seeds.insert(request.seed.unwrap());
    }
    // Many are under way at once, so they arrive in any order.
    assert!(
        seeds.len() > 1 && seeds.iter().all(|&it| it < 256),
        "{seeds:?}"
    );
}

#[tokio::test]
async fn a_generator_is_sent_noise() {
    let server = FakeServer::answering().await;
    let args = "--model gan --protocol oip --rows-per-request 3";
    let finished = bench(&server.url(), &args.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    assert_eq!(
        (&report["model"], &report["protocol"]),
        (&"gan".into(), &"oip".into())
    );
    assert_eq!(report["errors"], serde_json::json!({}));
    assert!(report["requests"].as_u64() > Some(0));
}

#[tokio::test]
async fn servers_of_other_makes_are_asked_what_their_models_take() {
    let server = FakeServer::foreign().await;
    for model in ["mlp", "gan"] {
        let finished = bench(&server.url(), &["--model", model, "--protocol", "oip"]).await;
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
        let report = report(&finished);
        assert_eq!(report["model"], model);
        assert_eq!(report["errors"], serde_json::json!({}));
        assert!(report["requests"].as_u64() > Some(0));
    }
    for (args, message) in [
        (
            &["--model", "lstm", "--protocol", "oip"][..],
            "lstm takes INT64 [-1, -1]",
        ),
        (
            &["--model", "x", "--protocol", "oip"],
            "ModelMetadata of \"x\" failed: NOT_FOUND: no such model",
        ),
        (&["--model", "mlp"], "ListModels"),
        (&["--protocol", "oip"], "needs --model NAME"),
    ] {
        let finished = bench(&server.url(), args).await;
        assert_eq!(finished.code, Some(1), "{args:?}");
        assert!(finished.stderr.contains(message), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn options_that_do_not_fit_are_told() {
    let server = FakeServer::answering().await;
    for (args, code, message) in [
        (&["--stream", "--protocol", "oip"][..], 2, "does not have"),
        (&["--stream", "--model", "lstm"], 2, "takes texts"),
        (&["--protocol", "oip", "--model", "lstm"], 2, "takes texts"),
        (&["--stream", "--model", "gan"], 2, "makes images"),
        (&["--data-dir", ".", "--model", "gan"], 2, "makes images"),
        (&["--protocol", "oip", "--model", "x"], 1, "no model \"x\""),
    ] {
        let finished = bench(&server.url(), args).await;
        assert_eq!(finished.code, Some(code), "{args:?}");
        assert!(finished.stderr.contains(message), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn refusals_are_counted_apart() {
    let server =
        sometimes(|number| (number % 2 == 1).then(|| Status::resource_exhausted("full"))).await;
    let finished = bench(&server.url(), &[]).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    let refused = &report["errors"]["RESOURCE_EXHAUSTED"];
    assert_eq!(refused["message"], "full");
    assert!(refused["count"].as_u64() > Some(0));
    assert!(report["refused_latency_us"]["p50"].as_f64() > Some(0.0));
    assert!(report["requests"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_run_without_an_answer_fails() {
    let server = sometimes(|_| Some(Status::internal("boom"))).await;
    let finished = bench(&server.url(), &[]).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr, "error: no request was answered\n");
    assert_eq!(report(&finished)["errors"]["INTERNAL"]["message"], "boom");
}

#[tokio::test]
async fn answers_of_another_length_are_errors() {
    let server = FakeServer::start(|number, request| {
        Some(Ok(match number {
            0 => sevens(request),
            _ => ClassifyResponse::default(),
        }))
    })
    .await;
    let finished = bench(&server.url(), &[]).await;
    assert!(report(&finished)["errors"]["MALFORMED"]["count"].as_u64() > Some(0));
}

/// Answers all but the first call of the load, which ends with its timeout.
async fn stalling() -> FakeServer {
    FakeServer::start(|number, request| (number != 1).then(|| Ok(sevens(request)))).await
}

#[tokio::test]
async fn an_open_loop_does_not_hide_a_stall() {
    let server = stalling().await;
    // One call is under way at a time, so in its 50 ms the 49 requests after it fall due and wait.
    let args = "--rate 1000 --concurrency 1 --timeout 50ms";
    let finished = bench(&server.url(), &args.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let report = report(&finished);
    assert_eq!(report["rate"], 1000.0);
    assert_eq!(report["concurrency"], Value::Null);
    // Of at most 199 latencies, 49 are at least 49, 48 ... 1 ms, counted from when each fell due.
    assert!(report["latency_us"]["p90"].as_f64() > Some(25_000.0));
    assert!(report["lateness_us"]["max"].as_f64() > Some(25_000.0));
}

#[tokio::test]
async fn what_an_open_loop_cannot_send_is_counted() {
    let server = stalling().await;
    // The call is still under way when the measurement ends.
    let args = "--rate 100 --concurrency 1 --timeout 400ms";
    let finished = bench(&server.url(), &args.split_whitespace().collect::<Vec<_>>()).await;
    let report = report(&finished);
    assert_eq!(report["errors"]["UNSENT"]["count"], 19);
}

#[tokio::test]
async fn a_first_call_that_fails_ends_it() {
    let server = FakeServer::refusing(Status::not_found("there is no model `x`")).await;
    let finished = bench(&server.url(), &["--model", "x"]).await;
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stderr,
        "error: the first request failed: NOT_FOUND: there is no model `x`\n  hint: quintet models lists what the server \
         has, and what is ready\n"
    );
    let finished = bench(&nobody().await, &[]).await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stderr
            .starts_with("error: cannot reach the server")
    );
}
