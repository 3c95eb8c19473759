//! One model version, from its bundle to a running batching core.

mod parallel;
mod warm_up;

use std::any::{Any, type_name};
use std::path::Path;
use std::sync::Arc;

use quintet_bundle::{Bundle, BundleError, GoldenMismatch, Manifest, Products, SaturationError};

use crate::batching::{BackendError, Backlog, Clock, Cost, Engine, Parts, Settings};
use crate::error::ServeError;
use crate::metrics::{Metrics, ModelMetrics};
use crate::runtime::{Device, Runtime, RuntimeError, SessionBackend, Signature};
use crate::task::{TaskState, Tasks};

/// A model version that has been verified and can be called.
#[derive(Debug)]
pub struct Model {
    /// Its name.
    pub name: Arc<str>,
    /// Its version.
    pub version: u32,
    /// Its bundle's identity, see [`Bundle::digest`].
    pub digest: String,
    /// Its bundle's manifest.
    pub manifest: Manifest,
    /// Its inputs and outputs, seen from one row.
    pub signature: Signature,
    /// Opened by its task, see [`Model::state`].
    state: TaskState,
    /// Where it runs.
    pub device: Device,
    /// The batching core in front of it.
    pub engine: Engine<SessionBackend>,
    /// Its metrics and statistics.
    pub metrics: Arc<ModelMetrics>,
}

/// What models are loaded with.
#[derive(Debug, Clone)]
pub struct Loader {
    /// Makes the models' instances.
    pub runtime: Runtime,
    /// The tasks of this server.
    pub tasks: Tasks,
    /// The server's metrics.
    pub metrics: Metrics,
    /// Shared by the models' engines.
    pub backlog: Arc<Backlog>,
    /// What the processor makes of quantised models.
    pub products: Products,
}

/// Why a model version cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bundle is broken.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It is quantised, and the processor may give wrong answers.
    #[error(transparent)]
    Saturation(#[from] SaturationError),
    /// ONNX Runtime refuses it.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Its task cannot serve it.
    #[error("a model for {task} cannot be served: {reason}")]
    Task {
        /// The task in its manifest.
        task: String,
        /// What it lacks.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
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
    /// Reads a bundle, makes the model's instances, proves each on the golden samples, measures
    /// what its runs cost and starts the batching core.
    pub fn load(
        &self,
        path: &Path,
        settings: impl FnOnce(&Manifest) -> Settings,
    ) -> Result<Model, LoadError> {
        let bundle = Bundle::open(path)?;
        let manifest = bundle.manifest().clone();
        if let Some(quantization) = manifest.quantization {
            quantization.check(self.products)?;
        }
        let mut signature = Signature::of(&manifest).map_err(RuntimeError::from)?;
        let state = self.tasks.open(&bundle, &mut signature);
        let state = state.map_err(|reason| LoadError::Task {
            task: manifest.task.clone(),
            reason,
        })?;
        let mut settings = settings(&manifest);
        if let Some(most) = manifest.max_batch_size {
            settings.max_batch_size = settings.max_batch_size.min(most);
        }

        let instances = settings.instances.unwrap_or(1);
        let weights = self.runtime.weights(bundle.model(), instances);
        let samples = warm_up::samples(&bundle, &signature)?;
        let max_batch_size = settings.max_batch_size;
        let mut backends = Vec::new();
        for _ in 0..instances {
            let mut backend = self.runtime.session(bundle.model(), &signature, &weights)?;
            warm_up::prove(&mut backend, &bundle, &samples, max_batch_size)?;
            backends.push(backend);
        }
        let cost = match backends.first_mut() {
            Some(backend) => warm_up::measure(backend, &samples, max_batch_size)?,
            None => Cost::default(),
        };
        tracing::debug!(model = manifest.name, ?cost, "measured what its runs cost");
        let settings = settings.with_cost(&cost);
        let parallel =
            parallel::instance(&self.runtime, &bundle, &samples, &weights, &mut backends)?;

        let device = self.runtime.device();
        let metrics = self
            .metrics
            .model(&manifest, &device.to_string(), max_batch_size);
        let metrics = Arc::new(metrics);
        let digest = bundle.digest().to_owned();
        let (runtime, its_signature) = (self.runtime.clone(), signature.clone());
        let replacement = move || {
            runtime
                .session(bundle.model(), &its_signature, &weights)
                .map_err(|error| BackendError(error.to_string()))
        };
        let parts = Parts {
            settings,
            cost,
            backends,
            parallel,
            factory: Arc::new(replacement),
            clock: Clock::system(),
            observer: Arc::clone(&metrics) as _,
            backlog: Arc::clone(&self.backlog),
        };
        let engine = Engine::start(&manifest.name, parts).map_err(LoadError::Thread)?;
        let (name, version) = (manifest.name.as_str().into(), manifest.version);
        Ok(Model {
            name,
            version,
            digest,
            manifest,
            signature,
            state,
            device,
            engine,
            metrics,
        })
    }
}

impl Model {
    /// Its task's name.
    pub fn task(&self) -> &str {
        &self.manifest.task
    }

    /// What its task has opened for it.
    ///
    /// # Errors
    /// A fault of the server: the task keeps something of another type.
    pub fn state<T: Any + Send + Sync>(&self) -> Result<Arc<T>, ServeError> {
        let state = Arc::clone(&self.state).downcast();
        state.map_err(|_| ServeError::fault("reading a model's state", &type_name::<T>()))
    }
}

#[cfg(test)]
mod tests;
