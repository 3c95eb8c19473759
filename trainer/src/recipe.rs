//! A recipe: everything that decides what a training run does, as one TOML file.

mod adversarial;
mod validate;

use std::fs;
use std::path::Path;

use quintet_onnx::Storage;
use serde::{Deserialize, Serialize};

pub use self::adversarial::{Adversarial, FeatureMatching, Tuning, Weights};
use crate::data::augmentation::Augmentation;
use crate::data::crop::Crop;
use crate::data::outliers::Outliers;
use crate::data::text::TokenizerSettings;
use crate::error::Error;
use crate::models::Architecture;
use crate::models::transformer::EncoderSize;
use crate::precision::Precision;
pub use crate::schedule::Schedule;

/// What to train and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name of the network.
    pub architecture: String,
    /// How often every training sample is seen; with `parts`, how many of them are seen.
    pub epochs: u32,
    /// Into how many parts each pass over the training samples is cut. An epoch learns from one, so
    /// that a long pass leaves checkpoints on its way.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub parts: u32,
    /// Samples a step.
    pub batch_size: usize,
    /// Decides the first weights, the validation samples, the shuffling, dropout, augmentation and
    /// crops.
    pub seed: u64,
    /// The part of the training samples that is held out to choose the best epoch, in (0, 1); 0 for
    /// a network whose epochs are not chosen by samples, as the GAN.
    #[serde(default)]
    pub validation_fraction: f64,
    /// What the layers compute in while they train. When absent, a new run takes the faster one of
    /// its device, which its folder and its bundle then name, and a resumed run keeps its own.
    pub precision: Option<Precision>,
    /// How the bundle stores the weights.
    #[serde(default = "default_storage")]
    pub storage: Storage,
    /// The most rows of a run in a server. A large network gains nothing from more, and each takes
    /// memory.
    pub max_batch_size: Option<usize>,
    /// How a step changes the weights.
    pub optimizer: Optimizer,
    /// How the learning rate moves; constant when absent.
    pub schedule: Option<Schedule>,
    /// What changes the plain cross entropy that is minimised; nothing when absent.
    pub loss: Option<Loss>,
    /// Averaging of the weights over steps; the raw weights are kept when absent.
    pub averaging: Option<Averaging>,
    /// Deformation of the training images; none when absent.
    pub augmentation: Option<Augmentation>,
    /// Pictures that are no digits, to be unsure of; none when absent.
    pub outliers: Option<Outliers>,
    /// How texts become tokens; [`TokenizerSettings::default`] when absent.
    pub tokenizer: Option<TokenizerSettings>,
    /// Training on other parts of long texts than their ends; none when absent.
    pub crop: Option<Crop>,
    /// Learning from judged sentences beside whole texts; none when absent.
    pub sentences: Option<Sentences>,
    /// Dropout between the layers of a network that reads texts; none when absent.
    pub sequence_dropout: Option<SequenceDropout>,
    /// The first embedding of a network that reads texts; random when absent.
    pub embedding: Option<FirstEmbedding>,
    /// The size of the Transformer; [`EncoderSize::default`] when absent.
    pub encoder: Option<EncoderSize>,
    /// Learning from a [bag of n-grams](crate::bag_of_ngrams) beside the labels; none when absent.
    pub distillation: Option<Distillation>,
    /// What stabilises the GAN; nothing when absent.
    pub adversarial: Option<Adversarial>,
}

/// How a step changes the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The rule.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Decay a step, as a multiple of the learning rate.
    pub weight_decay: f64,
    /// The largest norm of a step's gradient; any when absent.
    pub clip_norm: Option<f64>,
    /// The decay of the mean gradient, which is the momentum of SGD; that of Adam's mean square is
    /// 0.999. Radford et al. 2016 ("Unsupervised representation learning with deep convolutional
    /// GANs") found that 0.5 stabilises a GAN.
    #[serde(default = "default_beta1")]
    pub beta1: f64,
}

/// The rule by which a gradient changes the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019).
    #[default]
    Adam,
    /// Stochastic gradient descent with Nesterov's momentum (Sutskever et al. 2013, "On the
    /// importance of initialization and momentum in deep learning").
    Sgd,
}

const fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_one(parts: &u32) -> bool {
    *parts == 1
}

const fn default_storage() -> Storage {
    Storage::Float16
}

const fn default_beta1() -> f64 {
    0.9
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
    /// The part of the average that a step keeps.
    pub decay: f64,
}

/// Judged sentences beside the whole texts of a data set: SST-2's beside IMDB's reviews.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentences {
    /// How often an epoch sees each sentence.
    pub repeat: usize,
}

/// Dropout between the layers of a network that reads texts. It belongs to the recipe, not to the
/// network: only training uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceDropout {
    /// The chance of a word to be dropped.
    pub words: f64,
    /// The chance of a feature of the embedding to be dropped from all words of a text (Gal &
    /// Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
    /// networks").
    pub features: f64,
    /// The chance of a value of the last state to be dropped.
    pub state: f64,
}

/// Learning from what another classifier says of each sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// The part of the target that the other classifier decides; its label decides the rest.
    pub part: f64,
    /// The tokens of a text from which on that part is whole: of a sentence, a bag of n-grams says
    /// little. The part of a shorter text is as much smaller as the text is shorter; whole for all
    /// when absent.
    pub whole_from_tokens: Option<usize>,
    /// How many sentences of the training reviews to learn from besides, each with the score that
    /// the [teacher](crate::teacher) gives it.
    #[serde(default)]
    pub sentences: usize,
    /// How many phrases of a negation and the words after it to learn from in the same way. Few
    /// sentences turn on one, and a review's score hardly ever does.
    #[serde(default)]
    pub negations: usize,
}

/// What an embedding knows before training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstEmbedding {
    /// What each word's log-count ratio is multiplied with, see [`crate::naive_bayes`].
    pub naive_bayes: f64,
}

impl Recipe {
    /// Parses a recipe that is part of the program.
    ///
    /// # Panics
    /// If it is no recipe: a mistake in the program.
    pub(crate) fn built_in(network: &str, text: &str) -> Self {
        Self::parse(text, network).unwrap_or_else(|error| panic!("built in: {error}"))
    }

    /// Reads a recipe for `wanted` from `path`. Flags may still replace some values, so call
    /// [`Recipe::validate`] after that.
    pub fn read(path: &Path, wanted: &Architecture) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| Error::Usage(format!("recipe {shown}: {error}")))?;
        let recipe = Self::parse(&text, &shown)?;
        if recipe.architecture == wanted.name {
            return Ok(recipe);
        }
        Err(Error::Usage(format!(
            "recipe {shown}: architecture is {}, but {wanted} is to be trained",
            recipe.architecture,
        )))
    }

    /// Parses TOML; `path` is only for the error.
    pub fn parse(text: &str, path: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::Usage(format!("recipe {path}: {error}")))
    }

    /// The recipe as TOML; [`Recipe::parse`] gives the same recipe back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe is tables of plain values")
    }

    /// How texts become tokens.
    pub fn tokenizer(&self) -> TokenizerSettings {
        self.tokenizer.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
