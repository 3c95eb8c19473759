//! Requests of images: as pictures of the domain API, or as tensors of the Open Inference Protocol.

use std::path::Path;

use bytes::Bytes;
use quintet_data::mnist::{self, PIXELS, SIDE, Split};
use quintet_proto::{
    inference::{
        ModelInferRequest, model_infer_request::InferInputTensor,
        model_metadata_response::TensorMetadata,
    },
    v1::{ClassifyRequest, Framing, Image, RawImage, image::Source},
};

use super::{Payload, Rpc};
use crate::failure::Failure;

/// Different random images; all of them fit into a core's cache.
const RANDOM_IMAGES: usize = 256;

/// Images of MNIST's size, at least one, one after the other.
#[derive(Clone, Debug)]
pub(in super::super) struct Pixels(Bytes);

/// A model's one input.
#[derive(Clone, Debug)]
pub(in super::super) struct Tensor {
    model: String,
    input: String,
}

// === impl Pixels ===

impl Pixels {
    /// Noise, always the same.
    pub(in super::super) fn random() -> Self {
        let mut random = fastrand::Rng::with_seed(0);
        let pixels = std::iter::repeat_with(|| random.u8(..));
        Self(pixels.take(RANDOM_IMAGES * PIXELS).collect())
    }

    /// The images of MNIST's test set.
    pub(in super::super) fn mnist(data_dir: &Path) -> Result<Self, Failure> {
        let digits = mnist::load(data_dir, Split::Test).map_err(|error| {
            Failure::new(error.to_string()).hint("--data-dir names the folder with the MNIST files")
        })?;
        if digits.labels.is_empty() {
            return Err(Failure::new("the test set has no images"));
        }
        Ok(Self(digits.images.into()))
    }

    /// For Classify, or for ClassifyStream. Every image is in some request.
    pub(in super::super) fn classify(&self, rpc: Rpc, model: &str, rows: usize) -> Payload {
        let image = |data: Bytes| {
            let raw = RawImage {
                width: SIDE as u32,
                height: SIDE as u32,
                channels: 1,
                data,
            };
            Image {
                source: Some(Source::Raw(raw)),
            }
        };
        let request = |images: Vec<Bytes>| ClassifyRequest {
            images: images.into_iter().map(image).collect(),
            model: model.to_owned(),
            // The pixels as they are, in the model's own size: no time goes into framing a digit.
            framing: Framing::None.into(),
            ..ClassifyRequest::default()
        };
        let requests = self.requests(rows);
        let bodies = requests.map(|images| rpc.encode(&request(images)));
        Payload::new(rpc, rows, bodies.collect())
    }

    /// For ModelInfer, with the elements as raw bytes.
    pub(in super::super) fn infer(&self, tensor: &Tensor, rows: usize) -> Payload {
        let request = |images: Vec<Bytes>| ModelInferRequest {
            model_name: tensor.model.clone(),
            inputs: vec![InferInputTensor {
                name: tensor.input.clone(),
                datatype: "UINT8".into(),
                shape: vec![rows as i64, SIDE as i64, SIDE as i64],
                ..InferInputTensor::default()
            }],
            raw_input_contents: vec![images.concat().into()],
            ..ModelInferRequest::default()
        };
        let rpc = Rpc::ModelInfer;
        let requests = self.requests(rows);
        let bodies = requests.map(|images| rpc.encode(&request(images)));
        Payload::new(rpc, rows, bodies.collect())
    }

    /// The images of each request.
    fn requests(&self, rows: usize) -> impl Iterator<Item = Vec<Bytes>> {
        let images = self.0.len() / PIXELS;
        let image = move |index: usize| {
            let start = index % images * PIXELS;
            self.0.slice(start..start + PIXELS)
        };
        let first = (0..images).step_by(rows);
        first.map(move |first| (first..first + rows).map(image).collect())
    }
}

// === impl Tensor ===

impl Tensor {
    /// The input of an image model.
    pub(in super::super) fn of(model: &str, inputs: &[TensorMetadata]) -> Result<Self, Failure> {
        let side = SIDE as i64;
        match inputs {
            [input] if input.datatype == "UINT8" && input.shape == [-1, side, side] => Ok(Self {
                model: model.to_owned(),
                input: input.name.clone(),
            }),
            _ => Err(super::unfit(
                model,
                inputs,
                &format!("UINT8 [-1, {side}, {side}]"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::bench::framing::unframe;

    #[test]
    fn every_image_is_sent_and_every_request_is_full() {
        let pixels = Pixels((0..5_u8).flat_map(|image| [image; PIXELS]).collect());
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

        let tensor = Tensor {
            model: "mlp".into(),
            input: "pixels".into(),
        };
        let payload = pixels.infer(&tensor, 2);
        let body = unframe(payload.next()).unwrap();
        let request = ModelInferRequest::decode(body).unwrap();
        assert_eq!(request.model_name, "mlp");
        assert_eq!(request.inputs[0].shape, [2, 28, 28]);
        let raw = &request.raw_input_contents[0];
        assert_eq!((raw.len(), raw[0], raw[PIXELS]), (2 * PIXELS, 0, 1));
    }
}
