//! `import torchvision`: residual networks for photographs, with the weights of torchvision or
//! timm, which have the same names.

mod preset;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use quintet_bundle::{self as bundle, DataType, Preprocessing, Role, TensorSpec};
use quintet_onnx::GraphBuilder;
use tch::{Device, Kind, Tensor, nn};

pub use self::preset::Preset;
use super::candidate::{Candidate, not_yet};
use super::huggingface::checkpoint::{Checkpoint, Files};
use super::target::{Origin, Target, lines, read};
use crate::error::Error;
use crate::layers::{Layer, Sequential};
use crate::models::resnet::{Depth, imagenet};
use crate::network::sorted;
use crate::release::{CREATED_BY, names};
use crate::verify::{Runtime, Tensors};
use crate::{export, progress};

/// Room for the names of far more classes than a network has.
const MOST_LABEL_BYTES: u64 = 1 << 20;
/// The last layer.
const HEAD: &str = "fc.weight";

/// Flags of `import torchvision`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The file of weights, as `safetensors.torch.save_file(model.state_dict(), FILE)` writes it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The network.
    #[arg(long, value_name = "NAME")]
    pub architecture: Depth,
    /// The file with the name of each class on a line, in the order of the last layer.
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,
    /// How photographs are prepared.
    #[arg(long, value_name = "NAME", default_value = "torchvision-v1")]
    pub preprocessing: Preset,
    /// Folder with 1 to 32 pictures that become the bundle's golden samples [default: random ones].
    #[arg(long, value_name = "DIR")]
    pub samples: Option<PathBuf>,
    /// Where the bundle goes.
    #[command(flatten)]
    pub target: Target,
    /// Where the model comes from.
    #[command(flatten)]
    pub origin: Origin,
}

/// Reads the file, proves the graph and writes the bundle.
pub(super) fn import(flags: &Flags, runtime: &Runtime, out: &mut dyn Write) -> Result<(), Error> {
    progress::line(&format!("reading {}", flags.file.display()));
    let files = Files::one(&flags.file)?;
    let checkpoint = files.tensors()?;
    let labels = labels(flags, &checkpoint)?;
    let store = nn::VarStore::new(Device::Cpu);
    let network = Sequential::default()
        .then(flags.preprocessing.normalize())
        .then(imagenet(
            &store.root(),
            flags.architecture,
            labels.len() as i64,
        ));
    load(&store, flags.architecture, &checkpoint).map_err(Error::file(&flags.file))?;
    tch::no_grad(|| network.fold());
    let sha256 = files.sha256();
    drop(files);

    let (depth, spec) = (flags.architecture, flags.preprocessing.spec());
    let (height, width) = (spec.height.into(), spec.width.into());
    let pixels = ["N".into(), height, width, spec.channels.count().into()];
    let classes = ["N".into(), labels.len().into()];
    let parameters: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    progress::line(&format!(
        "{depth}: {} labels, {parameters} parameters",
        labels.len()
    ));
    let manifest = bundle::Manifest {
        format_version: bundle::FORMAT_VERSION,
        name: flags.target.name.clone(),
        version: flags.target.model_version,
        task: bundle::task::IMAGE_CLASSIFICATION.to_owned(),
        architecture: depth.to_string(),
        parameters: parameters as u64,
        created_by: CREATED_BY.to_owned(),
        labels,
        problem_type: bundle::ProblemType::default(),
        least_divergence: None,
        preprocessing: Some(Preprocessing::of(&spec)),
        quantization: None,
        max_batch_size: None,
        inputs: vec![TensorSpec::of_role(Role::Pixels, DataType::Uint8, pixels)],
        outputs: vec![TensorSpec::of_role(
            Role::Logits,
            DataType::Float32,
            classes,
        )],
        provenance: flags.origin.provenance_of(&flags.file, sha256),
        metrics: BTreeMap::new(),
        golden: not_yet(),
        files: BTreeMap::new(),
    };
    let checked = manifest.validate();
    checked.map_err(|error| Error::Usage(error.to_string()))?;
    let (inputs, outputs) = (manifest.inputs.clone(), manifest.outputs.clone());
    let candidate = Candidate {
        graph: graph(&network, &manifest)?,
        manifest,
        tokenizer: None,
        samples: flags.samples.as_deref(),
        models_dir: &flags.target.models_dir,
    };
    let original = |rows: &Tensors| {
        let pixels = &rows[&inputs[0].name];
        let shape: Vec<i64> = pixels.shape().iter().map(|&it| it as i64).collect();
        let pixels = Tensor::from_data_size(pixels.bytes(), &shape, Kind::Uint8);
        let logits = tch::no_grad(|| network.forward_t(&pixels, false));
        names(&outputs, &[logits])
    };
    candidate.prove_and_write(original, runtime, out)
}

/// The names of the classes: as many as the last layer has rows.
fn labels(flags: &Flags, checkpoint: &Checkpoint<'_>) -> Result<Vec<String>, Error> {
    let path = &flags.labels;
    let text = String::from_utf8(read(path, MOST_LABEL_BYTES)?).map_err(Error::file(path))?;
    let labels = lines(&text);
    let shape = checkpoint.shape(HEAD);
    let hint = || checkpoint.prefix_hint(HEAD);
    let lacks = || Error::file(&flags.file)(format!("lacks tensor {HEAD}{}", hint()));
    let rows = shape.ok_or_else(lacks)?.first().copied().unwrap_or(0);
    let refuse = |problem: String| Error::file(path)(problem);
    if labels.len() != rows {
        let found = labels.len();
        return Err(refuse(format!(
            "holds {found} names; {HEAD} has {rows} rows"
        )));
    }
    let mut seen = BTreeSet::new();
    for (index, label) in labels.iter().enumerate() {
        if label.is_empty() || !seen.insert(label) {
            let line = index + 1;
            return Err(refuse(format!(
                "line {line} is `{label}`; each name must be there once and not be empty"
            )));
        }
    }
    Ok(labels)
}

fn load(store: &nn::VarStore, depth: Depth, checkpoint: &Checkpoint<'_>) -> Result<(), String> {
    let names: Vec<&str> = checkpoint.names().collect();
    if let Some(found) = Depth::of(&names)
        && found != depth
    {
        return Err(format!(
            "has the layers of {found}; --architecture is {depth}"
        ));
    }
    let same = |name: &str| vec![name.to_owned()];
    let counts = |name: &str| name.ends_with(".num_batches_tracked");
    let name = depth.to_string();
    checkpoint.copy_to(sorted(store), same, counts, &name)?;
    Ok(())
}

/// The network as an .onnx file.
fn graph(network: &Sequential, manifest: &bundle::Manifest) -> Result<Vec<u8>, Error> {
    let (architecture, task) = (manifest.architecture.as_str(), manifest.task.as_str());
    let mut graph = GraphBuilder::new(architecture);
    let pixels = export::input(&mut graph, &manifest.inputs[0])?;
    let logits = network.export(&mut graph, &pixels)?;
    graph.output(&manifest.outputs[0].name, &logits)?;
    let metadata = [("architecture", architecture), ("task", task)];
    Ok(graph.build(&metadata)?.to_bytes())
}
