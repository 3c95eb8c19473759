//! Pictures of any size to a model's size, as Pillow and torchvision resize and crop them.

use std::borrow::Cow;

use super::convolution::{Extent, across, down, windows};
use super::garment::frame_garment;
use super::spec::MOST_SEARCHED;
use super::{
    Channels, Filter, Findings, Fit, Framed, Framing, ImageSpec, Margins, Pixels, frame_digit,
};

/// Longest of a picture's sides, in its shorter ones, that is resized whole: bounds the work.
const MAX_ASPECT: usize = 32;

/// A picture that was made to fit a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// `height` rows of `width` pixels, in the picture's channels.
    pub pixels: Vec<u8>,
    /// Whether there is anything to read: the picture has more than one colour, and ink if that was
    /// searched for.
    pub readable: bool,
    /// What a search for a digit found, if there was one.
    pub findings: Option<Findings>,
}

impl ImageSpec {
    /// Makes a picture fit the model.
    ///
    /// With [`Framing::None`] nothing is cut off or searched for: a picture of another size is
    /// resized as a whole.
    pub fn fit(&self, picture: Pixels, framing: Framing) -> Fitted {
        let picture = match self.fit {
            Fit::Digit | Fit::Garment => searchable(picture),
            _ => picture,
        };
        if self.fit == Fit::Digit && framing == Framing::Auto {
            return self.fit_digit(picture);
        }
        Fitted {
            readable: picture.has_colours(),
            pixels: self.resized(picture, framing),
            findings: None,
        }
    }

    fn fit_digit(&self, picture: Pixels) -> Fitted {
        let grey = ::image::GrayImage::from_raw(picture.width, picture.height, picture.data);
        let Some(framed) = grey.map(|grey| Framed::of(&grey)) else {
            return Fitted {
                pixels: vec![0; self.bytes()],
                readable: false,
                findings: None,
            };
        };
        Fitted {
            pixels: framed.frame.to_vec(),
            readable: framed.findings.ink_found,
            findings: Some(framed.findings),
        }
    }

    /// The picture in the model's size, without a search for a digit.
    fn resized(&self, picture: Pixels, framing: Framing) -> Vec<u8> {
        let (width, height) = (picture.width, picture.height);
        let is_size = (width as usize, height as usize) == (self.width, self.height);
        match self.fit {
            Fit::Digit => match ::image::GrayImage::from_raw(width, height, picture.data) {
                Some(grey) => frame_digit(&grey, framing).to_vec(),
                None => vec![0; self.bytes()],
            },
            // A frame's size passes, whatever the framing: there is nothing to cut off.
            Fit::Garment if is_size => picture.data,
            Fit::Garment if framing == Framing::Auto => {
                match ::image::GrayImage::from_raw(width, height, picture.data) {
                    Some(grey) => frame_garment(&grey).to_vec(),
                    None => vec![0; self.bytes()],
                }
            }
            Fit::Garment => resize(&picture, (self.width, self.height), Filter::Bilinear),
            Fit::Squash { .. } | Fit::Crop { .. } if framing == Framing::None && is_size => {
                picture.data
            }
            Fit::Crop {
                shorter_side,
                filter,
            } if framing == Framing::Auto => self.resize_and_crop(picture, shorter_side, filter),
            Fit::Crop { filter, .. } | Fit::Squash { filter } => {
                resize(&picture, (self.width, self.height), filter)
            }
        }
    }

    /// The shorter side to `shorter_side` and the middle of that, as torchvision's `Resize` and
    /// `CenterCrop` do. Of a picture longer than [`MAX_ASPECT`] only the middle is looked at.
    fn resize_and_crop(&self, picture: Pixels, shorter_side: usize, filter: Filter) -> Vec<u8> {
        let shorter = picture.width.min(picture.height) as usize;
        let longest = shorter * MAX_ASPECT;
        let bounded = [picture.width, picture.height].map(|side| longest.min(side as usize));
        let picture = cut(picture, bounded);
        let (across, down) = picture.extents();
        let resized = [across, down].map(|extent| {
            (extent.length * shorter_side as f64 / across.length.min(down.length)) as usize
        });
        let pixels = Pixels {
            width: resized[0] as u32,
            height: resized[1] as u32,
            channels: picture.channels,
            data: resize(&picture, (resized[0], resized[1]), filter),
            margins: Margins::default(),
        };
        cut(pixels, [self.width, self.height]).data
    }
}

/// A picture of at most [`MOST_SEARCHED`] pixels.
fn searchable(picture: Pixels) -> Pixels {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut by = 1;
    while ((width / by) * (height / by)) as u64 > MOST_SEARCHED {
        by *= 2;
    }
    // One row or column that is longer than the bound has nothing to find.
    let size = (width / by, height / by);
    if by == 1 || size.0 == 0 || size.1 == 0 {
        return picture;
    }
    Pixels {
        width: size.0 as u32,
        height: size.1 as u32,
        channels: picture.channels,
        data: resize(&picture, size, Filter::Bilinear),
        margins: Margins::default(),
    }
}

/// The centre of a picture, of the given width and height in pixels.
fn cut(picture: Pixels, [width, height]: [usize; 2]) -> Pixels {
    let (from_width, from_height) = (picture.width as usize, picture.height as usize);
    if (from_width, from_height) == (width, height) {
        return picture;
    }
    // Python's `round`, which torchvision uses.
    let before = |side, kept| ((side - kept) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (before(from_width, width), before(from_height, height));
    let bytes = picture.channels.count();
    let rows = picture.data.chunks_exact(from_width * bytes);
    let rows = rows.skip(top).take(height);
    Pixels {
        width: width as u32,
        height: height as u32,
        channels: picture.channels,
        data: rows
            .flat_map(|row| &row[left * bytes..][..width * bytes])
            .copied()
            .collect(),
        margins: Margins::default(),
    }
}

/// A whole picture to another size: first its width, then its height, or the other way where
/// [`height_first`] says so, as in Pillow 13.
pub(super) fn resize(picture: &Pixels, (width, height): (usize, usize), filter: Filter) -> Vec<u8> {
    let (from_width, from_height) = (picture.width as usize, picture.height as usize);
    let (horizontal, vertical) = picture.extents();
    let narrowed = |levels: &mut Cow<'_, [u8]>| {
        if horizontal != Extent::whole(width) {
            let windows = windows(filter, horizontal, width);
            *levels = Cow::Owned(match picture.channels {
                Channels::Grey => across::<1>(levels, from_width, &windows),
                Channels::Rgb | Channels::Bgr => across::<3>(levels, from_width, &windows),
            });
        }
    };
    let shortened = |levels: &mut Cow<'_, [u8]>, width: usize| {
        if vertical != Extent::whole(height) {
            let stride = width * picture.channels.count();
            *levels = Cow::Owned(down(levels, stride, &windows(filter, vertical, height)));
        }
    };
    let mut levels = Cow::Borrowed(&picture.data[..]);
    if height_first((from_width, from_height), (width, height)) {
        shortened(&mut levels, from_width);
        narrowed(&mut levels);
    } else {
        narrowed(&mut levels);
        shortened(&mut levels, width);
    }
    levels.into_owned()
}

/// Pillow's rule (`src/libImaging/Resample.c` since 13.0): the height loses pixels, and more than
/// twice as many as the width. Levels are rounded between the passes, so the order tells.
fn height_first(from: (usize, usize), to: (usize, usize)) -> bool {
    let lost = |from: usize, to: usize| from as i64 - to as i64;
    let (width, height) = (lost(from.0, to.0), lost(from.1, to.1));
    height > 0 && height > 2 * width
}

#[cfg(test)]
mod tests;
