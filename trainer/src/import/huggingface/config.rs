//! `config.json`: what the network is made of.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::labels::{Labels, labels};
use crate::import::target;
use crate::layers::Activation;
use crate::models::encoder::{EncoderConfig, EncoderDropout, HeadConfig, Pooling};

/// The networks that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// BERT, and MiniLM, which has its layers.
    Bert,
    /// DistilBERT: no token types.
    DistilBert,
    /// RoBERTa: one token type, and positions that begin after the padding's.
    Roberta,
}

/// A network for the classification of texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// Its kind.
    pub(crate) family: Family,
    /// Its layers.
    pub(crate) encoder: EncoderConfig,
    /// Its head.
    pub(super) head: HeadConfig,
    /// Its labels.
    pub(super) labels: Labels,
    /// The token that fills up short texts.
    pub(super) pad_token_id: i64,
    /// The class of its tokeniser, where the configuration says so.
    pub(super) tokenizer_class: Option<String>,
    /// The version of `transformers` that wrote it, where it says so.
    pub(super) transformers_version: Option<String>,
}

/// The keys that matter. A key that is absent has the value that `transformers` gives it.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    architectures: Option<Vec<String>>,
    model_type: Option<String>,
    tokenizer_class: Option<String>,
    transformers_version: Option<String>,
    vocab_size: Option<i64>,
    hidden_size: Option<i64>,
    num_hidden_layers: Option<i64>,
    num_attention_heads: Option<i64>,
    intermediate_size: Option<i64>,
    hidden_act: Option<String>,
    // DistilBERT's names of these.
    dim: Option<i64>,
    n_layers: Option<i64>,
    n_heads: Option<i64>,
    hidden_dim: Option<i64>,
    activation: Option<String>,
    max_position_embeddings: Option<i64>,
    type_vocab_size: Option<i64>,
    layer_norm_eps: Option<f64>,
    pad_token_id: Option<i64>,
    position_embedding_type: Option<String>,
    is_decoder: Option<bool>,
    add_cross_attention: Option<bool>,
    pruned_heads: Option<Value>,
    quantization_config: Option<Value>,
    pub(super) id2label: Option<BTreeMap<String, Value>>,
    pub(super) num_labels: Option<usize>,
    // What old versions of `transformers` called it.
    #[serde(rename = "_num_labels")]
    pub(super) older_num_labels: Option<usize>,
    pub(super) problem_type: Option<String>,
}

impl Family {
    const ALL: [Self; 3] = [Self::Bert, Self::DistilBert, Self::Roberta];

    /// Its name, in manifests and before the names of its tensors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::DistilBert => "distilbert",
            Self::Roberta => "roberta",
        }
    }

    /// The name of the class in `transformers`.
    const fn class(self) -> &'static str {
        match self {
            Self::Bert => "BertForSequenceClassification",
            Self::DistilBert => "DistilBertForSequenceClassification",
            Self::Roberta => "RobertaForSequenceClassification",
        }
    }

    /// The family of any network with such an encoder.
    fn of_encoder(raw: &Raw) -> Result<Self, String> {
        let found = raw.model_type.as_deref().unwrap_or_default();
        let mut known = Self::ALL.into_iter();
        let allowed = Self::ALL.map(Self::name).join(", ");
        known
            .find(|it| it.name() == found)
            .ok_or_else(|| format!("model_type is {found:?}; one of {allowed} is allowed"))
    }

    fn of(raw: &Raw) -> Result<Self, String> {
        let allowed = Self::ALL.map(Self::class).join(", ");
        let Some(classes) = raw.architectures.as_deref() else {
            return Err(format!(
                "architectures is missing; one of {allowed} is needed"
            ));
        };
        let mut known = Self::ALL.into_iter();
        let found = known.find(|it| matches!(classes, [class] if class == it.class()));
        let found = found
            .ok_or_else(|| format!("architectures is {classes:?}; one of {allowed} is allowed"))?;
        // `transformers` goes by this key, where it is there.
        match raw.model_type.as_deref() {
            Some(other) if other != found.name() => Err(format!(
                "model_type is {other:?}; {:?} is allowed, as architectures is {classes:?}",
                found.name()
            )),
            _ => Ok(found),
        }
    }
}

impl Config {
    /// Reads the bytes of `config.json`.
    ///
    /// # Errors
    /// What is not allowed, by its key.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, String> {
        let raw: Raw = target::json(json)?;
        Self::new(Family::of(&raw)?, &raw)
    }

    /// Reads the bytes of the `config.json` of any network with such an encoder, whatever its head.
    ///
    /// # Errors
    /// What is not allowed, by its key.
    pub(crate) fn of_encoder(json: &[u8]) -> Result<Self, String> {
        let raw: Raw = target::json(json)?;
        Self::new(Family::of_encoder(&raw)?, &raw)
    }

    fn new(family: Family, raw: &Raw) -> Result<Self, String> {
        refuse_what_is_unknown(raw)?;
        let (vocabulary, epsilon, padding) = match family {
            Family::Bert => (30_522, raw.layer_norm_eps.unwrap_or(1e-12), 0),
            // It has no such key.
            Family::DistilBert => (30_522, 1e-12, 0),
            Family::Roberta => (50_265, raw.layer_norm_eps.unwrap_or(1e-12), 1),
        };
        let Sizes {
            hidden,
            layers,
            heads,
            intermediate,
            activation: (activation_key, activation_name),
        } = Sizes::of(family, raw)?;
        let pad_token_id = raw.pad_token_id.unwrap_or(padding);
        let encoder = EncoderConfig {
            vocabulary: size("vocab_size", raw.vocab_size, vocabulary, 1 << 21)?,
            hidden,
            layers,
            heads,
            intermediate,
            activation: activation(activation_key, activation_name)?,
            positions: size(
                "max_position_embeddings",
                raw.max_position_embeddings,
                512,
                1 << 16,
            )?,
            first_position: match family {
                Family::Roberta => pad_token_id.saturating_add(1),
                _ => 0,
            },
            token_types: match family {
                Family::DistilBert => 0,
                _ => size("type_vocab_size", raw.type_vocab_size, 2, 1 << 10)?,
            },
            layer_norm_epsilon: epsilon,
            dropout: EncoderDropout::default(),
        };
        check(&encoder, pad_token_id)?;
        let labels = labels(raw)?;
        let head = HeadConfig {
            pooling: Pooling::First,
            dense: Some(match family {
                Family::DistilBert => Activation::Relu,
                _ => Activation::Tanh,
            }),
            labels: labels.names.len() as i64,
        };
        Ok(Self {
            family,
            encoder,
            head,
            labels,
            pad_token_id,
            tokenizer_class: raw.tokenizer_class.clone(),
            transformers_version: raw.transformers_version.clone(),
        })
    }

    /// Tokens that the network can read of a text.
    pub(crate) fn longest(&self) -> usize {
        (self.encoder.positions - self.encoder.first_position) as usize
    }

    /// Whether the tokens of two texts have types of their own.
    pub(super) fn has_token_types(&self) -> bool {
        self.family == Family::Bert && self.encoder.token_types > 1
    }

    /// Whether the network has types of tokens that it never gets.
    pub(super) fn ignores_token_types(&self) -> bool {
        self.family == Family::Roberta && self.encoder.token_types > 1
    }

    /// How many numbers the network is made of.
    pub(super) fn parameters(&self) -> u128 {
        let all = |it: i64| it as u128;
        let (hidden, between) = (all(self.encoder.hidden), all(self.encoder.intermediate));
        let dense = |from: u128, to: u128| from * to + to;
        let norm = 2 * hidden;
        let layer =
            4 * dense(hidden, hidden) + dense(hidden, between) + dense(between, hidden) + 2 * norm;
        let rows = self.encoder.vocabulary + self.encoder.positions + self.encoder.token_types;
        all(rows) * hidden
            + norm
            + all(self.encoder.layers) * layer
            + dense(hidden, hidden)
            + dense(hidden, all(self.head.labels))
    }
}

/// The sizes of the layers, whose keys each family has of its own.
struct Sizes<'r> {
    hidden: i64,
    layers: i64,
    heads: i64,
    intermediate: i64,
    activation: (&'static str, &'r str),
}

impl<'r> Sizes<'r> {
    fn of(family: Family, raw: &'r Raw) -> Result<Self, String> {
        let gelu = "gelu";
        if family != Family::DistilBert {
            return Ok(Self {
                hidden: size("hidden_size", raw.hidden_size, 768, 1 << 14)?,
                layers: size("num_hidden_layers", raw.num_hidden_layers, 12, 256)?,
                heads: size("num_attention_heads", raw.num_attention_heads, 12, 1 << 10)?,
                intermediate: size("intermediate_size", raw.intermediate_size, 3072, 1 << 16)?,
                activation: ("hidden_act", raw.hidden_act.as_deref().unwrap_or(gelu)),
            });
        }
        let hidden = either(("dim", raw.dim), ("hidden_size", raw.hidden_size))?;
        let layers = either(
            ("n_layers", raw.n_layers),
            ("num_hidden_layers", raw.num_hidden_layers),
        )?;
        let heads = either(
            ("n_heads", raw.n_heads),
            ("num_attention_heads", raw.num_attention_heads),
        )?;
        Ok(Self {
            hidden: size("dim", hidden, 768, 1 << 14)?,
            layers: size("n_layers", layers, 6, 256)?,
            heads: size("n_heads", heads, 12, 1 << 10)?,
            intermediate: size("hidden_dim", raw.hidden_dim, 3072, 1 << 16)?,
            activation: ("activation", raw.activation.as_deref().unwrap_or(gelu)),
        })
    }
}

/// A value that has two keys; both may be there, with one value.
fn either(
    (key, value): (&str, Option<i64>),
    (other_key, other): (&str, Option<i64>),
) -> Result<Option<i64>, String> {
    match (value, other) {
        (Some(value), Some(other)) if value != other => Err(format!(
            "{key} is {value} and {other_key} is {other}; they mean the same and must be equal"
        )),
        _ => Ok(value.or(other)),
    }
}

fn refuse_what_is_unknown(raw: &Raw) -> Result<(), String> {
    let is_set = |value: &Option<Value>| match value {
        None | Some(Value::Null) => false,
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    };
    match raw.position_embedding_type.as_deref() {
        None | Some("absolute") => {}
        Some(other) => {
            let allowed = "absolute positions are allowed";
            return Err(format!("position_embedding_type is {other}; {allowed}"));
        }
    }
    for (key, is_set, allowed) in [
        ("is_decoder", raw.is_decoder == Some(true), "false"),
        (
            "add_cross_attention",
            raw.add_cross_attention == Some(true),
            "false",
        ),
        ("pruned_heads", is_set(&raw.pruned_heads), "none"),
        (
            "quantization_config",
            is_set(&raw.quantization_config),
            "none",
        ),
    ] {
        if is_set {
            return Err(format!("{key} is set; {allowed} is allowed"));
        }
    }
    Ok(())
}

fn size(key: &str, value: Option<i64>, default: i64, most: i64) -> Result<i64, String> {
    let value = value.unwrap_or(default);
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!("{key} is {value}; 1 to {most} are allowed"))
}

fn activation(key: &str, name: &str) -> Result<Activation, String> {
    Ok(match name {
        "gelu" | "gelu_python" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
        "relu" => Activation::Relu,
        "silu" | "swish" => Activation::Silu,
        _ => {
            let allowed = "gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu and silu are allowed";
            return Err(format!("{key} is {name}; {allowed}"));
        }
    })
}

fn check(encoder: &EncoderConfig, pad_token_id: i64) -> Result<(), String> {
    let EncoderConfig {
        hidden,
        heads,
        positions,
        first_position,
        vocabulary,
        layer_norm_epsilon: epsilon,
        ..
    } = encoder;
    if hidden % heads != 0 {
        let allowed = "a divisor of hidden_size";
        return Err(format!(
            "num_attention_heads is {heads}; {allowed}, {hidden}, is allowed"
        ));
    }
    if !(0..*vocabulary).contains(&pad_token_id) {
        let last = vocabulary - 1;
        return Err(format!(
            "pad_token_id is {pad_token_id}; 0 to {last} are allowed"
        ));
    }
    if first_position >= positions {
        let allowed = format!("more than {first_position} are needed");
        return Err(format!("max_position_embeddings is {positions}; {allowed}"));
    }
    if !(f64::MIN_POSITIVE..1.0).contains(epsilon) {
        let allowed = "a number between 0 and 1 is allowed";
        return Err(format!("layer_norm_eps is {epsilon}; {allowed}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
