//! A picture of a garment to a frame of Fashion-MNIST.
//!
//! Its authors took a shop's photographs, garments on white paper, and cut each to the garment,
//! brought its longer side to 28 pixels, centred it and negated the levels (Xiao et al. 2017,
//! arXiv:1708.07747). So a frame is a light garment on black, and so is what [`frame_garment`] makes
//! of a picture, whether its ground is lighter or darker than the garment.

use super::{Filter, GrayImage, Pixels, SIDE, resize};

/// What differs less from the ground than this is ground.
const FAINT: u8 = 16;

/// Makes a frame of a picture of one garment on even ground: cut to the garment, its longer side 28
/// pixels, centred, light on black.
///
/// A picture without anything on its ground gives a black frame.
pub(super) fn frame_garment(image: &GrayImage) -> [u8; SIDE * SIDE] {
    let lit = above_ground(image);
    let mut frame = [0; SIDE * SIDE];
    let Some([left, top, right, bottom]) = bounds(&lit) else {
        return frame;
    };
    let size = [right - left + 1, bottom - top + 1];
    let garment = ::image::imageops::crop_imm(&lit, left, top, size[0], size[1]).to_image();
    let longer = u64::from(size[0].max(size[1]));
    let scaled =
        |side: u32| ((u64::from(side) * SIDE as u64 + longer / 2) / longer).max(1) as usize;
    let [width, height] = size.map(scaled);
    let pixels = resize::resize(&Pixels::from(garment), (width, height), Filter::Bilinear);
    let (left, top) = ((SIDE - width) / 2, (SIDE - height) / 2);
    for (row, pixels) in pixels.chunks_exact(width).enumerate() {
        frame[(top + row) * SIDE + left..][..width].copy_from_slice(pixels);
    }
    frame
}

/// How far each pixel is from the ground, stretched so that the farthest possible is 255. Ground is
/// the level of most of the border; what lies beyond it, as a gleam on white paper, is ground too.
fn above_ground(image: &GrayImage) -> GrayImage {
    let ground = u32::from(border(image));
    let is_light = ground > 127;
    let room = if is_light { ground } else { 255 - ground };
    let mut lit = image.clone();
    for pixel in lit.iter_mut() {
        let level = u32::from(*pixel);
        let above = if is_light {
            ground.saturating_sub(level)
        } else {
            level.saturating_sub(ground)
        };
        *pixel = (above * 255 / room) as u8;
    }
    lit
}

/// The median level of the outermost pixels.
fn border(image: &GrayImage) -> u8 {
    let (width, height) = image.dimensions();
    let rows = (0..width).flat_map(|x| [(x, 0), (x, height - 1)]);
    let columns = (0..height).flat_map(|y| [(0, y), (width - 1, y)]);
    let mut levels: Vec<u8> = rows
        .chain(columns)
        .map(|(x, y)| image.get_pixel(x, y).0[0])
        .collect();
    let middle = levels.len() / 2;
    *levels.select_nth_unstable(middle).1
}

/// The first and last column and row with something on the ground: left, top, right, bottom.
fn bounds(lit: &GrayImage) -> Option<[u32; 4]> {
    let there = lit
        .enumerate_pixels()
        .filter(|(_, _, pixel)| pixel.0[0] > FAINT);
    there.fold(None, |bounds, (x, y, _)| {
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

#[cfg(test)]
mod tests {
    use ::image::Luma;
    use ::image::imageops::{FilterType, overlay, resize};

    use super::*;

    /// A frame as those of the data set: a T-shirt whose longer side fills it.
    fn shirt() -> GrayImage {
        GrayImage::from_fn(28, 28, |x, y| {
            let sleeves = (4..=10).contains(&y) && (2..=25).contains(&x);
            let body = (8..=19).contains(&x);
            let level = 120 + 4 * y as u8;
            Luma([if sleeves || body { level } else { 0 }])
        })
    }

    fn difference(frame: &[u8], expected: &GrayImage) -> f64 {
        let pairs = frame.iter().zip(expected.as_raw());
        let sum: u32 = pairs.map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
        f64::from(sum) / f64::from(28 * 28)
    }

    #[test]
    fn a_shops_photograph_becomes_the_frame_that_it_was() {
        let frame = shirt();
        let large = resize(&frame, 280, 280, FilterType::Nearest);
        for (ground, width, height, left, top) in [
            (255, 400, 300, 90, 11),
            (255, 290, 800, 3, 400),
            (0, 600, 300, 0, 20),
        ] {
            let mut picture = GrayImage::from_pixel(width, height, Luma([ground]));
            let mut garment = large.clone();
            if ground == 255 {
                ::image::imageops::invert(&mut garment);
            }
            overlay(&mut picture, &garment, left, top);
            let difference = difference(&frame_garment(&picture), &frame);
            assert!(
                difference < 5.0,
                "{width}x{height} on {ground}: {difference}"
            );
        }
    }

    #[test]
    fn grey_paper_is_ground_and_a_gleam_on_it_too() {
        let mut picture = GrayImage::from_pixel(100, 100, Luma([220]));
        let mut garment = resize(&shirt(), 84, 84, FilterType::Nearest);
        for pixel in garment.iter_mut() {
            *pixel = 220 - (u32::from(*pixel) * 220 / 255) as u8;
        }
        overlay(&mut picture, &garment, 8, 8);
        picture.put_pixel(2, 50, Luma([250]));
        let difference = difference(&frame_garment(&picture), &shirt());
        assert!(difference < 5.0, "{difference}");
    }

    #[test]
    fn narrow_and_empty_pictures() {
        let line = GrayImage::from_fn(3, 2000, |x, _| Luma([if x == 1 { 0 } else { 255 }]));
        let frame = frame_garment(&line);
        assert_eq!(frame.iter().filter(|&&level| level > 0).count(), 28);
        for (width, height) in [(1, 1), (1, 50), (40, 40)] {
            let plain = GrayImage::from_pixel(width, height, Luma([200]));
            assert_eq!(frame_garment(&plain), [0; 28 * 28]);
        }
    }
}
