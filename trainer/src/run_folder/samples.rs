//! What a generator draws after each epoch, always from the same noise.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::replace;
use quintet_bundle::image::{GrayImage, SIDE, sheet, square_columns};

use super::{RunFolder, SAMPLES};
use crate::error::Error;

// A sample has ten by ten images; the contact sheet shows the first of them of each epoch.
const SAMPLE: usize = 100;
const STRIP: usize = 20;
// Images are small, so they are stored larger.
const ZOOM: u32 = 2;

impl RunFolder {
    /// The images of an epoch.
    pub fn sample(&self, epoch: u32) -> PathBuf {
        self.file(&format!("{SAMPLES}/epoch-{epoch:03}.png"))
    }

    /// Writes the first hundred of the images of 28×28 grey levels that were drawn after an epoch,
    /// and adds the first twenty of them to `samples.png`, where each epoch is a row.
    pub fn write_samples(&self, epoch: u32, frames: &[&[u8]]) -> Result<(), Error> {
        let frames = &frames[..frames.len().min(SAMPLE)];
        let folder = self.file(SAMPLES);
        fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let columns = square_columns(frames.len());
        save(
            &enlarged(&sheet(frames, [SIDE, SIDE], columns)),
            &self.sample(epoch),
        )?;

        let strip = enlarged(&sheet(
            &frames[..frames.len().min(STRIP)],
            [SIDE, SIDE],
            STRIP,
        ));
        let (path, height) = (self.file("samples.png"), SIDE as u32 * ZOOM);
        let mut all = GrayImage::new(strip.width(), height * epoch);
        if let Ok(before) = image::open(&path) {
            replace(&mut all, &before.into_luma8(), 0, 0);
        }
        replace(&mut all, &strip, 0, i64::from(height * (epoch - 1)));
        save(&all, &path)
    }
}

fn enlarged(picture: &GrayImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    GrayImage::from_fn(width * ZOOM, height * ZOOM, |x, y| {
        *picture.get_pixel(x / ZOOM, y / ZOOM)
    })
}

fn save(picture: &GrayImage, path: &Path) -> Result<(), Error> {
    picture.save(path).map_err(Error::file(path))
}
