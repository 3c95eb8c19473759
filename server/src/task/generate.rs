//! Image generation: candidates of a seed to noise; and which digit a classifier's labels mean.

use std::ops::Range;

use bytes::Bytes;
use quintet_bundle::image::SIDE;
use quintet_bundle::{DataType, Manifest, TensorSpec, noise};

use crate::flow::Rows;

/// Numbers of noise that make one image.
const NOISE: usize = 100;

/// Whether the model takes noise and gives digit frames.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let input = TensorSpec::new("noise", DataType::Float32, ["N".into(), NOISE.into()]);
    let output = TensorSpec::new(
        "pixels",
        DataType::Uint8,
        ["N".into(), SIDE.into(), SIDE.into()],
    );
    if manifest.inputs != [input] {
        return Err(format!("its input is not `noise` FP32 [N, {NOISE}]"));
    }
    if manifest.outputs != [output] {
        return Err(format!(
            "its output is not `pixels` UINT8 [N, {SIDE}, {SIDE}]"
        ));
    }
    Ok(())
}

/// The input rows of these candidates of a seed.
pub fn prepare(seed: u64, candidates: Range<u64>) -> Rows {
    let rows = (candidates.end - candidates.start) as usize;
    let mut numbers = vec![0_f32; rows * NOISE];
    for (row, candidate) in numbers.chunks_exact_mut(NOISE).zip(candidates) {
        noise::fill(seed, candidate, row);
    }
    // As they lie in memory, which is little-endian wherever this server builds.
    let bytes = Bytes::copy_from_slice(bytemuck::cast_slice(&numbers));
    let size = NOISE * size_of::<f32>();
    let row = |row: usize| std::iter::once(bytes.slice(row * size..(row + 1) * size)).collect();
    (0..rows).map(row).collect()
}

/// The digit of each label, if they are exactly the ten digits.
pub fn digits(labels: &[String]) -> Option<[u8; 10]> {
    let digit = |label: &String| match label.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    };
    let digits: Vec<u8> = labels.iter().map(digit).collect::<Option<_>>()?;
    let digits: [u8; 10] = digits.try_into().ok()?;
    (0..10)
        .all(|digit| digits.contains(&digit))
        .then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_noise_of_its_candidate() {
        let rows = prepare(7, 5..8);
        assert_eq!(rows.len(), 3);
        for (row, candidate) in rows.iter().zip(5..) {
            let mut expected = [0.0; NOISE];
            noise::fill(7, candidate, &mut expected);
            let expected: Vec<u8> = expected.iter().flat_map(|it| it.to_le_bytes()).collect();
            assert_eq!(row[..], [Bytes::from(expected)]);
        }
    }

    #[test]
    fn labels_are_digits_in_any_order_or_none() {
        let labels = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert_eq!(
            digits(&labels("0 1 2 3 4 5 6 7 8 9")),
            Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        );
        assert_eq!(
            digits(&labels("9 1 2 3 4 5 6 7 8 0")),
            Some([9, 1, 2, 3, 4, 5, 6, 7, 8, 0])
        );
        for other in [
            "0 1 2 3 4 5 6 7 8",
            "0 1 2 3 4 5 6 7 8 9 a",
            "0 1 2 3 4 5 6 7 8 8",
            "0 1 2 3 4 5 6 7 8 nine",
            "00 1 2 3 4 5 6 7 8 9",
        ] {
            assert_eq!(digits(&labels(other)), None, "{other}");
        }
    }
}
