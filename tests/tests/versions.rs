//! Which model and version a request gets, and what ListModels lists.

use quintet_bundle::Quantization;
use quintet_client::{ClassifyRequest, Framing, ModelState, Task};
use quintet_e2e::{Flaw, frame, near, server, tiny};
use quintet_proto::v1;
use tonic::Code;

use crate::support::{is_answer_to, refusal, request};

fn ask(model: &str, version: &str) -> v1::ClassifyRequest {
    v1::ClassifyRequest {
        model: model.to_owned(),
        version: version.to_owned(),
        ..request(&[frame(3)])
    }
}

#[tokio::test]
async fn the_newest_version_answers_unless_another_is_asked_for() {
    let server = server()
        .model(tiny("digits"))
        .model(tiny("digits").version(2).turn(1))
        .model(tiny("digits").version(10).turn(2))
        .start_settled()
        .await;
    let mut client = server.raw().await;
    for (asked, answered, turn) in [("", "10", 2), ("1", "1", 0), ("2", "2", 1), ("10", "10", 2)] {
        for model in ["", "digits"] {
            let reply = client
                .classify(ask(model, asked))
                .await
                .unwrap()
                .into_inner();
            assert_eq!(reply.version, answered, "{model}/{asked}");
            assert!(is_answer_to(&reply, &[frame(3)], turn), "{model}/{asked}");
        }
    }
}

#[tokio::test]
async fn a_newest_version_that_cannot_be_served_leaves_the_one_before() {
    let server = server()
        .model(tiny("digits"))
        .model(tiny("digits").version(2).flaw(Flaw::Golden))
        .start_settled()
        .await;
    let reply = server
        .raw()
        .await
        .classify(ask("digits", ""))
        .await
        .unwrap();
    assert_eq!(reply.get_ref().version, "1");
    let status = refusal(&server, ask("digits", "2")).await;
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_request_that_names_no_model_gets_the_first_by_name() {
    let server = server()
        .model(tiny("b"))
        .model(tiny("a").turn(1))
        .start()
        .await;
    let reply = server.raw().await.classify(ask("", "")).await.unwrap();
    assert_eq!(reply.get_ref().model, "a");
}

/// Whoever sends a digit and names no model wants no animal, whatever else is broken.
#[tokio::test]
async fn a_classifier_of_digits_is_the_default_before_others() {
    let server = server()
        .model(tiny("a").digits().flaw(Flaw::Golden))
        .model(tiny("animals"))
        .model(tiny("d").digits())
        .start_settled()
        .await;
    let reply = server.raw().await.classify(ask("", "")).await.unwrap();
    assert_eq!(reply.get_ref().model, "d");
    let models = server.client().await.list_models().await.unwrap();
    let mut defaults = models.iter().filter(|model| model.is_default);
    assert!(defaults.all(|model| model.name == "d"));
}

/// Nor does a model answer because it was the first to be loaded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_model_stands_in_for_one_that_is_loading() {
    let server = server()
        .model(tiny("animals"))
        .model(tiny("d").digits().slow())
        .max_batch_size(8)
        .start_loading()
        .await;
    let mut client = server.raw().await;
    let reply = loop {
        match client.classify(ask("", "")).await {
            Ok(reply) => break reply,
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
    };
    assert_eq!(reply.get_ref().model, "d");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_stays_the_same_while_models_are_loaded() {
    let server = server()
        .model(tiny("a").digits().slow())
        .model(tiny("b").digits())
        .max_batch_size(8)
        .start_loading()
        .await;
    let mut client = server.raw().await;
    let (mut answers, mut loading) = (Vec::new(), 0);
    while answers.len() < 3 {
        match client.classify(ask("", "")).await {
            Ok(reply) => answers.push(reply.into_inner().model),
            Err(status) => {
                assert_eq!(status.message(), "model `a` is still loading");
                loading += 1;
            }
        }
    }
    assert_eq!(answers, ["a", "a", "a"], "after {loading} refusals");
}

#[tokio::test]
async fn the_default_classifier_can_be_configured() {
    let server = server()
        .model(tiny("a"))
        .model(tiny("b").turn(1))
        .default_classifier("b")
        .start()
        .await;
    let reply = server.raw().await.classify(ask("", "")).await.unwrap();
    assert_eq!(reply.get_ref().model, "b");
    let models = server.client().await.list_models().await.unwrap();
    let defaults: Vec<_> = models.iter().filter(|model| model.is_default).collect();
    assert_eq!(defaults.len(), 1);
    assert_eq!(defaults[0].name, "b");
}

#[tokio::test]
async fn an_unknown_model_or_version_is_told_what_there_is() {
    let server = server()
        .model(tiny("alpha"))
        .model(tiny("beta").version(7))
        .start()
        .await;
    let status = refusal(&server, ask("gamma", "")).await;
    assert_eq!(status.code(), Code::NotFound);
    for word in ["gamma", "alpha", "beta"] {
        assert!(status.message().contains(word), "{status:?}");
    }
    for version in [
        "1",
        "0",
        "-7",
        "seven",
        "99999999999999999999",
        "7.0",
        " 7",
        "7\0",
    ] {
        let status = refusal(&server, ask("beta", version)).await;
        assert_eq!(status.code(), Code::NotFound, "{version:?}");
        assert!(status.message().contains("it has 7"), "{status:?}");
    }
}

#[tokio::test]
async fn all_models_are_listed_with_their_state() {
    let server = server()
        .model(tiny("broken").flaw(Flaw::Golden))
        .model(tiny("digits"))
        .model(tiny("digits").version(2).quantization(Quantization::Int8))
        .option("--int8-saturation", "allowed")
        .max_batch_size(16)
        .instances(2)
        .start_settled()
        .await;
    let models = server.client().await.list_models().await.unwrap();
    let names: Vec<_> = models
        .iter()
        .map(|model| (model.name.as_str(), model.version.as_str(), model.state))
        .collect();
    assert_eq!(
        names,
        [
            ("broken", "1", ModelState::Unavailable),
            ("digits", "1", ModelState::Ready),
            ("digits", "2", ModelState::Ready),
        ]
    );
    assert!(models[0].reason.contains("golden"), "{}", models[0].reason);
    let newest = &models[2];
    assert_eq!(newest.reason, "");
    assert!(newest.is_default && !models[1].is_default && !models[0].is_default);
    assert_eq!(newest.task, Task::ImageClassification);
    assert_eq!(newest.architecture, "tiny");
    assert_eq!(newest.labels[9], "class-9");
    assert_eq!(newest.inputs[0].name, "pixels");
    assert_eq!(newest.inputs[0].datatype, "UINT8");
    assert_eq!(newest.inputs[0].shape, [-1, 28, 28]);
    assert_eq!(newest.outputs[0].shape, [-1, 10]);
    assert_eq!(newest.device, "cpu");
    assert_eq!((newest.instances, newest.max_batch_size), (2, 16));
    assert_eq!(newest.parameters, 7840);
    assert!((newest.metrics["test_accuracy"] - 0.5).abs() < 1e-12);
    assert_eq!(
        [&*models[1].quantization, &newest.quantization],
        ["", "int8"]
    );
}

#[tokio::test]
async fn the_sdk_asks_for_a_version() {
    let server = server()
        .model(tiny("digits"))
        .model(tiny("digits").version(2).turn(1))
        .start_settled()
        .await;
    let asked = ClassifyRequest::new([frame(3).image()])
        .model("digits")
        .version("1")
        .framing(Framing::None);
    let answer = server.client().await.classify(asked).await.unwrap();
    let top = answer.predictions[0].top().unwrap();
    assert_eq!((answer.version.as_str(), top.index), ("1", 3));
    assert!(near(top.probability, frame(3).probabilities(0)[3]));
}
