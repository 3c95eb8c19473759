//! Requests of images, as pictures of the domain API.

use std::path::Path;

use bytes::Bytes;
use quintet_data::mnist::{PIXELS, SIDE};
use quintet_proto::v1::{ClassifyRequest, Framing, Image, RawImage, image::Source};

use super::{Payload, Rpc, groups};
use crate::{digits, failure::Failure};

/// Different random images; all of them fit into a core's cache.
const RANDOM_IMAGES: usize = 256;

/// Images of MNIST's size, at least one.
#[derive(Clone, Debug)]
pub(in super::super) struct Pixels(pub(super) Vec<Bytes>);

impl Pixels {
    /// MNIST's test set, or without a folder noise.
    pub(in super::super) fn load(data_dir: Option<&Path>) -> Result<Self, Failure> {
        match data_dir {
            Some(data_dir) => Ok(Self(digits::load(data_dir)?.images)),
            None => Ok(Self::random()),
        }
    }

    /// Noise, always the same.
    pub(in super::super) fn random() -> Self {
        let mut random = fastrand::Rng::with_seed(0);
        let pixels = std::iter::repeat_with(|| random.u8(..));
        Self(digits::cut(pixels.take(RANDOM_IMAGES * PIXELS).collect()))
    }

    /// For Classify, or for ClassifyStream.
    pub(in super::super) fn classify(&self, rpc: Rpc, model: &str, rows: usize) -> Payload {
        let image = |data: Bytes| Image {
            source: Some(Source::Raw(RawImage {
                width: SIDE as u32,
                height: SIDE as u32,
                channels: 1,
                data,
            })),
        };
        let requests = groups(&self.0, rows).map(|images| ClassifyRequest {
            images: images.into_iter().map(image).collect(),
            model: model.to_owned(),
            // The pixels as they are, in the model's own size: no time goes into framing a digit.
            framing: Framing::None.into(),
            ..ClassifyRequest::default()
        });
        Payload::new(rpc, rows, requests)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::bench::framing::unframe;

    #[test]
    fn every_image_is_sent_and_every_request_is_full() {
        let pixels = (0..5_u8).flat_map(|image| [image; PIXELS]).collect();
        let pixels = Pixels(digits::cut(pixels));
        let payload = pixels.classify(Rpc::Classify, "mlp", 2);
        let first_pixels = |body: Bytes| {
            let request = ClassifyRequest::decode(unframe(body).unwrap()).unwrap();
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
}
