//! A recipe: everything that decides what a training run does, as one TOML file.

mod adversarial;

use std::path::Path;
use std::{fmt, fs, io};

use quintet_bundle::Task;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::adversarial::{Adversarial, Tuning};
use crate::data::Dataset;
use crate::data::augmentation::Augmentation;
use crate::data::crop::Crop;
use crate::models::{Architecture, SequenceDropout};

/// What to train and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The network.
    pub architecture: Architecture,
    /// How often every training sample is seen.
    pub epochs: u32,
    /// Samples a step.
    pub batch_size: usize,
    /// Decides the first weights, the validation samples, the shuffling, dropout, augmentation and
    /// crops.
    pub seed: u64,
    /// The part of the training samples that is held out to choose the best epoch, in (0, 1); 0 for
    /// the GAN, which learns from all of them.
    #[serde(default)]
    pub validation_fraction: f64,
    /// Adam's settings.
    pub optimizer: Optimizer,
    /// How the learning rate moves; constant when absent.
    pub schedule: Option<Schedule>,
    /// What is minimised beside the plain cross entropy; nothing when absent.
    pub loss: Option<Loss>,
    /// Averaging of the weights over steps; the raw weights are kept when absent.
    pub averaging: Option<Averaging>,
    /// Deformation of the training images; none when absent, and none for texts.
    pub augmentation: Option<Augmentation>,
    /// Training on other parts of long texts than their ends; none when absent.
    pub crop: Option<Crop>,
    /// Dropout between the layers of a network that reads texts; none when absent.
    pub sequence_dropout: Option<SequenceDropout>,
    /// The first embedding of a network that reads texts; drawn by chance when absent.
    pub embedding: Option<FirstEmbedding>,
    /// What steadies the GAN; nothing when absent.
    pub adversarial: Option<Adversarial>,
}

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Decay a step, as a multiple of the learning rate; 0 is plain Adam.
    pub weight_decay: f64,
    /// The largest norm of a step's gradient; any when absent.
    pub clip_norm: Option<f64>,
    /// How much of the mean gradient a step keeps; the mean square keeps 0.999. Radford et al. 2016
    /// ("Unsupervised representation learning with deep convolutional GANs") found 0.5 to steady a
    /// GAN.
    #[serde(default = "usual_beta1")]
    pub beta1: f64,
}

const fn usual_beta1() -> f64 {
    0.9
}

/// Linear warm-up from zero, then half a cosine down to the final rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The part of all steps that warms up.
    pub warmup_fraction: f64,
    /// The last learning rate, as a fraction of the highest.
    pub final_fraction: f64,
}

/// The training loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The part of the target spread evenly over all labels.
    pub label_smoothing: f64,
}

/// An exponential moving average of the weights; validated and exported in their place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Averaging {
    /// How much of the average a step keeps.
    pub decay: f64,
}

/// What an embedding knows before training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstEmbedding {
    /// What each word's log-count ratio is multiplied with, see [`crate::naive_bayes`].
    pub naive_bayes: f64,
}

/// Why a recipe cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("recipe {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML, an unknown or absent key, or a value of the wrong type.
    #[error("recipe {path}: {source}")]
    Parse {
        /// The file, or the name of the built-in recipe.
        path: String,
        /// Where and what, with the line.
        source: Box<toml::de::Error>,
    },
    /// A value outside what is allowed.
    #[error("recipe: {field} is {value}, allowed: {allowed}")]
    Value {
        /// The key, with its table.
        field: &'static str,
        /// What came.
        value: String,
        /// What may come.
        allowed: String,
    },
    /// The recipe is for another network than the one asked for.
    #[error("recipe {path}: architecture is {actual}, but {wanted} is to be trained")]
    Architecture {
        /// The file.
        path: String,
        /// What the recipe says.
        actual: Architecture,
        /// What was asked for.
        wanted: Architecture,
    },
}

// === impl Recipe ===

impl Recipe {
    /// The recipe behind the committed model.
    pub fn built_in(architecture: Architecture) -> Self {
        Self::built_in_text(match architecture {
            Architecture::Mlp => include_str!("../recipes/mlp.toml"),
            Architecture::Cnn => include_str!("../recipes/cnn.toml"),
            Architecture::SimpleRnn => include_str!("../recipes/simple_rnn.toml"),
            Architecture::Lstm => include_str!("../recipes/lstm.toml"),
            Architecture::Gan => include_str!("../recipes/gan.toml"),
        })
    }

    /// The recipe of the original Keras program.
    pub fn original(architecture: Architecture) -> Self {
        Self::built_in_text(match architecture {
            Architecture::Mlp => include_str!("../recipes/original-mlp.toml"),
            Architecture::Cnn => include_str!("../recipes/original-cnn.toml"),
            Architecture::SimpleRnn => include_str!("../recipes/original-simple_rnn.toml"),
            Architecture::Lstm => include_str!("../recipes/original-lstm.toml"),
            Architecture::Gan => include_str!("../recipes/original-gan.toml"),
        })
    }

    fn built_in_text(text: &str) -> Self {
        toml::from_str(text).expect("built-in recipes are checked by a test")
    }

    /// Reads a recipe for `wanted` from `path`. Its values are not yet checked: flags may
    /// still replace some, so call [`Recipe::validate`] after that.
    pub fn read(path: &Path, wanted: Architecture) -> Result<Self, RecipeError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| RecipeError::Read {
            path: shown.clone(),
            source,
        })?;
        let recipe = Self::parse(&text, &shown)?;
        if recipe.architecture == wanted {
            Ok(recipe)
        } else {
            let actual = recipe.architecture;
            Err(RecipeError::Architecture {
                path: shown,
                actual,
                wanted,
            })
        }
    }

    /// Parses TOML; `path` is only for the error.
    pub fn parse(text: &str, path: &str) -> Result<Self, RecipeError> {
        toml::from_str(text).map_err(|source| RecipeError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// The recipe as TOML; [`Recipe::parse`] gives the same recipe back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe is tables of plain values")
    }

    /// Checks every value against what is allowed.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let Self {
            epochs,
            batch_size,
            seed,
            validation_fraction: fraction,
            ..
        } = *self;
        check(
            "epochs",
            epochs,
            (1..=10_000).contains(&epochs),
            "1 to 10000",
        )?;
        check(
            "batch_size",
            batch_size,
            (1..=60_000).contains(&batch_size),
            "1 to 60000",
        )?;
        // TOML has no integers above this.
        check(
            "seed",
            seed,
            i64::try_from(seed).is_ok(),
            "0 to 9223372036854775807",
        )?;
        let (fits, allowed) = match self.architecture {
            Architecture::Gan => (fraction.abs() <= 0.0, "0 for gan"),
            _ => (fraction > 0.0 && fraction < 1.0, "above 0, below 1"),
        };
        check("validation_fraction", fraction, fits, allowed)?;
        let rate = self.optimizer.learning_rate;
        check(
            "optimizer.learning_rate",
            rate,
            rate > 0.0 && rate <= 1.0,
            "above 0, up to 1",
        )?;
        if let Some(norm) = self.optimizer.clip_norm {
            let is_norm = norm > 0.0 && norm.is_finite();
            check("optimizer.clip_norm", norm, is_norm, "above 0")?;
        }
        for (field, part) in self.adversarial.iter().flat_map(Adversarial::parts) {
            let is_part = part > 0.0 && part <= 1.0;
            check(field, part, is_part, "above 0, up to 1")?;
        }
        self.check_tables()?;
        for (field, value, largest) in self.limits() {
            // Not a number is in no range.
            let is_allowed = (0.0..=largest).contains(&value);
            check(field, value, is_allowed, &format!("0 to {largest}"))?;
        }
        Ok(())
    }

    // Images are not read word by word, nor texts deformed, and only the GAN is two networks.
    fn check_tables(&self) -> Result<(), RecipeError> {
        let architecture = self.architecture;
        let reads_texts = architecture.dataset() == Dataset::Imdb;
        let reads_images = architecture.task() == Task::ImageClassification;
        let is_gan = architecture == Architecture::Gan;
        for (field, is_there, is_allowed) in [
            ("loss", self.loss.is_some(), !is_gan),
            ("adversarial", self.adversarial.is_some(), is_gan),
            ("augmentation", self.augmentation.is_some(), reads_images),
            ("crop", self.crop.is_some(), reads_texts),
            (
                "sequence_dropout",
                self.sequence_dropout.is_some(),
                reads_texts,
            ),
            ("embedding", self.embedding.is_some(), reads_texts),
        ] {
            let allowed = format!("no such table for {architecture}");
            check(field, "there", !is_there || is_allowed, &allowed)?;
        }
        Ok(())
    }

    // Key, value and largest value; the smallest is 0.
    fn limits(&self) -> Vec<(&'static str, f64, f64)> {
        let mut limits = vec![
            ("optimizer.weight_decay", self.optimizer.weight_decay, 1.0),
            ("optimizer.beta1", self.optimizer.beta1, 0.999),
        ];
        if let Some(Schedule {
            warmup_fraction,
            final_fraction,
        }) = self.schedule
        {
            limits.push(("schedule.warmup_fraction", warmup_fraction, 1.0));
            limits.push(("schedule.final_fraction", final_fraction, 1.0));
        }
        if let Some(Loss { label_smoothing }) = self.loss {
            limits.push(("loss.label_smoothing", label_smoothing, 0.9));
        }
        if let Some(Averaging { decay }) = self.averaging {
            limits.push(("averaging.decay", decay, 0.999_99));
        }
        if let Some(it) = &self.augmentation {
            limits.push(("augmentation.rotation_degrees", it.rotation_degrees, 180.0));
            limits.push(("augmentation.scale", it.scale, 0.9));
            limits.push(("augmentation.shear_degrees", it.shear_degrees, 80.0));
            limits.push(("augmentation.shift_pixels", it.shift_pixels, 28.0));
            limits.push(("augmentation.elastic_pixels", it.elastic_pixels, 28.0));
        }
        if let Some(Crop { chance }) = self.crop {
            limits.push(("crop.chance", chance, 1.0));
        }
        if let Some(it) = &self.sequence_dropout {
            limits.push(("sequence_dropout.words", it.words, 0.9));
            limits.push(("sequence_dropout.features", it.features, 0.9));
            limits.push(("sequence_dropout.state", it.state, 0.9));
        }
        if let Some(FirstEmbedding { naive_bayes }) = self.embedding {
            limits.push(("embedding.naive_bayes", naive_bayes, 10.0));
        }
        limits.extend(self.adversarial.iter().flat_map(Adversarial::limits));
        limits
    }

    /// The learning rate of step `step` (from 0) of `steps`.
    pub fn learning_rate(&self, step: usize, steps: usize) -> f64 {
        self.scheduled(self.optimizer.learning_rate, step, steps)
    }

    /// The same, of a schedule whose highest learning rate is `highest`.
    pub fn scheduled(&self, highest: f64, step: usize, steps: usize) -> f64 {
        let Some(Schedule {
            warmup_fraction,
            final_fraction,
        }) = self.schedule
        else {
            return highest;
        };
        let warmup = (steps as f64 * warmup_fraction).round();
        let step = step as f64;
        if step < warmup {
            return highest * (step + 1.0) / warmup;
        }
        let progress = (step - warmup) / (steps as f64 - warmup).max(1.0);
        let cosine = f64::midpoint(1.0, (std::f64::consts::PI * progress).cos());
        highest * (final_fraction + (1.0 - final_fraction) * cosine)
    }
}

fn check(
    field: &'static str,
    value: impl fmt::Display + Copy,
    is_allowed: bool,
    allowed: &str,
) -> Result<(), RecipeError> {
    if is_allowed {
        return Ok(());
    }
    Err(RecipeError::Value {
        field,
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}

#[cfg(test)]
mod tests;
