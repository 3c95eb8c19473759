//! A frame as text: what the model saw, in any terminal.

use quintet_client::Image;

/// The most columns of pixels that are drawn; more are averaged.
const COLUMNS: usize = 28;
/// From black to white.
const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];

/// Draws pixels, two characters each; nothing where the image holds none.
pub(super) fn draw(image: &Image) -> String {
    let Some(raw) = image.as_raw() else {
        return String::new();
    };
    let [width, height, channels] = [raw.width, raw.height, raw.channels].map(|it| it as usize);
    if width == 0 || width * height * channels != raw.data.len() {
        return String::new();
    }
    let block = width.div_ceil(COLUMNS);
    let shade = |left: usize, top: usize| {
        let rows = top..(top + block).min(height);
        let columns = left..(left + block).min(width);
        let levels = rows.flat_map(|y| {
            let row = &raw.data[y * width * channels..][..width * channels];
            &row[columns.start * channels..columns.end * channels]
        });
        let (sum, count) = levels.fold((0, 0), |(sum, count), &level| {
            (sum + usize::from(level), count + 1)
        });
        SHADES[(sum * (SHADES.len() - 1) + count * 127) / (count * 255)]
    };
    let line = |top| {
        let columns = (0..width).step_by(block);
        let line: String = columns.map(|left| shade(left, top)).collect();
        line.trim_end().to_owned() + "\n"
    };
    (0..height).step_by(block).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_become_shades() {
        let levels = vec![0, 40, 128, 200, 255, 255, 0, 0, 0, 0];
        let image = Image::raw(5, 2, 1, levels);
        assert_eq!(draw(&image), "  ░░▒▒▓▓██\n██\n");
    }

    #[test]
    fn a_large_frame_is_averaged() {
        let mut pixels = vec![0; 224 * 224 * 3];
        pixels[..8 * 224 * 3].fill(255);
        let drawn = draw(&Image::raw(224, 224, 3, pixels));
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!((lines.len(), lines[0]), (28, &*"██".repeat(28)));
        assert!(lines[1..].iter().all(|line| line.is_empty()));
    }

    #[test]
    fn what_holds_no_pixels_is_not_drawn() {
        for image in [
            Image::encoded("file"),
            Image::raw(0, 0, 1, ""),
            Image::raw(9, 9, 1, "short"),
        ] {
            assert_eq!(draw(&image), "");
        }
    }
}
