//! `import onnx` of graphs that read texts: their tokens, lengths and padding.

use std::fs;
use std::path::Path;

use quintet_onnx::ops;
use quintet_onnx::{DataType, Dim, GraphBuilder, Value};
use quintet_trainer::cli;

const TOKENS: usize = 6;
const POSITIONS: usize = 12;

const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
    "decoder": null, "model": {"type": "WordLevel", "unk_token": "[UNK]",
    "vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "good": 4, "bad": 5}}}"#;

const MANIFEST: &str = r#"
task = "text_classification"
labels = ["no", "yes"]
tokenizer = "tokenizer.json"
[preprocessing]
kind = "text"
max_tokens = 12
truncation_side = "right"
add_special_tokens = true
pad_token_id = 0
[[inputs]]
name = "input_ids"
role = "tokens"
datatype = "INT64"
shape = ["N", "L"]
[[inputs]]
name = "attention_mask"
role = "attention_mask"
datatype = "INT64"
shape = ["N", "L"]
[[outputs]]
name = "logits"
role = "logits"
datatype = "FP32"
shape = ["N", 2]
"#;

/// The largest of the embeddings of a text's words and positions.
fn words(rows: usize, names: [&str; 2]) -> Vec<u8> {
    let mut g = GraphBuilder::new("words");
    let shape = || [Dim::symbol("B"), Dim::symbol("S")];
    let tokens = g.input(names[0], DataType::Int64, shape()).unwrap();
    let mask = g.input(names[1], DataType::Int64, shape()).unwrap();
    let mut table = |name: &str, rows: usize| {
        let values: Vec<f32> = (0..rows * 2).map(|it| 1.0 + it as f32 / 9.0).collect();
        g.initializer_f32(name, &[rows, 2], &values).unwrap()
    };
    let (embedding, positions) = (table("words", rows), table("positions", POSITIONS));
    let words = ops::gather(&mut g, &embedding, &tokens, 0).unwrap();
    let places = ops::range(&mut g, &tokens, 1).unwrap();
    let places = ops::gather(&mut g, &positions, &places, 0).unwrap();
    let words = ops::add(&mut g, &words, &places).unwrap();
    let mask = ops::cast(&mut g, &mask, DataType::Float32).unwrap();
    let mask = ops::unsqueeze(&mut g, &mask, &[2]).unwrap();
    let words = ops::mul(&mut g, &words, &mask).unwrap();
    let logits = ops::reduce_max(&mut g, &words, 1).unwrap();
    let logits = ops::squeeze(&mut g, &logits, &[1]).unwrap();
    built(g, &logits)
}

fn built(mut g: GraphBuilder, logits: &Value) -> Vec<u8> {
    g.output("logits", logits).unwrap();
    g.build(&[]).unwrap().to_bytes()
}

const NAMES: [&str; 2] = ["input_ids", "attention_mask"];

fn import(folder: &Path, file: &[u8], manifest: &str, tokenizer: &str) -> Result<(), String> {
    fs::write(folder.join("model.onnx"), file).unwrap();
    fs::write(folder.join("m.toml"), manifest).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (file, manifest, models) = (path("model.onnx"), path("m.toml"), path("models"));
    let arguments = [
        "quintet-trainer",
        "import",
        "onnx",
        &file,
        "--name",
        "words",
    ];
    let more = ["--manifest", &manifest, "--models-dir", &models];
    let arguments = arguments.into_iter().chain(more);
    let result = cli::run(arguments, &[], &mut Vec::new());
    result.map(drop).map_err(|error| error.to_string())
}

/// How an import fails, which leaves nothing behind.
fn refusal(file: &[u8], manifest: &str, tokenizer: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = import(folder.path(), file, manifest, tokenizer).unwrap_err();
    assert!(!folder.path().join("models").exists());
    error
}

fn describe(file: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, file).unwrap();
    let path = path.display().to_string();
    let mut out = Vec::new();
    let arguments = ["quintet-trainer", "import", "onnx", &path, "--describe"];
    cli::run(arguments, &[], &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_token_is_run_and_every_length() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), &words(TOKENS, NAMES), MANIFEST, TOKENIZER).unwrap();

    let error = refusal(&words(TOKENS - 1, NAMES), MANIFEST, TOKENIZER);
    let expected = "tokenizer: has tokens up to 5, `bad`, and the graph fails on that one";
    assert!(error.contains(expected), "{error}");
    assert!(error.contains("idx=5 must be within"), "{error}");

    let long = MANIFEST.replace("max_tokens = 12", "max_tokens = 13");
    let error = refusal(&words(TOKENS, NAMES), &long, TOKENIZER);
    assert!(
        error.contains("preprocessing.max_tokens: is 13, and"),
        "{error}"
    );
}

#[test]
fn a_text_needs_more_tokens_than_the_special_ones() {
    for most in [1, 2] {
        let short = MANIFEST.replace("max_tokens = 12", &format!("max_tokens = {most}"));
        let error = refusal(&words(TOKENS, NAMES), &short, TOKENIZER);
        let expected =
            format!("preprocessing.max_tokens: is {most}, and the tokeniser adds 2 special tokens");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn every_type_is_run() {
    let mut g = GraphBuilder::new("types");
    let shape = || [Dim::symbol("B"), Dim::symbol("S")];
    let names = ["input_ids", "attention_mask", "token_type_ids"];
    let inputs = names.map(|name| g.input(name, DataType::Int64, shape()).unwrap());
    let mut embedded = |rows: usize, input: &Value| {
        let table = vec![0.5; 2 * rows];
        let table = g.initializer_f32(&format!("table{rows}"), &[rows, 2], &table);
        (table.unwrap(), input.clone())
    };
    let tables = [embedded(TOKENS, &inputs[0]), embedded(1, &inputs[2])];
    let [words, types] = tables.map(|(table, input)| ops::gather(&mut g, &table, &input, 0));
    let sum = ops::add(&mut g, &words.unwrap(), &types.unwrap()).unwrap();
    let mask = ops::cast(&mut g, &inputs[1], DataType::Float32).unwrap();
    let mask = ops::unsqueeze(&mut g, &mask, &[2]).unwrap();
    let sum = ops::mul(&mut g, &sum, &mask).unwrap();
    let largest = ops::reduce_max(&mut g, &sum, 1).unwrap();
    let logits = ops::squeeze(&mut g, &largest, &[1]).unwrap();
    let types = "[[inputs]]\nname = \"token_type_ids\"\nrole = \"token_type_ids\"\n\
                 datatype = \"INT64\"\nshape = [\"N\", \"L\"]\n[[outputs]]";
    let manifest = MANIFEST.replace("[[outputs]]", types);
    let error = refusal(&built(g, &logits), &manifest, TOKENIZER);
    let expected = "tokenizer: gives type_id 1 to tokens, and the graph fails on that one";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_tokeniser_that_does_not_fit_is_refused() {
    let file = words(TOKENS, NAMES);
    for (from, to, expected) in [
        (
            "[\"[CLS]\", 1]",
            "[\"[CLS]\", 9999]",
            "tokenizer.json: post_processor: adds the token `[CLS]` as 9999; 0 to 5 are allowed",
        ),
        (
            "\"type\": \"WordLevel\"",
            "\"dropout\": 0.5, \"type\": \"WordLevel\"",
            "tokenizer.json: model.dropout: is 0.5",
        ),
    ] {
        let error = refusal(&file, MANIFEST, &TOKENIZER.replace(from, to));
        assert!(error.contains(expected), "{error}");
    }
    let without = MANIFEST.replace("tokenizer = \"tokenizer.json\"", "");
    let error = refusal(&file, &without, TOKENIZER);
    assert!(error.contains("tokenizer: is missing"), "{error}");
    let padding = MANIFEST.replace("pad_token_id = 0", "pad_token_id = 6");
    let error = refusal(&file, &padding, TOKENIZER);
    assert!(
        error.contains("preprocessing.pad_token_id is 6, must be 0 to 5"),
        "{error}"
    );
}

#[test]
fn what_the_server_would_refuse_is_refused_before_the_proof() {
    let mut g = GraphBuilder::new("alone");
    let shape = [Dim::symbol("B"), Dim::symbol("S")];
    let tokens = g.input("input_ids", DataType::Int64, shape).unwrap();
    let table = g.initializer_f32("words", &[TOKENS, 2], &[0.5; 2 * TOKENS]);
    let words_of = ops::gather(&mut g, &table.unwrap(), &tokens, 0).unwrap();
    let logits = ops::reduce_mean(&mut g, &words_of, 1).unwrap();
    let alone = built(g, &logits);
    let (start, rest) = MANIFEST
        .split_once("[[inputs]]\nname = \"attention_mask\"")
        .unwrap();
    let (_, outputs) = rest.split_once("[[outputs]]").unwrap();
    let error = refusal(&alone, &format!("{start}[[outputs]]{outputs}"), TOKENIZER);
    let expected = "inputs.input_ids.shape is [N, L], must be beside an input of role lengths or \
                    attention_mask";
    assert!(error.contains(expected), "{error}");

    let file = words(TOKENS, NAMES);
    for (from, to, expected) in [
        (
            "role = \"attention_mask\"",
            "",
            "inputs.attention_mask.role is none, must be tokens, attention_mask",
        ),
        (
            "role = \"tokens\"",
            "",
            "inputs.input_ids.role is none, must be tokens, attention_mask",
        ),
        (
            "role = \"logits\"",
            "",
            "outputs is without the task's role, must be one of",
        ),
    ] {
        let error = refusal(&file, &MANIFEST.replace(from, to), TOKENIZER);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_draft_says_how_many_tokens_the_graph_reads() {
    let draft = describe(&words(TOKENS, NAMES));
    assert!(
        draft.contains("max_tokens = 12  # the graph fails with more"),
        "{draft}"
    );
    let draft = describe(&words(TOKENS, ["a", "b"]));
    assert!(draft.contains("task = \"text_classification\""), "{draft}");
    assert!(draft.contains("max_tokens = 512  # check"), "{draft}");
}

#[test]
fn a_draft_is_toml_whatever_the_names_are() {
    let mut g = GraphBuilder::new("we\"ird\nname = [[inputs]]\r\u{7f}\u{85}");
    let shape = || [Dim::symbol("B"), Dim::symbol("S")];
    let odd = "a\u{7f}\"\n[[x]]\u{1}'''";
    let tokens = g.input(odd, DataType::Int64, shape()).unwrap();
    let lengths = g.input("lengths", DataType::Int64, [Dim::symbol("B")]);
    let tokens = ops::cast(&mut g, &tokens, DataType::Float32).unwrap();
    let mean = ops::reduce_mean(&mut g, &tokens, 1).unwrap();
    let lengths = ops::cast(&mut g, &lengths.unwrap(), DataType::Float32).unwrap();
    let sum = ops::add(&mut g, &mean, &lengths).unwrap();
    let draft = describe(&built(g, &sum));
    let table: toml::Table = draft.parse().unwrap();
    assert_eq!(table["inputs"][0]["name"].as_str(), Some(odd));
    assert_eq!(table["inputs"][1]["role"].as_str(), Some("lengths"));
}
