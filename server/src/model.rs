//! One model version, from its bundle to a running batching core.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use quintet_bundle::text::TokenizerError;
use quintet_bundle::{Bundle, BundleError, GoldenMismatch, Manifest, Task, Tensor};
use smallvec::SmallVec;

use crate::batching::{
    Backend, BackendError, BackendFactory, Backlog, Clock, Engine, Observer, Settings,
};
use crate::metrics::{Metrics, ModelMetrics};
use crate::runtime::{
    BadLength, Device, Port, Row, Runtime, RuntimeError, SessionBackend, Signature,
};
use crate::statistics::{Observed, Statistics};
use crate::task::sentiment::Reader;
use crate::task::{self, UnsupportedModel};

/// A model version that has been verified and can be called.
#[derive(Debug)]
pub struct Model {
    /// Its name.
    pub name: Arc<str>,
    /// Its version.
    pub version: u32,
    /// What its bundle says of it.
    pub manifest: Manifest,
    /// Its inputs and outputs, seen from one row.
    pub signature: Signature,
    /// What turns texts into its rows, if it takes texts.
    pub reader: Option<Arc<Reader>>,
    /// Where it runs.
    pub device: Device,
    /// The batching core in front of it.
    pub engine: Engine<SessionBackend>,
    /// What it records.
    pub metrics: ModelMetrics,
    /// What it has done, to be read back.
    pub statistics: Arc<Statistics>,
}

/// What all models are loaded with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Loader {
    /// Where they run.
    pub runtime: Runtime,
    /// Where they record what they do.
    pub metrics: Metrics,
    /// What waits for all of them.
    pub backlog: Arc<Backlog>,
}

/// Why a model version cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bundle is broken.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ONNX Runtime does not take it.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// No task of this server fits it.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedModel),
    /// Its tokeniser cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// It does not compute what the trainer computed.
    #[error("the golden samples do not agree at batch size {batch_size}: {mismatch}")]
    Golden {
        /// Rows that ran together.
        batch_size: usize,
        /// The difference.
        mismatch: GoldenMismatch,
    },
    /// It failed on the golden samples.
    #[error("the golden samples cannot be run: {0}")]
    Warmup(BackendError),
    /// The operating system gave no thread.
    #[error("no thread for an instance: {0}")]
    Thread(std::io::Error),
}

impl Loader {
    /// Reads the bundle, makes its instances, proves each on the golden samples and starts the batching core.
    pub fn load(
        &self,
        path: &Path,
        settings: impl FnOnce(&Manifest) -> Settings,
    ) -> Result<Model, LoadError> {
        let bundle = Bundle::open(path)?;
        let manifest = bundle.manifest().clone();
        task::check(&manifest)?;
        let mut signature = Signature::of(&manifest).map_err(RuntimeError::from)?;
        let reader = match manifest.task {
            Task::TextClassification => Some(Arc::new(Reader::of(&bundle)?)),
            _ => None,
        };
        for port in signature.inputs.iter_mut().filter(|port| port.is_sequence) {
            port.values = reader.as_ref().map(|reader| reader.vocabulary_size());
        }
        let settings = settings(&manifest);

        let mut backends = Vec::new();
        for _ in 0..settings.instances {
            let mut backend = self.runtime.session(bundle.model(), &signature)?;
            warm_up(&mut backend, &bundle, settings.max_batch_size)?;
            backends.push(backend);
        }

        let device = self.runtime.device();
        let metrics = self.metrics.model(&manifest, &device.to_string());
        let statistics = Arc::new(Statistics::new(settings.max_batch_size));
        let observed = Observed {
            metrics: metrics.clone(),
            statistics: Arc::clone(&statistics),
        };
        let engine = Engine::start(
            &manifest.name,
            settings,
            backends,
            replacements(self.runtime.clone(), bundle, signature.clone()),
            Clock::system(),
            Arc::new(observed) as Arc<dyn Observer>,
            Arc::clone(&self.backlog),
        )
        .map_err(LoadError::Thread)?;
        let (name, version) = (manifest.name.as_str().into(), manifest.version);
        Ok(Model {
            name,
            version,
            manifest,
            signature,
            reader,
            device,
            engine,
            metrics,
            statistics,
        })
    }
}

/// Makes the instance that takes the place of one that has panicked.
fn replacements(
    runtime: Runtime,
    bundle: Bundle,
    signature: Signature,
) -> BackendFactory<SessionBackend> {
    Arc::new(move || {
        runtime
            .session(bundle.model(), &signature)
            .map_err(|error| BackendError(error.to_string()))
    })
}

/// Runs the golden samples at every batch size that first calls should find warm: one row, and doublings up to a
/// full batch. All must agree, so that an answer does not depend on the company it rides in.
fn warm_up(
    backend: &mut SessionBackend,
    bundle: &Bundle,
    max_batch_size: usize,
) -> Result<(), LoadError> {
    let golden = bundle.golden();
    let signature = backend.signature().clone();
    let samples = rows_of(&golden.inputs, &signature).map_err(|error| {
        LoadError::Warmup(BackendError(format!("of the golden samples, {error}")))
    })?;
    let tolerance = bundle.manifest().golden.tolerance;
    let doublings = std::iter::successors(Some(1), |size| Some(size * 2));
    for batch_size in doublings
        .take_while(|size| *size < max_batch_size)
        .chain([max_batch_size])
    {
        let mut outputs = Vec::new();
        // The samples again and again fill the batch; the first of each are compared.
        for start in (0..samples.len()).step_by(batch_size) {
            let rows: Vec<Row> = samples
                .iter()
                .cycle()
                .skip(start)
                .take(batch_size)
                .cloned()
                .collect();
            backend
                .run(&rows, &mut outputs)
                .map_err(LoadError::Warmup)?;
        }
        outputs.truncate(samples.len());
        let outputs = tensors_of(&outputs, &signature.outputs);
        golden
            .compare(&outputs, tolerance)
            .map_err(|mismatch| LoadError::Golden {
                batch_size,
                mismatch,
            })?;
    }
    Ok(())
}

/// Cuts whole tensors, by name, into rows. The bundle has checked names, types and shapes.
fn rows_of(
    tensors: &BTreeMap<String, Tensor>,
    signature: &Signature,
) -> Result<SmallVec<[Row; 1]>, BadLength> {
    let inputs = signature.inputs.iter();
    let tensors: Vec<&Tensor> = inputs.filter_map(|port| tensors.get(&port.name)).collect();
    let columns: Vec<Bytes> = tensors
        .iter()
        .map(|tensor| Bytes::copy_from_slice(tensor.bytes()))
        .collect();
    let size = |dimension: usize| move |tensor: &&Tensor| tensor.shape().get(dimension).copied();
    let rows = tensors.iter().filter_map(size(0)).min().unwrap_or(0);
    let sequence = signature.inputs.iter().position(|port| port.is_sequence);
    let longest = sequence
        .and_then(|input| tensors.get(input))
        .and_then(size(1));
    signature.cut(&columns, rows, longest.unwrap_or(1))
}

/// Joins rows to whole tensors, by name.
fn tensors_of(rows: &[Row], ports: &[Port]) -> BTreeMap<String, Tensor> {
    ports
        .iter()
        .enumerate()
        .filter_map(|(index, port)| {
            let shape: Vec<usize> = std::iter::once(rows.len())
                .chain(port.row_shape.iter().copied())
                .collect();
            let bytes = rows
                .iter()
                .flat_map(|row| row[index].iter().copied())
                .collect();
            // A length that does not fit leaves the tensor out, which the comparison then reports as missing.
            Tensor::from_bytes(port.datatype, shape, bytes)
                .ok()
                .map(|tensor| (port.name.clone(), tensor))
        })
        .collect()
}
