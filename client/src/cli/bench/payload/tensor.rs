//! Requests of tensors, by the Open Inference Protocol.

use std::f32::consts::TAU;

use quintet_data::mnist::SIDE;
use quintet_proto::inference::{
    ModelInferRequest, model_infer_request::InferInputTensor,
    model_metadata_response::TensorMetadata,
};

use super::{Payload, Pixels, Rpc, groups};
use crate::failure::Failure;

/// Different requests of noise, the same in every run.
const REQUESTS: usize = 256;

/// The one input of an image model or of a generator.
#[derive(Clone, Debug)]
pub(in super::super) struct Tensor {
    model: String,
    input: TensorMetadata,
}

/// Numbers of the standard normal distribution (Box & Muller 1958).
fn normal(random: &mut fastrand::Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.f32()).ln()).sqrt();
    radius * (TAU * random.f32()).cos()
}

impl Tensor {
    /// The input of an image model.
    pub(in super::super) fn pixels(
        model: &str,
        inputs: &[TensorMetadata],
    ) -> Result<Self, Failure> {
        let shape = [-1, SIDE as i64, SIDE as i64];
        let fits = |input: &TensorMetadata| input.datatype == "UINT8" && input.shape == shape;
        Self::of(model, inputs, fits, &format!("UINT8 {shape:?}"))
    }

    /// The input of a generator.
    pub(in super::super) fn noise(model: &str, inputs: &[TensorMetadata]) -> Result<Self, Failure> {
        let fits = |input: &TensorMetadata| {
            input.datatype == "FP32" && matches!(input.shape[..], [-1, width] if width > 0)
        };
        Self::of(model, inputs, fits, "noise as FP32 [-1, N]")
    }

    fn of(
        model: &str,
        inputs: &[TensorMetadata],
        fits: impl Fn(&TensorMetadata) -> bool,
        made: &str,
    ) -> Result<Self, Failure> {
        match inputs {
            [input] if fits(input) => Ok(Self {
                model: model.to_owned(),
                input: input.clone(),
            }),
            _ => {
                let tensors = inputs
                    .iter()
                    .map(|it| format!("{} {:?}", it.datatype, it.shape));
                let tensors = tensors.collect::<Vec<_>>().join(" and ");
                let message = format!("{model} takes {tensors}; the benchmark makes {made}");
                Err(Failure::new(message))
            }
        }
    }

    /// Requests of noise, for a generator.
    pub(in super::super) fn infer_noise(&self, rows: usize) -> Payload {
        let mut random = fastrand::Rng::with_seed(0);
        let numbers = rows * self.input.shape[1] as usize;
        let data = (0..REQUESTS).map(|_| {
            let numbers = (0..numbers).map(|_| normal(&mut random));
            numbers.flat_map(f32::to_le_bytes).collect()
        });
        self.infer(rows, data)
    }

    /// Requests of images, for an image model.
    pub(in super::super) fn infer_pixels(&self, pixels: &Pixels, rows: usize) -> Payload {
        self.infer(rows, groups(&pixels.0, rows).map(|images| images.concat()))
    }

    /// Requests with the elements as raw bytes, little-endian.
    fn infer(&self, rows: usize, data: impl Iterator<Item = Vec<u8>>) -> Payload {
        let mut shape = self.input.shape.clone();
        shape[0] = rows as i64;
        let requests = data.map(|data| ModelInferRequest {
            model_name: self.model.clone(),
            inputs: vec![InferInputTensor {
                name: self.input.name.clone(),
                datatype: self.input.datatype.clone(),
                shape: shape.clone(),
                ..InferInputTensor::default()
            }],
            raw_input_contents: vec![data.into()],
            ..ModelInferRequest::default()
        });
        Payload::new(Rpc::ModelInfer, rows, requests)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use quintet_data::mnist::PIXELS;

    use super::*;
    use crate::bench::framing::unframe;

    fn input(datatype: &str, shape: &[i64]) -> [TensorMetadata; 1] {
        [TensorMetadata {
            name: "input".into(),
            datatype: datatype.into(),
            shape: shape.into(),
        }]
    }

    #[test]
    fn images_are_sent_as_pixels() {
        let tensor = Tensor::pixels("mlp", &input("UINT8", &[-1, 28, 28])).unwrap();
        let images = Pixels((0..2).map(|image| vec![image; PIXELS].into()).collect());
        let body = unframe(tensor.infer_pixels(&images, 2).next()).unwrap();
        let request = ModelInferRequest::decode(body).unwrap();
        assert_eq!(request.model_name, "mlp");
        assert_eq!(request.inputs[0].shape, [2, 28, 28]);
        let raw = &request.raw_input_contents[0];
        assert_eq!((raw.len(), raw[0], raw[PIXELS]), (2 * PIXELS, 0, 1));
    }

    #[test]
    fn noise_is_standard_normal_and_never_the_same() {
        let noise = Tensor::noise("gan", &input("FP32", &[-1, 100])).unwrap();
        let payload = noise.infer_noise(2);
        let mut all = Vec::new();
        for _ in 0..REQUESTS {
            let request = ModelInferRequest::decode(unframe(payload.next()).unwrap()).unwrap();
            assert_eq!(request.inputs[0].shape, [2, 100]);
            let numbers = request.raw_input_contents[0].as_chunks::<4>().0;
            assert_eq!(numbers.len(), 200);
            all.extend(numbers.iter().map(|it| f64::from(f32::from_le_bytes(*it))));
        }
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let variance = all.iter().map(|it| it * it).sum::<f64>() / count;
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
            "{mean}, {variance}"
        );
        assert_ne!(all[..200], all[200..400]);
    }
}
