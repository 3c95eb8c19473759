//! A tiny sentiment model, made in memory, whose scores a test can predict.

use std::collections::BTreeMap;
use std::path::Path;

use quintet_bundle::text::{TOKENIZER_FILE, TextSpec, Tokenizer};
use quintet_bundle::{
    BundleContents, DataType, Golden, GoldenSamples, Manifest, Role, Tensor, TensorSpec, task,
    write_bundle,
};
use quintet_onnx::ops::{self, RecurrentInputs};
use quintet_onnx::{Dim, GraphBuilder, GraphError};

use crate::manifest::manifest;

/// The words that it knows. The first has token 3.
pub const WORDS: [&str; 4] = ["good", "bad", "film", "plot"];
/// It reads this many tokens from the end of a text.
pub const SPEC: TextSpec = TextSpec::end_of(200);
/// The feeling of each token: 0.6 for `good`, and so on. That of padding is not zero, so that
/// reading it would change the score.
const FEELINGS: [f32; 7] = [9.0, 0.01, -0.02, 0.6, -0.7, 0.05, -0.04];
/// How much of the state is left one step later.
const MEMORY: f32 = 0.9;
/// What the last state is multiplied by.
const STRENGTH: f32 = 3.0;

/// A model of one recurrent cell: `h = tanh(feeling + 0.9 h)`, and at the end `sigmoid(3 h)`.
#[derive(Debug, Clone)]
pub struct TinyText {
    name: String,
    version: u32,
    tokenizer: Vec<u8>,
}

/// A small and valid sentiment model, version 1, of at most 200 tokens.
pub fn tiny_text(name: &str) -> TinyText {
    TinyText {
        name: name.to_owned(),
        version: 1,
        tokenizer: tokenizer().to_bytes().expect("a tokeniser can be written"),
    }
}

/// Its tokeniser. Each word is in more texts than the next, which fixes their order.
pub fn tokenizer() -> Tokenizer {
    let texts = (1..=WORDS.len()).flat_map(|words| &WORDS[..words]);
    Tokenizer::train(texts, FEELINGS.len()).expect("there are words")
}

/// The score of these tokens.
pub fn score(tokens: &[i64]) -> f32 {
    let step = |state: f32, token: &i64| (FEELINGS[*token as usize] + MEMORY * state).tanh();
    let state = tokens.iter().fold(0.0, step);
    1.0 / (1.0 + (-STRENGTH * state).exp())
}

impl TinyText {
    /// Another version.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Makes the tokeniser of the bundle invalid.
    #[must_use]
    pub fn without_tokenizer(mut self) -> Self {
        self.tokenizer = b"{}".to_vec();
        self
    }

    /// Writes the bundle.
    pub fn write(&self, models_dir: &Path) {
        let contents = BundleContents {
            manifest: self.manifest(),
            model: graph().expect("the graph is sound"),
            golden: golden(),
            extra: BTreeMap::from([(TOKENIZER_FILE.to_owned(), self.tokenizer.clone())]),
        };
        write_bundle(models_dir, contents).expect("the bundle can be written");
    }

    fn manifest(&self) -> Manifest {
        let name = (&*self.name, self.version);
        Manifest {
            labels: vec!["NEGATIVE".to_owned(), "POSITIVE".to_owned()],
            inputs: vec![
                TensorSpec::of_role(Role::Tokens, DataType::Int64, ["N".into(), "L".into()]),
                TensorSpec::of_role(Role::Lengths, DataType::Int32, ["N".into()]),
            ],
            outputs: vec![TensorSpec::of_role(
                Role::Score,
                DataType::Float32,
                ["N".into()],
            )],
            golden: Golden {
                samples: SAMPLES.len(),
                tolerance: 1e-5,
                self_made: false,
            },
            ..manifest(name, task::TEXT_CLASSIFICATION, "tiny-text", &SPEC)
        }
    }
}

/// Rows of several lengths.
const SAMPLES: [&[i64]; 3] = [&[1, 3, 5], &[1], &[1, 4, 2, 2, 6, 4]];

fn golden() -> GoldenSamples {
    let longest = SAMPLES.iter().map(|row| row.len()).max().unwrap_or(0);
    let padded = |row: &&[i64]| {
        let mut row = row.to_vec();
        row.resize(longest, quintet_bundle::text::PADDING);
        row
    };
    let tokens: Vec<i64> = SAMPLES.iter().flat_map(padded).collect();
    let lengths = SAMPLES.map(|row| row.len() as i32);
    let scores = SAMPLES.map(score);
    let rows = SAMPLES.len();
    let fits = "the samples have the signature's shape";
    GoldenSamples {
        inputs: BTreeMap::from([
            (
                "tokens".to_owned(),
                Tensor::new::<i64>([rows, longest], &tokens).expect(fits),
            ),
            (
                "lengths".to_owned(),
                Tensor::new::<i32>([rows], lengths).expect(fits),
            ),
        ]),
        outputs: BTreeMap::from([(
            "score".to_owned(),
            Tensor::new::<f32>([rows], scores).expect(fits),
        )]),
    }
}

/// `tokens: int64 [N, L]` and `lengths: int32 [N]` to `score: float32 [N]`, as an .onnx file.
fn graph() -> Result<Vec<u8>, GraphError> {
    let mut g = GraphBuilder::new("tiny-text");
    let [rows, steps] = [Dim::symbol("N"), Dim::symbol("L")];
    let tokens = g.input(
        "tokens",
        quintet_onnx::DataType::Int64,
        [rows.clone(), steps],
    )?;
    let lengths = g.input("lengths", quintet_onnx::DataType::Int32, [rows])?;
    let tokens = ops::transpose(&mut g, &tokens, &[1, 0])?;
    let feelings = g.initializer_f32("feelings", &[FEELINGS.len(), 1], &FEELINGS)?;
    let x = ops::gather(&mut g, &feelings, &tokens, 0)?;
    let w = g.initializer_f32("w", &[1, 1, 1], &[1.0])?;
    let r = g.initializer_f32("r", &[1, 1, 1], &[MEMORY])?;
    let inputs = RecurrentInputs {
        x: &x,
        w: &w,
        r: &r,
        b: None,
        sequence_lens: Some(&lengths),
    };
    let state = ops::rnn(&mut g, &inputs)?.y_h;
    let state = ops::squeeze(&mut g, &state, &[0, 2])?;
    let strength = g.initializer_f32("strength", &[1], &[STRENGTH])?;
    let odds = ops::mul(&mut g, &state, &strength)?;
    let score = ops::sigmoid(&mut g, &odds)?;
    g.output("score", &score)?;
    Ok(g.build(&[])?.to_bytes())
}
