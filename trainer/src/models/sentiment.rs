//! The networks that read reviews: a recurrent layer over word embeddings, judged by its last
//! state.
//!
//! With `recipes/lstm.toml` the LSTM calls about 88 % of IMDB's test reviews right, with
//! `recipes/simple_rnn.toml` the simple recurrent network about 87 %.

use quintet_onnx::{GraphBuilder, GraphError, Value, ops};
use tch::{Kind, Tensor, nn};

use crate::data::imdb::Imdb;
use crate::layers::{
    Cell, Dropout, EMBEDDING, Embedding, Layer, Linear, RELU, Recurrent, Sequential,
};
use crate::models::{self, Architecture};
use crate::recipe::Recipe;
use crate::task::classification::REVIEWS;

const TABLES: &[&str] = &[
    "loss",
    "tokenizer",
    "crop",
    "sentences",
    "sequence_dropout",
    "embedding",
    "distillation",
];

/// The simple recurrent network.
pub static SIMPLE_RNN: Architecture = Architecture {
    name: "simple_rnn",
    summary: "Simple recurrent network",
    recipe: include_str!("../../recipes/simple_rnn.toml"),
    original_recipe: Some(include_str!("../../recipes/original-simple_rnn.toml")),
    tables: TABLES,
    dataset: &Imdb,
    task: &REVIEWS,
    build: |vs, recipe| Box::new(Sentiment::new(vs, Cell::SimpleRnn, recipe)),
};

/// The LSTM network.
pub static LSTM: Architecture = Architecture {
    name: "lstm",
    summary: "Long short-term memory",
    recipe: include_str!("../../recipes/lstm.toml"),
    original_recipe: Some(include_str!("../../recipes/original-lstm.toml")),
    tables: TABLES,
    dataset: &Imdb,
    task: &REVIEWS,
    build: |vs, recipe| Box::new(Sentiment::new(vs, Cell::Lstm, recipe)),
};

const FEATURES: i64 = 128;
const HIDDEN: i64 = 64;

/// Embedding 128 → recurrent 64 → dense 32 → the log odds that a review is good: 1,294,465
/// parameters with the simple cell, 1,331,521 with the LSTM's.
#[derive(Debug)]
pub struct Sentiment {
    embedding: Embedding,
    words: Dropout,
    features: Dropout,
    recurrent: Recurrent,
    head: Sequential,
}

impl Sentiment {
    /// Fresh weights under `vs`, with the vocabulary and the dropout of `recipe`.
    pub fn new(vs: &nn::Path<'_>, cell: Cell, recipe: &Recipe) -> Self {
        let dropout = recipe.sequence_dropout.unwrap_or_default();
        let vocabulary = recipe.tokenizer().vocabulary_size as i64;
        Self {
            embedding: Embedding::new(vs, EMBEDDING, vocabulary, FEATURES),
            words: Dropout::new(dropout.words),
            features: Dropout::new(dropout.features),
            recurrent: Recurrent::new(vs, cell, FEATURES, HIDDEN),
            head: Sequential::default()
                .then(Dropout::new(dropout.state))
                .then(Linear::new(vs, "fc1", HIDDEN, 32))
                .then(RELU)
                .then(Dropout::new(0.2))
                .then(Linear::new(vs, "fc2", 32, 1)),
        }
    }

    // Whole words and whole features are dropped, so each mask has an axis of length 1.
    fn drop(&self, x: &Tensor) -> Tensor {
        let (steps, rows, features) = x.size3().expect("embedded texts have three axes");
        let mask = |layer: &Dropout, shape: [i64; 3]| {
            layer.forward_t(&Tensor::ones(shape, (Kind::Float, x.device())), true)
        };
        x * mask(&self.words, [steps, rows, 1]) * mask(&self.features, [1, rows, features])
    }
}

impl models::Model for Sentiment {
    fn forward_t(&self, inputs: &[Tensor], train: bool) -> Tensor {
        let (tokens, lengths) = (&inputs[0], &inputs[1]);
        let x = self.embedding.forward(&tokens.transpose(0, 1));
        let x = if train { self.drop(&x) } else { x };
        let x = self.recurrent.forward(&x, lengths);
        Layer::forward_t(&self.head, &x, train).squeeze_dim(1)
    }

    fn export(&self, graph: &mut GraphBuilder, inputs: &[Value]) -> Result<Value, GraphError> {
        let (tokens, lengths) = (&inputs[0], &inputs[1]);
        let tokens = ops::transpose(graph, tokens, &[1, 0])?;
        let x = self.embedding.export(graph, &tokens)?;
        let x = self.recurrent.export(graph, &x, lengths)?;
        let x = Layer::export(&self.head, graph, &x)?;
        ops::squeeze(graph, &x, &[1])
    }
}
