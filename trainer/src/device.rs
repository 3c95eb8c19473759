//! Where to compute: `auto`, `cpu` or `cuda[:n]`.

use std::error::Error as _;

use tch::{Cuda, Device};

use crate::error::Error;

/// The flag's value that takes CUDA where it works.
pub const AUTO: &str = "auto";

/// The device that `choice` names. `auto` is the first CUDA device where there is one, and the CPU
/// otherwise; an explicit `cuda` never falls back to the CPU.
pub fn resolve(choice: &str) -> Result<Device, Error> {
    let index = match choice {
        "cpu" => return Ok(Device::Cpu),
        AUTO => return Ok(cuda_devices().map_or(Device::Cpu, |_| Device::Cuda(0))),
        "cuda" => Some(0),
        _ => choice.strip_prefix("cuda:").and_then(|it| it.parse().ok()),
    };
    let allowed = "auto, cpu, cuda, cuda:0, cuda:1, ...";
    let index: usize = index.ok_or_else(|| Error::value("device", choice, allowed))?;
    let unavailable = |reason| Error::Usage(format!("device is {choice}, but {reason}"));
    let count = cuda_devices().map_err(unavailable)?;
    if index < count {
        return Ok(Device::Cuda(index));
    }
    Err(unavailable(format!(
        "this machine has {count} CUDA device(s)"
    )))
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
            // The source names the file that is missing.
            let source = error.source().map(ToString::to_string);
            return Err(source.unwrap_or_else(|| error.to_string()));
        }
    }
    if Cuda::is_available() {
        Ok(Cuda::device_count() as usize)
    } else {
        Err("libtorch finds no usable CUDA device or driver".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_device_is_refused_with_those_allowed() {
        assert_eq!(resolve("cpu").unwrap(), Device::Cpu);
        for choice in ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda0"] {
            let message = resolve(choice).unwrap_err().to_string();
            let expected = format!("device is {choice}, allowed: auto, cpu, cuda, cuda:0");
            assert!(message.starts_with(&expected), "{message}");
        }
    }

    #[test]
    fn a_device_that_no_machine_has_is_an_error() {
        let error = resolve("cuda:4096").unwrap_err().to_string();
        assert!(error.starts_with("device is cuda:4096, but "), "{error}");
    }
}
