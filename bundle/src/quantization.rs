//! Graphs that compute in integers, and the processors that do so without error.

use std::env::consts::ARCH;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the large products of a graph are computed in, where it is not float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantization {
    /// Products of uint8 and int8, summed in 32 bits.
    Int8,
}

/// How a processor computes the products of a quantised graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// Exactly.
    Exact,
    /// With sums of two in 16 bits, which can saturate: the answers may be wrong.
    Saturating,
}

/// Whether a quantised model may meet [`Products::Saturating`]; an option of the trainer and the
/// server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Saturation {
    /// It is refused.
    #[default]
    Refused,
    /// It is taken all the same.
    Allowed,
}

/// A quantised model meets a processor that may give wrong answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model computes in {0}, and this processor has neither of the features avx512vnni and \
     avxvnni: sums of its products can saturate, and answers be wrong; \
     `--int8-saturation allowed` takes it all the same"
)]
pub struct SaturationError(Quantization);

impl Quantization {
    /// Accepts a processor with these products.
    ///
    /// # Errors
    /// They saturate.
    pub fn check(self, products: Products) -> Result<(), SaturationError> {
        match products {
            Products::Exact => Ok(()),
            Products::Saturating => Err(SaturationError(self)),
        }
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int8 => f.write_str("int8"),
        }
    }
}

impl FromStr for Saturation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "refused" => Ok(Self::Refused),
            "allowed" => Ok(Self::Allowed),
            _ => Err(format!("`{text}` is none of refused, allowed")),
        }
    }
}

impl Products {
    /// Those of this processor.
    pub fn here() -> Self {
        Self::of(ARCH, has_feature)
    }

    /// Those of this processor, or those that nothing is refused for, where saturation is allowed.
    pub fn here_if(saturation: Saturation) -> Self {
        match saturation {
            Saturation::Refused => Self::here(),
            Saturation::Allowed => Self::Exact,
        }
    }

    /// Those of a processor of `architecture`, as [`ARCH`] calls it, with these features. ONNX
    /// Runtime's kernels for x86 processors without VNNI are the only ones that saturate.
    pub fn of(architecture: &str, has_feature: impl Fn(&str) -> bool) -> Self {
        let is_x86 = matches!(architecture, "x86" | "x86_64");
        if !is_x86 || has_feature("avx512vnni") || has_feature("avxvnni") {
            Self::Exact
        } else {
            Self::Saturating
        }
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_feature(name: &str) -> bool {
    match name {
        // ONNX Runtime asks for these three together.
        "avx512vnni" => {
            is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
        }
        "avxvnni" => is_x86_feature_detected!("avxvnni"),
        _ => false,
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn has_feature(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_without_vnni_saturates() {
        for (architecture, features, expected) in [
            ("x86_64", &[][..], Products::Saturating),
            ("x86", &["avx2", "avx512bw"], Products::Saturating),
            ("x86_64", &["avx512vnni"], Products::Exact),
            ("x86_64", &["avxvnni"], Products::Exact),
            ("aarch64", &[], Products::Exact),
        ] {
            let products = Products::of(architecture, |name| features.contains(&name));
            assert_eq!(products, expected, "{architecture} {features:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_feature_and_the_option() {
        let error = Quantization::Int8.check(Products::Saturating).unwrap_err();
        let message = error.to_string();
        for part in [
            "in int8",
            "avx512vnni",
            "avxvnni",
            "--int8-saturation allowed",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(Quantization::Int8.check(Products::Exact), Ok(()));
    }

    #[test]
    fn who_allows_it_is_served() {
        assert_eq!("allowed".parse(), Ok(Saturation::Allowed));
        assert_eq!(Products::here_if(Saturation::Allowed), Products::Exact);
        assert_eq!("refused".parse(), Ok(Saturation::default()));
        assert_eq!(Products::here_if(Saturation::Refused), Products::here());
        assert!("maybe".parse::<Saturation>().is_err());
    }
}
