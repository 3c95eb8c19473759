//! A filter keeps a subset of the unfiltered images, and reports when it finds too few.

use quintet_e2e::{near, server, tiny, tiny_generator};
use quintet_proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::generate::{asked, assert_same, generate, verdict, with_models};
use crate::generate_stream::stream;

/// The filter of a request, and the same as a function.
fn wanted(request: &v1::GenerateDigitsRequest, digit: &v1::GeneratedDigit) -> bool {
    let least = request.min_confidence.unwrap_or(match request.digit {
        Some(_) => 0.9,
        None => 0.0,
    });
    request.digit.is_none_or(|wanted| wanted == digit.digit) && digit.confidence >= least
}

fn filtered(count: u32, digit: Option<u32>, least: Option<f32>) -> v1::GenerateDigitsRequest {
    v1::GenerateDigitsRequest {
        digit,
        min_confidence: least,
        ..asked(count)
    }
}

#[tokio::test]
async fn what_is_kept_is_what_was_there_without_the_filter() {
    let server = with_models().start().await;
    // A chunk has as many rows as a batch: one.
    let one_by_one = with_models().max_batch_size(1).start().await;
    let all = generate(&server, asked(1000)).await.unwrap().digits;
    for (digit, least) in [
        (Some(7), None),
        (Some(0), Some(0.0)),
        (Some(3), Some(0.99)),
        (None, Some(0.95)),
        (None, Some(0.0)),
    ] {
        let request = filtered(12, digit, least);
        let expected: Vec<_> = all
            .iter()
            .filter(|digit| wanted(&request, digit))
            // One grey level may decide about a borderline image.
            .take(12)
            .cloned()
            .collect();
        assert_eq!(expected.len(), 12, "{digit:?} {least:?}");
        for server in [&server, &one_by_one] {
            let answer = generate(server, request.clone()).await.unwrap();
            assert_same(&answer.digits, &expected);
            assert_eq!(answer.candidates, expected[11].index + 1);
            assert!(answer.digits.iter().all(|digit| wanted(&request, digit)));
        }
        let streamed = stream(&server, request).await.unwrap();
        let streamed: Vec<_> = streamed.into_iter().flat_map(|it| it.digits).collect();
        assert_same(&streamed, &expected);
    }
}

#[tokio::test]
async fn copies_are_judged_where_the_generator_allows_it() {
    // The tiny classifier reads some pixels of the first row, which no moved copy has.
    let generator = tiny_generator("gan").affine_invariant();
    let server = server().generator(generator).model(tiny("judge").digits());
    let server = server.start().await;
    let unfiltered = generate(&server, asked(30)).await.unwrap();
    for request in [filtered(30, None, Some(0.0)), asked(30)] {
        let answer = generate(&server, request).await.unwrap();
        assert_same(&answer.digits, &unfiltered.digits);
    }
    let found = generate(&server, filtered(2, Some(7), Some(0.0))).await;
    assert_eq!(found.unwrap().digits.len(), 2);
    for request in [filtered(2, None, Some(0.5)), filtered(2, Some(7), None)] {
        let none = generate(&server, request).await.unwrap_err();
        assert_eq!(none.code(), Code::FailedPrecondition);
        assert!(none.message().contains("found 0 of 2 images"), "{none:?}");
    }
}

#[tokio::test]
async fn little_more_is_drawn_than_is_needed() {
    let server = with_models().start().await;
    let answer = generate(&server, asked(50)).await.unwrap();
    assert_eq!(answer.candidates, 50);
    let rows = async || {
        let labels = [("model", "gan"), ("version", "1")];
        server.metrics().await.value("quintet_rows_total", &labels)
    };
    assert_eq!(
        rows().await,
        50,
        "without a filter, nothing is drawn in vain"
    );
    let answer = generate(&server, filtered(5, Some(4), None)).await.unwrap();
    let drawn = rows().await - 50;
    assert!(
        (answer.candidates..answer.candidates + 32).contains(&drawn),
        "{drawn} drawn, {} needed",
        answer.candidates
    );
    let outcome = async |outcome| {
        let labels = [("model", "gan"), ("version", "1"), ("outcome", outcome)];
        let metrics = server.metrics().await;
        metrics.get("quintet_candidates_total", &labels).unwrap()
    };
    assert!(outcome("kept").await >= 55);
    assert_eq!(
        outcome("kept").await + outcome("filtered").await,
        rows().await
    );
}

#[tokio::test]
async fn too_few_are_counted_and_asking_again_is_of_no_use() {
    let server = with_models().max_candidates_per_image(2).start().await;
    let sevens = (0..40)
        .filter(|candidate| {
            let (digit, confidence) = verdict(&tiny_generator("gan").pixels(5, *candidate));
            assert!(!near(confidence, 0.9), "a seed that leaves no doubt");
            digit == 7 && confidence >= 0.9
        })
        .count();
    assert!((1..20).contains(&sevens), "{sevens}");
    let request = filtered(20, Some(7), None);
    let check = |status: &Status| {
        assert_eq!(status.code(), Code::FailedPrecondition);
        let words = format!(
            "found {sevens} of 20 images of a 7 with a confidence of at least 0.9 in 40 candidates"
        );
        assert!(status.message().contains(&words), "{status:?}");
        assert!(status.message().contains("max_candidates_per_image"));
        let details = status.get_error_details();
        assert!(details.retry_info().is_none());
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "TOO_FEW_FOUND");
        let found = ["found", "wanted", "candidates"].map(|name| info.metadata[name].clone());
        assert_eq!(found, [sevens.to_string(), "20".into(), "40".into()]);
    };
    check(&generate(&server, request.clone()).await.unwrap_err());
    // A stream first returns those that it found.
    let answers = server.raw().await.generate_digits_stream(request).await;
    let (mut answers, mut found) = (answers.unwrap().into_inner(), 0);
    let end = loop {
        match answers.message().await {
            Ok(Some(answer)) => found += answer.digits.len(),
            Ok(None) => panic!("the stream ended as if all were there"),
            Err(status) => break status,
        }
    };
    check(&end);
    assert_eq!(found, sevens);
    let none = generate(&server, filtered(3, None, Some(1.0))).await;
    let none = none.unwrap_err();
    let words = "found 0 of 3 images of any digit with a confidence of at least 1 in 6 candidates";
    assert!(none.message().contains(words), "{none:?}");
}
