//! What a generator draws after each epoch, always from the same noise.

use std::path::{Path, PathBuf};

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
    /// and `samples.png`: the same first twenty of every epoch, an epoch a row.
    pub fn write_samples(&self, epoch: u32, frames: &[&[u8]]) -> Result<(), Error> {
        let frames = &frames[..frames.len().min(SAMPLE)];
        let folder = std::fs::create_dir_all(self.file(SAMPLES));
        folder.map_err(|source| self.io(SAMPLES, source))?;
        write(
            &sheet(frames, [SIDE, SIDE], square_columns(frames.len())),
            &self.sample(epoch),
        )?;
        let mut rows: Vec<Vec<u8>> = Vec::new();
        for epoch in 1..=epoch {
            let path = self.sample(epoch);
            // The user may have removed some.
            if path.exists() {
                rows.extend(strip(&path)?);
            }
        }
        write(
            &sheet(&rows, [SIDE, SIDE], STRIP),
            &self.file("samples.png"),
        )
    }
}

// The first images of a sample that was written.
fn strip(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let picture = image::open(path).map_err(Error::file(path))?.into_luma8();
    let (zoom, width) = (ZOOM as usize, picture.width() as usize);
    let columns = width / zoom / SIDE;
    let pixel = |x: usize, y: usize| picture.as_raw()[y * zoom * width + x * zoom];
    let frame = |place: usize| {
        let (left, top) = (place % columns * SIDE, place / columns * SIDE);
        let pixels = (0..SIDE * SIDE).map(|it| pixel(left + it % SIDE, top + it / SIDE));
        pixels.collect()
    };
    let rows = picture.height() as usize / zoom / SIDE;
    Ok((0..STRIP.min(columns * rows)).map(frame).collect())
}

fn write(picture: &GrayImage, path: &Path) -> Result<(), Error> {
    let (width, height) = picture.dimensions();
    let large = GrayImage::from_fn(width * ZOOM, height * ZOOM, |x, y| {
        *picture.get_pixel(x / ZOOM, y / ZOOM)
    });
    large.save(path).map_err(Error::file(path))
}
