//! Requests to a generator: for digits by the domain API, or with noise by the Open Inference Protocol.

use std::f32::consts::TAU;

use quintet_proto::{
    inference::{
        ModelInferRequest, model_infer_request::InferInputTensor,
        model_metadata_response::TensorMetadata,
    },
    v1::{GenerateDigitsRequest, ImageFormat},
};

use super::{Payload, Rpc};
use crate::failure::Failure;

/// Different requests; the same of every run.
const REQUESTS: u64 = 256;

/// A generator's one input.
#[derive(Clone, Debug)]
pub(in super::super) struct Noise {
    model: String,
    input: String,
    /// Numbers in a row.
    width: usize,
}

/// For GenerateDigits, each request with a seed of its own. Pixels are asked for, so that no time goes into files.
pub(in super::super) fn generate(model: &str, rows: usize) -> Result<Payload, Failure> {
    let count = u32::try_from(rows).map_err(|_| {
        Failure::usage(format!("{rows} images are more than a request may ask for"))
    })?;
    let rpc = Rpc::GenerateDigits;
    let bodies = (0..REQUESTS).map(|seed| {
        let mut request = GenerateDigitsRequest {
            count,
            seed: Some(seed),
            model: model.to_owned(),
            ..GenerateDigitsRequest::default()
        };
        request.set_format(ImageFormat::Raw);
        rpc.encode(&request)
    });
    Ok(Payload::new(rpc, rows, bodies.collect()))
}

/// Numbers of the standard normal distribution (Box & Muller 1958).
fn normal(random: &mut fastrand::Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.f32()).ln()).sqrt();
    radius * (TAU * random.f32()).cos()
}

// === impl Noise ===

impl Noise {
    /// The input of a generator.
    pub(in super::super) fn of(model: &str, inputs: &[TensorMetadata]) -> Result<Self, Failure> {
        if let [input] = inputs
            && let ("FP32", &[-1, width]) = (&*input.datatype, &input.shape[..])
            && let Ok(width @ 1..) = usize::try_from(width)
        {
            return Ok(Self {
                model: model.to_owned(),
                input: input.name.clone(),
                width,
            });
        }
        Err(super::unfit(model, inputs, "noise as FP32 [-1, N]"))
    }

    /// For ModelInfer, with the elements as raw bytes, little-endian.
    pub(in super::super) fn infer(&self, rows: usize) -> Payload {
        let mut random = fastrand::Rng::with_seed(0);
        let rpc = Rpc::ModelInfer;
        let bodies = (0..REQUESTS).map(|_| {
            let numbers = (0..rows * self.width).map(|_| normal(&mut random));
            let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            rpc.encode(&ModelInferRequest {
                model_name: self.model.clone(),
                inputs: vec![InferInputTensor {
                    name: self.input.clone(),
                    datatype: "FP32".into(),
                    shape: vec![rows as i64, self.width as i64],
                    ..InferInputTensor::default()
                }],
                raw_input_contents: vec![bytes.into()],
                ..ModelInferRequest::default()
            })
        });
        Payload::new(rpc, rows, bodies.collect())
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::bench::framing::unframe;

    #[test]
    fn every_request_has_a_seed_of_its_own() {
        let payload = generate("gan", 3).unwrap();
        for seed in (0..REQUESTS).chain([0]) {
            let body = unframe(payload.next()).unwrap();
            let request = GenerateDigitsRequest::decode(body).unwrap();
            assert_eq!((request.seed, request.count), (Some(seed), 3));
            assert_eq!(request.model, "gan");
            assert_eq!(request.format(), ImageFormat::Raw);
        }
        #[cfg(target_pointer_width = "64")]
        assert!(generate("gan", 1 << 32).is_err());
    }

    #[test]
    fn noise_is_standard_normal_and_never_the_same() {
        let noise = Noise {
            model: "gan".into(),
            input: "noise".into(),
            width: 100,
        };
        let payload = noise.infer(2);
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
