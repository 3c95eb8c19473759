//! The Transformer that reads reviews: a small encoder, judged by the mean over its tokens.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, nn};

use crate::data::imdb::Imdb;
use crate::error::Error;
use crate::layers::{Activation, path};
use crate::models::Architecture;
use crate::models::encoder::{EncoderConfig, EncoderDropout, HeadConfig, Pooling, TextClassifier};
use crate::pretrained::Pretrained;
use crate::recipe::Recipe;
use crate::task::classification::REVIEWS;

/// The Transformer.
pub static TRANSFORMER: Architecture = Architecture {
    name: "transformer",
    summary: "Transformer encoder",
    recipe: include_str!("../../recipes/transformer.toml"),
    original_recipe: None,
    tables: &[
        "precision",
        "loss",
        "tokenizer",
        "crop",
        "sentences",
        "sequence_dropout",
        "embedding",
        "encoder",
        "distillation",
    ],
    dataset: &Imdb,
    task: &REVIEWS,
    build: |vs, recipe| {
        let classifier = classifier(vs, recipe);
        read_windows(vs, recipe.encoder.unwrap_or_default());
        Box::new(classifier)
    },
};

/// The recipe of a Transformer that starts from a pre-trained encoder.
const PRETRAINED_RECIPE: &str = include_str!("../../recipes/minilm.toml");

/// `network`, to be trained from a pre-trained encoder; it is called as that is. It lives as long as
/// the process.
///
/// # Errors
/// The network is not the Transformer.
pub fn pretrained(
    network: &'static Architecture,
    encoder: &Pretrained,
) -> Result<&'static Architecture, Error> {
    let name = encoder.name();
    if network.name != TRANSFORMER.name {
        let allowed = format!("{TRANSFORMER} alone starts from an encoder, not {network}");
        return Err(Error::value("--init", name, &allowed));
    }
    Ok(Box::leak(Box::new(Architecture {
        name: name.leak(),
        recipe: PRETRAINED_RECIPE,
        ..*network
    })))
}

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

/// Where the heads of the first layer look before training, from each token's place; further heads
/// start at random.
const OFFSETS: [i64; 3] = [-1, 1, -2];
/// How large positions are in the first embedding, beside words.
const AMPLITUDE: f64 = 0.08;
/// How sharply these heads look at first.
const SHARPNESS: f64 = 1.5;

/// Lets the heads of the first layer look at a token's neighbours before training, so that the
/// layer starts as a convolution over windows of tokens (Cordonnier et al. 2020, "On the
/// relationship between self-attention and convolutional layers").
///
/// The last features of the embedding, as many as a head has, start as waves over the positions.
/// The query of a head is the waves where it is; the key is the waves at an offset. Their product
/// is largest where the two places are the same.
fn read_windows(vs: &nn::Path<'_>, size: EncoderSize) {
    let weight = |layer: &str| path(vs, layer).get("weight").expect("the layer is there");
    let positions = weight("embeddings.position_embeddings");
    let features = size.hidden / size.heads;
    let waves = features / 2;
    let first = size.hidden - 2 * waves;
    // Unevenly spaced, so that no other distance brings all waves together again.
    let places = (Tensor::arange(waves, (Kind::Float, vs.device())) + 0.5) / waves as f64;
    let speeds = places.pow_tensor_scalar(1.2) * std::f64::consts::PI;
    tch::no_grad(|| {
        let count = positions.size()[0];
        let angles = Tensor::arange(count, (Kind::Float, vs.device())).unsqueeze(1) * &speeds;
        let table = Tensor::cat(&[angles.sin(), angles.cos()], 1) * AMPLITUDE;
        let _ = positions.shallow_clone().zero_();
        positions.narrow(1, first, 2 * waves).copy_(&table);
        let query = weight("encoder.layer.0.attention.self.query");
        let key = weight("encoder.layer.0.attention.self.key");
        for (head, offset) in (0..size.heads).zip(OFFSETS) {
            let rows = |weight: &Tensor| weight.narrow(0, head * features, 2 * waves);
            let same = Tensor::eye(2 * waves, (Kind::Float, vs.device())) * SHARPNESS;
            let turn = &speeds * offset as f64;
            let (sin, cos) = (turn.sin().diag(0), turn.cos().diag(0));
            // sin(a - t) = cos t sin a - sin t cos a, and cos(a - t) = sin t sin a + cos t cos a.
            let upper = Tensor::cat(&[&cos, &-&sin], 1);
            let turned = Tensor::cat(&[upper, Tensor::cat(&[&sin, &cos], 1)], 0);
            for (weight, values) in [(&query, same), (&key, turned)] {
                let mut rows = rows(weight);
                let _ = rows.zero_();
                rows.narrow(1, first, 2 * waves).copy_(&values);
            }
        }
    });
}
