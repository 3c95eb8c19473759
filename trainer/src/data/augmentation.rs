//! Small random deformations of the training images.
//!
//! A deformation gives, for each pixel of the new image, the place in the old one. It is a sum of
//! fixed fields with random weights: the affine ones (1, x and y) and a lattice of smooth bumps
//! (elastic distortion, after Simard, Steinkraus & Platt 2003, "Best practices for convolutional
//! neural networks"). So a whole batch costs one matrix product and one `grid_sampler`.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

// Bumps a side. Simard's smoothing (a Gaussian of 4 pixels) leaves about this much detail.
const LATTICE: i64 = 6;

/// How far training images are deformed. Each value is drawn again for each image and epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Largest rotation either way, in degrees; uniform.
    pub rotation_degrees: f64,
    /// Largest change of width and of height, as a fraction; uniform, independent of each other.
    pub scale: f64,
    /// Largest slant either way, in degrees; uniform.
    pub shear_degrees: f64,
    /// Largest shift along x and along y, in pixels; uniform.
    pub shift_pixels: f64,
    /// Standard deviation of the elastic displacement at a lattice point, in pixels.
    pub elastic_pixels: f64,
}

/// An augmentation of square images on one device.
#[derive(Debug)]
pub struct Augmenter {
    settings: Augmentation,
    side: i64,
    // [3 + LATTICE², side²]: the fields 1, x, y and the bumps.
    fields: Tensor,
}

impl Augmenter {
    /// Computes the fields for images of `side` × `side` pixels on `device`.
    pub fn new(settings: Augmentation, side: i64, device: Device) -> Self {
        let options = (Kind::Float, device);
        let bumps = Tensor::eye(LATTICE * LATTICE, options)
            .reshape([LATTICE * LATTICE, 1, LATTICE, LATTICE])
            .upsample_bicubic2d([side, side], true, None, None)
            .reshape([LATTICE * LATTICE, side * side]);
        // Pixel centres. `grid_sampler` measures in half image sides: -1 is the left edge, 1 the
        // right one.
        let axis = (Tensor::arange(side, options) + 0.5) * (2.0 / side as f64) - 1.0;
        let field = |axis: Tensor| axis.expand([side, side], false).reshape([1, side * side]);
        let (x, y) = (field(axis.unsqueeze(0)), field(axis.unsqueeze(1)));
        Self {
            settings,
            side,
            fields: Tensor::cat(&[&x.ones_like(), &x, &y, &bumps], 0),
        }
    }

    /// Deforms `pixels` `[N, side, side]` in 0..=255 into float32 of the same shape and range.
    ///
    /// Draws from libtorch's random generator.
    pub fn apply(&self, pixels: &Tensor) -> Tensor {
        let (count, side) = (pixels.size()[0], self.side);
        let pixel = 2.0 / side as f64;
        let options = (Kind::Float, pixels.device());
        let uniform = |largest: f64| (Tensor::rand([count, 1], options) * 2.0 - 1.0) * largest;

        let angle = uniform(self.settings.rotation_degrees.to_radians());
        let slant = uniform(self.settings.shear_degrees.to_radians()).tan();
        let width = uniform(self.settings.scale) + 1.0;
        let height = uniform(self.settings.scale) + 1.0;
        let (sine, cosine) = (angle.sin(), angle.cos());
        // Rotation · slant · scale, one row for x and one for y: [shift, x, y].
        let row_x = [
            uniform(self.settings.shift_pixels * pixel),
            &cosine * &width,
            (&cosine * &slant - &sine) * &height,
        ];
        let row_y = [
            uniform(self.settings.shift_pixels * pixel),
            &sine * &width,
            (&sine * &slant + &cosine) * &height,
        ];
        let affine = Tensor::stack(&[Tensor::cat(&row_x, 1), Tensor::cat(&row_y, 1)], 1);
        let elastic = Tensor::randn([count, 2, LATTICE * LATTICE], options)
            * (self.settings.elastic_pixels * pixel);

        let weights = Tensor::cat(&[affine, elastic], 2);
        let grid = weights.matmul(&self.fields).reshape([count, 2, side, side]);
        pixels
            .to_kind(Kind::Float)
            .unsqueeze(1)
            .grid_sampler_2d(&grid.permute([0, 2, 3, 1]).contiguous(), 0, 0, false)
            .squeeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: i64 = 28;

    const NOTHING: Augmentation = Augmentation {
        rotation_degrees: 0.0,
        scale: 0.0,
        shear_degrees: 0.0,
        shift_pixels: 0.0,
        elastic_pixels: 0.0,
    };

    fn noise() -> Tensor {
        tch::manual_seed(5);
        Tensor::randint(256, [16, SIDE, SIDE], (Kind::Uint8, Device::Cpu))
    }

    #[test]
    fn no_deformation_gives_the_image_back() {
        let pixels = noise();
        let same = Augmenter::new(NOTHING, SIDE, Device::Cpu).apply(&pixels);
        let difference = (same - pixels.to_kind(Kind::Float))
            .abs()
            .max()
            .double_value(&[]);
        assert!(difference < 0.05, "largest difference {difference}");
    }

    #[test]
    fn strong_deformations_keep_shape_and_range() {
        let settings = Augmentation {
            rotation_degrees: 40.0,
            scale: 0.3,
            shear_degrees: 30.0,
            shift_pixels: 6.0,
            elastic_pixels: 3.0,
        };
        let pixels = noise();
        let deformed = Augmenter::new(settings, SIDE, Device::Cpu).apply(&pixels);
        assert_eq!(deformed.size(), pixels.size());
        assert!(deformed.min().double_value(&[]) >= 0.0);
        assert!(deformed.max().double_value(&[]) <= 255.001);
    }

    #[test]
    fn a_shift_moves_the_ink_by_whole_images_differently() {
        let settings = Augmentation {
            shift_pixels: 5.0,
            ..NOTHING
        };
        let dot = Tensor::zeros([8, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
        let _ = dot.narrow(1, 12, 4).narrow(2, 12, 4).fill_(255);
        tch::manual_seed(1);
        let moved = Augmenter::new(settings, SIDE, Device::Cpu).apply(&dot);
        // All ink is still there, at a place of its own in each image.
        let ink = moved.sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Float);
        assert!((ink / (16.0 * 255.0) - 1.0).abs().max().double_value(&[]) < 1e-3);
        let first = moved.select(0, 0);
        let second = moved.select(0, 1);
        assert!((first - second).abs().max().double_value(&[]) > 1.0);
    }
}
