//! Classify accepts images in every form of its contract.

use quintet_client::{ClassifyRequest, Framing, Image};
use quintet_e2e::{Canvas, Frame, frame, jpeg, near, png, server, tiny};
use quintet_proto::v1;

use crate::support::{assert_answers, assert_sdk_answers, encoded, raw, request, sdk_request};

/// The frame as an image file's picture.
fn picture(frame: &Frame) -> image::GrayImage {
    image::GrayImage::from_raw(28, 28, frame.0.clone()).expect("a frame has 28x28 pixels")
}

#[tokio::test]
async fn the_generated_client_gets_the_models_own_probabilities() {
    let server = server().model(tiny("digits")).start().await;
    let frames = [
        Frame::of([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        frame(3),
        Frame::of([9; 10]),
    ];
    let reply = server.raw().await.classify(request(&frames)).await.unwrap();
    assert_answers(reply.get_ref(), &frames);
}

#[tokio::test]
async fn the_sdk_gets_the_models_own_probabilities() {
    let server = server().model(tiny("digits")).start().await;
    let frames = [frame(0), frame(9)];
    let answer = server.client().await.classify(sdk_request(&frames)).await;
    let answer = answer.unwrap();
    assert_sdk_answers(&answer, &frames);
    assert_eq!(
        (answer.model.as_str(), answer.version.as_str()),
        ("digits", "1")
    );
    assert_eq!(answer.timing.batch_size, 2);
    assert!(!answer.timing.compute.is_zero());
}

#[tokio::test]
async fn files_and_pixels_of_one_picture_get_one_answer() {
    let server = server().model(tiny("digits")).start().await;
    let frame = Frame::of([0, 0, 0, 200, 200, 200, 0, 0, 0, 0]);
    let grey = picture(&frame);
    let wide: Vec<u8> = frame
        .0
        .iter()
        .flat_map(|grey| [*grey, *grey, *grey])
        .collect();
    let clear: Vec<u8> = frame
        .0
        .iter()
        .flat_map(|grey| [*grey, *grey, *grey, 255])
        .collect();
    let mut asked = request(std::slice::from_ref(&frame));
    asked.images.push(encoded(png(&grey)));
    asked.images.push(raw(28, 28, 3, wide));
    asked.images.push(raw(28, 28, 4, clear));
    let reply = server.raw().await.classify(asked).await.unwrap();
    assert_answers(reply.get_ref(), &vec![frame; 4]);
}

#[tokio::test]
async fn a_jpeg_gets_about_the_same_answer() {
    let server = server().model(tiny("digits")).start().await;
    // JPEG hardly changes eight by eight blocks of one colour.
    let mut block = Frame::of([0, 0, 0, 0, 0, 0, 0, 0, 255, 255]);
    for row in 0..8 {
        block.0[row * 28 + 8..row * 28 + 16].fill(255);
    }
    let mut asked = request(&[block.clone()]);
    asked.images.push(encoded(jpeg(&picture(&block))));
    let reply = server
        .raw()
        .await
        .classify(asked)
        .await
        .unwrap()
        .into_inner();
    let top = |index: usize| {
        let mut best: Vec<u32> = reply.classifications[index].labels[..2]
            .iter()
            .map(|label| label.index)
            .collect();
        best.sort_unstable();
        best
    };
    assert_eq!(top(0), [8, 9]);
    assert_eq!(top(1), [8, 9]);
}

#[tokio::test]
async fn top_k_counts_labels_from_the_most_probable() {
    let server = server().model(tiny("digits")).start().await;
    let mut client = server.raw().await;
    let frames = [Frame::of([10, 20, 30, 40, 50, 60, 70, 80, 90, 100])];
    for (top_k, expected) in [(0, 1), (1, 1), (3, 3), (10, 10), (99, 10), (u32::MAX, 10)] {
        let asked = v1::ClassifyRequest {
            top_k,
            ..request(&frames)
        };
        let reply = client.classify(asked).await.unwrap().into_inner();
        let indices: Vec<u32> = reply.classifications[0]
            .labels
            .iter()
            .map(|label| label.index)
            .collect();
        let order: Vec<u32> = (0..10).rev().take(expected).collect();
        assert_eq!(indices, order, "top_k {top_k}");
    }
}

#[tokio::test]
async fn probabilities_of_all_classes_sum_to_one() {
    let server = server().model(tiny("digits")).start().await;
    let answer = server
        .client()
        .await
        .classify(sdk_request(&[frame(5)]))
        .await;
    let sum: f32 = answer.unwrap().predictions[0]
        .labels
        .iter()
        .map(|label| label.probability)
        .sum();
    assert!(near(sum, 1.0), "{sum}");
}

/// A dark stroke on white paper, far from the middle. Framing makes it light on dark and centres
/// it. Without framing the tiny model reads only the paper's white corner.
#[tokio::test]
async fn framing_is_done_unless_it_is_declined() {
    let server = server().model(tiny("digits")).start().await;
    let client = server.client().await;
    let canvas = Canvas::new(120, 120).line(&[(20.0, 20.0), (20.0, 60.0)], 9.0);
    let ask = |framing| {
        let image = Image::encoded(png(canvas.picture()));
        ClassifyRequest::new([image]).framing(framing).top_k(10)
    };
    let framed = client.classify(ask(Framing::Auto)).await.unwrap();
    let plain = client.classify(ask(Framing::None)).await.unwrap();
    // Nothing in the first ten pixels in either case, but nothing is black in one and white in the
    // other.
    let black = framed.predictions[0].labels.iter();
    let white = plain.predictions[0].labels.iter();
    for label in black.chain(white) {
        assert!(near(label.probability, 0.1), "{label:?}");
    }

    // A light picture on which only the right part of the top row is dark tells the two apart.
    let mut page = image::GrayImage::from_pixel(28, 28, image::Luma([255]));
    for x in 5..28 {
        page.put_pixel(x, 0, image::Luma([0]));
    }
    let image = Image::encoded(png(&page));
    let plain = ClassifyRequest::new([image.clone()]).framing(Framing::None);
    let plain = client.classify(plain.top_k(10)).await.unwrap();
    let expected = Frame::of([255, 255, 255, 255, 255, 0, 0, 0, 0, 0]).probabilities(0);
    for label in &plain.predictions[0].labels {
        assert!(near(label.probability, expected[label.index as usize]));
    }
    let framed = client
        .classify(ClassifyRequest::new([image]).top_k(10))
        .await;
    for label in &framed.unwrap().predictions[0].labels {
        assert!(
            near(label.probability, 0.1),
            "the bar is centred now: {label:?}"
        );
    }
}

/// An image that is already a frame must pass unchanged. The tiny model's own frames are not (their
/// ink is at the edge), so this one is drawn: light on dark, 20 pixels high, centred.
#[tokio::test]
async fn a_frame_passes_framing_unchanged() {
    let server = server().model(tiny("digits")).start().await;
    let mut client = server.raw().await;
    let mut frame = vec![0; 784];
    for row in 4..24 {
        frame[row * 28 + 13..row * 28 + 15].fill(255);
    }
    for framing in [
        v1::Framing::Unspecified,
        v1::Framing::Auto,
        v1::Framing::None,
    ] {
        let asked = v1::ClassifyRequest {
            images: vec![raw(28, 28, 1, frame.clone())],
            top_k: 10,
            framing: framing.into(),
            ..Default::default()
        };
        let reply = client.classify(asked).await.unwrap().into_inner();
        for label in &reply.classifications[0].labels {
            assert!(near(label.probability, 0.1), "{framing:?}");
        }
    }
}

#[tokio::test]
async fn timing_says_where_the_time_went() {
    let server = server().model(tiny("digits").slow()).start().await;
    let reply = server.raw().await.classify(request(&[frame(1)])).await;
    let timing = reply.unwrap().into_inner().timing.expect("a timing");
    assert_eq!(timing.batch_size, 1);
    assert!(timing.compute_us > 1_000, "{timing:?}");
    assert!(timing.queue_us < timing.compute_us, "{timing:?}");
}
