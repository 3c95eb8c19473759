//! How good a generator's digits are, in the eyes of the classifier that the server judges them
//! with.

use quintet_bundle::{Bundle, noise};
use quintet_data::mnist::CLASSES;
use quintet_onnx::initializers;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

use super::gaussian::Gaussian;
use crate::checkpoint::Checkpoint;
use crate::data::Samples;
use crate::error::Error;
use crate::layers::Layer;
use crate::models::CNN;
use crate::models::cnn::Cnn;
use crate::models::gan::NOISE;

/// The seed of the judged images: they are the first that a server draws of this seed.
pub const SEED: u64 = 0;
/// The probability from which on the classifier is called sure.
pub const SURE: f64 = 0.9;

const BATCH: usize = 500;

/// What the classifier gave for some images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The Fréchet distance of the classifier's penultimate features to those of the test images;
    /// 0 is best.
    pub frechet_distance: f64,
    /// The part of the images that the classifier is sure of, in 0..=1.
    pub sure: f64,
    /// How many images were classified as each digit.
    pub digits: [u64; CLASSES],
}

/// A classifier, and its features of the test images.
#[derive(Debug)]
pub struct Judge {
    cnn: Cnn,
    device: Device,
    reference: Gaussian,
}

/// The noise of candidates `first..first + count` of `seed`: float32 `[count, 100]`.
pub fn noise_of(seed: u64, first: usize, count: usize) -> Tensor {
    let mut numbers = vec![0.0; count * NOISE];
    for (row, numbers) in numbers.chunks_mut(NOISE).enumerate() {
        noise::fill(seed, (first + row) as u64, numbers);
    }
    Tensor::from_slice(&numbers).reshape([count as i64, NOISE as i64])
}

impl Judge {
    /// The CNN of `bundle`, on `device`, with its features of the `test` images.
    pub fn new(bundle: &Bundle, test: &Samples, device: Device) -> Result<Self, Error> {
        let manifest = bundle.manifest();
        if manifest.architecture != CNN.name {
            return Err(Error::Usage(format!(
                "the judge {} is of architecture {}, allowed: {CNN}",
                bundle.path().display(),
                manifest.architecture,
            )));
        }
        let store = nn::VarStore::new(device);
        let cnn = Cnn::new(&store.root());
        let mut weights = Checkpoint::default();
        let stored = initializers(bundle.model())?;
        weights.insert(
            "cnn",
            stored.into_iter().map(|it| {
                let shape: Vec<i64> = it.shape.iter().map(|&length| length as i64).collect();
                (it.name, Tensor::from_slice(&it.data).reshape(shape))
            }),
        );
        weights.restore("cnn", store.variables())?;
        let (features, _) = examine(&cnn, device, &test.inputs[0]);
        Ok(Self {
            cnn,
            device,
            reference: Gaussian::of(&features),
        })
    }

    /// Judges images uint8 `[n, 28, 28]`.
    pub fn judge(&self, pixels: &Tensor) -> Quality {
        let (features, probabilities) = examine(&self.cnn, self.device, pixels);
        let (highest, digit) = probabilities.max_dim(1, false);
        let count = |digit_of: i64| digit.eq(digit_of).sum(Kind::Int64).int64_value(&[]) as u64;
        let sure = highest.ge(SURE).to_kind(Kind::Double).mean(Kind::Double);
        Quality {
            frechet_distance: Gaussian::of(&features).frechet_distance(&self.reference),
            sure: sure.double_value(&[]),
            digits: std::array::from_fn(|digit| count(digit as i64)),
        }
    }
}

// The penultimate features float32 `[n, 128]` and the probabilities `[n, 10]` of images.
fn examine(cnn: &Cnn, device: Device, pixels: &Tensor) -> (Tensor, Tensor) {
    let all = pixels.size()[0];
    let batches = (0..all).step_by(BATCH).map(|first| {
        let batch = pixels.narrow(0, first, (BATCH as i64).min(all - first));
        tch::no_grad(|| {
            let features = cnn.features.forward_t(&batch.to_device(device), false);
            let probabilities = cnn.head.forward_t(&features, false).softmax(-1, None);
            (features, probabilities)
        })
    });
    let (features, probabilities): (Vec<Tensor>, Vec<Tensor>) = batches.unzip();
    (Tensor::cat(&features, 0), Tensor::cat(&probabilities, 0))
}

impl Quality {
    /// The smallest and the largest part of the images that one digit has, in 0..=1.
    pub fn shares(&self) -> (f64, f64) {
        let all: u64 = self.digits.iter().sum();
        let part = |count: Option<&u64>| count.map_or(0.0, |&it| it as f64 / all as f64);
        (
            part(self.digits.iter().min()),
            part(self.digits.iter().max()),
        )
    }
}
