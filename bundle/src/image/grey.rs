//! Raw pixels to grey levels.

use ::image::GrayImage;

/// Raw pixels that are not a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("image {0}")]
pub struct ImageError(String);

/// Grey levels of interleaved 8-bit pixels: grey, grey and alpha, RGB, or RGBA.
///
/// Colour becomes luma (ITU-R BT.601). Transparent pixels show what drawing programs show:
/// white paper, or black ground where the visible ink is light.
pub fn to_grey(
    width: u32,
    height: u32,
    channels: u8,
    data: &[u8],
) -> Result<GrayImage, ImageError> {
    check(width, height, channels, data)?;
    let pixels = match channels {
        1 => data.to_vec(),
        2 => composite(
            data.as_chunks()
                .0
                .iter()
                .map(|&[grey, alpha]| (grey, alpha)),
        ),
        3 => data.as_chunks().0.iter().map(|&rgb| luma(rgb)).collect(),
        _ => {
            let rgba = data.as_chunks().0.iter();
            composite(rgba.map(|&[r, g, b, alpha]| (luma([r, g, b]), alpha)))
        }
    };
    Ok(GrayImage::from_raw(width, height, pixels).expect("one byte per pixel, counted above"))
}

/// Checks that `data` is a picture of this size and number of channels.
pub(super) fn check(width: u32, height: u32, channels: u8, data: &[u8]) -> Result<(), ImageError> {
    // Saturation is only reached where no slice could be long enough.
    let expected = (u64::from(width) * u64::from(height)).saturating_mul(channels.into());
    let actual = data.len() as u64;
    let problem = if width == 0 || height == 0 {
        format!("is {width} x {height} pixels, both must be at least 1")
    } else if !(1..=4).contains(&channels) {
        let allowed = "1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)";
        format!("has {channels} channels, must be {allowed}")
    } else if actual != expected {
        let size = format!("of {width} x {height} pixels and {channels} channels");
        format!("{size} needs {expected} bytes, got {actual}")
    } else {
        return Ok(());
    };
    Err(ImageError(problem))
}

/// A level with this alpha over paper of another.
pub(super) fn over(paper: u8, level: u8, alpha: u8) -> u8 {
    let (paper, level, alpha) = (u32::from(paper), u32::from(level), u32::from(alpha));
    ((level * alpha + paper * (255 - alpha) + 127) / 255) as u8
}

/// Luma of ITU-R BT.601 in 16-bit fixed point; the weights sum to 65536, so grey stays grey.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
    ((sum + 32_768) >> 16) as u8
}

/// Lays pixels over paper: white, or black when the ink, weighted by its alpha, is mostly light.
fn composite(pixels: impl Iterator<Item = (u8, u8)> + Clone) -> Vec<u8> {
    let (mut ink, mut weight, mut transparent) = (0_u64, 0_u64, false);
    for (grey, alpha) in pixels.clone() {
        ink += u64::from(grey) * u64::from(alpha);
        weight += u64::from(alpha);
        transparent |= alpha < 255;
    }
    let paper = if transparent && ink > weight * 128 {
        0
    } else {
        255
    };
    pixels
        .map(|(grey, alpha)| over(paper, grey, alpha))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(channels: u8, data: &[u8]) -> Vec<u8> {
        let width = data.len() as u32 / u32::from(channels);
        to_grey(width, 1, channels, data).unwrap().into_raw()
    }

    #[test]
    fn grey_stays_grey() {
        assert_eq!(grey(1, &[0, 17, 255]), [0, 17, 255]);
        for level in 0..=255 {
            assert_eq!(grey(3, &[level; 3]), [level]);
            assert_eq!(grey(2, &[level, 255]), [level]);
            assert_eq!(grey(4, &[level, level, level, 255]), [level]);
        }
    }

    #[test]
    fn green_is_lightest() {
        assert_eq!(grey(3, &[255, 0, 0, 0, 255, 0, 0, 0, 255]), [76, 150, 29]);
    }

    #[test]
    fn transparent_ground_contrasts_with_the_ink() {
        // Dark ink, and a hidden white that must not count.
        assert_eq!(grey(2, &[0, 255, 255, 0, 40, 255]), [0, 255, 40]);
        // Light ink, and a hidden black.
        assert_eq!(grey(4, &[255, 255, 255, 255, 0, 0, 0, 0]), [255, 0]);
        // Half transparent black over white.
        assert_eq!(grey(2, &[0, 128]), [127]);
        // Nothing but transparency is white paper.
        assert_eq!(grey(2, &[9, 0]), [255]);
    }

    #[test]
    fn refusals() {
        let message = |w, h, c, data: &[u8]| to_grey(w, h, c, data).unwrap_err().to_string();
        assert_eq!(
            message(0, 3, 1, &[]),
            "image is 0 x 3 pixels, both must be at least 1"
        );
        assert!(message(1, 1, 5, &[0; 5]).contains("has 5 channels, must be 1"));
        assert!(message(2, 2, 3, &[0; 11]).ends_with("needs 12 bytes, got 11"));
        assert!(message(u32::MAX, u32::MAX, 4, &[]).contains("needs"));
    }
}
