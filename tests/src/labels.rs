//! A tiny text classifier with any labels, as an imported one is: a mask, token types, logits, and a
//! tokeniser with special tokens.

use std::collections::BTreeMap;

use quintet_bundle::text::{Side, TOKENIZER_FILE, TextSpec};
use quintet_bundle::{
    BundleContents, DataType, Golden, GoldenSamples, Manifest, ProblemType, Role, Tensor,
    TensorSpec, task,
};
use quintet_onnx::{Dim, GraphBuilder, GraphError, ops};

use crate::manifest::manifest;

/// It reads this many tokens from the beginning of a text.
pub const LABELS_SPEC: TextSpec = TextSpec {
    max_tokens: 16,
    truncation_side: Side::Right,
    add_special_tokens: true,
    pad_token_id: 0,
    clean_text: false,
};

/// What each token adds to the first logit: of padding a lot, which reading it would show.
const WEIGHTS: [f32; 8] = [99.0, 0.25, -0.5, 0.0, 1.5, -2.0, 0.5, -0.75];
/// What a token of the second text adds beside.
const SECOND: f32 = 0.125;
/// The numbers of two words in it.
pub const GOOD: i64 = 4;
/// See [`GOOD`].
pub const BAD: i64 = 5;

/// Its tokeniser, in which `[CLS] A [SEP]` is a text and `[CLS] A [SEP] B [SEP]` a pair.
const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
    "decoder": null,
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[CLS]": 1,
        "[SEP]": 2, "[UNK]": 3, "good": 4, "bad": 5, "film": 6, "plot": 7}}}"#;

/// A bundle of this name with these labels.
pub fn labels(name: &str, labels: &[&str], problem_type: ProblemType) -> BundleContents {
    let texts = |role| TensorSpec::of_role(role, DataType::Int64, ["N".into(), "L".into()]);
    let row = ["N".into(), labels.len().into()];
    let manifest = Manifest {
        labels: labels.iter().map(|it| (*it).to_owned()).collect(),
        problem_type,
        least_divergence: None,
        inputs: vec![
            texts(Role::TokenTypeIds),
            texts(Role::Tokens),
            texts(Role::AttentionMask),
        ],
        outputs: vec![TensorSpec::of_role(Role::Logits, DataType::Float32, row)],
        golden: Golden {
            samples: 2,
            tolerance: 1e-5,
            self_made: false,
        },
        ..manifest(
            (name, 1),
            task::TEXT_CLASSIFICATION,
            "tiny-labels",
            &LABELS_SPEC,
        )
    };
    BundleContents {
        manifest,
        model: graph(labels.len()).expect("the graph is sound"),
        golden: golden(labels.len()),
        extra: BTreeMap::from([(TOKENIZER_FILE.to_owned(), TOKENIZER.as_bytes().to_vec())]),
    }
}

/// The logits of a text of these tokens, `second` of which belong to a second text. Label `k` has
/// the first logit divided by `k + 1`.
pub fn logits(tokens: &[i64], second: usize, labels: usize) -> Vec<f32> {
    let sum: f32 = tokens.iter().map(|token| WEIGHTS[*token as usize]).sum();
    let sum = sum + second as f32 * SECOND;
    (0..labels).map(|label| sum / (label + 1) as f32).collect()
}

fn golden(labels: usize) -> GoldenSamples {
    let fits = "the samples have the signature's shape";
    let tensor = |values: [i64; 10]| Tensor::new::<i64>([2, 5], values).expect(fits);
    let inputs = [
        (Role::Tokens, tensor([1, 4, 2, 5, 2, 1, 2, 0, 0, 0])),
        (Role::TokenTypeIds, tensor([0, 0, 0, 1, 1, 0, 0, 0, 0, 0])),
        (Role::AttentionMask, tensor([1, 1, 1, 1, 1, 1, 1, 0, 0, 0])),
    ];
    let expected = [
        logits(&[1, 4, 2, 5, 2], 2, labels),
        logits(&[1, 2], 0, labels),
    ]
    .concat();
    GoldenSamples {
        inputs: inputs
            .map(|(role, tensor)| (role.to_string(), tensor))
            .into(),
        outputs: BTreeMap::from([(
            Role::Logits.to_string(),
            Tensor::new::<f32>([2, labels], &expected).expect(fits),
        )]),
    }
}

/// The sum over what each token adds, by the mask.
fn graph(labels: usize) -> Result<Vec<u8>, GraphError> {
    let mut g = GraphBuilder::new("tiny-labels");
    let mut input = |role: Role| {
        let shape = [Dim::symbol("N"), Dim::symbol("L")];
        g.input(&role.to_string(), quintet_onnx::DataType::Int64, shape)
    };
    let types = input(Role::TokenTypeIds)?;
    let (tokens, mask) = (input(Role::Tokens)?, input(Role::AttentionMask)?);
    let spread = |weights: &[f32]| -> Vec<f32> {
        let all = weights.iter();
        all.flat_map(|it| (0..labels).map(move |label| it / (label + 1) as f32))
            .collect()
    };
    let table = g.initializer_f32("weights", &[WEIGHTS.len(), labels], &spread(&WEIGHTS))?;
    let second = g.initializer_f32("second", &[2, labels], &spread(&[0.0, SECOND]))?;
    let x = ops::gather(&mut g, &table, &tokens, 0)?;
    let added = ops::gather(&mut g, &second, &types, 0)?;
    let x = ops::add(&mut g, &x, &added)?;
    let mask = ops::cast(&mut g, &mask, quintet_onnx::DataType::Float32)?;
    let mask = ops::unsqueeze(&mut g, &mask, &[1])?;
    let sums = ops::matmul(&mut g, &mask, &x)?;
    let sums = ops::squeeze(&mut g, &sums, &[1])?;
    g.output(&Role::Logits.to_string(), &sums)?;
    Ok(g.build(&[])?.to_bytes())
}
