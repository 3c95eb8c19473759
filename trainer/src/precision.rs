//! Which layers compute in bfloat16 while a network trains.
//!
//! Weights, sums, normalisations and losses stay in float32, as with PyTorch's `autocast`. That of
//! tch would take float16 on CUDA, whose small gradients vanish unless the loss is scaled.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// What dense layers, attention and convolutions compute in while they train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    Float32,
    /// bfloat16: faster on GPUs, and on processors with AVX512_BF16 or AMX.
    Bfloat16,
}

thread_local! {
    static PRECISION: Cell<Precision> = const { Cell::new(Precision::Float32) };
}

/// Sets the precision back when a scope ends.
struct Scope(Precision);

impl Precision {
    /// What a recipe without a precision trains in on `device`, if its network can use both.
    pub fn of_device(device: Device) -> Self {
        match device {
            Device::Cuda(_) => Self::Bfloat16,
            _ => Self::Float32,
        }
    }

    /// Computes `compute` with [`lower`] in this precision.
    pub fn scope<T>(self, compute: impl FnOnce() -> T) -> T {
        let _scope = Scope(PRECISION.replace(self));
        compute()
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
    fn gpus_train_in_bfloat16() {
        assert_eq!(Precision::of_device(Device::Cpu), Precision::Float32);
        assert_eq!(Precision::of_device(Device::Cuda(1)), Precision::Bfloat16);
    }
}
