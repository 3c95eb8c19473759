//! Every refusal of GenerateDigits and its stream: code, field, message.

use quintet_e2e::{Flaw, Server, server, tiny, tiny_generator, tiny_text};
use quintet_proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::generate::{asked, generate, with_models};
use crate::generate_stream::stream;
use crate::support::{request, violation};

/// The refusal of a request, which both calls must give alike.
async fn refusal(server: &Server, request: v1::GenerateDigitsRequest) -> Status {
    let whole = generate(server, request.clone())
        .await
        .expect_err("one answer is refused");
    let streamed = stream(server, request)
        .await
        .expect_err("the stream is refused");
    assert_eq!(whole.code(), streamed.code(), "{whole:?} {streamed:?}");
    if whole.code() != Code::Internal {
        assert_eq!(whole.message(), streamed.message());
    }
    whole
}

#[tokio::test]
async fn each_wrong_field_is_named_with_what_is_allowed() {
    let server = with_models().start().await;
    let with = |change: fn(&mut v1::GenerateDigitsRequest)| {
        let mut request = asked(1);
        change(&mut request);
        request
    };
    for (request, field, words) in [
        (with(|it| it.digit = Some(10)), "digit", "is 10; 0 to 9 are"),
        (with(|it| it.digit = Some(u32::MAX)), "digit", "0 to 9 are"),
        (
            with(|it| it.min_confidence = Some(1.001)),
            "min_confidence",
            "is 1.001; 0 to 1 are",
        ),
        (
            with(|it| it.min_confidence = Some(-0.1)),
            "min_confidence",
            "is -0.1; 0 to 1 are",
        ),
        (
            with(|it| it.min_confidence = Some(f32::NAN)),
            "min_confidence",
            "is NaN; 0 to 1 are",
        ),
        (
            with(|it| it.min_confidence = Some(f32::INFINITY)),
            "min_confidence",
            "is inf; 0 to 1 are",
        ),
        (with(|it| it.format = 3), "format", "IMAGE_FORMAT_PNG (1)"),
        (with(|it| it.format = -1), "format", "is -1; "),
        (with(|it| it.layout = 3), "layout", "LAYOUT_SEPARATE (1)"),
        (with(|it| it.layout = i32::MIN), "layout", "LAYOUT_GRID (2)"),
    ] {
        let (found, description) = violation(&refusal(&server, request).await);
        assert_eq!(found, field, "{description}");
        assert!(description.contains(words), "{field}: {description}");
    }
    let all = with(|it| {
        *it = v1::GenerateDigitsRequest {
            count: 0,
            digit: Some(11),
            min_confidence: Some(2.0),
            format: 9,
            layout: 9,
            ..Default::default()
        }
    });
    let details = generate(&server, all)
        .await
        .unwrap_err()
        .get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let fields: Vec<&str> = violations.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        ["format", "layout", "count", "digit", "min_confidence"]
    );
}

#[tokio::test]
async fn counts_are_bounded_and_a_stream_has_no_sheet() {
    let server = with_models()
        .max_images_per_generation(8)
        .max_images_per_generation_stream(12)
        .start()
        .await;
    for (count, whole, streamed) in [
        (0, false, false),
        (8, true, true),
        (9, false, true),
        (12, false, true),
        (13, false, false),
        (u32::MAX, false, false),
    ] {
        let answers = [
            generate(&server, asked(count)).await.map(|it| vec![it]),
            stream(&server, asked(count)).await,
        ];
        for ((answer, allowed), limit) in answers.into_iter().zip([whole, streamed]).zip([
            "1 to 8 are allowed (max_images_per_generation)",
            "1 to 12 are allowed (max_images_per_generation_stream)",
        ]) {
            match answer {
                Ok(messages) => {
                    let images: usize = messages.iter().map(|it| it.digits.len()).sum();
                    assert!(allowed && images == count as usize, "{count}");
                }
                Err(status) => {
                    assert!(!allowed, "{count}: {status:?}");
                    let (field, words) = violation(&status);
                    assert_eq!(field, "count");
                    assert!(words.contains(limit), "{words}");
                }
            }
        }
    }
    let sheet = v1::GenerateDigitsRequest {
        layout: v1::Layout::Grid.into(),
        ..asked(4)
    };
    let (field, words) = violation(&stream(&server, sheet).await.unwrap_err());
    assert_eq!(field, "layout");
    assert!(words.contains("LAYOUT_SEPARATE"), "{words}");
}

#[tokio::test]
async fn a_model_that_is_not_there_or_does_something_else() {
    let server = with_models()
        .model(tiny("letters"))
        .model(tiny("broken").digits().flaw(Flaw::Golden))
        .text(tiny_text("reviews"))
        .default_classifier("judge")
        .start_settled()
        .await;
    for (model, version, classifier, code, words) in [
        ("nobody", "", "", Code::NotFound, "no model `nobody`"),
        ("gan", "2", "", Code::NotFound, "no version `2`"),
        ("", "2", "", Code::NotFound, "no version `2`"),
        ("", "", "nobody", Code::NotFound, "no model `nobody`"),
        (
            "judge",
            "",
            "",
            Code::FailedPrecondition,
            "model `judge` does image_classification, this call needs image_generation",
        ),
        (
            "reviews",
            "",
            "",
            Code::FailedPrecondition,
            "this call needs image_generation",
        ),
        (
            "",
            "",
            "gan",
            Code::FailedPrecondition,
            "model `gan` does image_generation, this call needs image_classification",
        ),
        (
            "",
            "",
            "reviews",
            Code::FailedPrecondition,
            "this call needs image_classification",
        ),
        (
            "",
            "",
            "letters",
            Code::FailedPrecondition,
            "model `letters` cannot name digits: its labels are class-0, class-1",
        ),
        ("", "", "broken", Code::Unavailable, "golden"),
    ] {
        let asked = v1::GenerateDigitsRequest {
            model: model.to_owned(),
            version: version.to_owned(),
            classifier: classifier.to_owned(),
            ..asked(1)
        };
        let status = refusal(&server, asked).await;
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(words), "{status:?}");
        assert!(status.get_error_details().retry_info().is_none());
    }
    let classify = v1::ClassifyRequest {
        model: "gan".to_owned(),
        ..request(&[quintet_e2e::frame(1)])
    };
    let status = server.raw().await.classify(classify).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
}

#[tokio::test]
async fn a_repository_without_a_generator_or_a_classifier_says_so() {
    let server = server().model(tiny("judge").digits()).start().await;
    let status = refusal(&server, asked(1)).await;
    assert_eq!(status.code(), Code::NotFound);
    let words = "no model does image_generation; there is judge";
    assert!(status.message().contains(words), "{status:?}");
    let server = quintet_e2e::server().generator(tiny_generator("gan"));
    let status = refusal(&server.start().await, asked(1)).await;
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("image_classification"));
}

#[tokio::test]
async fn a_full_queue_refuses_with_the_time_to_come_back() {
    let server = with_models()
        .max_batch_size(64)
        .max_queue_delay("1h")
        .max_queue_size(10)
        .start()
        .await;
    // No chunk is larger than the queue.
    let mut client = server.raw().await;
    let waiting = tokio::spawn(async move { client.generate_digits(asked(64)).await });
    server.queued("gan", 10).await;
    let status = refusal(&server, asked(1)).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    let delay = details.retry_info().and_then(|retry| retry.retry_delay);
    assert!(delay.is_some_and(|delay| !delay.is_zero()), "{status:?}");
    waiting.abort();
}

#[tokio::test]
async fn a_classifier_that_fails_is_internal_with_an_id() {
    // A fragile classifier fails on the last pixel of a generated image.
    let server = with_models()
        .model(tiny("weak").digits().fragile())
        .default_classifier("judge")
        .start()
        .await;
    let weak = v1::GenerateDigitsRequest {
        classifier: "weak".to_owned(),
        ..asked(8)
    };
    let status = refusal(&server, weak).await;
    assert_eq!(status.code(), Code::Internal);
    let details = status.get_error_details();
    let id = details.error_info().unwrap().metadata["error_id"].clone();
    assert_eq!(status.message(), format!("internal error {id}"));
    assert_eq!(generate(&server, asked(8)).await.unwrap().digits.len(), 8);
}
