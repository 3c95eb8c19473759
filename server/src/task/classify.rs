//! Image classification: pictures to frames, probabilities to ranked labels.

use bytes::Bytes;
use quintet_bundle::image::{Framing, SIDE, frame_digit};
use quintet_bundle::{DataType, Dim, Manifest, Preprocessing, TensorSpec};

use crate::decode::{BadPicture, Picture};
use crate::runtime::Row;

/// One class and how probable the model holds it to be.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedLabel {
    /// Its place in the model's output.
    pub index: usize,
    /// In `[0, 1]`.
    pub probability: f32,
}

/// Whether the model takes digit frames and gives one probability per label.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let expected_input = [Dim::from("N"), SIDE.into(), SIDE.into()];
    let expected_output = [Dim::from("N"), manifest.labels.len().into()];
    let is = |specs: &[TensorSpec], datatype, shape: &[Dim]| matches!(specs, [spec] if spec.datatype == datatype && spec.shape == shape);
    if !is(&manifest.inputs, DataType::Uint8, &expected_input) {
        return Err(format!(
            "its input is not one UINT8 tensor [N, {SIDE}, {SIDE}]"
        ));
    }
    if !is(&manifest.outputs, DataType::Float32, &expected_output) {
        return Err(format!(
            "its output is not one FP32 tensor [N, {}], one per label",
            manifest.labels.len()
        ));
    }
    match manifest.preprocessing {
        Some(Preprocessing::DigitFrame {
            width: SIDE,
            height: SIDE,
        }) => Ok(()),
        _ => Err(format!(
            "its pre-processing is not a digit frame of {SIDE}x{SIDE}"
        )),
    }
}

/// A picture as the model's input row.
pub fn prepare(picture: &Picture, framing: Framing, max_pixels: u64) -> Result<Row, BadPicture> {
    if let Picture::Raw {
        width: 28,
        height: 28,
        channels: 1,
        data,
    } = picture
        && framing == Framing::None
        && data.len() == SIDE * SIDE
    {
        // Already the model's input: the bytes go from the wire to the batch in one copy.
        return Ok(std::iter::once(data.clone()).collect());
    }
    let grey = picture.to_grey(max_pixels)?;
    let frame = Bytes::copy_from_slice(&frame_digit(&grey, framing));
    Ok(std::iter::once(frame).collect())
}

/// The model's output row as the `top_k` most probable classes, the most probable first. `top_k` 0 means 1; more than
/// there are gives all. `None`: the row holds something that is no probability.
pub fn finish(row: &Row, top_k: usize) -> Option<Vec<RankedLabel>> {
    let probabilities = row.first()?.chunks_exact(4).map(|bytes| {
        // chunks_exact gives four bytes each.
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    });
    let mut ranked: Vec<_> = probabilities
        .enumerate()
        .map(|(index, probability)| RankedLabel { index, probability })
        .collect();
    if ranked.iter().any(|label| !label.probability.is_finite()) {
        return None;
    }
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked.truncate(top_k.max(1));
    Some(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(probabilities: &[f32]) -> Row {
        let bytes: Vec<u8> = probabilities
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        std::iter::once(Bytes::from(bytes)).collect()
    }

    #[test]
    fn labels_are_ranked_and_cut() {
        let row = output(&[0.1, 0.7, 0.2]);
        for (top_k, expected) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![1, 2]),
            (3, vec![1, 2, 0]),
            (99, vec![1, 2, 0]),
        ] {
            let indices: Vec<_> = finish(&row, top_k)
                .unwrap()
                .iter()
                .map(|label| label.index)
                .collect();
            assert_eq!(indices, expected, "top_k {top_k}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_answer() {
        assert_eq!(finish(&output(&[0.5, f32::NAN]), 1), None);
        assert_eq!(finish(&Row::new(), 1), None);
    }

    #[test]
    fn a_raw_frame_is_not_copied() {
        let data = Bytes::from(vec![9; 784]);
        let picture = Picture::Raw {
            width: 28,
            height: 28,
            channels: 1,
            data: data.clone(),
        };
        let row = prepare(&picture, Framing::None, 1_000).unwrap();
        assert_eq!(row[0].as_ptr(), data.as_ptr());
    }
}
