//! What a generator learns from classifiers, beside the discriminator.
//!
//! They are trained on the run's handwritten digits, and none of them is the judge. Each asks three
//! things of the generator: that the features of its digits have the mean and covariance of
//! handwritten ones, that each digit is recognised with confidence, and that none is more frequent
//! than in handwriting.

use tch::{Kind, Tensor};

use super::classifier::{Classifier, Distortion, Moments};
use super::gaussian::Transport;
use super::quality::noise_of;
use crate::data::Samples;
use crate::data::outliers::Pool;
use crate::layers::SignedPixels;
use crate::network::Network;
use crate::progress;
use crate::random::SplitMix64;
use crate::recipe::{FeatureMatching, Weights};

// Steps after which the moments of the drawn digits are computed again.
const INTERVAL: usize = 20;
// Not the judge's: that one is of the digits which choose the epoch.
const NOISE_SEED: u64 = 1;
// Apart from the random streams of the epochs.
const STREAM: u64 = 0x5EED;
const BATCH: usize = 500;

/// Classifiers, and what they know of the digits that were drawn last.
#[derive(Debug)]
pub(super) struct Matching {
    settings: FeatureMatching,
    /// See [`FeatureMatching::generation_in`].
    generation: u32,
    views: Vec<View>,
    distortion: Distortion,
    /// How many of the last digits count.
    count: usize,
    /// The epoch, and its steps so far.
    at: (u32, usize),
}

/// How one classifier sees the digits.
#[derive(Debug)]
struct View {
    classifier: Classifier,
    written: Moments,
    /// The features of the digits that were drawn last, the oldest first: float32 `[count, 128]`.
    drawn: Tensor,
    comparison: Option<Comparison>,
}

/// How the digits that were drawn last differ from handwritten ones.
#[derive(Debug)]
struct Comparison {
    transport: Transport,
    /// The logarithm of how many times more frequent each digit is: `[10]`.
    excess: Tensor,
}

impl View {
    fn compare(&self) -> Comparison {
        let drawn = self.classifier.moments(&self.drawn);
        let written = &self.written;
        Comparison {
            transport: drawn
                .gaussian
                .transport(&written.gaussian, self.drawn.device()),
            excess: (drawn.shares / &written.shares).log(),
        }
    }

    // For levels `[N, 28, 28]` with the generator's gradients.
    fn loss(&mut self, weights: Weights, levels: &Tensor) -> Tensor {
        let mean = |rows: Tensor| {
            let sums = rows.sum_dim_intlist([1].as_slice(), false, Kind::Float);
            sums.mean(Kind::Float)
        };
        let features = self.classifier.features(levels);
        let comparison = self.comparison.as_ref().expect("an epoch starts with one");
        // The mean squared move is the distance, and its gradient that of the distance.
        let place = comparison.transport.apply(&features.detach());
        let distance = mean((&features - place).square());
        let logarithms = self.classifier.log_probabilities(&features);
        let probabilities = logarithms.exp();
        let entropy = -mean(&probabilities * logarithms);
        let excess = mean(&probabilities * &comparison.excess);

        let count = self.drawn.size()[0];
        let drawn = Tensor::cat(&[&self.drawn, &features.detach()], 0);
        self.drawn = drawn.narrow(0, drawn.size()[0] - count, count);
        distance * weights.distance + entropy * weights.entropy + excess * weights.shares
    }
}

impl Matching {
    /// Trains the classifiers of a generation on `train`; `count` is of how many digits the moments
    /// are. `None`: it was asked to stop.
    pub(super) fn new(
        (settings, generation): (&FeatureMatching, u32),
        seed: u64,
        train: &Samples,
        count: usize,
        should_stop: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let device = train.labels.device();
        let (all, distortion) = (settings.classifiers, Distortion::weak(device));
        let learnt = (train, &Pool::new(train, seed, device));
        let view = |number: u32| {
            progress::line(&format!("classifier {} of {all} learns", number + 1));
            // A resumed run trains the same ones.
            let stream = u64::from(generation * all + number);
            let seed = SplitMix64::for_stream(seed ^ STREAM, stream).next_u64();
            tch::manual_seed(seed as i64);
            let classifier = Classifier::train(number, settings, learnt, device, should_stop)?;
            let features = classifier.features_of_many(&distortion, &train.inputs[0]);
            Some(View {
                written: classifier.moments(&features),
                classifier,
                drawn: Tensor::zeros([0], (Kind::Float, device)),
                comparison: None,
            })
        };
        Some(Self {
            views: (0..all).map(view).collect::<Option<_>>()?,
            settings: settings.clone(),
            generation,
            distortion,
            count,
            at: (0, 0),
        })
    }

    /// Whether its classifiers are those of this epoch of the tuning, from 0.
    pub(super) fn is_of(&self, epoch: u32) -> bool {
        self.generation == self.settings.generation_in(epoch)
    }

    /// What `generator` has to make smaller in a step of `epoch`, which counts from 0 at the first
    /// epoch of the tuning. The images that it drew are float32 `[N, 28, 28]` in −1..=1. Draws from
    /// libtorch's random generator.
    pub(super) fn loss(&mut self, epoch: u32, generator: &Network, drawn: &Tensor) -> Tensor {
        let (last_epoch, steps) = self.at;
        let step = if last_epoch == epoch { steps } else { 0 };
        if step == 0 {
            self.draw(generator);
        }
        self.at = (epoch, step + 1);
        let levels = SignedPixels.levels(drawn);
        let weights = self.settings.weights_in(epoch);
        let weights = *weights.expect("a valid recipe has some");
        let losses = self.views.iter_mut().map(|view| {
            if step.is_multiple_of(INTERVAL) {
                view.comparison = Some(view.compare());
            }
            view.loss(weights, &self.distortion.apply(&levels))
        });
        Tensor::stack(&losses.collect::<Vec<_>>(), 0).mean(Kind::Float)
    }

    // Forgets the digits of the epoch before, which a resumed run does not have. The new ones are
    // drawn in the precision of the training, as those of the steps are.
    fn draw(&mut self, generator: &Network) {
        let digits = (0..self.count).step_by(BATCH).map(|first| {
            let noise = noise_of(NOISE_SEED, first, BATCH.min(self.count - first));
            generator.output(&[noise])
        });
        let digits = Tensor::cat(&digits.collect::<Vec<_>>(), 0);
        for view in &mut self.views {
            view.drawn = view.classifier.features_of_many(&self.distortion, &digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::data::golden;
    use crate::models::GAN;

    fn settings() -> FeatureMatching {
        FeatureMatching {
            classifiers: 3,
            epochs: 8,
            outliers: 0.25,
            drawn_digits: 0.1,
            weights: vec![Weights {
                epochs: 1,
                new_classifiers: false,
                distance: 0.05,
                entropy: 2.0,
                shares: 0.3,
            }],
        }
    }

    // The ten digits in type, 40 times each.
    fn train() -> Samples {
        let pixels = Tensor::from_slice(&golden::digits().unwrap()).reshape([10, 28, 28]);
        Samples {
            inputs: vec![pixels.repeat([40, 1, 1])],
            labels: Tensor::arange(10, (Kind::Int64, Device::Cpu)).repeat([40]),
            texts: None,
        }
    }

    #[test]
    fn every_image_has_a_gradient_and_the_last_digits_count() {
        let generator = Network::new(&GAN, &GAN.recipe(), Device::Cpu);
        let mut matching = Matching::new((&settings(), 0), 1, &train(), 50, &|| false).unwrap();
        let noise = noise_of(NOISE_SEED, 50, 20);
        let images = generator.model().forward_t(&[noise], false).detach();
        let images = images.set_requires_grad(true);
        let loss = matching.loss(0, &generator, &images);
        let gradient = &Tensor::run_backward(&[loss], &[&images], false, false)[0];
        let norms = gradient
            .square()
            .sum_dim_intlist([1, 2].as_slice(), false, Kind::Float);
        assert!(norms.isfinite().all().int64_value(&[]) == 1);
        assert!(norms.min().double_value(&[]) > 0.0);
        for view in &matching.views {
            assert_eq!(view.drawn.size()[0], 50);
        }
    }

    #[test]
    fn classifiers_read_digits_and_are_less_sure_of_noise() {
        let train = train();
        let matching = Matching::new((&settings(), 0), 1, &train, 10, &|| false).unwrap();
        let digits = train.inputs[0].narrow(0, 0, 10);
        let noise = Tensor::rand([10, 28, 28], (Kind::Float, Device::Cpu)) * 255.0;
        for view in &matching.views {
            let most = |levels: &Tensor| {
                let features = view.classifier.features(levels);
                view.classifier
                    .log_probabilities(&features)
                    .max_dim(1, false)
            };
            let ((of_digits, read), (of_noise, _)) = (most(&digits), most(&noise));
            let right = read.eq_tensor(&train.labels.narrow(0, 0, 10));
            assert!(right.sum(Kind::Int64).int64_value(&[]) >= 9, "{read}");
            let mean = |it: Tensor| it.mean(Kind::Float).double_value(&[]);
            let (of_digits, of_noise) = (mean(of_digits), mean(of_noise));
            assert!(of_digits > of_noise, "{of_digits} {of_noise}");
        }
    }

    #[test]
    fn training_of_the_classifiers_stops_when_asked() {
        assert!(Matching::new((&settings(), 0), 1, &train(), 10, &|| true).is_none());
    }
}
