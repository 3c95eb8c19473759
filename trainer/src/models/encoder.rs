//! A Transformer encoder that classifies texts: BERT (Devlin et al. 2019, "BERT: Pre-training of
//! deep bidirectional Transformers"), and MiniLM, DistilBERT and RoBERTa, which have its layers.
//!
//! Positions are learned, and layer normalisation follows each sum. The weights have the names that
//! BERT's have in Hugging Face's files.

use quintet_onnx::{GraphBuilder, GraphError, Value, ops};
use tch::{Kind, Tensor, nn};

use crate::layers::{
    Activation, Dropout, Embedding, Layer, LayerNorm, Linear, Mask, Operator, SelfAttention,
};
use crate::models;

/// The name of the table of words or parts of words.
pub const WORD_EMBEDDINGS: &str = "embeddings.word_embeddings";
/// The name of the table of positions.
pub const POSITION_EMBEDDINGS: &str = "embeddings.position_embeddings";
/// The name of the table of token types.
pub const TOKEN_TYPE_EMBEDDINGS: &str = "embeddings.token_type_embeddings";

/// What an encoder is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// Tokens.
    pub vocabulary: i64,
    /// Features of a token; a multiple of `heads`.
    pub hidden: i64,
    /// Layers, each of attention and two dense layers.
    pub layers: i64,
    /// Heads of attention in each layer.
    pub heads: i64,
    /// Features between the two dense layers.
    pub intermediate: i64,
    /// What stands between the two dense layers.
    pub activation: Activation,
    /// Rows of the table of positions, with the unused ones at its start.
    pub positions: i64,
    /// The row of the first token's position: RoBERTa leaves out its padding index and the rows
    /// before it.
    pub first_position: i64,
    /// Token types, which tell the texts of a pair apart; 0 for a network without them.
    pub token_types: i64,
    /// Added to the variance in layer normalisation.
    pub layer_norm_epsilon: f64,
    /// The chances to drop something in training.
    pub dropout: EncoderDropout,
}

/// The chances to drop something in training.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EncoderDropout {
    /// A whole word: what remains is its position.
    pub words: f64,
    /// A feature of what the embeddings, an attention or the dense layers give.
    pub hidden: f64,
    /// A feature that the head sees.
    pub head: f64,
}

/// How the features of a text's tokens become logits.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadConfig {
    /// What is judged.
    pub pooling: Pooling,
    /// The activation of a dense layer `pooler.dense` before the last one, if there is one: `Tanh`
    /// in BERT and RoBERTa, `Relu` in DistilBERT.
    pub dense: Option<Activation>,
    /// Logits.
    pub labels: i64,
}

/// How the features of a text's tokens become those of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Those of the first token.
    First,
    /// The mean over all tokens.
    Mean,
}

/// An encoder: texts → features of each token.
#[derive(Debug)]
pub struct Encoder {
    words: Embedding,
    positions: Embedding,
    token_types: Option<Embedding>,
    norm: LayerNorm,
    layers: Vec<EncoderLayer>,
    first_position: i64,
    word_dropout: Dropout,
    dropout: Dropout,
}

#[derive(Debug)]
struct EncoderLayer {
    attention: SelfAttention,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    norm: LayerNorm,
    dropout: Dropout,
}

/// The features of a text's tokens → logits.
#[derive(Debug)]
struct Head {
    config: HeadConfig,
    dropout: Dropout,
    dense: Option<(Linear, Operator)>,
    classifier: Linear,
}

/// An encoder and a head: inputs `tokens` int64 `[N, L]`, `lengths` int32 `[N]` and optionally
/// `token_types` int64 `[N, L]` → logits float32 `[N, labels]`, or `[N]` for one label.
#[derive(Debug)]
pub struct TextClassifier {
    encoder: Encoder,
    head: Head,
}

impl Encoder {
    /// Fresh weights under `vs`.
    pub fn new(vs: &nn::Path<'_>, config: &EncoderConfig) -> Self {
        let (hidden, epsilon) = (config.hidden, config.layer_norm_epsilon);
        let table = |name: &str, rows| Embedding::new(vs, name, rows, hidden);
        let types =
            (config.token_types > 0).then(|| table(TOKEN_TYPE_EMBEDDINGS, config.token_types));
        Self {
            words: table(WORD_EMBEDDINGS, config.vocabulary),
            positions: table(POSITION_EMBEDDINGS, config.positions),
            token_types: types,
            norm: LayerNorm::new(vs, "embeddings.LayerNorm", hidden, epsilon),
            layers: (0..config.layers)
                .map(|number| EncoderLayer::new(vs, number, config))
                .collect(),
            first_position: config.first_position,
            word_dropout: Dropout::new(config.dropout.words),
            dropout: Dropout::new(config.dropout.hidden),
        }
    }

    /// `inputs` as [`TextClassifier`] takes them → float32 `[N, L, hidden]`.
    fn forward(&self, inputs: &[Tensor], mask: &Mask<Tensor>, train: bool) -> Tensor {
        let tokens = &inputs[0];
        // Whole words are dropped, so the mask has one number for each.
        let there = tokens.ones_like().to_kind(Kind::Float).unsqueeze(-1);
        let words = self.words.forward(tokens) * self.word_dropout.forward_t(&there, train);
        let types = self.token_types.as_ref().map(|types| match inputs.get(2) {
            Some(ids) => types.forward(ids),
            None => types.weight.narrow(0, 0, 1),
        });
        let length = tokens.size()[1];
        let positions = self.positions.weight.narrow(0, self.first_position, length);
        let x = types.map_or(words.shallow_clone(), |types| words + types) + positions;
        let x = self.norm.forward_t(&x, train);
        let x = self.dropout.forward_t(&x, train);
        let layers = self.layers.iter();
        layers.fold(x, |x, layer| layer.forward(&x, mask, train))
    }

    fn export(
        &self,
        graph: &mut GraphBuilder,
        inputs: &[Value],
        mask: &Mask<Value>,
    ) -> Result<Value, GraphError> {
        let tokens = &inputs[0];
        let mut x = self.words.export(graph, tokens)?;
        if let Some(types) = &self.token_types {
            let added = match inputs.get(2) {
                Some(ids) => types.export(graph, ids)?,
                None => types.add_rows(graph, &types.weight.get(0))?,
            };
            x = ops::add(graph, &x, &added)?;
        }
        let used = self.positions.weight.size()[0] - self.first_position;
        let table = self.positions.weight.narrow(0, self.first_position, used);
        let table = self.positions.add_rows(graph, &table)?;
        let places = ops::range(graph, tokens, 1)?;
        let positions = ops::gather(graph, &table, &places, 0)?;
        x = ops::add(graph, &x, &positions)?;
        x = self.norm.export(graph, &x)?;
        let scores = mask.export_scores(graph)?;
        let mut layers = self.layers.iter();
        layers.try_fold(x, |x, layer| layer.export(graph, &x, &scores))
    }
}

impl EncoderLayer {
    fn new(vs: &nn::Path<'_>, number: i64, config: &EncoderConfig) -> Self {
        let (hidden, epsilon) = (config.hidden, config.layer_norm_epsilon);
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let norm = |part: &str| LayerNorm::new(vs, &name(part), hidden, epsilon);
        let linear = |part: &str, from, to| Linear::new(vs, &name(part), from, to);
        Self {
            attention: SelfAttention::new(vs, &name("attention"), hidden, config.heads),
            attention_norm: norm("attention.output.LayerNorm"),
            intermediate: linear("intermediate.dense", hidden, config.intermediate),
            activation: config.activation,
            output: linear("output.dense", config.intermediate, hidden),
            norm: norm("output.LayerNorm"),
            dropout: Dropout::new(config.dropout.hidden),
        }
    }

    /// Its dense layers compute in int8 from now on, see [`Linear::quantize`].
    fn quantize(&self) -> Result<(), GraphError> {
        self.attention.quantize()?;
        self.intermediate.quantize()?;
        self.output.quantize()
    }

    fn forward(&self, x: &Tensor, mask: &Mask<Tensor>, train: bool) -> Tensor {
        let y = self.attention.forward(x, mask);
        let x = x + self.dropout.forward_t(&y, train);
        let x = self.attention_norm.forward_t(&x, train);
        let y = self.intermediate.forward_t(&x, train);
        let y = self.activation.layer().forward_t(&y, train);
        let y = self.output.forward_t(&y, train);
        let x = x + self.dropout.forward_t(&y, train);
        self.norm.forward_t(&x, train)
    }

    fn export(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        scores: &Value,
    ) -> Result<Value, GraphError> {
        let y = self.attention.export(graph, x, scores)?;
        let x = ops::add(graph, x, &y)?;
        let x = self.attention_norm.export(graph, &x)?;
        let y = self.intermediate.export(graph, &x)?;
        let y = self.activation.layer().export(graph, &y)?;
        let y = self.output.export(graph, &y)?;
        let x = ops::add(graph, &x, &y)?;
        self.norm.export(graph, &x)
    }
}

impl Head {
    fn new(vs: &nn::Path<'_>, hidden: i64, dropout: f64, config: HeadConfig) -> Self {
        let dense = |activation: Activation| {
            let dense = Linear::new(vs, "pooler.dense", hidden, hidden);
            (dense, activation.layer())
        };
        Self {
            dropout: Dropout::new(dropout),
            dense: config.dense.map(dense),
            classifier: Linear::new(vs, "classifier", hidden, config.labels),
            config,
        }
    }

    fn forward(&self, x: &Tensor, mask: &Mask<Tensor>, train: bool) -> Tensor {
        let mut x = match self.config.pooling {
            Pooling::First => x.select(1, 0),
            Pooling::Mean => mask.mean(x),
        };
        if let Some((dense, activation)) = &self.dense {
            x = activation.forward_t(&dense.forward_t(&x, train), train);
        }
        let x = self.dropout.forward_t(&x, train);
        let logits = self.classifier.forward_t(&x, train);
        match self.config.labels {
            1 => logits.squeeze_dim(1),
            _ => logits,
        }
    }

    fn export(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        mask: &Mask<Value>,
    ) -> Result<Value, GraphError> {
        let mut x = match self.config.pooling {
            Pooling::First => {
                let first = graph.initializer("first", &[], &[0_i64])?;
                ops::gather(graph, x, &first, 1)?
            }
            Pooling::Mean => mask.export_mean(graph, x)?,
        };
        if let Some((dense, activation)) = &self.dense {
            x = dense.export(graph, &x)?;
            x = activation.export(graph, &x)?;
        }
        let logits = self.classifier.export(graph, &x)?;
        match self.config.labels {
            1 => ops::squeeze(graph, &logits, &[1]),
            _ => Ok(logits),
        }
    }
}

impl TextClassifier {
    /// Fresh weights under `vs`.
    pub fn new(vs: &nn::Path<'_>, encoder: &EncoderConfig, head: HeadConfig) -> Self {
        Self {
            encoder: Encoder::new(vs, encoder),
            head: Head::new(vs, encoder.hidden, encoder.dropout.head, head),
        }
    }
}

impl models::Model for TextClassifier {
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor {
        let mask = Mask::new(&inputs[0], &inputs[1]);
        let x = self.encoder.forward(inputs, &mask, train);
        self.head.forward(&x, &mask, train)
    }

    fn export(&self, graph: &mut GraphBuilder, inputs: &[Value]) -> Result<Value, GraphError> {
        let mask = Mask::export(graph, &inputs[0], &inputs[1])?;
        let x = self.encoder.export(graph, inputs, &mask)?;
        self.head.export(graph, &x, &mask)
    }

    // The head has a row for each text, not for each token: it costs next to nothing.
    fn quantize(&self) -> Result<bool, GraphError> {
        let mut layers = self.encoder.layers.iter();
        layers.try_for_each(EncoderLayer::quantize)?;
        Ok(true)
    }
}
