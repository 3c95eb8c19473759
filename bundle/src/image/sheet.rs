//! Many frames as one picture.

use image::GrayImage;

/// Grey pictures of one size (width, height) side by side, `columns` of them a row, row by row from
/// the top left. Places without a picture are black.
///
/// A picture of another size counts as far as it goes; `columns` of 0 counts as 1.
pub fn sheet<P: AsRef<[u8]>>(
    pictures: &[P],
    [width, height]: [usize; 2],
    columns: usize,
) -> GrayImage {
    let columns = columns.max(1);
    let stride = columns * width;
    let lines = pictures.len().div_ceil(columns) * height;
    let mut pixels = vec![0; stride * lines];
    for (place, picture) in pictures.iter().enumerate() {
        let (top, left) = (place / columns * height, place % columns * width);
        let rows = picture.as_ref().chunks_exact(width).take(height);
        for (line, row) in rows.enumerate() {
            pixels[(top + line) * stride + left..][..width].copy_from_slice(row);
        }
    }
    GrayImage::from_raw(stride as u32, lines as u32, pixels).expect("there is a byte a pixel")
}

/// As many columns as make a sheet of `count` pictures as near to a square as it can be: as many as
/// rows, or one more.
pub fn square_columns(count: usize) -> usize {
    count.isqrt() + usize::from(count.isqrt().pow(2) < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_has_its_place() {
        let frames: Vec<Vec<u8>> = (1..=7).map(|grey| vec![grey; 5 * 4]).collect();
        let sheet = sheet(&frames, [5, 4], 3);
        assert_eq!(sheet.dimensions(), (15, 12));
        for place in 0..9 {
            let (x, y) = (place % 3 * 5, place / 3 * 4);
            let expected = if place < 7 { place as u8 + 1 } else { 0 };
            for (x, y) in [(x, y), (x + 4, y + 3)] {
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
