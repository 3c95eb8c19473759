//! The confusion matrix as a picture.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{BLUE, Classified, FAINT, GREEN, INK, RED, draw_png, write_text};
use crate::error::Error;

const CELL: i32 = 68;
const LEFT: i32 = 84;
const TOP: i32 = 116;

/// Draws counts by true (down) and given class (across), with each class's recall. PNG, 884×820 for
/// ten classes.
///
/// Mistakes are few beside what is right, so the two have different colours.
pub fn draw(path: &Path, classified: &Classified<'_>) -> Result<(), Error> {
    let Classified {
        title,
        labels,
        confusion,
        ..
    } = *classified;
    let classes = confusion.0.len();
    let side = CELL * classes as i32;
    let (width, height) = (LEFT + side + 120, TOP + side + 24);
    let off_diagonal = |(truth, given): (usize, usize)| truth != given;
    let cells = || (0..classes).flat_map(|truth| (0..classes).map(move |given| (truth, given)));
    let count = |(truth, given): (usize, usize)| confusion.0[truth][given];
    let mistakes = cells().filter(|&cell| off_diagonal(cell)).map(count);
    let worst = mistakes.max().unwrap_or(0).max(1);
    draw_png(path, (width as u32, height as u32), |root| {
        let write = |what: &str, x: i32, y: i32, size: i32, color: RGBColor| {
            write_text(root, what, (x, y), size, (color, HPos::Center))
        };
        write(title, width / 2, 28, 26, INK)?;
        write("given label", LEFT + side / 2, 64, 18, FAINT)?;
        write("true", LEFT / 2, TOP - 34, 18, FAINT)?;
        write("label", LEFT / 2, TOP - 16, 18, FAINT)?;
        write("recall", LEFT + side + 58, TOP - 20, 18, FAINT)?;
        for (class, label) in labels.iter().enumerate().take(classes) {
            let along = class as i32 * CELL + CELL / 2;
            // A digit is written large, a name as its cell allows.
            let size = if label.len() == 1 { 24 } else { 12 };
            write(label, LEFT + along, TOP - 20, size, INK)?;
            write(label, LEFT / 2, TOP + along, size, INK)?;
            let all: u64 = confusion.0[class].iter().sum();
            let recall = 100.0 * confusion.0[class][class] as f64 / all.max(1) as f64;
            write(
                &format!("{recall:.1} %"),
                LEFT + side + 58,
                TOP + along,
                18,
                INK,
            )?;
        }
        for cell @ (truth, given) in cells() {
            let (x, y) = (LEFT + given as i32 * CELL, TOP + truth as i32 * CELL);
            let share = count(cell) as f64 / worst as f64;
            let fill = match (off_diagonal(cell), count(cell)) {
                (_, 0) => FAINT.mix(0.06),
                (true, _) => RED.mix(0.12 + 0.7 * share),
                (false, _) => GREEN.mix(0.25),
            };
            let corners = [(x + 1, y + 1), (x + CELL - 1, y + CELL - 1)];
            root.draw(&Rectangle::new(corners, fill.filled()))?;
            if count(cell) > 0 {
                let size = if off_diagonal(cell) { 20 } else { 22 };
                write(
                    &count(cell).to_string(),
                    x + CELL / 2,
                    y + CELL / 2,
                    size,
                    INK,
                )?;
            }
        }
        let frame = [(LEFT, TOP), (LEFT + side, TOP + side)];
        root.draw(&Rectangle::new(frame, BLUE.mix(0.4)))
    })
}
