//! Test images with the labels that the network gave them.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use quintet_data::mnist::{CLASSES, SIDE};

use super::{Area, Classified, DrawError, FAINT, GREEN, INK, RED, draw_png, write_text};
use crate::error::Error;
use crate::evaluate::top;

const COLUMNS: usize = 10;
const ROWS: usize = 3;
const ZOOM: i32 = 3;
const CELL_WIDTH: i32 = 104;
const CELL_HEIGHT: i32 = 124;
const HEADING: i32 = 46;
const MARGIN: i32 = 20;
const WIDTH: i32 = CELL_WIDTH * COLUMNS as i32 + 2 * MARGIN;
const HEIGHT: i32 = 60 + 2 * (HEADING + CELL_HEIGHT * ROWS as i32) + MARGIN;

// Images uint8 `[n, 28, 28]`, and what a network gave for them.
struct Judged<'a> {
    pixels: Vec<u8>,
    classified: &'a Classified<'a>,
}

/// Draws the first images, and below them the mistakes with the highest probabilities. PNG,
/// 1080×916.
pub fn draw(path: &Path, classified: &Classified<'_>) -> Result<(), Error> {
    let pixels = classified.samples.inputs[0].flatten(0, -1);
    let judged = Judged {
        pixels: Vec::try_from(pixels).expect("pixels are uint8"),
        classified,
    };
    let shown = COLUMNS * ROWS;
    let first: Vec<usize> = (0..classified.truths.len().min(shown)).collect();
    let mistakes = judged.surest_mistakes();
    let heading = match mistakes.len() {
        0 => "No mistake at all".to_owned(),
        all if all <= shown => format!("All {all} mistakes, the surest first"),
        all => format!("The {shown} surest of {all} mistakes"),
    };
    draw_png(path, (WIDTH as u32, HEIGHT as u32), |root| {
        let middle = (WIDTH / 2, 32);
        write_text(root, classified.title, middle, 26, (INK, HPos::Center))?;
        let below = 60 + HEADING + CELL_HEIGHT * ROWS as i32;
        judged.grid(root, 60, "The first test images", &first)?;
        let mistakes = &mistakes[..mistakes.len().min(shown)];
        judged.grid(root, below, &heading, mistakes)
    })
}

impl Judged<'_> {
    fn given(&self, index: usize) -> (usize, f32) {
        top(&self.classified.probabilities[index * CLASSES..][..CLASSES])
    }

    fn truth(&self, index: usize) -> usize {
        self.classified.truths[index] as usize
    }

    fn surest_mistakes(&self) -> Vec<usize> {
        let is_wrong = |&index: &usize| self.given(index).0 != self.truth(index);
        let all = 0..self.classified.truths.len();
        let mut wrong: Vec<usize> = all.filter(is_wrong).collect();
        wrong.sort_by(|&left, &right| self.given(right).1.total_cmp(&self.given(left).1));
        wrong
    }

    fn grid(
        &self,
        root: &Area<'_>,
        top: i32,
        heading: &str,
        indices: &[usize],
    ) -> Result<(), DrawError> {
        let at = (MARGIN + 10, top + HEADING / 2);
        write_text(root, heading, at, 20, (INK, HPos::Left))?;
        for (place, &index) in indices.iter().enumerate() {
            let x = MARGIN + (place % COLUMNS) as i32 * CELL_WIDTH;
            let y = top + HEADING + (place / COLUMNS) as i32 * CELL_HEIGHT;
            self.cell(root, (x, y), index)?;
        }
        Ok(())
    }

    fn cell(&self, root: &Area<'_>, (x, y): (i32, i32), index: usize) -> Result<(), DrawError> {
        let left = x + (CELL_WIDTH - SIDE as i32 * ZOOM) / 2;
        let image = &self.pixels[index * SIDE * SIDE..][..SIDE * SIDE];
        for (place, &ink) in image.iter().enumerate() {
            let (column, row) = ((place % SIDE) as i32 * ZOOM, (place / SIDE) as i32 * ZOOM);
            let corners = [
                (left + column, y + row),
                (left + column + ZOOM, y + row + ZOOM),
            ];
            root.draw(&Rectangle::new(corners, RGBColor(ink, ink, ink).filled()))?;
        }
        let (given, probability) = self.given(index);
        let truth = self.truth(index);
        let label = |class: usize| self.classified.labels.get(class).copied().unwrap_or("?");
        let percent = 100.0 * probability;
        let middle = x + CELL_WIDTH / 2;
        let line = y + SIDE as i32 * ZOOM;
        let text = format!("{}  {percent:.0} %", label(given));
        // A digit is written large, a name as its cell allows.
        let size = if label(given).len() == 1 { 17 } else { 12 };
        if given == truth {
            write_text(
                root,
                &text,
                (middle, line + 16),
                size,
                (GREEN, HPos::Center),
            )
        } else {
            write_text(root, &text, (middle, line + 14), size, (RED, HPos::Center))?;
            let text = format!("truly {}", label(truth));
            write_text(
                root,
                &text,
                (middle, line + 29),
                size.min(14),
                (FAINT, HPos::Center),
            )
        }
    }
}
