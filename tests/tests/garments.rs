//! Garments as shops show them, on light paper, read by the committed model.

use quintet_client::{ClassifyRequest, Client, Framing, Image};
use quintet_data::fashion_mnist::{self, LABELS};
use quintet_data::mnist::{Digits, SIDE, Split};
use quintet_e2e::server;

use crate::support::{committed_models, data_dir};

/// How much larger the picture shows the garment.
const ZOOM: usize = 10;
const WIDTH: usize = 400;
const HEIGHT: usize = 300;
const COUNT: usize = 400;

/// A frame as the photograph that it could have been made of: dark on white, beside the middle.
fn photograph(frame: &[u8]) -> Image {
    let mut paper = vec![255; WIDTH * HEIGHT];
    for (y, row) in paper[12 * WIDTH..]
        .chunks_mut(WIDTH)
        .take(SIDE * ZOOM)
        .enumerate()
    {
        for (x, pixel) in row[70..][..SIDE * ZOOM].iter_mut().enumerate() {
            *pixel = 255 - frame[y / ZOOM * SIDE + x / ZOOM];
        }
    }
    Image::raw(WIDTH as u32, HEIGHT as u32, 1, paper)
}

fn frame(frame: &[u8]) -> Image {
    Image::raw(SIDE as u32, SIDE as u32, 1, frame.to_vec())
}

/// How many of the first garments are named, shown so.
async fn right(client: &Client, set: &Digits, show: fn(&[u8]) -> Image, framing: Framing) -> usize {
    let mut right = 0;
    for start in (0..COUNT).step_by(10) {
        let rows = start..start + 10;
        let pictures = rows.clone().map(|index| show(set.image(index)));
        let asked = ClassifyRequest::new(pictures)
            .model("fashion")
            .framing(framing);
        let answer = client.classify(asked).await.expect("pictures are answered");
        let tops = answer
            .predictions
            .iter()
            .map(|it| &it.top().expect("a label").name);
        let truths = rows.map(|index| LABELS[usize::from(set.labels[index])]);
        right += tops.zip(truths).filter(|(top, truth)| top == truth).count();
    }
    right
}

#[tokio::test]
async fn a_garment_on_white_paper_is_named_as_its_frame_is() {
    let Some(data) = data_dir() else { return };
    let Some(models) = committed_models(&["fashion"]) else {
        return;
    };
    let server = server().models_dir(models.as_ref()).start().await;
    let client = server.client().await;
    let set = fashion_mnist::load(&data, Split::Test).expect("QUINTET_DATA_DIR holds it");
    let frames = right(&client, &set, frame, Framing::Auto).await;
    let found = right(&client, &set, photograph, Framing::Auto).await;
    let squashed = right(&client, &set, photograph, Framing::None).await;
    assert!(
        frames * 100 <= found * 103,
        "{found} on paper, {frames} as frames"
    );
    assert!(
        squashed * 2 < found,
        "{squashed} without framing, {found} with it"
    );
}
