//! A classifier of handwritten digits whose features a generator's digits are compared by.
//!
//! It learns and compares images that are deformed and have noise. This keeps the generator from
//! learning patterns that only this classifier takes for digits.

use quintet_data::mnist::{CLASSES, SIDE};
use tch::{Device, Kind, Tensor, nn};

use super::gaussian::Gaussian;
use crate::data::Samples;
use crate::data::augmentation::{Augmentation, Augmenter};
use crate::data::outliers::Pool;
use crate::layers::{
    CHANNEL, Conv2d, Dropout, FLATTEN, Layer, Linear, PIXEL_SCALE, RELU, Sequential,
};
use crate::network::sorted;
use crate::objective;
use crate::optimizer::Optimizer;
use crate::recipe::{self, Algorithm, FeatureMatching};

const FEATURES: i64 = 128;
// The digits of a step, and of a pass without gradients.
const BATCH: usize = 128;
const MANY: i64 = 500;
const LEARNING_RATE: f64 = 1.5e-3;

/// Changes images by chance before a classifier sees them.
#[derive(Debug)]
pub(super) struct Distortion {
    augmenter: Augmenter,
    /// The largest standard deviation of the noise, in grey levels.
    noise: f64,
}

/// A trained classifier.
#[derive(Debug)]
pub(super) struct Classifier {
    features: Sequential,
    head: Linear,
}

/// What the features of many images have in common.
#[derive(Debug)]
pub(super) struct Moments {
    pub(super) gaussian: Gaussian,
    /// The part of each digit: float32 `[10]`.
    pub(super) shares: Tensor,
}

impl Distortion {
    /// What classifiers learn from.
    fn strong(device: Device) -> Self {
        let settings = Augmentation {
            rotation_degrees: 10.0,
            scale: 0.1,
            shear_degrees: 8.0,
            shift_pixels: 2.0,
            elastic_pixels: 0.5,
            thicker: 0.1,
            ..Augmentation::default()
        };
        Self::new(settings, 0.4, device)
    }

    /// What they compare.
    pub(super) fn weak(device: Device) -> Self {
        let settings = Augmentation {
            rotation_degrees: 6.0,
            scale: 0.06,
            shear_degrees: 4.0,
            shift_pixels: 1.5,
            ..Augmentation::default()
        };
        Self::new(settings, 0.25, device)
    }

    // `noise` is a part of white.
    fn new(settings: Augmentation, noise: f64, device: Device) -> Self {
        Self {
            augmenter: Augmenter::new(settings, SIDE as i64, device),
            noise: noise * 255.0,
        }
    }

    /// Levels `[N, 28, 28]`, changed: float32.
    pub(super) fn apply(&self, levels: &Tensor) -> Tensor {
        let levels = self.augmenter.apply(levels);
        let each = [levels.size()[0], 1, 1];
        let deviation = Tensor::rand(each, (Kind::Float, levels.device())) * self.noise;
        &levels + levels.randn_like() * deviation
    }
}

// Levels `[N, 28, 28]` → features `[N, 128]`, by two convolutions, by three or by none.
fn extractor(vs: &nn::Path<'_>, shape: u32) -> Sequential {
    let conv = |name: &str, inputs, outputs, kernel: i64| {
        Conv2d::new(vs, name, inputs, outputs, kernel).strided(2, kernel / 2)
    };
    let start = Sequential::default().then(PIXEL_SCALE);
    let (images, values) = match shape % 3 {
        0 => {
            let it = start.then(CHANNEL).then(conv("conv1", 1, 32, 5)).then(RELU);
            (it.then(conv("conv2", 32, 64, 5)).then(RELU), 64 * 7 * 7)
        }
        1 => {
            let it = start.then(CHANNEL).then(conv("conv1", 1, 32, 7)).then(RELU);
            let it = it.then(conv("conv2", 32, 64, 3)).then(RELU);
            (it.then(conv("conv3", 64, 96, 3)).then(RELU), 96 * 4 * 4)
        }
        _ => {
            let pixels = (SIDE * SIDE) as i64;
            let it = start
                .then(FLATTEN)
                .then(Linear::new(vs, "fc0", pixels, 512));
            (it.then(RELU), 512)
        }
    };
    images
        .then(FLATTEN)
        .then(Dropout::new(0.2))
        .then(Linear::new(vs, "fc1", values, FEATURES))
        .then(RELU)
}

impl Classifier {
    /// Trains a classifier on `train` and on what is no digit. There are three shapes; the fourth
    /// is the first again, with other weights. Draws from libtorch's random generator. `None`: it
    /// was asked to stop.
    pub(super) fn train(
        shape: u32,
        settings: &FeatureMatching,
        (train, others): (&Samples, &Pool),
        device: Device,
        should_stop: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let mut store = nn::VarStore::new(device);
        let features = extractor(&store.root(), shape);
        let head = Linear::new(&store.root(), "head", FEATURES, CLASSES as i64);
        let this = Self { features, head };
        let adam = recipe::Optimizer {
            algorithm: Algorithm::Adam,
            learning_rate: LEARNING_RATE,
            weight_decay: 0.0,
            clip_norm: None,
            beta1: 0.9,
        };
        let mut optimizer = Optimizer::new(sorted(&store), &adam);
        let (dropout, distortion) = (Dropout::new(0.5), Distortion::strong(device));
        let epochs = settings.epochs;
        let steps = epochs as usize * train.len().div_ceil(BATCH);
        let mut step = 0_usize;
        for epoch in 1..=epochs {
            for indices in train.batches(BATCH, u64::from(shape), epoch) {
                if should_stop() {
                    return None;
                }
                let batch = train.select(&indices);
                let (pixels, labels) = others.extend(
                    (&batch.inputs[0], &batch.labels),
                    settings.drawn_digits,
                    settings.outliers,
                );
                let seen = distortion.apply(&pixels);
                let features = dropout.forward_t(&this.features.forward_t(&seen, true), true);
                let logits = this.head.forward_t(&features, true).to_kind(Kind::Float);
                let rate = LEARNING_RATE * (1.0 - step as f64 / steps as f64);
                let loss = objective::loss_with_outliers(&logits, &labels, 0.0);
                optimizer.backward_step(&loss, rate);
                step += 1;
            }
        }
        store.freeze();
        Some(this)
    }

    /// The features float32 `[N, 128]` of levels `[N, 28, 28]`.
    pub(super) fn features(&self, levels: &Tensor) -> Tensor {
        self.features.forward_t(levels, false).to_kind(Kind::Float)
    }

    /// The features of many images without gradients, changed by `distortion`.
    pub(super) fn features_of_many(&self, distortion: &Distortion, levels: &Tensor) -> Tensor {
        let batches = levels.split(MANY, 0).into_iter();
        let features = batches.map(|it| tch::no_grad(|| self.features(&distortion.apply(&it))));
        Tensor::cat(&features.collect::<Vec<_>>(), 0)
    }

    /// Features → the logarithms of the probabilities, float32 `[N, 10]`.
    pub(super) fn log_probabilities(&self, features: &Tensor) -> Tensor {
        let logits = self.head.forward_t(features, false);
        logits.log_softmax(-1, Kind::Float)
    }

    /// The moments of features `[N, 128]`, at least two.
    pub(super) fn moments(&self, features: &Tensor) -> Moments {
        let probabilities = tch::no_grad(|| self.log_probabilities(features).exp());
        Moments {
            gaussian: Gaussian::of(features),
            shares: probabilities.mean_dim(0, false, Kind::Float),
        }
    }
}
