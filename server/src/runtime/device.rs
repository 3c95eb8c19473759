//! The device that is asked for, and the one that models run on.

use std::fmt;

use crate::value_parser::Problem;

/// Where models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// A CUDA device by its index.
    Cuda(i32),
}

/// What `--device` asks for; `None`: CUDA where it works, else the CPU.
pub type DeviceChoice = Option<Device>;

impl Device {
    /// Reads what `--device` asks for.
    pub(crate) fn choice(text: &str) -> Result<DeviceChoice, Problem> {
        match text {
            "auto" => Ok(None),
            "cpu" => Ok(Some(Self::Cpu)),
            "cuda" => Ok(Some(Self::Cuda(0))),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse::<u8>().ok())
                .map(|index| Some(Self::Cuda(index.into())))
                .ok_or_else(|| {
                    let allowed = "auto, cpu, cuda, cuda:0, cuda:1, ...";
                    Problem(format!("`{text}` is none of {allowed}"))
                }),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names() {
        for (text, choice) in [
            ("auto", None),
            ("cpu", Some(Device::Cpu)),
            ("cuda", Some(Device::Cuda(0))),
            ("cuda:3", Some(Device::Cuda(3))),
        ] {
            assert_eq!(Device::choice(text).unwrap(), choice);
        }
        for text in ["gpu", "cuda:", "cuda:-1", "CPU", ""] {
            let Problem(error) = Device::choice(text).unwrap_err();
            assert!(error.contains("none of auto, cpu"), "{error}");
        }
    }
}
