//! Images in a terminal: two pixels a character cell, the upper one the colour of "▀" and the lower
//! one its background.

use std::fmt::Write as _;

use console::Term;
use image::ImageFormat;
use quintet_client::Image;

/// A digit's side in pixels.
const SIDE: usize = 28;
/// Its side as it is shown, in cells and half cells: every pixel is the mean of four.
const SHOWN: usize = SIDE / 2;
/// Lines of the terminal that are left to the text.
const TEXT_LINES: usize = 8;
/// The most rows of digits; more would push the text out of sight.
const MOST_ROWS: usize = 4;
/// Why no error is expected of a `write!` to a string.
const WRITES: &str = "writing to a string does not fail";

/// A terminal and the digits that it shows; by default, it has room for none.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// Digits in a row.
    columns: usize,
    rows: usize,
    /// 28×28 pixels each, light on dark.
    digits: Vec<Vec<u8>>,
}

/// The nearest of the 256 usual colours of terminals: black, 24 greys, white.
fn colour(grey: u8) -> u8 {
    match grey {
        0..=3 => 16,
        247.. => 231,
        grey => 232 + ((grey - 3) / 10).min(23),
    }
}

/// The image's width, and its pixels row by row; `None` for one that cannot be read.
fn pixels(image: &Image) -> Option<(usize, Vec<u8>)> {
    if let Some(raw) = image.as_raw() {
        return Some((raw.width as usize, raw.data.to_vec()));
    }
    let file = image.as_encoded()?;
    let image = image::load_from_memory_with_format(file, ImageFormat::Png);
    let image = image.ok()?.into_luma8();
    Some((image.width() as usize, image.into_raw()))
}

impl Preview {
    /// Has no room where stdout is not a terminal, or a terminal without colours.
    pub(super) fn of_stdout() -> Self {
        let terminal = Term::stdout();
        match terminal.size_checked() {
            Some((lines, columns)) if terminal.features().colors_supported() => {
                Self::of_size(columns.into(), lines.into())
            }
            _ => Self::default(),
        }
    }

    fn of_size(columns: usize, lines: usize) -> Self {
        let rows = lines.saturating_sub(TEXT_LINES) / (SHOWN / 2);
        Self {
            columns: columns / SHOWN,
            rows: rows.clamp(1, MOST_ROWS),
            digits: Vec::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.columns > 0
    }

    /// Takes a digit by itself, or all on a sheet, as long as there is room.
    pub(super) fn add(&mut self, image: &Image) {
        let room = self.columns * self.rows - self.digits.len();
        if room == 0 {
            return;
        }
        let Some((width, pixels)) = pixels(image) else {
            return;
        };
        // The rest of a row that the sheet does not fill is black as well.
        let across = width / SIDE;
        let down = pixels.len() / SIDE / width.max(1);
        let digit = |index: usize| {
            let start = index / across * SIDE * width + index % across * SIDE;
            let rows = (0..SIDE).map(|row| start + row * width);
            rows.flat_map(|start| &pixels[start..start + SIDE])
                .copied()
                .collect()
        };
        self.digits.extend((0..across * down).map(digit).take(room));
    }

    /// The digits of `count` images; nothing where there are none.
    pub(super) fn render(&self, count: usize) -> String {
        let mut text = String::new();
        let shown = &self.digits[..self.digits.len().min(count)];
        for row in shown.chunks(self.columns.max(1)) {
            for line in 0..SHOWN / 2 {
                put_line(&mut text, row, line);
            }
        }
        if !text.is_empty() && shown.len() < count {
            writeln!(text, "the first {} of them", shown.len()).expect(WRITES);
        }
        text
    }
}

/// Writes one line of cells through a row of digits.
fn put_line(text: &mut String, digits: &[Vec<u8>], line: usize) {
    let mut last = None;
    for digit in digits {
        for column in 0..SHOWN {
            let mean = |row: usize| {
                let at = |dy, dx| u32::from(digit[(2 * row + dy) * SIDE + 2 * column + dx]);
                colour(((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1) + 2) / 4) as u8)
            };
            let colours = (mean(2 * line), mean(2 * line + 1));
            if last.replace(colours) != Some(colours) {
                let (upper, lower) = colours;
                write!(text, "\u{1b}[38;5;{upper};48;5;{lower}m").expect(WRITES);
            }
            text.push('▀');
        }
    }
    text.push_str("\u{1b}[0m\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A digit of one grey.
    fn plain(grey: u8) -> Image {
        Image::raw(28, 28, 1, vec![grey; SIDE * SIDE])
    }

    #[test]
    fn greys_become_the_nearest_colours() {
        let table = [
            (0, 16),
            (8, 232),
            (12, 232),
            (13, 233),
            (128, 244),
            (238, 255),
            (246, 255),
            (255, 231),
        ];
        for (grey, expected) in table {
            assert_eq!(colour(grey), expected, "{grey}");
        }
    }

    #[test]
    fn a_digit_is_halved_twice() {
        let mut preview = Preview::of_size(20, 24);
        let mut pixels = vec![0; SIDE * SIDE];
        // The upper left cell: the upper pixel white, the lower one grey.
        for (y, x, grey) in [
            (0, 0, 255),
            (0, 1, 255),
            (1, 0, 255),
            (1, 1, 255),
            (2, 0, 160),
        ] {
            pixels[y * SIDE + x] = grey;
        }
        preview.add(&Image::raw(28, 28, 1, pixels));
        let text = preview.render(1);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 7);
        let first = "\u{1b}[38;5;231;48;5;235m▀\u{1b}[38;5;16;48;5;16m";
        assert_eq!(lines[0], format!("{first}{}\u{1b}[0m", "▀".repeat(13)));
        let black = format!("\u{1b}[38;5;16;48;5;16m{}\u{1b}[0m", "▀".repeat(14));
        assert!(lines[1..].iter().all(|it| **it == black));
    }

    #[test]
    fn there_are_as_many_as_there_is_room_for() {
        for (columns, lines, room) in [(80, 24, 10), (80, 5, 5), (28, 200, 8), (14, 0, 1)] {
            let mut preview = Preview::of_size(columns, lines);
            (0..100).for_each(|_| preview.add(&plain(9)));
            assert_eq!(preview.digits.len(), room, "{columns} by {lines}");
            let text = preview.render(100);
            assert!(text.ends_with(&format!("\nthe first {room} of them\n")));
            assert!(!preview.render(1).contains("the first"));
        }
        assert!(!Preview::of_size(13, 100).has_room());
    }

    #[test]
    fn a_sheet_is_taken_apart() {
        let mut preview = Preview::of_size(80, 24);
        // Two by two digits of the greys 0 to 3, the last one no image's.
        let pixel = |at: usize| (at / 56 / SIDE * 2 + at % 56 / SIDE) as u8;
        let grey = image::GrayImage::from_raw(56, 56, (0..56 * 56).map(pixel).collect()).unwrap();
        let mut file = std::io::Cursor::new(Vec::new());
        grey.write_to(&mut file, ImageFormat::Png).unwrap();
        preview.add(&Image::encoded(file.into_inner()));
        let greys = (0..4).map(|grey| vec![grey; SIDE * SIDE]);
        assert!(preview.digits.iter().cloned().eq(greys));
        assert_eq!(preview.render(3).matches('▀').count(), 3 * 7 * SHOWN);
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        let mut preview = Preview::of_size(80, 24);
        for image in [
            Image::encoded("no PNG"),
            Image::raw(0, 0, 1, ""),
            Image::raw(28, 28, 1, "short"),
            Image::raw(7, 7, 1, vec![0; 49]),
        ] {
            preview.add(&image);
        }
        assert_eq!(preview.render(4), "");
    }
}
