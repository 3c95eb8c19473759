//! Digits drawn with an anti-aliased pen, for tests.

use super::GrayImage;

pub(super) type Point = (f32, f32);

/// Pen strokes in a unit square, `y` downwards.
pub(super) const SEVEN: [Point; 4] = [(0.0, 0.0), (0.7, 0.0), (0.45, 0.45), (0.25, 1.0)];
pub(super) const TWO: [Point; 6] = [
    (0.0, 0.25),
    (0.2, 0.0),
    (0.5, 0.05),
    (0.6, 0.3),
    (0.0, 1.0),
    (0.65, 0.97),
];

/// A photo: `strokes`, `size` high, drawn at `at` with a pen of `pen` pixels, dark on white.
pub(super) fn photo(
    canvas: (u32, u32),
    strokes: &[Point],
    at: Point,
    size: f32,
    pen: f32,
) -> GrayImage {
    GrayImage::from_fn(canvas.0, canvas.1, |x, y| {
        let pixel = (x as f32 + 0.5, y as f32 + 0.5);
        let place = |(x, y): Point| (at.0 + x * size, at.1 + y * size);
        let lines = strokes
            .windows(2)
            .map(|line| to_line(pixel, place(line[0]), place(line[1])));
        let away = lines.fold(f32::MAX, f32::min);
        let ink = (pen / 2.0 + 0.5 - away).clamp(0.0, 1.0);
        ::image::Luma([(255.0 * (1.0 - ink)).round() as u8])
    })
}

/// Distance of a point to a line's nearest point.
fn to_line(p: Point, a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let along = ((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy);
    let along = along.clamp(0.0, 1.0);
    (p.0 - a.0 - along * dx).hypot(p.1 - a.1 - along * dy)
}
