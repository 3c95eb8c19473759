//! The pictures of a GAN's run: what it draws after each epoch, always from the same noise, and its curves.

use std::fs;
use std::path::Path;

use quintet_bundle::image::{GrayImage, sheet, square_columns};
use tch::Tensor;

use super::fit::GanMetrics;
use crate::export::SIDE;
use crate::plots::PlotError;
use crate::plots::curves::{self, Panel};
use crate::run_folder::RunFolder;

// A sample is ten by ten images; the contact sheet shows the first of them an epoch.
const SAMPLE: usize = 100;
const STRIP: usize = 20;
// Images are small; a person looks at them larger.
const ZOOM: u32 = 2;

/// Writes `samples/epoch-NNN.png`, the first hundred of the images uint8 `[n, 28, 28]`.
pub fn sample(run: &RunFolder, epoch: u32, drawn: &Tensor) -> Result<(), PlotError> {
    let frames = frames(drawn, SAMPLE);
    let picture = sheet(&frames, square_columns(frames.len()));
    write(&picture, &run.sample(epoch))
}

/// Draws `samples.png` from the samples there are: the same first twenty of every epoch, an epoch a row, the first on top.
pub fn contact_sheet(run: &RunFolder, epochs: u32) -> Result<(), PlotError> {
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for epoch in 1..=epochs {
        let path = run.sample(epoch);
        // A run of an older program, or one whose samples were cleared away, has less to show.
        if path.exists() {
            rows.extend(strip(&path)?);
        }
    }
    write(&sheet(&rows, STRIP), &run.file("samples.png"))
}

/// Draws `curves.png`: both losses, and what the judge said, by epoch.
pub fn curves(run: &RunFolder, epochs: &[GanMetrics], best_epoch: u32) -> Result<(), PlotError> {
    let column = |value: fn(&GanMetrics) -> f64| epochs.iter().map(value).collect();
    let best = epochs
        .iter()
        .position(|it| it.epoch == best_epoch)
        .unwrap_or(0);
    let losses = Panel {
        title: "Loss (cross entropy)",
        unit: "",
        lines: [
            ("generator", column(|it| it.generator_loss)),
            ("discriminator", column(|it| it.discriminator_loss)),
        ],
        best,
    };
    let quality = Panel {
        title: "Fréchet distance, and digits the CNN is not sure of",
        unit: "",
        lines: [
            ("not sure, %", column(|it| 100.0 * (1.0 - it.quality.sure))),
            ("distance", column(|it| it.quality.frechet_distance)),
        ],
        best,
    };
    curves::draw_panels(&run.file("curves.png"), "GAN: training", &[losses, quality])
}

// The first `count` images uint8 `[n, 28, 28]` one by one.
fn frames(drawn: &Tensor, count: usize) -> Vec<Vec<u8>> {
    let first = drawn.narrow(0, 0, drawn.size()[0].min(count as i64));
    let pixels = Vec::<u8>::try_from(first.flatten(0, -1)).expect("pixels are uint8");
    pixels.chunks(SIDE * SIDE).map(<[u8]>::to_vec).collect()
}

// The first images of a sample that was written.
fn strip(path: &Path) -> Result<Vec<Vec<u8>>, PlotError> {
    let picture = image::open(path)
        .map_err(|error| failed(path, &error))?
        .into_luma8();
    let zoom = ZOOM as usize;
    let columns = picture.width() as usize / zoom / SIDE;
    let width = picture.width() as usize;
    let pixel = |x: usize, y: usize| picture.as_raw()[y * zoom * width + x * zoom];
    let frame = |place: usize| {
        let (left, top) = (place % columns * SIDE, place / columns * SIDE);
        (0..SIDE * SIDE)
            .map(|it| pixel(left + it % SIDE, top + it / SIDE))
            .collect()
    };
    let rows = picture.height() as usize / zoom / SIDE;
    Ok((0..STRIP.min(columns * rows)).map(frame).collect())
}

fn write(picture: &GrayImage, path: &Path) -> Result<(), PlotError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    let (width, height) = picture.dimensions();
    let large = GrayImage::from_fn(width * ZOOM, height * ZOOM, |x, y| {
        *picture.get_pixel(x / ZOOM, y / ZOOM)
    });
    large.save(path).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &impl ToString) -> PlotError {
    PlotError {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
