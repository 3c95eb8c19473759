//! The Transformer that reads reviews: a small encoder, judged by the mean over its tokens.

use serde::{Deserialize, Serialize};
use tch::nn;

use crate::data::imdb::Imdb;
use crate::layers::Activation;
use crate::models::Architecture;
use crate::models::encoder::{EncoderConfig, EncoderDropout, HeadConfig, Pooling, TextClassifier};
use crate::recipe::Recipe;
use crate::task::classification::REVIEWS;

/// The Transformer.
pub static TRANSFORMER: Architecture = Architecture {
    name: "transformer",
    summary: "Transformer encoder",
    recipe: include_str!("../../recipes/transformer.toml"),
    original_recipe: None,
    tables: &[
        "loss",
        "tokenizer",
        "crop",
        "sentences",
        "sequence_dropout",
        "embedding",
        "encoder",
    ],
    dataset: &Imdb,
    task: &REVIEWS,
    build: |vs, recipe| Box::new(classifier(vs, recipe)),
};

/// The size of an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSize {
    /// Features of a token; a multiple of `heads`.
    pub hidden: i64,
    /// Layers.
    pub layers: i64,
    /// Heads of attention in each layer.
    pub heads: i64,
    /// Features between the two dense layers of a layer.
    pub intermediate: i64,
}

impl Default for EncoderSize {
    fn default() -> Self {
        Self {
            hidden: 64,
            layers: 2,
            heads: 4,
            intermediate: 128,
        }
    }
}

fn classifier(vs: &nn::Path<'_>, recipe: &Recipe) -> TextClassifier {
    let (size, tokenizer) = (recipe.encoder.unwrap_or_default(), recipe.tokenizer());
    let dropout = recipe.sequence_dropout.unwrap_or_default();
    let encoder = EncoderConfig {
        vocabulary: tokenizer.vocabulary_size as i64,
        hidden: size.hidden,
        layers: size.layers,
        heads: size.heads,
        intermediate: size.intermediate,
        activation: Activation::Gelu,
        positions: tokenizer.max_tokens as i64,
        first_position: 0,
        token_types: 0,
        layer_norm_epsilon: 1e-5,
        dropout: EncoderDropout {
            words: dropout.words,
            hidden: dropout.features,
            head: dropout.state,
        },
    };
    let head = HeadConfig {
        pooling: Pooling::Mean,
        dense: None,
        labels: 1,
    };
    TextClassifier::new(vs, &encoder, head)
}
