//! The requests, encoded once before the run and sent again and again.

use std::{cell::Cell, path::Path};

use bytes::Bytes;
use prost::Message as _;
use quintet_data::mnist::{self, PIXELS, SIDE, Split};
use quintet_proto::v1::{
    ClassifyRequest, ClassifyResponse, Framing, Image, RawImage, image::Source,
};

use super::connection;
use crate::failure::Failure;

/// Different random images; all of them fit into a core's cache.
const RANDOM_IMAGES: usize = 256;

/// Framed requests, taken in turn.
#[derive(Debug)]
pub(super) struct Payload {
    bodies: Vec<Bytes>,
    next: Cell<usize>,
    rows: usize,
}

/// What a reply says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) model: String,
    pub(super) version: String,
    /// Rows of the batch that it rode in.
    pub(super) batch_size: u32,
}

// === impl Payload ===

impl Payload {
    /// The call that takes these requests.
    pub(super) const PATH: &'static str = "/quintet.v1.InferenceService/Classify";

    /// Images of noise, always the same ones.
    pub(super) fn random(model: &str, rows: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(0);
        let pixels: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(RANDOM_IMAGES * PIXELS)
            .collect();
        Self::new(model, rows, &Bytes::from(pixels))
    }

    /// The images of MNIST's test set.
    pub(super) fn mnist(model: &str, rows: usize, data_dir: &Path) -> Result<Self, Failure> {
        let digits = mnist::load(data_dir, Split::Test).map_err(|error| {
            Failure::new(error.to_string()).hint("--data-dir names the folder with the MNIST files")
        })?;
        if digits.labels.is_empty() {
            return Err(Failure::new("the test set has no images"));
        }
        Ok(Self::new(model, rows, &Bytes::from(digits.images)))
    }

    /// `pixels` holds at least one image. Every image is in some request, and every request has `rows`.
    fn new(model: &str, rows: usize, pixels: &Bytes) -> Self {
        let images = pixels.len() / PIXELS;
        let image = |index: usize| {
            let start = index % images * PIXELS;
            let raw = RawImage {
                width: SIDE as u32,
                height: SIDE as u32,
                channels: 1,
                data: pixels.slice(start..start + PIXELS),
            };
            Image {
                source: Some(Source::Raw(raw)),
            }
        };
        let request = |first: usize| ClassifyRequest {
            images: (first..first + rows).map(image).collect(),
            model: model.to_owned(),
            // The pixels as they are, in the model's own size: no time goes into framing a digit.
            framing: Framing::None.into(),
            ..ClassifyRequest::default()
        };
        Self {
            bodies: (0..images)
                .step_by(rows)
                .map(|first| connection::frame(&request(first)))
                .collect(),
            next: Cell::new(0),
            rows,
        }
    }

    /// The next request.
    pub(super) fn next(&self) -> Bytes {
        let next = self.next.get();
        self.next.set((next + 1) % self.bodies.len());
        self.bodies[next].clone()
    }

    /// Reads a reply; `None` if it is not the answer to one of these requests.
    pub(super) fn read(&self, message: Bytes) -> Option<Answer> {
        let reply = ClassifyResponse::decode(message).ok()?;
        if reply.classifications.len() != self.rows {
            return None;
        }
        Some(Answer {
            model: reply.model,
            version: reply.version,
            batch_size: reply.timing?.batch_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_sent_and_every_request_is_full() {
        let pixels: Bytes = (0..5_u8).flat_map(|image| [image; PIXELS]).collect();
        let payload = Payload::new("mlp", 2, &pixels);
        let first_pixels = |mut body: Bytes| {
            let request = ClassifyRequest::decode(body.split_off(5)).unwrap();
            assert_eq!(
                (request.model.as_str(), request.framing()),
                ("mlp", Framing::None)
            );
            let images = request.images.into_iter();
            let pixels = images.map(|it| match it.source {
                Some(Source::Raw(raw)) if raw.data.len() == PIXELS => raw.data[0],
                other => panic!("{other:?}"),
            });
            pixels.collect::<Vec<_>>()
        };
        let sent: Vec<_> = (0..4).map(|_| first_pixels(payload.next())).collect();
        assert_eq!(sent, [[0, 1], [2, 3], [4, 0], [0, 1]]);
    }

    #[test]
    fn only_an_answer_to_all_rows_is_one() {
        let payload = Payload::random("", 2);
        let reply = |rows| ClassifyResponse {
            classifications: vec![quintet_proto::v1::Classification::default(); rows],
            timing: Some(quintet_proto::v1::Timing {
                batch_size: 7,
                ..Default::default()
            }),
            ..Default::default()
        };
        let read = |reply: &ClassifyResponse| payload.read(reply.encode_to_vec().into());
        assert_eq!(read(&reply(2)).map(|it| it.batch_size), Some(7));
        assert_eq!(read(&reply(1)), None);
        assert_eq!(payload.read(Bytes::from_static(b"\xff")), None);
    }
}
