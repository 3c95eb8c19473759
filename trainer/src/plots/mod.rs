//! The pictures of a run: training curves, confusion matrix, digits with their labels, scores.

pub mod confusion;
pub mod curves;
pub mod digits;
pub mod scores;

use std::path::{Path, PathBuf};
use std::sync::Once;

use plotters::prelude::{BitMapBackend, DrawingAreaErrorKind, RGBColor};
use plotters::style::{FontStyle, register_font};
use thiserror::Error;

pub(crate) const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(38, 42, 51);
const FAINT: RGBColor = RGBColor(140, 146, 158);
const PAPER: RGBColor = RGBColor(255, 255, 255);
const BLUE: RGBColor = RGBColor(37, 99, 175);
const ORANGE: RGBColor = RGBColor(222, 110, 30);
const GREEN: RGBColor = RGBColor(30, 130, 76);
const RED: RGBColor = RGBColor(200, 40, 50);

/// A picture could not be drawn or written.
#[derive(Debug, Error)]
#[error("picture {path}: {reason}", path = path.display())]
pub struct PlotError {
    /// The file.
    pub path: PathBuf,
    /// What plotters said.
    pub reason: String,
}

pub(crate) type DrawError =
    DrawingAreaErrorKind<<BitMapBackend<'static> as plotters::prelude::DrawingBackend>::ErrorType>;

// The fonts come with the program, so pictures look the same on every machine.
pub(crate) fn with_fonts(
    path: &Path,
    draw: impl FnOnce() -> Result<(), DrawError>,
) -> Result<(), PlotError> {
    static REGISTERED: Once = Once::new();
    let failed = |reason: String| PlotError {
        path: path.to_owned(),
        reason,
    };
    REGISTERED.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        // The only failure is a file that is not a font; drawing would then say so.
        let _ = register_font(FONT, FontStyle::Normal, font);
    });
    draw().map_err(|error| failed(error.to_string()))
}
