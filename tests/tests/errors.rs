//! Every way in which a request's content can be invalid: code, field, message.

use quintet_e2e::{Flaw, Frame, frame, png, png_bomb, server, tiny};
use quintet_proto::v1;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{assert_works, encoded, raw, refusal, request, violation};

fn with(images: Vec<v1::Image>) -> v1::ClassifyRequest {
    v1::ClassifyRequest {
        images,
        ..Default::default()
    }
}

#[tokio::test]
async fn each_wrong_field_is_named_with_what_is_allowed() {
    let server = server()
        .model(tiny("digits"))
        .max_images_per_request(3)
        .start()
        .await;
    let good = || raw(28, 28, 1, vec![0; 784]);
    let file = png(&image::GrayImage::new(28, 28));
    let cut = file[..file.len() / 2].to_vec();
    for (request, field, words) in [
        (with(vec![]), "images", "1 to 3 are allowed"),
        (with(vec![good(); 4]), "images", "1 to 3 are allowed"),
        (
            with(vec![v1::Image { source: None }]),
            "images[0]",
            "`encoded` or `raw`",
        ),
        (
            with(vec![good(), encoded(vec![])]),
            "images[1].encoded",
            "neither PNG, JPEG nor WebP",
        ),
        (
            with(vec![encoded(b"GIF89a".to_vec())]),
            "images[0].encoded",
            "is GIF",
        ),
        (
            with(vec![encoded(cut)]),
            "images[0].encoded",
            "cannot be decoded",
        ),
        (
            with(vec![encoded(b"\xff\xd8\xff\xe0".to_vec())]),
            "images[0].encoded",
            "cannot be decoded",
        ),
        (
            with(vec![raw(0, 28, 1, vec![])]),
            "images[0].raw.width",
            "at least 1",
        ),
        (
            with(vec![raw(28, 0, 1, vec![])]),
            "images[0].raw.height",
            "at least 1",
        ),
        (
            with(vec![raw(28, 28, 0, vec![])]),
            "images[0].raw.channels",
            "1 (grey)",
        ),
        (
            with(vec![raw(28, 28, 5, vec![0; 5 * 784])]),
            "images[0].raw.channels",
            "1 (grey)",
        ),
        (
            with(vec![raw(28, 28, 256 + 1, vec![0; 784])]),
            "images[0].raw.channels",
            "1 (grey)",
        ),
        (
            with(vec![raw(28, 28, 1, vec![0; 783])]),
            "images[0].raw.data",
            "are 784",
        ),
        (
            with(vec![raw(28, 28, 3, vec![0; 784])]),
            "images[0].raw.data",
            "are 2352",
        ),
        (
            with(vec![raw(u32::MAX, u32::MAX, 4, vec![0; 4])]),
            "images[0].raw",
            "is 4294967295x4294967295 pixels; at most",
        ),
        (
            with(vec![raw(500, 500, 1, vec![0; 10])]),
            "images[0].raw.data",
            "holds 10 bytes",
        ),
    ] {
        let status = refusal(&server, request).await;
        let (found, description) = violation(&status);
        assert_eq!(found, field, "{description}");
        assert!(description.contains(words), "{field}: {description}");
        assert!(status.message().contains(field), "{status:?}");
    }
    assert_works(&server).await;
}

#[tokio::test]
async fn all_wrong_images_are_named_at_once() {
    let server = server().model(tiny("digits")).start().await;
    let images = vec![
        encoded(vec![1]),
        raw(28, 28, 1, vec![0; 784]),
        raw(0, 1, 1, vec![]),
    ];
    let status = refusal(&server, with(images)).await;
    let details = status.get_error_details();
    let fields: Vec<&str> = details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["images[0].encoded", "images[2].raw.width"]);
}

/// proto3 enums are open: any number can arrive.
#[tokio::test]
async fn an_unknown_framing_is_refused() {
    let server = server().model(tiny("digits")).start().await;
    for framing in [3, 99, -1, i32::MAX, i32::MIN] {
        let asked = v1::ClassifyRequest {
            framing,
            ..request(&[frame(1)])
        };
        let (field, words) = violation(&refusal(&server, asked).await);
        assert_eq!(field, "framing");
        assert!(words.contains(&framing.to_string()), "{words}");
        assert!(words.contains("FRAMING_AUTO"), "{words}");
    }
}

#[tokio::test]
async fn an_image_with_too_many_pixels_is_refused() {
    let server = server().model(tiny("digits")).start().await;
    // 2^26 pixels are allowed by default.
    let (field, words) =
        violation(&refusal(&server, with(vec![encoded(png_bomb(14_286, 14_000))])).await);
    assert_eq!(field, "images[0].encoded");
    assert!(
        words.contains("14286x14000") && words.contains("67108864"),
        "{words}"
    );
}

/// The most memory that this process has ever had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the peak is there");
    let kilobytes = line.trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().expect("a number") * 1024
}

/// Sixty bytes that declare 14 GB of pixels: they must be refused by their header alone.
#[tokio::test]
async fn a_bomb_of_a_png_costs_no_memory() {
    let server = server().model(tiny("digits")).start().await;
    let before = peak_memory();
    for (width, height) in [
        (60_000, 60_000),
        (u32::MAX >> 1, 1),
        (1, u32::MAX >> 1),
        (u32::MAX, u32::MAX),
    ] {
        let status = refusal(&server, with(vec![encoded(png_bomb(width, height)); 16])).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }
    // Other tests run in this process meanwhile; none of them needs a gigabyte.
    assert!(peak_memory() < before + (1 << 30));
    assert_works(&server).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_an_invalid_argument_that_names_the_limit() {
    let server = server()
        .model(tiny("digits"))
        .max_message_size(10_000)
        .start()
        .await;
    let frames = vec![frame(1); 13];
    let status = refusal(&server, request(&frames)).await;
    let (_, words) = violation(&status);
    assert!(
        words.contains("10000") && words.contains("max_message_size"),
        "{words}"
    );
    let frames = vec![frame(1); 12];
    server.raw().await.classify(request(&frames)).await.unwrap();
}

#[tokio::test]
async fn a_model_that_did_not_load_is_unavailable_for_good() {
    let server = server()
        .model(tiny("broken").flaw(Flaw::Golden))
        .model(tiny("digits"))
        .start_settled()
        .await;
    for version in ["", "1"] {
        let asked = v1::ClassifyRequest {
            model: "broken".to_owned(),
            version: version.to_owned(),
            ..request(&[frame(1)])
        };
        let status = refusal(&server, asked).await;
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("golden"), "{status:?}");
        assert!(
            status.get_error_details().retry_info().is_none(),
            "asking again is of no use"
        );
    }
}

/// A bundle whose graph does not fit its task is refused at load time, so its model is unavailable.
#[tokio::test]
async fn a_model_that_does_not_fit_its_task_is_not_served() {
    let server = server()
        .model(tiny("digits"))
        .model(tiny("reviews").flaw(Flaw::Task))
        .start_settled()
        .await;
    let asked = v1::ClassifyRequest {
        model: "reviews".to_owned(),
        ..request(&[frame(1)])
    };
    let status = refusal(&server, asked).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("text_classification"),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_failing_run_is_internal_with_an_id_and_harms_nobody_later() {
    let server = server().model(tiny("digits").fragile()).start().await;
    let mut client = server.raw().await;
    let good = Frame::of([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    let mut ids = Vec::new();
    // 8 fails in the runtime, 7 returns NaN.
    for entry in [8, 7, 200] {
        let status = client
            .classify(request(&[frame(2).entry(entry)]))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Internal, "entry {entry}");
        let details = status.get_error_details();
        let id = details.error_info().unwrap().metadata["error_id"].clone();
        assert_eq!(
            status.message(),
            format!("internal error {id}"),
            "nothing else leaks"
        );
        ids.push(id);
        let reply = client
            .classify(request(std::slice::from_ref(&good)))
            .await
            .unwrap();
        crate::support::assert_answers(reply.get_ref(), std::slice::from_ref(&good));
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "each failure has an id of its own");
}
