//! The pictures of a run: training curves, confusion matrix, images with their labels, scores.

pub mod confusion;
pub mod curves;
pub mod images;
pub mod scores;

use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::data::Samples;
use crate::error::Error;
use crate::evaluate::Confusion;

pub(crate) const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(38, 42, 51);
const FAINT: RGBColor = RGBColor(140, 146, 158);
const PAPER: RGBColor = RGBColor(255, 255, 255);
const BLUE: RGBColor = RGBColor(37, 99, 175);
const ORANGE: RGBColor = RGBColor(222, 110, 30);
const GREEN: RGBColor = RGBColor(30, 130, 76);
const RED: RGBColor = RGBColor(200, 40, 50);

/// A picture of what a classifier gave for the test samples: its file in the run's folder, and what
/// draws it.
pub type Picture = (
    &'static str,
    fn(&Path, &Classified<'_>) -> Result<(), Error>,
);

/// What a classifier gave for labelled samples.
#[derive(Debug)]
pub struct Classified<'a> {
    /// What stands above a picture.
    pub title: &'a str,
    /// The samples.
    pub samples: &'a Samples,
    /// The names of the classes.
    pub labels: &'a [&'a str],
    /// The true class of each sample.
    pub truths: &'a [i64],
    /// `[n, C]`, or `[n]` of the second of two classes.
    pub probabilities: &'a [f32],
    /// How often each class was given for each.
    pub confusion: &'a Confusion,
}

pub(crate) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

pub(crate) type DrawError =
    DrawingAreaErrorKind<<BitMapBackend<'static> as plotters::prelude::DrawingBackend>::ErrorType>;

// The fonts come with the program, so pictures look the same on every machine.
pub(crate) fn with_fonts(
    path: &Path,
    draw: impl FnOnce() -> Result<(), DrawError>,
) -> Result<(), Error> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        // The only failure is a file that is not a font; drawing would then say so.
        let _ = register_font(FONT, FontStyle::Normal, font);
    });
    draw().map_err(|error| Error::file(path)(error.to_string()))
}

// Draws a PNG of `size` on white paper.
fn draw_png(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<(), Error> {
    with_fonts(path, || {
        let root = BitMapBackend::new(path, size).into_drawing_area();
        root.fill(&PAPER)?;
        draw(&root)?;
        root.present()
    })
}

// Writes `text` with its left end or its middle at `at`.
fn write_text(
    root: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    (color, align): (RGBColor, HPos),
) -> Result<(), DrawError> {
    let position = Pos::new(align, VPos::Center);
    let style = (FONT, size).into_font().color(&color).pos(position);
    root.draw(&Text::new(text.to_owned(), at, style))
}
