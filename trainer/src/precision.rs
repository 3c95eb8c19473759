//! Which layers compute in bfloat16 while a network trains.
//!
//! Weights, sums, normalisations and losses stay in float32, as with PyTorch's `autocast`. That of
//! tch would take float16 on CUDA, whose small gradients vanish unless the loss is scaled.

use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// What dense layers, attention and convolutions compute in while they train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    Float32,
    /// bfloat16: faster on GPUs and on some processors, such as those with AMX. Others convert each
    /// number, and are ten and more times as slow with it as with float32.
    Bfloat16,
}

thread_local! {
    static PRECISION: Cell<Precision> = const { Cell::new(Precision::Float32) };
}

/// Sets the precision back when a scope ends.
struct Scope(Precision);

/// Rows and columns of the matrices that tell which precision is faster on a processor.
const SIDE: i64 = 256;
/// How often they are multiplied. The fastest product counts.
const PRODUCTS: usize = 5;
/// bfloat16 must be as many times as fast: a layer is slower than its products.
const FASTER: f64 = 1.2;

impl Precision {
    /// The faster one on `device`. Of a processor, products of matrices tell it.
    pub fn of_device(device: Device) -> Self {
        static OF_PROCESSOR: OnceLock<Precision> = OnceLock::new();
        match device {
            Device::Cuda(_) => Self::Bfloat16,
            _ => *OF_PROCESSOR.get_or_init(Self::of_processor),
        }
    }

    fn of_processor() -> Self {
        // No random numbers: those of a run have a seed.
        let x = Tensor::ones([SIDE, SIDE], (Kind::Float, Device::Cpu));
        let product = || {
            let start = Instant::now();
            let _product = lower(&x).matmul(&lower(&x));
            start.elapsed()
        };
        let fastest = |precision: Self| {
            let times = (0..PRODUCTS).map(|_| precision.scope(product));
            times.min().unwrap_or_default()
        };
        Self::faster(fastest(Self::Float32), fastest(Self::Bfloat16))
    }

    // The one to train in where a product takes so long in either.
    fn faster(float32: Duration, bfloat16: Duration) -> Self {
        if float32 >= bfloat16.mul_f64(FASTER) {
            Self::Bfloat16
        } else {
            Self::Float32
        }
    }

    /// Computes `compute` with [`lower`] in this precision.
    pub fn scope<T>(self, compute: impl FnOnce() -> T) -> T {
        let _scope = Scope(PRECISION.replace(self));
        compute()
    }
}

/// As in recipes.
impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Bfloat16 => "bfloat16",
        })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        PRECISION.set(self.0);
    }
}

/// `x` as a layer computes with it: in bfloat16 in a scope of [`Precision::Bfloat16`].
pub fn lower(x: &Tensor) -> Tensor {
    match PRECISION.get() {
        Precision::Float32 => x.shallow_clone(),
        Precision::Bfloat16 => x.to_kind(Kind::BFloat16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_with_its_computation() {
        let kind = || lower(&Tensor::from_slice(&[1.0_f32])).kind();
        assert_eq!(Precision::Bfloat16.scope(kind), Kind::BFloat16);
        assert_eq!(kind(), Kind::Float);
        let failed = std::panic::catch_unwind(|| Precision::Bfloat16.scope(|| panic!("in it")));
        assert!(failed.is_err());
        assert_eq!(kind(), Kind::Float);
    }

    #[test]
    fn the_faster_precision_is_chosen() {
        assert_eq!(Precision::of_device(Device::Cuda(1)), Precision::Bfloat16);
        let of = |float32, bfloat16| {
            let [float32, bfloat16] = [float32, bfloat16].map(Duration::from_micros);
            Precision::faster(float32, bfloat16)
        };
        assert_eq!(of(200, 100), Precision::Bfloat16);
        assert_eq!(of(110, 100), Precision::Float32);
        assert_eq!(of(100, 1_000), Precision::Float32);
    }
}
