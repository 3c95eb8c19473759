//! `import huggingface`, on a small BERT that is written here as `transformers` writes one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quintet_bundle::{Bundle, ProblemType, Products, Provenance, Quantization, Role, sha256_hex};
use quintet_trainer::cli;
use quintet_trainer::data::text::TokenizerSettings;
use quintet_trainer::error::Error;
use quintet_trainer::models::TRANSFORMER;
use quintet_trainer::models::transformer::EncoderSize;
use quintet_trainer::network::Network;
use quintet_trainer::pretrained::Pretrained;
use quintet_trainer::random::SplitMix64;
use quintet_trainer::recipe::Recipe;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tch::{Device, Tensor};
use tempfile::TempDir;

const CONFIG: &str = r#"{"architectures": ["BertForSequenceClassification"],
    "model_type": "bert", "vocab_size": 7,
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12,
    "max_position_embeddings": 16, "id2label": {"0": "no", "1": "maybe", "2": "yes"}}"#;

const TOKENIZER: &str = r#"{"version": "1.0", "truncation": {"max_length": 4, "stride": 0,
    "strategy": "LongestFirst", "direction": "Right"}, "padding": null, "added_tokens": [],
    "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[CLS]": 1,
        "[SEP]": 2, "[UNK]": 3, "film": 4, "It": 5}}}"#;

const TOKENIZER_CONFIG: &str = r#"{"tokenizer_class": "PreTrainedTokenizerFast",
    "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}"#;

/// Breaks a checkpoint.
type Edit = Box<dyn Fn(&Path)>;

/// The names and shapes of the tensors.
fn tensors() -> BTreeMap<String, Vec<usize>> {
    let layer = "bert.encoder.layer.0";
    let mut tensors = BTreeMap::from([
        (
            "bert.embeddings.word_embeddings.weight".to_owned(),
            vec![7, 8],
        ),
        (
            "bert.embeddings.position_embeddings.weight".to_owned(),
            vec![16, 8],
        ),
        (
            "bert.embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, 8],
        ),
        // Of no use, and in many files.
        ("cls.predictions.bias".to_owned(), vec![7]),
    ]);
    let mut norm = |name: String| {
        tensors.insert(format!("{name}.weight"), vec![8]);
        tensors.insert(format!("{name}.bias"), vec![8]);
    };
    norm("bert.embeddings.LayerNorm".to_owned());
    norm(format!("{layer}.attention.output.LayerNorm"));
    norm(format!("{layer}.output.LayerNorm"));
    for (name, to, from) in [
        (format!("{layer}.attention.self.query"), 8, 8),
        (format!("{layer}.attention.self.key"), 8, 8),
        (format!("{layer}.attention.self.value"), 8, 8),
        (format!("{layer}.attention.output.dense"), 8, 8),
        (format!("{layer}.intermediate.dense"), 12, 8),
        (format!("{layer}.output.dense"), 8, 12),
        ("bert.pooler.dense".to_owned(), 8, 8),
        ("classifier".to_owned(), 3, 8),
    ] {
        tensors.insert(format!("{name}.weight"), vec![to, from]);
        tensors.insert(format!("{name}.bias"), vec![to]);
    }
    tensors
}

/// Eighths, which float16 holds, too.
fn values(name: &str, count: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(name.len() as u64);
    (0..count)
        .map(|_| (random.next_u64() % 17) as f32 / 8.0 - 1.0)
        .collect()
}

/// Those of the tensors that are `chosen`, as a file.
fn safetensors(dtype: Dtype, chosen: impl Fn(&str) -> bool) -> Vec<u8> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors()
        .into_iter()
        .filter(|(name, _)| chosen(name))
        .map(|(name, shape)| {
            let values = values(&name, shape.iter().product());
            let tensor = tch::Tensor::from_slice(&values);
            let bytes = if dtype == Dtype::F16 {
                let mut bytes = vec![0_u8; 2 * values.len()];
                let half = tensor.to_kind(tch::Kind::Half);
                half.copy_data_u8(&mut bytes, values.len());
                bytes
            } else {
                values.iter().flat_map(|it| it.to_le_bytes()).collect()
            };
            (name, shape, bytes)
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn checkpoint() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
    write("config.json", CONFIG.as_bytes());
    write("tokenizer.json", TOKENIZER.as_bytes());
    write("tokenizer_config.json", TOKENIZER_CONFIG.as_bytes());
    write("model.safetensors", &safetensors(Dtype::F32, |_| true));
    folder
}

/// Imports the checkpoint into its own folder `models`.
fn import(folder: &Path) -> Result<Bundle, Error> {
    import_with(folder, &[])
}

fn import_with(folder: &Path, flags: &[&str]) -> Result<Bundle, Error> {
    let (from, models) = (folder.display().to_string(), folder.join("models"));
    let to = models.display().to_string();
    let arguments = [
        "quintet-trainer",
        "import",
        "huggingface",
        &from,
        "--name",
        "answers",
    ];
    let more = ["--models-dir", &to, "--source", "a/b", "--licence", "MIT"];
    let arguments = arguments.into_iter().chain(more);
    let arguments = arguments.chain(flags.iter().copied());
    cli::run(arguments, &[], &mut Vec::new())?;
    Ok(Bundle::open(&models.join("answers/1"))?)
}

#[test]
fn an_import_can_compute_in_int8() {
    let folder = checkpoint();
    let imported = import_with(folder.path(), &["--quantize", "int8"]);
    if Products::here() == Products::Saturating {
        let message = imported.unwrap_err().to_string();
        assert!(message.contains("--int8-saturation"), "{message}");
        return;
    }
    let manifest = imported.unwrap().manifest().clone();
    assert_eq!(manifest.quantization, Some(Quantization::Int8));
    let difference = manifest.metrics["int8_difference"];
    assert!(difference > 0.0 && difference < 0.1, "{difference}");
}

/// The tensor of the checkpoint that is called `name`.
fn tensor(name: &str) -> Tensor {
    let shape: Vec<i64> = tensors()[name].iter().map(|&it| it as i64).collect();
    Tensor::from_slice(&values(name, shape.iter().product::<i64>() as usize)).reshape(shape)
}

#[test]
fn a_transformer_starts_from_an_encoder() {
    let folder = checkpoint();
    let encoder = Pretrained::open(folder.path()).unwrap();
    let recipe = |hidden, max_tokens| Recipe {
        encoder: Some(EncoderSize {
            hidden,
            layers: 1,
            heads: 2,
            intermediate: 12,
        }),
        tokenizer: Some(TokenizerSettings {
            vocabulary_size: 7,
            max_tokens,
        }),
        ..TRANSFORMER.recipe()
    };
    for (recipe, words) in [
        (recipe(16, 10), "recipe: encoder.hidden is 16, allowed: 8"),
        (
            recipe(8, 17),
            "tokenizer.max_tokens is 17, allowed: at most 16",
        ),
    ] {
        let error = encoder.check(&recipe).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let recipe = recipe(8, 10);
    encoder.check(&recipe).unwrap();
    let network = Network::new(&TRANSFORMER, &recipe, Device::Cpu);
    let tokenizer = encoder.tokenizer(&["It"], 7).unwrap();
    encoder.load(&network, &tokenizer).unwrap();
    for (name, weight) in network.weights() {
        let theirs = |name: &str| tensor(&format!("bert.{name}"));
        let (ours, expected) = match name.as_str() {
            "classifier.weight" | "classifier.bias" => continue,
            // The tokeniser has six tokens.
            "embeddings.word_embeddings.weight" => {
                (weight.narrow(0, 0, 6), theirs(&name).narrow(0, 0, 6))
            }
            "embeddings.position_embeddings.weight" => {
                let types = theirs("embeddings.token_type_embeddings.weight");
                let positions = theirs(&name).narrow(0, 0, 10);
                (weight, positions + types.get(0))
            }
            _ => (weight, theirs(&name)),
        };
        assert_eq!(ours.detach(), expected, "{name}");
    }
    let origin = encoder.origin().unwrap();
    assert_eq!(
        (origin.licence.as_str(), origin.sha256.len()),
        ("unknown", 64)
    );
}

#[test]
fn a_checkpoint_becomes_a_bundle() {
    let folder = checkpoint();
    let bundle = import(folder.path()).unwrap();
    let manifest = bundle.manifest();
    assert_eq!(manifest.labels, ["no", "maybe", "yes"]);
    assert_eq!(
        manifest.problem_type,
        ProblemType::SingleLabelClassification
    );
    let roles = manifest.inputs.iter().filter_map(|it| it.role);
    assert!(roles.eq([Role::Tokens, Role::Lengths, Role::TokenTypeIds]));
    let Provenance::Imported(origin) = &manifest.provenance else {
        panic!("{:?}", manifest.provenance)
    };
    let weights = fs::read(folder.path().join("model.safetensors")).unwrap();
    assert_eq!((&*origin.source, &*origin.licence), ("a/b", "MIT"));
    assert_eq!(origin.sha256, sha256_hex(&weights));
    // The file's own truncation is left out.
    let tokenizer = bundle.file("tokenizer.json").unwrap();
    assert!(String::from_utf8_lossy(tokenizer).contains(r#""truncation":null"#));
}

#[test]
fn the_same_weights_in_several_files_or_as_float16_compute_the_same() {
    let whole = checkpoint();
    let expected = import(whole.path()).unwrap();

    let parts = checkpoint();
    fs::remove_file(parts.path().join("model.safetensors")).unwrap();
    let is_first = |name: &str| name.starts_with("bert.embeddings");
    let file = |name: &str| {
        if is_first(name) {
            "a.safetensors"
        } else {
            "b.safetensors"
        }
    };
    let map: BTreeMap<_, _> = tensors().into_keys().map(|it| (file(&it), it)).collect();
    let map: Vec<_> = map
        .iter()
        .map(|(file, name)| format!(r#""{name}": "{file}""#))
        .collect();
    let index = format!(r#"{{"weight_map": {{{}}}}}"#, map.join(", "));
    fs::write(parts.path().join("model.safetensors.index.json"), index).unwrap();
    let (first, second) = (
        safetensors(Dtype::F32, is_first),
        safetensors(Dtype::F32, |name| !is_first(name)),
    );
    fs::write(parts.path().join("a.safetensors"), first).unwrap();
    fs::write(parts.path().join("b.safetensors"), second).unwrap();
    let parts = import(parts.path()).unwrap();
    assert_eq!(parts.golden(), expected.golden());
    assert_eq!(parts.model(), expected.model());

    let half = checkpoint();
    let content = safetensors(Dtype::F16, |_| true);
    fs::write(half.path().join("model.safetensors"), content).unwrap();
    let half = import(half.path()).unwrap();
    assert_eq!(half.golden(), expected.golden());
    let as_halves = |bundle: &Bundle| {
        let weights = quintet_onnx::initializers(bundle.model()).unwrap();
        weights
            .iter()
            .filter(|it| it.float32.as_ref() != Some(&it.name))
            .count()
    };
    assert_eq!(as_halves(&expected), 0);
    assert!(as_halves(&half) > 0);
}

#[test]
fn what_cannot_be_imported_leaves_nothing_behind() {
    let cut = |folder: &Path| {
        let path = folder.join("model.safetensors");
        let content = fs::read(&path).unwrap();
        fs::write(path, &content[..content.len() - 9]).unwrap();
    };
    let pickled = |folder: &Path| {
        let path = folder.join("model.safetensors");
        fs::rename(&path, folder.join("pytorch_model.bin")).unwrap();
    };
    let lacking = |folder: &Path| {
        let content = safetensors(Dtype::F32, |name| name != "bert.pooler.dense.bias");
        fs::write(folder.join("model.safetensors"), content).unwrap();
    };
    let escaping = |folder: &Path| {
        fs::remove_file(folder.join("model.safetensors")).unwrap();
        let index = r#"{"weight_map": {"classifier.bias": "../model.safetensors"}}"#;
        fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    };
    let config = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            fs::write(folder.join("config.json"), CONFIG.replace(from, to)).unwrap();
        }
    };
    let archive = |folder: &Path| {
        fs::write(folder.join("model.safetensors"), b"PK\x03\x04archive").unwrap();
    };
    let wordless = |folder: &Path| fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let nowhere = |folder: &Path| {
        let link = folder.join("model.safetensors");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("nowhere", link).unwrap();
    };
    let edits: [(Edit, &str); 10] = [
        (Box::new(nowhere), "model.safetensors: No such file"),
        (Box::new(cut), "safetensors: not a safetensors file"),
        (Box::new(archive), "model.safetensors: is pickled"),
        (
            Box::new(wordless),
            "tokenizer.json: is missing; `AutoTokenizer",
        ),
        (
            Box::new(pickled),
            "pytorch_model.bin is not read: it is pickled",
        ),
        (Box::new(lacking), "lacks tensor bert.pooler.dense.bias"),
        (
            Box::new(escaping),
            "only files of its own folder are allowed",
        ),
        (
            Box::new(config("\"vocab_size\": 7", "\"vocab_size\": 5")),
            "has tokens up to 5; the network has an embedding of 5",
        ),
        (
            Box::new(config("\"vocab_size\": 7", "\"vocab_size\": 6")),
            "word_embeddings.weight is [7, 8]; [6, 8] is needed",
        ),
        (
            Box::new(config("\"hidden_size\": 8", "\"hidden_size\": 16384")),
            "config.json describes a network of",
        ),
    ];
    for (edit, words) in edits {
        let folder = checkpoint();
        edit(folder.path());
        let error = import(folder.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!folder.path().join("models").exists(), "{words}");
    }
}
