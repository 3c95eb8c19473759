//! Text classifiers of Hugging Face's `transformers`: a folder with `config.json`,
//! `model.safetensors`, `tokenizer.json` and `tokenizer_config.json`.

mod added_tokens;
mod agreement;
pub(crate) mod checkpoint;
mod classes;
pub(crate) mod config;
mod labels;
mod made;
pub(crate) mod names;
mod padding;
mod proof;
mod settings;
mod template;
pub(crate) mod tokenizer;
mod weights;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use quintet_bundle::text::TOKENIZER_FILE;
use quintet_bundle::{self as bundle, DataType, Preprocessing, Role, TensorSpec};
use quintet_onnx::{GraphBuilder, Storage, ops};
use tch::{Device, Tensor, nn};

use self::checkpoint::{Files, WEIGHTS};
use self::config::Config;
use super::target::{Origin, Target, read};
use crate::cli::Quantize;
use crate::error::Error;
use crate::models::Model as _;
use crate::models::encoder::TextClassifier;
use crate::network::sorted;
use crate::progress;
use crate::release::{CREATED_BY, names};
use crate::task::exam::INT8_TOLERANCE;
use crate::verify::Runtime;

/// The file that says what a network is made of.
pub(crate) const CONFIG: &str = "config.json";
/// Room for more labels than are allowed, so that the error can count them.
pub(crate) const MOST_CONFIG_BYTES: u64 = 64 << 20;

/// Flags of `import huggingface`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The folder with config.json, model.safetensors and tokenizer.json, as `save_pretrained`
    /// writes them: of DistilBertForSequenceClassification, BertForSequenceClassification or
    /// RobertaForSequenceClassification.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Where the bundle goes.
    #[command(flatten)]
    pub target: Target,
    /// Where the model comes from.
    #[command(flatten)]
    pub origin: Origin,
    /// Whether the bundle computes in int8.
    #[command(flatten)]
    pub quantize: Quantize,
}

/// Reads the folder, proves the graph and writes the bundle.
pub(super) fn import(flags: &Flags, runtime: &Runtime, out: &mut dyn Write) -> Result<(), Error> {
    let quantization = flags.quantize.checked()?;
    let folder = &flags.folder;
    let path = folder.join(CONFIG);
    let json = read(&path, MOST_CONFIG_BYTES)?;
    let config = Config::from_json(&json).map_err(Error::file(&path))?;
    let imported = tokenizer::import(folder, &config)?;
    progress::line(&format!(
        "{}: {} labels, {} parameters, {} tokens, texts of up to {}",
        config.family.name(),
        config.labels.names.len(),
        config.parameters(),
        imported.tokenizer.vocabulary_size(),
        imported.spec.max_tokens,
    ));
    let files = Files::read(folder)?;
    let store = nn::VarStore::new(Device::Cpu);
    let (network, storage) = network(&store, &config, (folder, &files))?;
    let sha256 = files.sha256();
    drop(files);

    let signature = signature(&config, imported.has_token_types);
    let samples = proof::samples(&imported.tokenizer, &imported.spec, &signature.inputs)?;
    let mut metrics = BTreeMap::new();
    let mut tolerance = proof::TOLERANCE;
    if quantization.is_some() {
        let before = logits(&network, &config, &samples);
        network.quantize()?;
        tolerance = f64::from(INT8_TOLERANCE);
        let after = logits(&network, &config, &samples);
        let difference = proof::difference(config.labels.problem_type, &before, &after);
        metrics.insert("int8_difference".to_owned(), difference);
        let rows = samples[0].size()[0];
        writeln!(
            out,
            "int8 and float32 differ by at most {difference:.3} over {rows} texts"
        )?;
    }
    let model = graph(&network, &config, &signature, storage)?;
    let mut loaded = runtime.model(&model)?;
    let forward = |inputs: &[Tensor]| logits(&network, &config, inputs);
    let shape = (imported.spec.max_tokens, signature.inputs.len() > 2);
    let difference = proof::prove(tolerance, &config, shape, forward, &mut loaded)?;
    metrics.insert("onnxruntime_difference".to_owned(), difference);

    let expected = logits(&network, &config, &samples);
    let golden = bundle::GoldenSamples {
        inputs: names(&signature.inputs, &samples)?,
        outputs: names(&signature.outputs, std::slice::from_ref(&expected))?,
    };
    let manifest = bundle::Manifest {
        format_version: bundle::FORMAT_VERSION,
        name: flags.target.name.clone(),
        version: flags.target.model_version,
        task: bundle::task::TEXT_CLASSIFICATION.to_owned(),
        architecture: config.family.name().to_owned(),
        parameters: config.parameters() as u64,
        created_by: CREATED_BY.to_owned(),
        labels: config.labels.names.clone(),
        problem_type: config.labels.problem_type,
        least_divergence: None,
        preprocessing: Some(Preprocessing::of(&imported.spec)),
        quantization,
        max_batch_size: None,
        inputs: signature.inputs,
        outputs: signature.outputs,
        provenance: flags.origin.provenance_of(folder, sha256),
        metrics,
        golden: bundle::Golden {
            samples: samples[0].size()[0] as usize,
            tolerance: proof::tolerance(tolerance, &expected),
            self_made: false,
        },
        files: BTreeMap::new(),
    };
    let contents = bundle::BundleContents {
        manifest,
        model,
        golden,
        extra: BTreeMap::from([(TOKENIZER_FILE.to_owned(), imported.json)]),
    };
    let written = super::write(&flags.target.models_dir, contents)?;
    writeln!(out, "{}", written.display())?;
    Ok(())
}

/// What the graph takes and gives.
struct Signature {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
}

fn signature(config: &Config, has_token_types: bool) -> Signature {
    let texts = |role| TensorSpec::of_role(role, DataType::Int64, ["N".into(), "L".into()]);
    let mut inputs = vec![
        texts(Role::Tokens),
        TensorSpec::of_role(Role::Lengths, DataType::Int32, ["N".into()]),
    ];
    if has_token_types {
        inputs.push(texts(Role::TokenTypeIds));
    }
    let shape = ["N".into(), config.labels.names.len().into()];
    Signature {
        inputs,
        outputs: vec![TensorSpec::of_role(Role::Logits, DataType::Float32, shape)],
    }
}

/// The network with the weights of the files, and how they can be stored without loss.
fn network(
    store: &nn::VarStore,
    config: &Config,
    (folder, files): (&Path, &Files),
) -> Result<(TextClassifier, Storage), Error> {
    let checkpoint = files.tensors()?;
    let refuse = |problem: String| Error::file(&folder.join(WEIGHTS))(problem);
    // A configuration must not make us take far more memory than the files do. Where a few tensors
    // are missing, their names say more.
    let (needed, held) = (config.parameters(), checkpoint.elements());
    if needed > 2 * held {
        let problem = format!("holds {held} numbers; {CONFIG} describes a network of {needed}");
        return Err(refuse(problem));
    }
    let network = TextClassifier::new(&store.root(), &config.encoder, config.head.clone());
    let storage = weights::load(sorted(store), config, &checkpoint).map_err(refuse)?;
    Ok((network, storage))
}

/// What the graph gives: float32 `[N, labels]`.
fn logits(network: &TextClassifier, config: &Config, inputs: &[Tensor]) -> Tensor {
    let logits = tch::no_grad(|| network.forward_t(inputs, false));
    logits.reshape([-1, config.head.labels])
}

/// The network as an .onnx file.
fn graph(
    network: &TextClassifier,
    config: &Config,
    signature: &Signature,
    storage: Storage,
) -> Result<Vec<u8>, Error> {
    let name = config.family.name();
    let mut graph = GraphBuilder::new(name);
    graph.set_storage(storage);
    let inputs = signature.inputs.iter();
    let inputs = inputs.map(|it| crate::export::input(&mut graph, it));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let mut logits = network.export(&mut graph, &inputs)?;
    if config.head.labels == 1 {
        logits = ops::unsqueeze(&mut graph, &logits, &[1])?;
    }
    graph.output(&signature.outputs[0].name, &logits)?;
    let task = bundle::task::TEXT_CLASSIFICATION;
    Ok(graph
        .build(&[("architecture", name), ("task", task)])?
        .to_bytes())
}
