//! Pixels as a decoder or a caller gives them, in the channels that a model takes.

use std::borrow::Cow;

use ::image::GrayImage;

use super::{Channels, ImageError, WHITE, colour, grey, to_grey};

/// A picture of interleaved 8-bit pixels, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// In pixels, at least 1.
    pub width: u32,
    /// In pixels, at least 1.
    pub height: u32,
    /// What the channels are.
    pub channels: Channels,
    /// `width * height` pixels.
    pub data: Vec<u8>,
    /// The parts of the outermost pixels that lie outside the picture.
    pub margins: Margins,
}

/// The parts of the outermost pixels that lie outside the picture, in eighths of a pixel, each less
/// than a pixel.
///
/// A decoder that divides a picture's sides rounds them up, so its last pixels hold less of it.
/// EXIF's orientation may turn them to any side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Margins {
    /// Left and right.
    pub across: [u8; 2],
    /// Top and bottom.
    pub down: [u8; 2],
}

/// What a picture's colours become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// These channels. Transparent pixels show the background.
    Channels(Channels),
    /// Grey levels of a drawing: transparent pixels show a ground that its ink stands out from
    /// ([`to_grey`]).
    Drawing,
    /// Grey levels in which ink and paper differ most, whatever their colours.
    Ink,
}

impl From<Channels> for Colours {
    fn from(channels: Channels) -> Self {
        Self::Channels(channels)
    }
}

impl Pixels {
    /// Turns raw pixels into `wanted`: 1 channel is grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    ///
    /// Transparent pixels show white, except in a drawing.
    ///
    /// # Errors
    /// [`ImageError`]: no such number of channels, no pixels, or another number of bytes.
    pub fn of(
        size: (u32, u32),
        channels: u8,
        data: &[u8],
        wanted: impl Into<Colours>,
    ) -> Result<Self, ImageError> {
        Self::over(WHITE, size, channels, data.into(), wanted.into())
    }

    /// [`Self::of`] of pixels through which `background` shows, in red, green and blue.
    ///
    /// # Errors
    /// [`ImageError`] like [`Self::of`].
    pub fn over(
        background: [u8; 3],
        (width, height): (u32, u32),
        channels: u8,
        data: Cow<'_, [u8]>,
        wanted: Colours,
    ) -> Result<Self, ImageError> {
        let wanted = match wanted {
            Colours::Ink => return Ok(colour::to_ink((width, height), channels, &data)?.into()),
            Colours::Drawing => return Ok(to_grey(width, height, channels, &data)?.into()),
            Colours::Channels(wanted) => wanted,
        };
        grey::check(width, height, channels, &data)?;
        let over = |[r, g, b]: [u8; 3], alpha| {
            [
                grey::over(background[0], r, alpha),
                grey::over(background[1], g, alpha),
                grey::over(background[2], b, alpha),
            ]
        };
        let mut rgb: Vec<u8> = match channels {
            1 if wanted == Channels::Grey => {
                let grey = GrayImage::from_raw(width, height, data.into_owned());
                return Ok(grey.expect("one byte per pixel, counted above").into());
            }
            1 => data.iter().flat_map(|&level| [level; 3]).collect(),
            2 => {
                let pixels = data.as_chunks().0.iter();
                let rgb = |&[level, alpha]: &[u8; 2]| over([level; 3], alpha);
                pixels.flat_map(rgb).collect()
            }
            3 => data.into_owned(),
            _ => {
                let pixels = data.as_chunks().0.iter();
                let rgb = |&[r, g, b, alpha]: &[u8; 4]| over([r, g, b], alpha);
                pixels.flat_map(rgb).collect()
            }
        };
        match wanted {
            Channels::Rgb => {}
            Channels::Bgr => {
                for pixel in rgb.as_chunks_mut::<3>().0 {
                    pixel.swap(0, 2);
                }
            }
            Channels::Grey => rgb = rgb.as_chunks().0.iter().map(|&it| grey::luma(it)).collect(),
        }
        Ok(Self {
            width,
            height,
            channels: wanted,
            data: rgb,
            margins: Margins::default(),
        })
    }
}

impl Pixels {
    /// Whether not all pixels are the same.
    pub fn has_colours(&self) -> bool {
        let mut pixels = self.data.chunks_exact(self.channels.count());
        let first = pixels.next();
        pixels.any(|pixel| Some(pixel) != first)
    }
}

impl From<GrayImage> for Pixels {
    fn from(grey: GrayImage) -> Self {
        Self {
            width: grey.width(),
            height: grey.height(),
            channels: Channels::Grey,
            data: grey.into_raw(),
            margins: Margins::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(channels: u8, data: &[u8], wanted: Channels) -> Vec<u8> {
        let width = data.len() as u32 / u32::from(channels);
        Pixels::of((width, 1), channels, data, wanted).unwrap().data
    }

    #[test]
    fn channels_in_the_order_asked_for() {
        assert_eq!(
            pixels(3, &[1, 2, 3, 4, 5, 6], Channels::Rgb),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(
            pixels(3, &[1, 2, 3, 4, 5, 6], Channels::Bgr),
            [3, 2, 1, 6, 5, 4]
        );
        assert_eq!(pixels(1, &[7, 9], Channels::Rgb), [7, 7, 7, 9, 9, 9]);
        assert_eq!(pixels(3, &[0, 255, 0], Channels::Grey), [150]);
    }

    #[test]
    fn transparent_colour_shows_the_background() {
        let data = [10, 20, 30, 255, 0, 0, 0, 0].as_slice().into();
        let over = Pixels::over([1, 2, 3], (2, 1), 4, data, Channels::Bgr.into());
        assert_eq!(over.unwrap().data, [30, 20, 10, 3, 2, 1]);
    }

    #[test]
    fn transparent_grey_shows_the_background_whatever_the_ink() {
        for ink in [0, 255] {
            let data = [ink, 255, 9, 0];
            let over = |background| {
                let wanted = Channels::Grey.into();
                Pixels::over(background, (2, 1), 2, data[..].into(), wanted).unwrap()
            };
            assert_eq!(over(WHITE).data, [ink, 255]);
            assert_eq!(over([0; 3]).data, [ink, 0]);
            assert_eq!(over([0, 255, 0]).data, [ink, 150]);
        }
        let light = [255, 255, 9, 0].as_slice().into();
        let drawing = Pixels::over(WHITE, (2, 1), 2, light, Colours::Drawing);
        assert_eq!(drawing.unwrap().data, [255, 0]);
    }

    #[test]
    fn transparent_colour_shows_white() {
        assert_eq!(
            pixels(4, &[10, 20, 30, 255, 0, 0, 0, 0], Channels::Rgb),
            [10, 20, 30, 255, 255, 255]
        );
        assert_eq!(pixels(2, &[0, 128], Channels::Rgb), [127; 3]);
    }
}
