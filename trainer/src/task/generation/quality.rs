//! How good a generator's digits are, in the eyes of the classifier that the server judges them
//! with.

use quintet_bundle::{Bundle, noise};
use quintet_data::mnist::CLASSES;
use quintet_onnx::initializers;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

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

/// Mean `[d]` and covariance `[d, d]` of feature vectors, float64.
#[derive(Debug)]
struct Gaussian {
    mean: Tensor,
    covariance: Tensor,
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

impl Gaussian {
    // Of the rows of `features`.
    fn of(features: &Tensor) -> Self {
        let features = features.to_device(Device::Cpu).to_kind(Kind::Double);
        let mean = features.mean_dim(0, false, Kind::Double);
        let centred = &features - &mean;
        let covariance = centred.transpose(0, 1).matmul(&centred) / (features.size()[0] - 1) as f64;
        Self { mean, covariance }
    }

    // |m − n|² + tr(A + B − 2 (A B)^½) (Heusel et al. 2017, "GANs trained by a two time-scale update
    // rule converge to a local Nash equilibrium", section 4). The last trace is that of
    // (A^½ B A^½)^½, which is symmetric.
    fn frechet_distance(&self, other: &Self) -> f64 {
        let (values, vectors) = self.covariance.linalg_eigh("L");
        let root = values.clamp_min(0.0).sqrt();
        let root = (&vectors * root).matmul(&vectors.transpose(0, 1));
        let product = root.matmul(&other.covariance).matmul(&root);
        let cross = product
            .linalg_eigvalsh("L")
            .clamp_min(0.0)
            .sqrt()
            .sum(Kind::Double);
        let means = (&self.mean - &other.mean).square().sum(Kind::Double);
        let traces = self.covariance.trace() + other.covariance.trace();
        (means + traces - cross * 2.0).double_value(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagonal(mean: &[f64], variance: &[f64]) -> Gaussian {
        Gaussian {
            mean: Tensor::from_slice(mean),
            covariance: Tensor::from_slice(variance).diag(0),
        }
    }

    // For diagonal covariances the distance is |m − n|² + Σ (σ − τ)².
    #[test]
    fn the_distance_of_known_gaussians() {
        let left = diagonal(&[1.0, 2.0], &[4.0, 9.0]);
        let right = diagonal(&[1.0, 5.0], &[1.0, 16.0]);
        assert!((left.frechet_distance(&right) - (9.0 + 1.0 + 1.0)).abs() < 1e-9);
        assert!((right.frechet_distance(&left) - 11.0).abs() < 1e-9);
        assert!(left.frechet_distance(&left).abs() < 1e-9);
    }

    // A rotation of both changes nothing, so it tries covariances that are not diagonal.
    #[test]
    fn the_distance_does_not_depend_on_the_axes() {
        let turn = Tensor::from_slice(&[0.6, -0.8, 0.8, 0.6]).reshape([2, 2]);
        let turned = |it: &Gaussian| Gaussian {
            mean: turn.matmul(&it.mean),
            covariance: turn.matmul(&it.covariance).matmul(&turn.transpose(0, 1)),
        };
        let left = diagonal(&[1.0, 2.0], &[4.0, 9.0]);
        let right = diagonal(&[1.0, 5.0], &[1.0, 16.0]);
        let mixed = turned(&left).frechet_distance(&right);
        let swapped = right.frechet_distance(&turned(&left));
        assert!((mixed - swapped).abs() < 1e-9, "{mixed} {swapped}");
        let both = turned(&left).frechet_distance(&turned(&right));
        assert!((both - 11.0).abs() < 1e-9, "{both}");
    }

    #[test]
    fn mean_and_covariance_of_few_rows() {
        let rows = Tensor::from_slice(&[1.0_f32, 0.0, 3.0, 2.0, 5.0, 1.0]).reshape([3, 2]);
        let Gaussian { mean, covariance } = Gaussian::of(&rows);
        assert_eq!(Vec::<f64>::try_from(mean).unwrap(), [3.0, 1.0]);
        let covariance = Vec::<f64>::try_from(covariance.flatten(0, -1)).unwrap();
        assert_eq!(covariance, [4.0, 1.0, 1.0, 1.0]);
    }
}
