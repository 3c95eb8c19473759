//! Which part of a long text an epoch learns from.
//!
//! A network reads the end of a long review. If it learns from other parts too, it has more to learn
//! from, and what it learns is less about how reviews end.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::Samples;
use super::reviews::MAX_TOKENS;
use crate::random::SplitMix64;

// Added to the epoch: its order and its crops are drawn from streams of their own.
const STREAM: u64 = 1 << 32;

/// How texts that are longer than a network reads are cropped for training. One that fits stays
/// whole, and where the texts validate or test, their ends are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The chance that a text is cropped anywhere, every place being as likely, instead of to its
    /// end. Drawn afresh for each text and epoch.
    pub chance: f64,
}

// === impl Crop ===

impl Crop {
    /// Where the crops of texts of `lengths` tokens start in epoch `epoch` (from 1).
    fn starts(&self, lengths: &[i64], seed: u64, epoch: u32) -> Vec<i64> {
        let mut random = SplitMix64::for_stream(seed, STREAM + u64::from(epoch));
        let start = |&length: &i64| {
            let end = (length as usize).saturating_sub(MAX_TOKENS);
            let is_anywhere = end > 0 && random.unit() < self.chance;
            (if is_anywhere {
                random.below(end + 1)
            } else {
                end
            }) as i64
        };
        lengths.iter().map(start).collect()
    }
}

// === impl Samples ===

impl Samples {
    /// The samples as epoch `epoch` (from 1) learns from them; what is no text is as it was.
    #[must_use]
    pub fn cropped(&self, crop: &Crop, seed: u64, epoch: u32) -> Self {
        let inputs = self.texts.as_ref().map_or_else(
            || self.inputs.iter().map(Tensor::shallow_clone).collect(),
            |texts| {
                let lengths = Vec::try_from(texts.lengths.to_device(Device::Cpu));
                let lengths: Vec<i64> = lengths.expect("lengths are int64 [n]");
                let starts = crop.starts(&lengths, seed, epoch);
                texts.windows(&Tensor::from_slice(&starts).to_device(texts.lengths.device()))
            },
        );
        Self {
            inputs,
            labels: self.labels.shallow_clone(),
            texts: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::reviews::Texts;

    const LENGTHS: [i64; 5] = [1, 199, 200, 201, 1000];

    #[test]
    fn crops_lie_within_their_texts_and_what_fits_is_untouched() {
        let crop = Crop { chance: 1.0 };
        let mut seen = Vec::new();
        for epoch in 1..=2_000 {
            let starts = crop.starts(&LENGTHS, 1, epoch);
            assert_eq!(starts[..3], [0, 0, 0]);
            assert!((0..=1).contains(&starts[3]) && (0..=800).contains(&starts[4]));
            seen.push(starts[4]);
        }
        let mean = seen.iter().sum::<i64>() / seen.len() as i64;
        assert!((380..420).contains(&mean), "{mean}");
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 700, "{} places of 801", seen.len());
    }

    #[test]
    fn the_chance_says_how_many_are_not_the_end() {
        for (chance, expected) in [(0.0, 0..=0), (0.3, 270..=330), (1.0, 995..=1000)] {
            let lengths = [10_000; 1000];
            let starts = Crop { chance }.starts(&lengths, 7, 1);
            let elsewhere = starts.iter().filter(|&&start| start != 9_800).count();
            assert!(expected.contains(&elsewhere), "{chance}: {elsewhere}");
        }
    }

    #[test]
    fn seed_and_epoch_decide() {
        let starts = |seed, epoch| Crop { chance: 0.5 }.starts(&[5_000; 50], seed, epoch);
        assert_eq!(starts(1, 1), starts(1, 1));
        assert_ne!(starts(1, 1), starts(1, 2));
        assert_ne!(starts(1, 1), starts(2, 1));
    }

    #[test]
    fn cropped_samples_keep_their_labels_and_hold_windows() {
        let tokens = Tensor::from_slice(&(0..900).collect::<Vec<i32>>());
        let texts = Texts::new(tokens, Tensor::from_slice(&[500_i64, 400]));
        let samples = Samples::from_texts(texts, &[1, 0]);
        let ends = |row| samples.inputs[0].int64_value(&[row, 199]);
        assert_eq!((ends(0), ends(1)), (499, 899));
        let cropped = samples.cropped(&Crop { chance: 1.0 }, 3, 1);
        assert_eq!(cropped.label_values(), [1, 0]);
        for (row, text) in [(0, 0..500), (1, 500..900)] {
            let window = Vec::<i64>::try_from(cropped.inputs[0].get(row)).unwrap();
            assert_eq!(window.len(), 200);
            assert!(window.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert!(text.contains(&window[0]) && text.contains(&window[199]));
        }
        // A part of the samples has its own texts.
        let second = samples.select(&[1]).cropped(&Crop { chance: 0.0 }, 3, 1);
        assert_eq!(second.inputs[0].int64_value(&[0, 199]), 899);
    }
}
