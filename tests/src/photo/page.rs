//! Paper with grey levels that light, ink and other things change before it becomes a file.

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, Luma};

use super::{Drawing, Rng, between, normal};

/// Grey levels, 0 to 255, not yet rounded.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) width: usize,
    pub(super) height: usize,
    levels: Vec<f32>,
}

impl Page {
    /// An empty sheet of one level.
    pub(super) fn new(width: usize, height: usize, level: f32) -> Self {
        let levels = vec![level; width * height];
        Self {
            width,
            height,
            levels,
        }
    }

    /// A digit on paper of its size, with ink of one level.
    pub(super) fn of(digit: &Drawing, paper: f32, ink: f32) -> Self {
        let mut page = Self::new(digit.width, digit.height, paper);
        page.draw(digit, [0, 0], ink);
        page
    }

    /// A digit in dark ink on light paper, as most are.
    pub(super) fn plain(digit: &Drawing, rng: &mut Rng) -> Self {
        let (paper, ink) = (between(rng, 235.0, 255.0), between(rng, 0.0, 60.0));
        Self::of(digit, paper, ink)
    }

    /// Draws a digit with its top left corner at a place.
    pub(super) fn draw(&mut self, digit: &Drawing, [left, top]: [isize; 2], ink: f32) {
        self.each(|x, y, level| {
            let coverage = digit.at(x as isize - left, y as isize - top);
            level + (ink - level) * coverage
        });
    }

    /// Fills a rectangle: left, top, right and bottom end.
    pub(super) fn fill(&mut self, [left, top, right, bottom]: [usize; 4], level: f32) {
        for y in top..bottom.min(self.height) {
            self.levels[y * self.width..][left.min(self.width)..right.min(self.width)].fill(level);
        }
    }

    /// Draws the outline of a rectangle, `pen` pixels wide, inwards.
    pub(super) fn outline(&mut self, bounds: [usize; 4], pen: usize, level: f32) {
        let [left, top, right, bottom] = bounds;
        self.fill([left, top, right, top + pen], level);
        self.fill([left, bottom - pen, right, bottom], level);
        self.fill([left, top, left + pen, bottom], level);
        self.fill([right - pen, top, right, bottom], level);
    }

    /// Changes each level by its place.
    pub(super) fn each(&mut self, mut change: impl FnMut(usize, usize, f32) -> f32) {
        for (index, level) in self.levels.iter_mut().enumerate() {
            *level = change(index % self.width, index / self.width, *level);
        }
    }

    /// Adds noise of this standard deviation to each pixel.
    pub(super) fn grain(&mut self, deviation: f32, rng: &mut Rng) {
        self.each(|_, _, level| level + deviation * normal(rng));
    }

    /// Rounds the levels.
    pub(super) fn image(&self) -> GrayImage {
        GrayImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let level = self.levels[y as usize * self.width + x as usize];
            Luma([level.round().clamp(0.0, 255.0) as u8])
        })
    }

    /// As a JPEG file of this quality.
    pub(super) fn jpeg(&self, quality: u8) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, quality);
        encoder
            .encode_image(&self.image())
            .expect("memory can be written to");
        file
    }

    /// As a PNG file.
    pub(super) fn png(&self) -> Vec<u8> {
        crate::png(&self.image())
    }
}
