//! From a seed to rows of noise.

use std::ops::Range;

use bytes::Bytes;
use quintet_bundle::noise::{self, NoiseSpec};

use crate::runtime::Rows;

/// The input rows of these candidates of a seed.
pub(super) fn rows(spec: NoiseSpec, seed: u64, candidates: Range<u64>) -> Rows {
    let rows = (candidates.end - candidates.start) as usize;
    let mut numbers = vec![0_f32; rows * spec.size];
    for (row, candidate) in numbers.chunks_exact_mut(spec.size).zip(candidates) {
        noise::fill(seed, candidate, row);
    }
    // As they lie in memory, which is little-endian wherever this server builds.
    let bytes = Bytes::copy_from_slice(bytemuck::cast_slice(&numbers));
    let size = spec.size * size_of::<f32>();
    let row = |row: usize| std::iter::once(bytes.slice(row * size..(row + 1) * size)).collect();
    (0..rows).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_noise_of_its_candidate() {
        let rows = rows(NoiseSpec { size: 100 }, 7, 5..8);
        assert_eq!(rows.len(), 3);
        for (row, candidate) in rows.iter().zip(5..) {
            let mut expected = [0.0; 100];
            noise::fill(7, candidate, &mut expected);
            let expected: Vec<u8> = expected.iter().flat_map(|it| it.to_le_bytes()).collect();
            assert_eq!(row[..], [Bytes::from(expected)]);
        }
    }
}
