//! How photographs were prepared when the published weights were trained and judged.

use clap::ValueEnum;
use quintet_bundle::image::{Channels, Filter, Fit, ImageSpec, WHITE};

use crate::layers::Normalize;

/// A published way to prepare photographs of 224×224 pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Torchvision's IMAGENET1K_V1: the shorter side to 256, bilinear.
    TorchvisionV1,
    /// Torchvision's IMAGENET1K_V2 of residual networks: the shorter side to 232, bilinear.
    TorchvisionV2,
    /// timm's with a crop_pct of 0.95: the shorter side to 235, bicubic.
    Timm,
}

impl Preset {
    /// The model's width and height.
    const SIDE: usize = 224;

    /// From a picture to levels.
    pub(super) const fn spec(self) -> ImageSpec {
        let (shorter_side, filter) = match self {
            Self::TorchvisionV1 => (256, Filter::Bilinear),
            Self::TorchvisionV2 => (232, Filter::Bilinear),
            Self::Timm => (235, Filter::Bicubic),
        };
        ImageSpec {
            width: Self::SIDE,
            height: Self::SIDE,
            channels: Channels::Rgb,
            fit: Fit::Crop {
                shorter_side,
                filter,
            },
            background: WHITE,
        }
    }

    /// From levels to the network's numbers: all take the mean and deviation of ImageNet.
    #[expect(clippy::unused_self, reason = "the preset is what has them")]
    pub(super) fn normalize(self) -> Normalize {
        Normalize::new(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225])
    }
}
