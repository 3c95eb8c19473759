//! Labelled images and texts as tensors, and the data sets that they come from.

pub mod augmentation;
pub mod batches;
pub mod crop;
pub mod dataset;
pub mod golden;
pub mod imdb;
pub mod mnist;
pub mod outliers;
pub mod text;

use tch::{Device, Tensor};

pub use dataset::{Dataset, Loaded, Source};

use mnist::{FASHION_MNIST, MNIST};
use text::Texts;

use crate::random::SplitMix64;

/// Labelled samples on one device.
#[derive(Debug)]
pub struct Samples {
    /// What a network takes, the samples along the first axis: one tensor, such as pixels uint8
    /// `[n, 28, 28]`; or tokens and lengths, int64 `[n, L]` and int32 `[n]`, where tokens after a
    /// row's length have no meaning. What a learner needs of each sample beside that may follow.
    pub inputs: Vec<Tensor>,
    /// The class of each sample from 0, int64 `[n]`.
    pub labels: Tensor,
    /// The whole texts that `inputs` are parts of, to crop them in another way.
    pub texts: Option<Texts>,
}

/// The data sets of images that may take another one's place, by the names of their folders.
pub static IMAGES: [(&str, &dyn Dataset); 2] =
    [("mnist", &MNIST), ("fashion-mnist", &FASHION_MNIST)];

// The random stream that chooses the validation samples. Epochs have the streams from 1.
const SPLIT_STREAM: u64 = 0;

impl Samples {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.labels.size1().unwrap_or(0) as usize
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples at `indices`, in that order; texts as wide as the longest of them needs.
    #[must_use]
    pub fn select(&self, indices: &[i64]) -> Self {
        let indices = Tensor::from_slice(indices).to_device(self.labels.device());
        self.rows(|tensor| tensor.index_select(0, &indices))
    }

    /// Samples `start..start + count` (fewer at the end), without copying; texts as wide as the
    /// longest of them needs.
    #[must_use]
    pub fn slice(&self, start: usize, count: usize) -> Self {
        let length = count.min(self.len() - start) as i64;
        self.rows(|tensor| tensor.narrow(0, start as i64, length))
    }

    fn rows(&self, choose: impl Fn(&Tensor) -> Tensor) -> Self {
        let mut inputs: Vec<Tensor> = self.inputs.iter().map(&choose).collect();
        if let [tokens, lengths, ..] = &mut inputs[..]
            && lengths.numel() > 0
        {
            *tokens = tokens.narrow(1, 0, lengths.max().int64_value(&[]));
        }
        let labels = choose(&self.labels);
        let texts = self.texts.as_ref().map(|texts| texts.choose(&choose));
        Self {
            inputs,
            labels,
            texts,
        }
    }

    /// The batches of epoch `epoch` (from 1): shuffled, or for texts also grouped by length.
    pub fn batches(&self, batch_size: usize, seed: u64, epoch: u32) -> Vec<Vec<i64>> {
        match &self.inputs[..] {
            [_, lengths, ..] => {
                let lengths = lengths.to_device(Device::Cpu);
                let lengths = Vec::<i32>::try_from(lengths).expect("lengths are int32 [n]");
                batches::of_similar_length(&lengths, batch_size, seed, epoch)
            }
            _ => batches::shuffled(self.len(), batch_size, seed, epoch),
        }
    }

    /// Splits into training and validation samples; a random `fraction` of them validates.
    pub fn split(&self, fraction: f64, seed: u64) -> (Self, Self) {
        let held_out = (self.len() as f64 * fraction).round() as usize;
        if held_out == 0 {
            return (self.slice(0, self.len()), self.slice(0, 0));
        }
        let order = SplitMix64::for_stream(seed, SPLIT_STREAM).permutation(self.len());
        let (validation, train) = order.split_at(held_out);
        (self.select(train), self.select(validation))
    }

    /// The labels as plain numbers.
    pub fn label_values(&self) -> Vec<i64> {
        Vec::try_from(self.labels.to_device(Device::Cpu)).expect("labels are int64 [n]")
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn numbered(count: i64) -> Samples {
        Samples {
            inputs: vec![Tensor::zeros([count, 28, 28], (Kind::Uint8, Device::Cpu))],
            labels: Tensor::arange(count, (Kind::Int64, Device::Cpu)),
            texts: None,
        }
    }

    #[test]
    fn a_split_loses_nothing_and_repeats() {
        let (train, validation) = numbered(50).split(0.2, 7);
        assert_eq!((train.len(), validation.len()), (40, 10));
        let mut all = [train.label_values(), validation.label_values()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<i64>>());
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

    #[test]
    fn chosen_texts_are_as_wide_as_they_need() {
        let texts = Samples {
            inputs: vec![
                Tensor::arange(12, (Kind::Int64, Device::Cpu)).reshape([3, 4]),
                Tensor::from_slice(&[2_i32, 4, 1]),
            ],
            labels: Tensor::from_slice(&[0_i64, 1, 0]),
            texts: None,
        };
        let widths = |chosen: &Samples| chosen.inputs[0].size();
        assert_eq!(widths(&texts.select(&[2, 0])), [2, 2]);
        assert_eq!(widths(&texts.select(&[1])), [1, 4]);
        assert_eq!(widths(&texts.slice(2, 5)), [1, 1]);
        assert_eq!(texts.select(&[]).len(), 0);
    }
}
