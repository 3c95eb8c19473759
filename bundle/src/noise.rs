//! The noise that a generator turns into an image: the seed alone decides the numbers.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::error::check;
use crate::{ManifestError, PreprocessingKind};

/// Largest size of a generator's noise; bounds what a row of a batch holds.
const MAX_SIZE: usize = 65_536;

/// What a manifest says about a generator's noise: standard normal, from seed and index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseSpec {
    /// Numbers for each image.
    pub size: usize,
    /// Whether an image's label stays the same when the image is turned, moved or made smaller a
    /// little. A filter by the label's confidence then asks the classifier about such copies, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub affine_invariant: bool,
}

impl PreprocessingKind for NoiseSpec {
    const KIND: &'static str = "noise";

    fn validate(&self) -> Result<(), ManifestError> {
        let fits = (1..=MAX_SIZE).contains(&self.size);
        let allowed = format!("1 to {MAX_SIZE}");
        check(fits, "preprocessing.size", self.size, allowed)
    }
}

/// Fills `out` with the noise of candidate `index` of `seed`: independent numbers of the standard
/// normal distribution.
///
/// The generator is counter-based, so any candidate can be drawn without those before it: ChaCha
/// with 8 rounds (Bernstein 2008, "ChaCha, a variant of Salsa20"). Its key is `seed` in
/// little-endian order, followed by 24 zero bytes. Its stream number (nonce) is `index`. Its block
/// counter starts at 0. Two 32-bit words a, b of its output make two numbers (Box & Muller 1958):
/// with u = ((a >> 8) + 1) / 2²⁴ and v = (b >> 8) / 2²⁴, in double precision,
/// √(−2 ln u) · cos 2πv and √(−2 ln u) · sin 2πv. An odd last number is the first of its pair.
pub fn fill(seed: u64, index: u64, out: &mut [f32]) {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut words = ChaCha8Rng::from_seed(key);
    words.set_stream(index);
    let steps = f64::from(1 << 24);
    for pair in out.chunks_mut(2) {
        let u = f64::from((words.next_u32() >> 8) + 1) / steps;
        let v = f64::from(words.next_u32() >> 8) / steps;
        let radius = (-2.0 * u.ln()).sqrt();
        let angle = TAU * v;
        for (number, value) in pair.iter_mut().zip([angle.cos(), angle.sin()]) {
            *number = (radius * value) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_assert_ne, proptest};

    use super::*;

    fn noise(seed: u64, index: u64, length: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; length];
        fill(seed, index, &mut out);
        out
    }

    // A seed must always give the same image. Another program, written from the comment on `fill`,
    // made these numbers.
    #[test]
    fn the_numbers_never_change() {
        for (seed, index, expected) in [
            (0, 0, [0.95074, -1.56423, -0.29606]),
            (1, 0, [-0.70862, 0.65307, -0.10688]),
            (1, 7, [-0.20119, 0.63619, 0.32141]),
            (u64::MAX, u64::MAX, [1.44853, -0.26532, 0.11187]),
        ] {
            let actual = noise(seed, index, 3);
            let close = |(left, right): (&f32, f32)| (left - right).abs() < 1e-5;
            assert!(
                actual.iter().zip(expected).all(close),
                "seed {seed}, candidate {index}: {actual:?}"
            );
        }
    }

    #[test]
    fn it_is_standard_normal() {
        let numbers: Vec<f64> = (0..1000)
            .flat_map(|index| noise(5, index, 100))
            .map(f64::from)
            .collect();
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let moment = |power| numbers.iter().map(|it| it.powi(power)).sum::<f64>() / count;
        // Five standard errors each.
        assert!(mean.abs() < 0.016, "{mean}");
        assert!((moment(2) - 1.0).abs() < 0.023, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.16, "{}", moment(4));
    }

    proptest! {
        #[test]
        fn shorter_noise_is_the_start_of_longer(seed: u64, index: u64, length in 0_usize..120) {
            let long = noise(seed, index, 120);
            prop_assert!(long.iter().all(|it| it.is_finite() && it.abs() < 6.0));
            prop_assert_eq!(&noise(seed, index, length)[..], &long[..length]);
        }

        #[test]
        fn seeds_and_indices_are_streams_of_their_own(seed: u64, index: u64, step in 1_u64..) {
            let first = noise(seed, index, 8);
            prop_assert_ne!(&first, &noise(seed.wrapping_add(step), index, 8));
            prop_assert_ne!(&first, &noise(seed, index.wrapping_add(step), 8));
        }
    }
}
