//! An image in which there is nothing to read is answered as such, or refused.

use quintet_client::{ClassifyRequest, DroppedKind, Framing, Image, Polarity};
use quintet_e2e::photo::{Blank, Rng, blanks, others};
use quintet_e2e::{Canvas, Frame, Server, frame, png, server, tiny};
use quintet_proto::v1;
use quintet_proto::v1::classify_stream_response::Result as Outcome;
use tokio_stream::iter;
use tonic::Code;

use crate::support::{committed_models, encoded, raw, refusal, violation};

/// A blank picture, a digit, an empty sheet with rules.
fn mixed(on_unreadable: v1::OnUnreadable) -> v1::ClassifyRequest {
    let rules = (30..200).step_by(30);
    let ruled = rules.fold(Canvas::new(200, 200), |page, row| {
        page.line(&[(0.0, row as f32), (200.0, row as f32)], 2.0)
    });
    let blank = include_bytes!("../data/pictures/blank.png").to_vec();
    v1::ClassifyRequest {
        images: vec![
            encoded(blank),
            encoded(digit()),
            encoded(png(ruled.picture())),
        ],
        top_k: 3,
        on_unreadable: on_unreadable.into(),
        ..Default::default()
    }
}

/// A seven on paper that ends at a line.
fn digit() -> Vec<u8> {
    let page = Canvas::new(200, 200).line(&[(50.0, 40.0), (140.0, 42.0), (80.0, 150.0)], 12.0);
    png(page.line(&[(0.0, 190.0), (200.0, 190.0)], 3.0).picture())
}

async fn classify(server: &Server, request: v1::ClassifyRequest) -> Vec<v1::Classification> {
    let reply = server.raw().await.classify(request).await;
    reply.expect("an answer").into_inner().classifications
}

#[tokio::test]
async fn every_kind_of_blank_picture_is_told() {
    let server = server().model(tiny("digits")).start().await;
    // The shares of many pictures are in docs/pictures.md.
    check_told(&server, blanks(), 20, 0.1).await;
}

#[tokio::test]
async fn the_committed_model_knows_no_digit_in_letters_and_drawings() {
    let Some(models) = committed_models(&["cnn"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    check_told(&server, others(), 60, 0.15).await;
}

/// Checks that of each kind its goal, less a margin for so few pictures, is unreadable.
async fn check_told(server: &Server, kinds: &[Blank], pictures: u64, margin: f64) {
    let client = server.client().await;
    for Blank { name, goal, draw } in kinds {
        let files = (0..pictures).map(|seed| draw(&mut Rng::with_seed(seed)));
        let asked = ClassifyRequest::new(files.map(Image::encoded));
        let answer = client.classify(asked).await.expect("an answer");
        let told = answer.predictions.iter().filter(|it| !it.readable).count();
        let least = (goal - margin) * pictures as f64;
        assert!(told as f64 >= least, "{name}: {told} of {pictures}");
    }
}

#[tokio::test]
async fn labels_are_for_clients_that_do_not_say_what_they_want() {
    let server = server().model(tiny("digits")).start().await;
    for (on_unreadable, labels) in [
        (v1::OnUnreadable::Unspecified, [3, 3, 3]),
        (v1::OnUnreadable::Answer, [0, 3, 0]),
    ] {
        let answers = classify(&server, mixed(on_unreadable)).await;
        let readable: Vec<_> = answers.iter().map(|it| it.readable).collect();
        assert_eq!(readable, [Some(false), Some(true), Some(false)]);
        let counts: Vec<_> = answers.iter().map(|it| it.labels.len()).collect();
        assert_eq!(counts, labels, "{on_unreadable:?}");
        assert!(
            answers
                .iter()
                .all(|it| it.frame.is_none() && it.ink_found.is_none())
        );
    }
}

#[tokio::test]
async fn an_error_names_the_images() {
    let server = server().model(tiny("digits")).start().await;
    let strict = mixed(v1::OnUnreadable::Error);
    let status = refusal(&server, strict.clone()).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let words = ["images[0]", "images[2]"];
    let words = words.map(|it| format!("{it}: has nothing that can be read as one digit"));
    let words = words.join("; ");
    assert!(status.message().contains(&words), "{status:?}");

    let item = v1::ClassifyStreamRequest {
        index: 7,
        request: Some(strict),
    };
    let answers = server.raw().await.classify_stream(iter([item])).await;
    let answer = answers.unwrap().into_inner().message().await.unwrap();
    let Some(Outcome::Error(error)) = answer.unwrap().result else {
        panic!("an error was asked for");
    };
    assert_eq!(error.code, Code::InvalidArgument as i32);
    assert!(error.message.contains(&words), "{error:?}");

    let unknown = v1::ClassifyRequest {
        on_unreadable: 9,
        ..mixed(v1::OnUnreadable::Error)
    };
    let (field, words) = violation(&refusal(&server, unknown).await);
    assert_eq!(field, "on_unreadable");
    assert!(words.contains("is 9; ON_UNREADABLE_ANSWER (1)"), "{words}");
}

#[tokio::test]
async fn without_framing_one_colour_is_unreadable() {
    let server = server().model(tiny("digits")).start().await;
    let mut spotted = vec![9; 784];
    spotted[400] = 10;
    let pictures = [
        (raw(28, 28, 1, vec![9; 784]), false),
        (raw(28, 28, 1, spotted), true),
        (raw(28, 28, 3, vec![9; 3 * 784]), false),
        (encoded(png(Canvas::new(50, 60).picture())), false),
        (encoded(digit()), true),
    ];
    let request = v1::ClassifyRequest {
        images: pictures.iter().map(|(image, _)| image.clone()).collect(),
        framing: v1::Framing::None.into(),
        ..Default::default()
    };
    let answers = classify(&server, request.clone()).await;
    let readable = answers.iter().map(v1::Classification::readable);
    assert!(readable.eq(pictures.iter().map(|(_, readable)| *readable)));

    let strict = v1::ClassifyRequest {
        images: vec![raw(28, 28, 1, vec![9; 784])],
        on_unreadable: v1::OnUnreadable::Error.into(),
        ..request
    };
    let (field, words) = violation(&refusal(&server, strict).await);
    assert_eq!(field, "images[0]");
    assert_eq!(words, "is of one colour; there is nothing to read");
}

#[tokio::test]
async fn what_may_be_any_label_is_unreadable_and_what_may_be_two_is_not() {
    let model = tiny("digits").least_divergence(0.5);
    let server = server().model(model).start().await;
    let any = Frame::of([255; 10]);
    let two = Frame::of([0, 0, 255, 0, 255, 0, 0, 0, 0, 0]);
    let request = |on_unreadable: v1::OnUnreadable| v1::ClassifyRequest {
        images: [frame(7), any.clone(), two.clone()]
            .map(|it| raw(28, 28, 1, it.0))
            .into(),
        framing: v1::Framing::None.into(),
        on_unreadable: on_unreadable.into(),
        top_k: 2,
        ..Default::default()
    };
    for (on_unreadable, labels) in [
        (v1::OnUnreadable::Unspecified, [2, 2, 2]),
        (v1::OnUnreadable::Answer, [2, 0, 2]),
    ] {
        let answers = classify(&server, request(on_unreadable)).await;
        let readable: Vec<_> = answers.iter().map(|it| it.readable).collect();
        assert_eq!(readable, [Some(true), Some(false), Some(true)]);
        let counts: Vec<_> = answers.iter().map(|it| it.labels.len()).collect();
        assert_eq!(counts, labels, "{on_unreadable:?}");
    }
    let (field, words) = violation(&refusal(&server, request(v1::OnUnreadable::Error)).await);
    assert_eq!(field, "images[1]");
    assert_eq!(
        words,
        "has ink that the model can read as none of its labels"
    );
}

#[tokio::test]
async fn an_explanation_holds_what_the_model_saw() {
    let server = server().model(tiny("digits")).start().await;
    let client = server.client().await;
    let ask = |image: Image, framing| {
        ClassifyRequest::new([image])
            .framing(framing)
            .top_k(10)
            .explain(true)
    };
    let answer = client.classify(ask(Image::encoded(digit()), Framing::Auto));
    let prediction = answer.await.unwrap().predictions.remove(0);
    let explanation = prediction.explanation.expect("it was asked for");
    assert_eq!(explanation.ink_found, Some(true));
    assert_eq!(explanation.polarity, Some(Polarity::DarkOnLight));
    assert_eq!(explanation.dropped, [(DroppedKind::Surroundings, 1)]);

    // The same pixels again.
    let answer = client.classify(ask(explanation.frame.clone(), Framing::None));
    let again = answer.await.unwrap().predictions.remove(0);
    assert_eq!(again.labels, prediction.labels);
    let explained = again.explanation.expect("it was asked for");
    assert_eq!(explained.frame, explanation.frame);
    assert_eq!((explained.ink_found, explained.polarity), (None, None));
}
