//! Where models run.

use std::path::PathBuf;
use std::thread::available_parallelism;

use quintet_bundle::Saturation;

use crate::environment::ort_dylib_path;
use crate::runtime::{Device, DeviceChoice, Runtime, RuntimeError};
use crate::value_parser::at_least_one;

/// ONNX Runtime, its device and its threads.
#[derive(Debug, Clone, clap::Args)]
pub struct RuntimeOptions {
    /// Where models run: auto, cpu, cuda or cuda:N. A CUDA device asked for by name is had or the
    /// start fails.
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = Device::choice)]
    pub device: DeviceChoice,
    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else lib/libonnxruntime.so beside
    /// the program].
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
    /// Threads that one run of a model may use inside ONNX Runtime.
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub intra_op_threads: usize,
    /// Whether models that compute in int8 are refused or allowed on x86 processors without VNNI,
    /// where sums can saturate and answers be wrong.
    #[arg(long, value_name = "WHAT", default_value = "refused")]
    pub int8_saturation: Saturation,
}

impl RuntimeOptions {
    /// Loads ONNX Runtime.
    ///
    /// # Errors
    /// Those of [`Runtime::load`].
    pub fn load(&self) -> Result<Runtime, RuntimeError> {
        let library = self.library(ort_dylib_path());
        Runtime::load(&library, self.device, self.intra_op_threads)
    }

    /// As many instances as keep the device busy. Several one-thread instances beat one with many
    /// threads.
    pub(crate) fn instances(&self, device: Device) -> usize {
        match device {
            Device::Cpu => cores().div_ceil(self.intra_op_threads),
            Device::Cuda(_) => 1,
        }
    }

    pub(super) fn library(&self, ort_dylib_path: Option<PathBuf>) -> PathBuf {
        let beside_the_program = || {
            let program = std::env::current_exe().unwrap_or_default();
            program.with_file_name("lib").join("libonnxruntime.so")
        };
        let named = self.onnxruntime.clone().or(ort_dylib_path);
        named.unwrap_or_else(beside_the_program)
    }
}

/// Cores that this process may use; the cgroup's quota counts.
pub fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
