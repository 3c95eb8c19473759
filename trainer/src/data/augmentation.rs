//! Small random deformations of the training images.
//!
//! A deformation gives, for each pixel of the new image, the place in the old one. It is a sum of
//! fixed fields with random weights: the affine ones (1, x and y) and a lattice of smooth bumps
//! (elastic distortion, after Simard, Steinkraus & Platt 2003, "Best practices for convolutional
//! neural networks"). So a whole batch costs one matrix product and one `grid_sampler`.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::Samples;

// Bumps a side. Simard's smoothing (a Gaussian of 4 pixels) leaves about this much detail.
const LATTICE: i64 = 6;
// The smallest part of an image that is erased.
const LEAST_PART: f64 = 0.02;
// Pixels a side of a coarse image of 28: of the 20 that MNIST's digits cover, 6 to 10 are left.
const COARSE_SIDES: [i64; 2] = [9, 14];

/// How far training images are deformed. Each value is drawn again for each image and epoch; what
/// is left out is 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
    /// Largest shift along x and along y by whole pixels, which keeps edges sharp; uniform.
    pub crop_pixels: u32,
    /// The chance of a mirrored image, left for right.
    pub flip: f64,
    /// The chance of an image to lose a rectangle to noise (Zhong et al. 2020, "Random erasing data
    /// augmentation").
    pub erasing: f64,
    /// Largest part of the image that such a rectangle covers; uniform from 0.02 up.
    pub erased_part: f64,
    /// The chance of strokes that are up to two pixels wider, by dilation.
    pub thicker: f64,
    /// The chance of an image that was enlarged from 9 to 14 pixels a side.
    pub coarse: f64,
    /// The part of the epochs, the last ones, that learn from the images as they are. Deformed ones
    /// are blurred, which the images to come are not (He et al. 2019, "Data augmentation
    /// revisited: rethinking the distribution gap between clean and augmented data").
    pub undeformed_part: f64,
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
        let mut width = uniform(self.settings.scale) + 1.0;
        let height = uniform(self.settings.scale) + 1.0;
        let mut shifts = [(); 2].map(|()| uniform(self.settings.shift_pixels * pixel));
        // What is not asked for draws no random numbers: recipes without it give the same weights.
        if self.settings.crop_pixels > 0 {
            let largest = i64::from(self.settings.crop_pixels);
            for shift in &mut shifts {
                let pixels = Tensor::randint_low(-largest, largest + 1, [count, 1], options);
                *shift += pixels * pixel;
            }
        }
        if self.settings.flip > 0.0 {
            let mirrored = Tensor::rand([count, 1], options).lt(self.settings.flip);
            width *= 1.0 - mirrored.to_kind(Kind::Float) * 2.0;
        }
        let (sine, cosine) = (angle.sin(), angle.cos());
        let [shift_x, shift_y] = shifts;
        // Rotation · slant · scale, one row for x and one for y: [shift, x, y].
        let row_x = [
            shift_x,
            &cosine * &width,
            (&cosine * &slant - &sine) * &height,
        ];
        let row_y = [
            shift_y,
            &sine * &width,
            (&sine * &slant + &cosine) * &height,
        ];
        let affine = Tensor::stack(&[Tensor::cat(&row_x, 1), Tensor::cat(&row_y, 1)], 1);
        let elastic = Tensor::randn([count, 2, LATTICE * LATTICE], options)
            * (self.settings.elastic_pixels * pixel);

        let weights = Tensor::cat(&[affine, elastic], 2);
        let grid = weights.matmul(&self.fields).reshape([count, 2, side, side]);
        let mut deformed = pixels
            .to_kind(Kind::Float)
            .unsqueeze(1)
            .grid_sampler_2d(&grid.permute([0, 2, 3, 1]).contiguous(), 0, 0, false)
            .squeeze_dim(1);
        if self.settings.thicker > 0.0 {
            deformed = self.thicken(&deformed);
        }
        if self.settings.coarse > 0.0 {
            deformed = self.coarsen(&deformed);
        }
        if self.settings.erasing > 0.0 {
            deformed = self.erase(&deformed);
        }
        deformed
    }

    // Widens the strokes of some images, each by a random part of a dilation.
    fn thicken(&self, pixels: &Tensor) -> Tensor {
        let wide = pixels
            .unsqueeze(1)
            .max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false)
            .squeeze_dim(1);
        let options = (Kind::Float, pixels.device());
        let draw = || Tensor::rand([pixels.size()[0], 1, 1], options);
        let part = draw() * draw().lt(self.settings.thicker).to_kind(Kind::Float);
        pixels + (wide - pixels) * part
    }

    // Gives some images, in a batch all to the same extent, as few pixels as a small picture has.
    fn coarsen(&self, pixels: &Tensor) -> Tensor {
        let options = (Kind::Float, pixels.device());
        let [least, most] = COARSE_SIDES;
        let coarse = Tensor::randint_low(least, most + 1, [1], (Kind::Int64, Device::Cpu));
        let coarse = coarse.int64_value(&[0]) * self.side / 28;
        let enlarged = pixels
            .unsqueeze(1)
            .adaptive_avg_pool2d([coarse, coarse])
            .upsample_bilinear2d([self.side, self.side], false, None, None)
            .squeeze_dim(1);
        let chosen = Tensor::rand([pixels.size()[0], 1, 1], options).lt(self.settings.coarse);
        enlarged.where_self(&chosen, pixels)
    }

    // Covers a random rectangle of some images with random levels.
    fn erase(&self, pixels: &Tensor) -> Tensor {
        let (count, side) = (pixels.size()[0], self.side as f64);
        let options = (Kind::Float, pixels.device());
        let uniform = || Tensor::rand([count, 1], options);
        let part = uniform() * (self.settings.erased_part - LEAST_PART) + LEAST_PART;
        // Height to width, from a third to three, as often wide as high.
        let ratio = ((uniform() * 2.0 - 1.0) * 3.0_f64.ln()).exp();
        let place = Tensor::arange(self.side, options).unsqueeze(0);
        let inside = |square: Tensor| {
            let length = (square.sqrt() * side).clamp_max(side);
            let start = uniform() * (side - &length);
            place
                .ge_tensor(&start)
                .logical_and(&place.lt_tensor(&(start + length)))
        };
        let (rows, columns) = (inside(&part * &ratio), inside(part / ratio));
        let chosen = uniform().lt(self.settings.erasing).unsqueeze(2);
        let rectangle = rows.unsqueeze(2).logical_and(&columns.unsqueeze(1));
        (pixels.rand_like() * 255.0).where_self(&rectangle.logical_and(&chosen), pixels)
    }
}

impl Augmentation {
    /// Whether the images of epoch `epoch` (from 1) of `epochs` are deformed.
    pub(crate) fn deforms(&self, epoch: u32, epochs: u32) -> bool {
        let last = (f64::from(epochs) * self.undeformed_part).round() as u32;
        epoch + last <= epochs
    }

    /// Images uint8 `[N, side, side]`, deformed.
    pub(crate) fn deformed(self, pixels: &Tensor, seed: u64) -> Tensor {
        let augmenter = Augmenter::new(self, pixels.size()[1], pixels.device());
        tch::manual_seed(seed as i64);
        let deformed = augmenter.apply(pixels).round().clamp(0.0, 255.0);
        deformed.to_kind(Kind::Uint8)
    }
}

impl Samples {
    /// The same images, uint8 `[N, side, side]`, deformed.
    #[must_use]
    pub fn deformed(&self, settings: Augmentation, seed: u64) -> Self {
        Self {
            inputs: vec![settings.deformed(&self.inputs[0], seed)],
            labels: self.labels.shallow_clone(),
            texts: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_epochs_are_as_they_are() {
        let deformed = |undeformed_part| {
            let settings = Augmentation {
                undeformed_part,
                ..Augmentation::default()
            };
            let epochs = (1..=20).filter(|epoch| settings.deforms(*epoch, 20));
            epochs.collect::<Vec<_>>()
        };
        assert_eq!(deformed(0.1), (1..=18).collect::<Vec<_>>());
        assert_eq!(deformed(0.0), (1..=20).collect::<Vec<_>>());
        assert!(deformed(1.0).is_empty());
    }

    const SIDE: i64 = 28;

    fn noise() -> Tensor {
        tch::manual_seed(5);
        Tensor::randint(256, [16, SIDE, SIDE], (Kind::Uint8, Device::Cpu))
    }

    #[test]
    fn no_deformation_gives_the_image_back() {
        let pixels = noise();
        let same = Augmenter::new(Augmentation::default(), SIDE, Device::Cpu).apply(&pixels);
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
            ..Augmentation::default()
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
            ..Augmentation::default()
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

    #[test]
    fn a_mirror_and_whole_pixels_keep_every_level() {
        let settings = Augmentation {
            crop_pixels: 3,
            flip: 0.5,
            ..Augmentation::default()
        };
        // A column of its own level, so that its place tells the shift and the mirror.
        let image = Tensor::zeros([64, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
        let _ = image.narrow(1, 10, 8).narrow(2, 6, 1).fill_(200);
        tch::manual_seed(2);
        let moved = Augmenter::new(settings, SIDE, Device::Cpu).apply(&image);
        let levels = moved.amax([1i64].as_slice(), false);
        let mut places = [0; SIDE as usize];
        for row in 0..64 {
            let place = levels.select(0, row).argmax(0, false).int64_value(&[]);
            let level = levels.double_value(&[row, place]);
            assert!((level - 200.0).abs() < 0.05, "{level} at {place}");
            places[place as usize] += 1;
        }
        // 6 ± 3, or mirrored 21 ± 3.
        let (left, right): (i32, i32) = (places[3..=9].iter().sum(), places[18..=24].iter().sum());
        assert_eq!(left + right, 64, "{places:?}");
        assert!(left > 16 && right > 16, "{places:?}");
    }

    #[test]
    fn some_strokes_become_wider_and_none_narrower() {
        let settings = Augmentation {
            thicker: 0.5,
            ..Augmentation::default()
        };
        let line = Tensor::zeros([100, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
        let _ = line.narrow(2, 12, 3).fill_(255);
        tch::manual_seed(4);
        let drawn = Augmenter::new(settings, SIDE, Device::Cpu).apply(&line);
        assert!(
            (drawn.narrow(2, 12, 3) - 255.0)
                .abs()
                .max()
                .double_value(&[])
                < 0.05
        );
        let beside = Tensor::cat(&[drawn.narrow(2, 11, 1), drawn.narrow(2, 15, 1)], 2);
        let wider = beside.amin([1i64, 2].as_slice(), false).gt(1.0);
        let count = wider.sum(Kind::Int64).int64_value(&[]);
        assert!((30..=70).contains(&count), "{count} of 100");
        let far = Tensor::cat(&[drawn.narrow(2, 0, 10), drawn.narrow(2, 17, 11)], 2);
        assert!(far.max().double_value(&[]) < 0.05);
    }

    #[test]
    fn some_images_become_coarse_and_keep_their_mean() {
        let settings = Augmentation {
            coarse: 0.5,
            ..Augmentation::default()
        };
        // Lines of one pixel: in a coarse image no pixel is white any more.
        let line = Tensor::zeros([100, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
        let _ = line.narrow(2, 14, 1).fill_(255);
        tch::manual_seed(6);
        let drawn = Augmenter::new(settings, SIDE, Device::Cpu).apply(&line);
        let coarse = drawn.amax([1i64, 2].as_slice(), false).lt(200.0);
        let count = coarse.sum(Kind::Int64).int64_value(&[]);
        assert!((30..=70).contains(&count), "{count} of 100");
        let means = drawn.mean_dim([1i64, 2].as_slice(), false, Kind::Float) * (28.0 / 255.0);
        assert!((means - 1.0).abs().max().double_value(&[]) < 0.1);
    }

    #[test]
    fn some_images_lose_a_rectangle_of_bounded_size() {
        let settings = Augmentation {
            erasing: 0.5,
            erased_part: 0.2,
            ..Augmentation::default()
        };
        let black = Tensor::zeros([100, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
        tch::manual_seed(3);
        let erased = Augmenter::new(settings, SIDE, Device::Cpu).apply(&black);
        let covered = erased.gt(0.0).to_kind(Kind::Float);
        let parts = covered.mean_dim([1i64, 2].as_slice(), false, Kind::Float);
        let count = parts.gt(0.0).sum(Kind::Int64).int64_value(&[]);
        assert!((30..=70).contains(&count), "{count} of 100");
        assert!(parts.max().double_value(&[]) < 0.25, "{parts:?}");
    }
}
