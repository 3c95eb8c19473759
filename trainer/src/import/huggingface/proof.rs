//! The proof of an import: ONNX Runtime computes from the graph what our layers compute in libtorch.

use quintet_bundle::text::{Pairs, TextSpec, Tokenizer, TokenizerError};
use quintet_bundle::{ProblemType, TensorSpec};
use tch::{Device, Kind, Tensor};

use super::config::Config;
use crate::error::Error;
use crate::progress;
use crate::verify::{LoadedModel, within};

/// The largest difference of two logits, as a part of the largest of a batch, or of 1.
pub(super) const TOLERANCE: f64 = 1e-4;

/// Texts of a batch, and tokens of the longest.
type Extent = (i64, i64);

/// Batches of one text and of several of different lengths, up to the longest that can be read.
fn extents(longest: i64) -> Vec<Extent> {
    let all = [(1, 1), (1, longest), (3, longest / 2), (8, 64), (32, 16)];
    let mut extents: Vec<_> = all
        .iter()
        .map(|&(rows, tokens)| (rows, tokens.clamp(1, longest)))
        .collect();
    extents.dedup();
    extents
}

/// Compares the logits of random tokens at several batch sizes and lengths. Gives the largest
/// difference as a part of the largest logit, or of 1.
///
/// # Errors
/// [`Error::Parity`] where they differ by more than `tolerance` of it.
pub(super) fn prove(
    tolerance: f64,
    config: &Config,
    (longest, with_types): (usize, bool),
    forward: impl Fn(&[Tensor]) -> Tensor,
    loaded: &mut LoadedModel,
) -> Result<f64, Error> {
    let mut largest = 0.0_f64;
    for extent in extents(longest as i64) {
        let inputs = random(config, extent, with_types);
        let (expected, actual) = (forward(&inputs), loaded.output(&inputs)?);
        if expected.size() != actual.size() {
            let (actual, expected) = (actual.size(), expected.size());
            let problem = format!("the logits have the shape {actual:?}, expected {expected:?}");
            return Err(Error::Parity(problem));
        }
        let (rows, tokens) = extent;
        let place = format!("batch size {rows} and {tokens} tokens");
        if expected.isnan().any().int64_value(&[]) == 1 {
            let problem = format!("a logit is NaN in libtorch at {place}");
            return Err(Error::Parity(problem));
        }
        let difference = (&expected - actual).abs();
        let difference = difference.nan_to_num(f64::INFINITY, None, None).max();
        let difference = difference.double_value(&[]) / scale(&expected);
        let found = format!("{difference:.1e} of the largest logit");
        progress::line(&format!(
            "onnxruntime and libtorch differ at {place} by {found}"
        ));
        within(difference as f32, tolerance as f32, &place)?;
        largest = largest.max(difference);
    }
    Ok(largest)
}

/// The largest logit, or 1.
fn scale(logits: &Tensor) -> f64 {
    logits.abs().max().double_value(&[]).max(1.0)
}

/// The tolerance of golden samples with these logits, of which it is a part.
pub(super) fn tolerance(part: f64, logits: &Tensor) -> f32 {
    (part * scale(logits)) as f32
}

/// The largest difference of the probabilities that two networks give; of the numbers themselves,
/// where they are no probabilities.
pub(super) fn difference(problem_type: ProblemType, before: &Tensor, after: &Tensor) -> f64 {
    let [before, after] = [before, after].map(|logits| match problem_type {
        ProblemType::SingleLabelClassification => logits.softmax(-1, None),
        ProblemType::MultiLabelClassification => logits.sigmoid(),
        ProblemType::Regression => logits.shallow_clone(),
    });
    (before - after).abs().max().double_value(&[])
}

/// Random tokens, the first row as long as the batch is wide.
fn random(config: &Config, (rows, width): Extent, with_types: bool) -> Vec<Tensor> {
    let whole = (Kind::Int64, Device::Cpu);
    let below = |most: i64, shape: [i64; 2]| Tensor::randint(most, shape, whole);
    let lengths = below(width, [rows, 1]).flatten(0, 1) + 1;
    let _ = lengths.narrow(0, 0, 1).fill_(width);
    let mut inputs = vec![
        below(config.encoder.vocabulary, [rows, width]),
        lengths.to_kind(Kind::Int),
    ];
    if with_types {
        inputs.push(below(2, [rows, width]));
    }
    inputs
}

/// Texts of a bundle's golden samples. They are short: a server reads them at every batch size
/// before it takes calls.
const SAMPLES: [(&str, Option<&str>); 5] = [
    ("", None),
    ("Great!", None),
    ("A complete waste of time: the plot is stupid.", None),
    (
        "The best film I have seen this year, 10/10.",
        Some("It is a film."),
    ),
    ("Crème brûlée, 你好 \u{1f600} and it's over", None),
];

/// Tokens that a golden sample has at most.
const SAMPLE_TOKENS: usize = 24;

/// The inputs of golden samples, for `inputs` of the graph.
pub(super) fn samples(
    tokenizer: &Tokenizer,
    spec: &TextSpec,
    inputs: &[TensorSpec],
) -> Result<Vec<Tensor>, TokenizerError> {
    let with_types = inputs.len() > 2;
    let reads_pairs = with_types && tokenizer.pairs() != Pairs::None;
    let spec = TextSpec {
        max_tokens: spec.max_tokens.min(SAMPLE_TOKENS),
        ..*spec
    };
    let encoded = SAMPLES.map(|(text, pair)| match pair {
        Some(pair) if reads_pairs => tokenizer.encode_pair(text, pair, &spec),
        _ => tokenizer.encode(text, &spec),
    });
    let encoded = encoded.into_iter().collect::<Result<Vec<_>, _>>()?;
    let width = encoded.iter().map(|it| it.tokens.len()).max().unwrap_or(1);
    let padded = |row: &[i64], padding| {
        let mut row = row.to_vec();
        row.resize(width, padding);
        Tensor::from_slice(&row)
    };
    let rows = |row: &dyn Fn(usize) -> Tensor| {
        Tensor::stack(&(0..encoded.len()).map(row).collect::<Vec<_>>(), 0)
    };
    let lengths: Vec<_> = encoded.iter().map(|it| it.tokens.len() as i32).collect();
    let mut samples = vec![
        rows(&|row| padded(&encoded[row].tokens, spec.pad_token_id)),
        Tensor::from_slice(&lengths),
    ];
    if with_types {
        samples.push(rows(&|row| padded(&encoded[row].token_type_ids, 0)));
    }
    Ok(samples)
}
