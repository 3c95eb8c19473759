//! Where to compute: `auto`, `cpu` or `cuda[:n]`.

use std::error::Error as _;
use std::fmt;
use std::str::FromStr;

use tch::{Cuda, Device};

use crate::error::Error;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, the CPU otherwise.
    Auto,
    /// The CPU.
    Cpu,
    /// That CUDA device, or an error.
    Cuda(usize),
}

// === impl DeviceChoice ===

impl DeviceChoice {
    /// The device to compute on. An explicit `cuda` never falls back to the CPU.
    pub fn resolve(self) -> Result<Device, Error> {
        let unavailable = |reason: String| Error::Usage(format!("device is {self}, but {reason}"));
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(cuda_devices().map_or(Device::Cpu, |_| Device::Cuda(0))),
            Self::Cuda(index) => match cuda_devices().map_err(unavailable)? {
                count if index < count => Ok(Device::Cuda(index)),
                count => Err(unavailable(format!(
                    "this machine has {count} CUDA device(s)"
                ))),
            },
        }
    }
}

/// How a device is named in messages and manifests.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

// libtorch_cuda registers itself with libtorch when it is opened. The trainer links the CPU
// libraries only, so the same binary runs with and without CUDA.
fn cuda_devices() -> Result<usize, String> {
    #[expect(
        unsafe_code,
        reason = "opening a library runs its initialisers; this one is libtorch's"
    )]
    let library = unsafe { libloading::Library::new("libtorch_cuda.so") };
    match library {
        // It stays open for as long as the process lives.
        Ok(library) => std::mem::forget(library),
        Err(error) => {
            // It says which file is missing; the error itself only says that something is.
            return Err(error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string));
        }
    }
    if Cuda::is_available() {
        Ok(Cuda::device_count() as usize)
    } else {
        Err("libtorch finds no usable CUDA device or driver".to_owned())
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| {
                    let allowed = "auto, cpu, cuda, cuda:0, cuda:1, ...";
                    Error::value("device", format!("{text:?}"), allowed)
                }),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read() {
        let cases = [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), expected);
        }
        for text in ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda0"] {
            let message = text.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("device is {text:?}, allowed: auto")),
                "{message}"
            );
        }
    }

    #[test]
    fn a_device_that_no_machine_has_is_an_error() {
        let error = DeviceChoice::Cuda(4096).resolve().unwrap_err().to_string();
        assert!(error.starts_with("device is cuda:4096, but "), "{error}");
    }
}
