//! Many frames as one picture.

use image::GrayImage;

use super::SIDE;

/// Frames of `SIDE * SIDE` grey levels side by side, `columns` of them a row, row by row from the top left. Places for
/// which there is no frame are black, as is the ground of a frame.
///
/// A frame of another size counts as far as it goes; `columns` of 0 counts as 1.
pub fn sheet<F: AsRef<[u8]>>(frames: &[F], columns: usize) -> GrayImage {
    let columns = columns.max(1);
    let width = columns * SIDE;
    let height = frames.len().div_ceil(columns) * SIDE;
    let mut pixels = vec![0; width * height];
    for (place, frame) in frames.iter().enumerate() {
        let (top, left) = (place / columns * SIDE, place % columns * SIDE);
        for (line, row) in frame.as_ref().chunks_exact(SIDE).take(SIDE).enumerate() {
            let start = (top + line) * width + left;
            pixels[start..start + SIDE].copy_from_slice(row);
        }
    }
    GrayImage::from_raw(width as u32, height as u32, pixels).expect("there is a byte a pixel")
}

/// As many columns as make a sheet of `count` frames as near to a square as it can be: as many as rows, or one more.
pub fn square_columns(count: usize) -> usize {
    count.isqrt() + usize::from(count.isqrt().pow(2) < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_has_its_place() {
        let frames: Vec<Vec<u8>> = (1..=7).map(|grey| vec![grey; SIDE * SIDE]).collect();
        let sheet = sheet(&frames, 3);
        let side = SIDE as u32;
        assert_eq!(sheet.dimensions(), (3 * side, 3 * side));
        for place in 0..9 {
            let (x, y) = (place % 3 * side, place / 3 * side);
            let expected = if place < 7 { place as u8 + 1 } else { 0 };
            for (x, y) in [(x, y), (x + side - 1, y + side - 1)] {
                assert_eq!(sheet.get_pixel(x, y).0, [expected], "{x} {y}");
            }
        }
    }

    #[test]
    fn a_square_has_as_many_columns_as_rows_or_one_more() {
        for (count, columns) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 2),
            (5, 3),
            (7, 3),
            (10, 4),
            (100, 10),
        ] {
            assert_eq!(square_columns(count), columns, "{count}");
        }
    }
}
