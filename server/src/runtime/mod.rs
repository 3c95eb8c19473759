//! ONNX Runtime: the only module that names `ort`. It makes the batching core's
//! [`SessionBackend`]s.

mod device;
mod row;
mod session;
mod signature;
mod staging;
mod weights;

pub use device::{Device, DeviceChoice};
pub(crate) use row::element;
pub use row::{BadLength, Row, Rows};
pub use session::SessionBackend;
pub use signature::{Measure, Port, Sequence, Signature, SignatureError};
pub use weights::Weights;

use std::path::Path;
use std::sync::{Arc, Mutex};

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::environment::is_telemetry_disabled;
use crate::lock::lock;

/// The option that names the optimisers which ONNX Runtime leaves out.
const DISABLED_FUSIONS: &str = "optimization.disable_specified_optimizers";

/// ONNX Runtime, loaded and with its device chosen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    device: Device,
    intra_op_threads: usize,
}

/// ONNX Runtime cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The shared library is not there, or not one that this build can use.
    #[error(
        "cannot load ONNX Runtime from {path}: {message}; `deploy/fetch.py onnxruntime` fetches it, \
         --onnxruntime names it"
    )]
    Library {
        /// Where it was looked for.
        path: String,
        /// What the loader said.
        message: String,
    },
    /// ONNX Runtime would start its telemetry.
    #[error(
        "ORT_DISABLE_TELEMETRY is not set to 1, so ONNX Runtime would send telemetry; set it, or \
         call quintet_server::environment::disable_telemetry first in main"
    )]
    Telemetry,
    /// The device that was asked for cannot be had.
    #[error("device {device} cannot be had: {message}")]
    Device {
        /// What was asked for.
        device: String,
        /// What ONNX Runtime said.
        message: String,
    },
    /// A session could not be made of the model.
    #[error("ONNX Runtime refuses the model: {0}")]
    Model(String),
    /// The graph is not what the manifest says, or not one that can be batched.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Runtime {
    /// Loads the shared library and settles on a device.
    ///
    /// # Errors
    /// [`RuntimeError::Telemetry`] if it is not disabled, [`RuntimeError::Library`], and
    /// [`RuntimeError::Device`] for a CUDA device that was asked for by name: it is never replaced by
    /// the CPU silently.
    pub fn load(
        library: &Path,
        choice: DeviceChoice,
        intra_op_threads: usize,
    ) -> Result<Self, RuntimeError> {
        let refuse = |message: String| RuntimeError::Library {
            path: library.display().to_string(),
            message,
        };
        // Changing the environment here could race with other threads.
        if !is_telemetry_disabled() {
            return Err(RuntimeError::Telemetry);
        }
        let environment = environment(library).map_err(refuse)?;
        let mut runtime = Self {
            environment,
            device: choice.unwrap_or(Device::Cuda(0)),
            intra_op_threads,
        };
        // Registering CUDA's provider opens its library and finds the driver.
        match runtime.builder() {
            Err(_) if choice.is_none() => runtime.device = Device::Cpu,
            made => drop(made?),
        }
        Ok(runtime)
    }

    /// Where sessions run.
    pub fn device(&self) -> Device {
        self.device
    }

    /// ONNX Runtime's version and build, as it reports them.
    pub fn version() -> &'static str {
        ort::info()
    }

    /// The same with another number of threads for each run.
    #[must_use]
    pub fn with_intra_op_threads(&self, threads: usize) -> Self {
        Self {
            intra_op_threads: threads,
            ..self.clone()
        }
    }

    /// Threads of each run.
    pub fn intra_op_threads(&self) -> usize {
        self.intra_op_threads
    }

    /// The weights of a model, to be shared by `instances` instances. On a GPU, and by one instance
    /// alone, nothing is shared.
    pub fn weights(&self, model: &[u8], instances: usize) -> Weights {
        match self.device {
            Device::Cpu if instances > 1 => Weights::of(model),
            _ => Weights::default(),
        }
    }

    /// Makes one instance of a model and checks that the graph has the manifest's signature.
    pub fn session(
        &self,
        model: &[u8],
        signature: &Signature,
        weights: &Weights,
    ) -> Result<SessionBackend, RuntimeError> {
        let session: Session = weights
            .share(self.builder()?)
            .and_then(|mut builder| builder.commit_from_memory(model))
            .map_err(|error| RuntimeError::Model(error.to_string()))?;
        SessionBackend::new(session, signature.clone())
    }

    fn builder(&self) -> Result<SessionBuilder, RuntimeError> {
        let configure = || -> ort::Result<SessionBuilder> {
            let builder = Session::builder(&self.environment)?
                .with_optimization_level(GraphOptimizationLevel::Level3)?
                .with_intra_threads(self.intra_op_threads)?
                .with_inter_threads(1)?
                // A thread that spins takes its core from the other instances, and burns it when
                // idle.
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?;
            Ok(match self.device {
                // On a CPU, the fused sum and layer normalisation is slower than the two.
                Device::Cpu => {
                    builder.with_config_entry(DISABLED_FUSIONS, "SkipLayerNormFusion")?
                }
                Device::Cuda(index) => {
                    let cuda = ep::CUDA::default()
                        .with_device_id(index)
                        // Parity with training is stated for full float32.
                        .with_tf32(false)
                        .with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested)
                        .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic);
                    builder.with_execution_providers([cuda.build().error_on_failure()])?
                }
            })
        };
        configure().map_err(|error| RuntimeError::Device {
            device: self.device.to_string(),
            message: error.to_string(),
        })
    }
}

/// The process's environment: ONNX Runtime allows one, so the first server of a process makes it
/// and all that follow share it.
fn environment(library: &Path) -> Result<Environment, String> {
    static SHARED: Mutex<Option<Environment>> = Mutex::new(None);
    let mut shared = lock(&SHARED);
    if let Some(environment) = &*shared {
        return Ok(environment.clone());
    }
    let environment = ort::init_from(library)
        .map_err(|error| error.to_string())?
        .with_name("quintet")
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| error.to_string())?;
    Ok(shared.insert(environment).clone())
}

/// ONNX Runtime's messages, into our log. A failing batch is reported there with its error's id,
/// too.
fn log(level: LogLevel, _category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Error | LogLevel::Fatal => tracing::warn!(place, "onnxruntime: {message}"),
        _ => tracing::debug!(place, "onnxruntime: {message}"),
    }
}

#[cfg(test)]
mod tests;
