//! Labelled images as tensors.

pub mod augmentation;
pub mod batches;

use quintet_data::mnist::Digits;
use tch::{Device, Kind, Tensor};

use crate::random::SplitMix64;

/// Labelled images: `pixels` uint8 `[n, 28, 28]` and `labels` int64 `[n]`, on one device.
#[derive(Debug)]
pub struct Samples {
    /// Grey levels 0..=255, light ink on dark ground.
    pub pixels: Tensor,
    /// The digit each image shows, 0..=9.
    pub labels: Tensor,
}

// The stream of random numbers that chooses the validation images. Epochs use the numbers from 1.
const SPLIT_STREAM: u64 = 0;

// === impl Samples ===

impl Samples {
    /// Copies MNIST's images and labels to `device`.
    pub fn from_digits(digits: &Digits, device: Device) -> Self {
        let count = digits.labels.len() as i64;
        let labels: Vec<i64> = digits
            .labels
            .iter()
            .map(|&label| i64::from(label))
            .collect();
        Self {
            pixels: Tensor::from_slice(&digits.images)
                .reshape([count, 28, 28])
                .to_device(device),
            labels: Tensor::from_slice(&labels).to_device(device),
        }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.size1().unwrap_or(0) as usize
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images and labels at `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[i64]) -> Self {
        let indices = Tensor::from_slice(indices).to_device(self.labels.device());
        Self {
            pixels: self.pixels.index_select(0, &indices),
            labels: self.labels.index_select(0, &indices),
        }
    }

    /// Images `start..start + count` (fewer at the end), without copying.
    #[must_use]
    pub fn slice(&self, start: usize, count: usize) -> Self {
        let length = count.min(self.len() - start) as i64;
        Self {
            pixels: self.pixels.narrow(0, start as i64, length),
            labels: self.labels.narrow(0, start as i64, length),
        }
    }

    /// Splits into training and validation images; `fraction` of them, drawn by `seed`, validate.
    pub fn split(&self, fraction: f64, seed: u64) -> (Self, Self) {
        let order = SplitMix64::for_stream(seed, SPLIT_STREAM).permutation(self.len());
        let held_out = (self.len() as f64 * fraction).round() as usize;
        let (validation, train) = order.split_at(held_out);
        (self.select(train), self.select(validation))
    }

    /// The labels as plain numbers.
    pub fn label_values(&self) -> Vec<u8> {
        let labels = self.labels.to_device(Device::Cpu).to_kind(Kind::Uint8);
        Vec::try_from(labels).expect("labels are a one-dimensional tensor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: i64) -> Samples {
        Samples {
            pixels: Tensor::zeros([count, 28, 28], (Kind::Uint8, Device::Cpu)),
            labels: Tensor::arange(count, (Kind::Int64, Device::Cpu)),
        }
    }

    #[test]
    fn a_split_loses_nothing_and_repeats() {
        let (train, validation) = numbered(50).split(0.2, 7);
        assert_eq!((train.len(), validation.len()), (40, 10));
        let mut all = [train.label_values(), validation.label_values()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<u8>>());
        assert_eq!(
            numbered(50).split(0.2, 7).1.label_values(),
            validation.label_values()
        );
        assert_ne!(
            numbered(50).split(0.2, 8).1.label_values(),
            validation.label_values()
        );
    }

    #[test]
    fn the_last_slice_is_short() {
        assert_eq!(numbered(10).slice(8, 4).label_values(), [8, 9]);
    }
}
