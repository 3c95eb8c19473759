//! The committed model classifies a photograph of a digit: large, dark on light, off centre.

use quintet_client::{ClassifyRequest, Image};
use quintet_e2e::{Canvas, jpeg, png, server};

use crate::support::committed_models;

type Stroke = &'static [(f32, f32)];

/// Strokes with a pen 16 pixels wide, on a sheet of 200x300 pixels.
const DIGITS: [(&str, &[Stroke]); 10] = [
    ("1", &[&[(60.0, 40.0), (55.0, 150.0)]]),
    (
        "4",
        &[
            &[(90.0, 120.0), (80.0, 180.0), (140.0, 180.0)],
            &[(140.0, 115.0), (135.0, 250.0)],
        ],
    ),
    ("7", &[&[(40.0, 60.0), (120.0, 58.0), (70.0, 170.0)]]),
    (
        "0",
        &[&[
            (120.0, 120.0),
            (95.0, 135.0),
            (85.0, 175.0),
            (95.0, 215.0),
            (120.0, 230.0),
            (145.0, 215.0),
            (155.0, 175.0),
            (145.0, 135.0),
            (120.0, 120.0),
        ]],
    ),
    (
        "3",
        &[&[
            (50.0, 60.0),
            (85.0, 45.0),
            (110.0, 65.0),
            (100.0, 95.0),
            (70.0, 108.0),
            (105.0, 120.0),
            (118.0, 150.0),
            (90.0, 178.0),
            (48.0, 168.0),
        ]],
    ),
    (
        "2",
        &[&[
            (50.0, 85.0),
            (62.0, 60.0),
            (90.0, 52.0),
            (115.0, 70.0),
            (112.0, 100.0),
            (85.0, 135.0),
            (48.0, 175.0),
            (125.0, 172.0),
        ]],
    ),
    (
        "5",
        &[
            &[
                (78.0, 90.0),
                (72.0, 140.0),
                (100.0, 132.0),
                (128.0, 148.0),
                (132.0, 180.0),
                (108.0, 205.0),
                (68.0, 200.0),
            ],
            &[(78.0, 90.0), (132.0, 86.0)],
        ],
    ),
    (
        "6",
        &[&[
            (120.0, 70.0),
            (90.0, 105.0),
            (72.0, 150.0),
            (75.0, 190.0),
            (100.0, 208.0),
            (126.0, 195.0),
            (130.0, 168.0),
            (110.0, 152.0),
            (78.0, 168.0),
        ]],
    ),
    (
        "8",
        &[&[
            (100.0, 130.0),
            (72.0, 108.0),
            (78.0, 78.0),
            (105.0, 68.0),
            (130.0, 82.0),
            (128.0, 110.0),
            (100.0, 130.0),
            (72.0, 156.0),
            (74.0, 190.0),
            (102.0, 206.0),
            (132.0, 188.0),
            (130.0, 154.0),
            (100.0, 130.0),
        ]],
    ),
    (
        "9",
        &[&[
            (126.0, 92.0),
            (104.0, 72.0),
            (78.0, 84.0),
            (72.0, 112.0),
            (92.0, 130.0),
            (120.0, 116.0),
            (127.0, 92.0),
            (124.0, 150.0),
            (116.0, 215.0),
        ]],
    ),
];

#[tokio::test]
async fn drawn_digits_are_read() {
    let Some(models) = committed_models(&["cnn"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    for (digit, strokes) in DIGITS {
        let page = strokes.iter().fold(Canvas::new(200, 300), |page, stroke| {
            page.line(stroke, 16.0)
        });
        for file in [png(page.picture()), jpeg(page.picture())] {
            let asked = ClassifyRequest::new([Image::encoded(file)])
                .model("cnn")
                .top_k(3);
            let answer = client.classify(asked).await.unwrap();
            let labels = &answer.predictions[0].labels;
            assert_eq!(labels[0].name, digit, "{labels:?}");
            assert!(labels[0].probability > 0.5, "{digit}: {labels:?}");
        }
    }
}
