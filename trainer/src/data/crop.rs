//! Which part of a long text an epoch learns from.
//!
//! A network reads the end of a long review. Learning from other parts too gives it more samples,
//! and makes what it learns depend less on how reviews end.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::Samples;
use crate::random::SplitMix64;

// Added to the epoch: its order and its crops are drawn from different streams.
const STREAM: u64 = 1 << 32;

/// How texts that are longer than a network reads are cropped for training. One that fits stays
/// whole. Of validation and test texts, the ends are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The chance that a text is cropped to a random place, uniformly, instead of to its end. Drawn
    /// again for each text and epoch.
    pub chance: f64,
}

impl Crop {
    // Where the crops of texts start in epoch `epoch` (from 1); `ends` are the starts of their
    // ends.
    fn starts(&self, ends: &[i64], seed: u64, epoch: u32) -> Vec<i64> {
        let mut random = SplitMix64::for_stream(seed, STREAM + u64::from(epoch));
        let start = |&end: &i64| {
            let is_random = end > 0 && random.unit() < self.chance;
            if is_random {
                random.below(end as usize + 1) as i64
            } else {
                end
            }
        };
        ends.iter().map(start).collect()
    }
}

impl Samples {
    /// The samples as epoch `epoch` (from 1) learns from them. Samples without texts are unchanged.
    #[must_use]
    pub fn cropped(&self, crop: &Crop, seed: u64, epoch: u32) -> Self {
        let Some(texts) = &self.texts else {
            return self.slice(0, self.len());
        };
        let ends = Vec::<i64>::try_from(texts.last_starts().to_device(Device::Cpu));
        let starts = crop.starts(&ends.expect("lengths are int64 [n]"), seed, epoch);
        Self {
            inputs: texts.windows(&Tensor::from_slice(&starts).to_device(texts.lengths.device())),
            labels: self.labels.shallow_clone(),
            texts: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::{Frame, Texts};

    // Of texts of up to 200, of 201 and of 1000 tokens, of which 200 are read.
    const ENDS: [i64; 5] = [0, 0, 0, 1, 800];

    #[test]
    fn crops_lie_within_their_texts_and_what_fits_is_untouched() {
        let crop = Crop { chance: 1.0 };
        let mut seen = Vec::new();
        for epoch in 1..=2_000 {
            let starts = crop.starts(&ENDS, 1, epoch);
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
            let starts = Crop { chance }.starts(&[9_800; 1000], 7, 1);
            let elsewhere = starts.iter().filter(|&&start| start != 9_800).count();
            assert!(expected.contains(&elsewhere), "{chance}: {elsewhere}");
        }
    }

    #[test]
    fn seed_and_epoch_decide() {
        let starts = |seed, epoch| Crop { chance: 0.5 }.starts(&[4_800; 50], seed, epoch);
        assert_eq!(starts(1, 1), starts(1, 1));
        assert_ne!(starts(1, 1), starts(1, 2));
        assert_ne!(starts(1, 1), starts(2, 1));
    }

    #[test]
    fn cropped_samples_keep_their_labels_and_hold_windows() {
        let tokens = Tensor::from_slice(&(0..900).collect::<Vec<i32>>());
        let texts = Texts::new(
            tokens,
            Tensor::from_slice(&[500_i64, 400]),
            200,
            Frame::default(),
        );
        let samples = Samples::from_texts(texts, Tensor::from_slice(&[1_i64, 0]));
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
