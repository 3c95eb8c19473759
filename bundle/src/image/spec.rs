//! What a manifest says about pictures: the pixels that a model takes, and how a picture becomes them.

use serde::{Deserialize, Serialize};

use super::{Colours, Framing, SIDE};
use crate::error::check;
use crate::{ManifestError, PreprocessingKind};

/// Largest width and height of a model's pixels; bounds what a row of a batch holds.
const MAX_SIDE: usize = 4096;

/// More pixels than this may be decoded at a reduced scale.
const LARGE: u64 = 4 << 20;
/// The most pixels in which a digit is looked for.
pub(super) const MOST_SEARCHED: u64 = 16 << 20;

/// How a picture becomes a model's pixels. Levels stay 0 to 255; the graph normalises them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// What the channels are.
    pub channels: Channels,
    /// How a picture of another size is made to fit, where the caller asks for the model's own way
    /// ([`super::Framing::Auto`]).
    pub fit: Fit,
    /// Red, green and blue of what shows through transparent pixels of a photograph; white by
    /// default. For digits and garments, [`super::to_grey`] finds a ground that contrasts with ink.
    #[serde(default = "white", skip_serializing_if = "is_white")]
    pub background: [u8; 3],
}

/// White, in any order of the channels.
pub const WHITE: [u8; 3] = [255; 3];

/// The channels of a pixel, in their order in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// One: luma (ITU-R BT.601).
    Grey,
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a picture is made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// [`super::frame_digit`]: light on dark, fitted and centred as in MNIST. Only grey 28×28.
    Digit,
    /// Light on black, cut to the garment and centred as in Fashion-MNIST. Only grey 28×28.
    Garment,
    /// The shorter side to `shorter_side` pixels, then the middle is cut out
    /// (`torchvision.transforms.Resize`, `CenterCrop`).
    Crop {
        /// In pixels; at least the model's width and height.
        shorter_side: usize,
        /// How pixels are averaged.
        filter: Filter,
    },
    /// The whole picture to the model's size, whatever its aspect ratio.
    Squash {
        /// How pixels are averaged.
        filter: Filter,
    },
}

/// How a resize averages pixels; each widens its window where a picture shrinks (antialiasing), as
/// Pillow's filters of the same names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = -0.5.
    Bicubic,
}

impl ImageSpec {
    /// MNIST's pictures of digits.
    pub const fn digit() -> Self {
        Self {
            width: SIDE,
            height: SIDE,
            channels: Channels::Grey,
            fit: Fit::Digit,
            background: WHITE,
        }
    }

    /// Fashion-MNIST's pictures of garments.
    pub const fn garment() -> Self {
        Self {
            fit: Fit::Garment,
            ..Self::digit()
        }
    }

    /// What a picture's colours become before [`ImageSpec::fit`].
    pub fn colours(&self, framing: Framing) -> Colours {
        match (self.fit, framing) {
            (Fit::Digit, Framing::Auto) => Colours::Ink,
            (Fit::Digit | Fit::Garment, _) => Colours::Drawing,
            (Fit::Crop { .. } | Fit::Squash { .. }, _) => Colours::Channels(self.channels),
        }
    }

    /// By how much a decoder may divide a picture's sides, where it can do so for less work: 1, 2, 4
    /// or 8.
    ///
    /// Only pictures of more than 4 Mi pixels are divided, and no further than to twice the size that
    /// they are resized to: what is averaged twice then differs little. A digit is looked for in the
    /// picture's own pixels, up to 16 Mi of them.
    pub fn reduction(&self, (width, height): (u32, u32), framing: Framing) -> u32 {
        let shorter = width.min(height) as usize;
        let fits = |by: u32| match self.fit {
            _ if u64::from(width) * u64::from(height) <= LARGE => false,
            Fit::Crop { shorter_side, .. } if framing == Framing::Auto => {
                shorter / by as usize >= 2 * shorter_side
            }
            Fit::Crop { .. } | Fit::Squash { .. } => {
                shorter / by as usize >= 2 * self.width.max(self.height)
            }
            // Half as much would still be too large.
            Fit::Digit | Fit::Garment => {
                u64::from(width / (by / 2)) * u64::from(height / (by / 2)) > MOST_SEARCHED
            }
        };
        [8, 4, 2].into_iter().find(|by| fits(*by)).unwrap_or(1)
    }

    /// Bytes of a picture's pixels, a byte a channel.
    pub const fn bytes(&self) -> usize {
        self.width * self.height * self.channels.count()
    }
}

impl PreprocessingKind for ImageSpec {
    const KIND: &'static str = "image";

    fn validate(&self) -> Result<(), ManifestError> {
        for (key, side) in [("width", self.width), ("height", self.height)] {
            let (field, allowed) = (format!("preprocessing.{key}"), format!("1 to {MAX_SIDE}"));
            check((1..=MAX_SIDE).contains(&side), field, side, allowed)?;
        }
        match self.fit {
            Fit::Digit | Fit::Garment => {
                let (width, height, channels) = (self.width, self.height, self.channels);
                let found = format!("of {width}x{height} pixels, {channels:?}");
                let is_allowed = [Self::digit(), Self::garment()].contains(self);
                let fit = if self.fit == Fit::Digit {
                    "digit"
                } else {
                    "garment"
                };
                let allowed = format!("grey and {SIDE}x{SIDE} where fit is {fit}");
                check(is_allowed, "preprocessing", found, allowed)
            }
            Fit::Crop { shorter_side, .. } => {
                let fits = (self.width.max(self.height)..=MAX_SIDE).contains(&shorter_side);
                let field = "preprocessing.fit.crop.shorter_side";
                let allowed = format!("from the larger of width and height to {MAX_SIDE}");
                check(fits, field, shorter_side, allowed)
            }
            Fit::Squash { .. } => Ok(()),
        }
    }
}

impl Channels {
    /// How many there are.
    pub const fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

fn white() -> [u8; 3] {
    WHITE
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a field by reference"
)]
fn is_white(background: &[u8; 3]) -> bool {
    *background == WHITE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_reduced_to_twice_what_is_needed() {
        let photo = |fit| ImageSpec {
            width: 224,
            height: 224,
            channels: Channels::Rgb,
            fit,
            background: WHITE,
        };
        let filter = Filter::Bilinear;
        let crop = photo(Fit::Crop {
            shorter_side: 256,
            filter,
        });
        let squash = photo(Fit::Squash { filter });
        let auto = |spec: ImageSpec, size| spec.reduction(size, Framing::Auto);
        assert_eq!(auto(crop, (2048, 2048)), 1, "4 megapixels");
        assert_eq!(auto(crop, (4032, 3024)), 4);
        assert_eq!(auto(crop, (3024, 4032)), 4);
        assert_eq!(auto(crop, (8160, 6144)), 8);
        assert_eq!(auto(crop, (60_000, 511)), 1, "its shorter side is needed");
        assert_eq!(auto(squash, (4032, 1792)), 4);
        let digit = ImageSpec::digit();
        assert_eq!(auto(digit, (4096, 4096)), 1);
        assert_eq!(auto(digit, (5664, 4248)), 2);
        assert_eq!(auto(digit, (8192, 8192)), 2);
        assert_eq!(auto(digit, (8194, 8194)), 4);
    }
}
