//! The confusion matrix as a picture.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{BLUE, FAINT, FONT, GREEN, INK, PAPER, PlotError, RED, with_fonts};
use crate::evaluate::{CLASSES, Confusion};

const CELL: i32 = 68;
const LEFT: i32 = 84;
const TOP: i32 = 116;
const WIDTH: i32 = LEFT + CELL * CLASSES as i32 + 120;
const HEIGHT: i32 = TOP + CELL * CLASSES as i32 + 24;

/// Draws counts by true (down) and given label (across), with each digit's recall. PNG, 884×820.
///
/// Mistakes are few beside what is right, so the two have colours of their own.
pub fn draw(path: &Path, title: &str, confusion: &Confusion) -> Result<(), PlotError> {
    let off_diagonal = |(truth, given): (usize, usize)| truth != given;
    let cells = || (0..CLASSES).flat_map(|truth| (0..CLASSES).map(move |given| (truth, given)));
    let count = |(truth, given): (usize, usize)| confusion.0[truth][given];
    let worst = cells()
        .filter(|&cell| off_diagonal(cell))
        .map(count)
        .max()
        .unwrap_or(0)
        .max(1);
    let middle = Pos::new(HPos::Center, VPos::Center);
    with_fonts(path, || {
        let root = BitMapBackend::new(path, (WIDTH as u32, HEIGHT as u32)).into_drawing_area();
        root.fill(&PAPER)?;
        let text = |size: i32, color: RGBColor| (FONT, size).into_font().color(&color).pos(middle);
        let write = |what: String, x: i32, y: i32, size: i32, color: RGBColor| {
            root.draw(&Text::new(what, (x, y), text(size, color)))
        };
        write(title.to_owned(), WIDTH / 2, 28, 26, INK)?;
        write(
            "given label".to_owned(),
            LEFT + CELL * CLASSES as i32 / 2,
            64,
            18,
            FAINT,
        )?;
        write("true".to_owned(), LEFT / 2, TOP - 34, 18, FAINT)?;
        write("label".to_owned(), LEFT / 2, TOP - 16, 18, FAINT)?;
        write(
            "recall".to_owned(),
            LEFT + CELL * CLASSES as i32 + 58,
            TOP - 20,
            18,
            FAINT,
        )?;
        for digit in 0..CLASSES {
            let along = digit as i32 * CELL + CELL / 2;
            write(digit.to_string(), LEFT + along, TOP - 20, 24, INK)?;
            write(digit.to_string(), LEFT / 2, TOP + along, 24, INK)?;
            let all: u64 = confusion.0[digit].iter().sum();
            let recall = 100.0 * confusion.0[digit][digit] as f64 / all.max(1) as f64;
            let x = LEFT + CELL * CLASSES as i32 + 58;
            write(format!("{recall:.1} %"), x, TOP + along, 18, INK)?;
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
                    count(cell).to_string(),
                    x + CELL / 2,
                    y + CELL / 2,
                    size,
                    INK,
                )?;
            }
        }
        let frame = [
            (LEFT, TOP),
            (LEFT + CELL * CLASSES as i32, TOP + CELL * CLASSES as i32),
        ];
        root.draw(&Rectangle::new(frame, BLUE.mix(0.4)))?;
        root.present()
    })
}
