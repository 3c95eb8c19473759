//! A pen that draws as people write: slanted, turned, stretched and unsteady.

use super::{Frame, SIDE, between};
use crate::random::SplitMix64;

/// A place in a glyph or a frame.
pub(super) type Point = [f32; 2];

/// Side of the box that MNIST fits a digit into, and the middle of the frame, in pixels.
const BOX: f32 = 20.0;
const MIDDLE: f32 = 14.0;
// Pieces of a curve from point to point.
const PIECES: usize = 6;

/// Draws a glyph as someone may write it, framed as MNIST frames digits.
pub(super) fn draw(glyph: &str, random: &mut SplitMix64) -> Frame {
    written(&unsteady(&strokes(glyph), random), random)
}

/// Draws strokes as someone may write them.
pub(super) fn written(strokes: &[Vec<Point>], random: &mut SplitMix64) -> Frame {
    let turn = between(random, -0.2, 0.2);
    let (slant, height) = (between(random, -0.4, 0.4), between(random, 0.75, 1.5));
    let (sine, cosine) = turn.sin_cos();
    let place = |[x, y]: Point| {
        let (x, y) = (x - slant * y, y * height);
        [x * cosine - y * sine, x * sine + y * cosine]
    };
    let lines: Vec<Vec<Point>> = strokes
        .iter()
        .map(|it| curve(it).into_iter().map(place).collect())
        .collect();
    let width = between(random, 1.4, 4.4);
    let softness = between(random, 0.8, 1.6);
    inked(&lines, width, softness)
}

/// The points of a glyph's strokes.
pub(super) fn strokes(glyph: &str) -> Vec<Vec<Point>> {
    let point = |it: &str| {
        let digit = |place: usize| f32::from(it.as_bytes()[place] - b'0');
        [digit(0), digit(1)]
    };
    let stroke = |it: &str| it.split(' ').map(point).collect();
    glyph.split('/').map(stroke).collect()
}

/// The same strokes by a hand that misses their points; corners stay corners.
pub(super) fn unsteady(strokes: &[Vec<Point>], random: &mut SplitMix64) -> Vec<Vec<Point>> {
    let far = f64::from(between(random, 0.1, 0.7));
    let moved = strokes.iter().map(|stroke| {
        let mut moved: Vec<Point> = Vec::with_capacity(stroke.len());
        for (place, point) in stroke.iter().enumerate() {
            moved.push(match moved.last() {
                Some(corner) if is_same(*point, stroke[place - 1]) => *corner,
                _ => point.map(|at| at + between(random, -far, far)),
            });
        }
        moved
    });
    moved.collect()
}

/// Whether two points of a glyph, which are whole numbers, are one.
fn is_same(point: Point, other: Point) -> bool {
    point
        .iter()
        .zip(other)
        .all(|(at, other)| (at - other).abs() < 0.5)
}

/// Points of a Catmull-Rom curve through `points`.
fn curve(points: &[Point]) -> Vec<Point> {
    let at = |place: isize| points[place.clamp(0, points.len() as isize - 1) as usize];
    let mut curve = vec![points[0]];
    for start in 0..points.len() as isize - 1 {
        let around = [-1, 0, 1, 2].map(|step| at(start + step));
        for piece in 1..=PIECES {
            let way = piece as f32 / PIECES as f32;
            curve.push([0, 1].map(|axis| {
                let [before, from, to, after] = around.map(|point| point[axis]);
                let (first, second) = ((to - before) / 2.0, (after - from) / 2.0);
                let (square, cube) = (way * way, way * way * way);
                (2.0 * cube - 3.0 * square + 1.0) * from
                    + (cube - 2.0 * square + way) * first
                    + (3.0 * square - 2.0 * cube) * to
                    + (cube - square) * second
            }));
        }
    }
    curve
}

/// Lines in MNIST's box, drawn with a pen of `width` pixels whose edge is `softness` wide, and
/// moved so that the centre of mass is the middle.
fn inked(lines: &[Vec<Point>], width: f32, softness: f32) -> Frame {
    let points = || lines.iter().flatten();
    let bounds = |axis: usize| {
        let ends = (f32::INFINITY, f32::NEG_INFINITY);
        points().fold(ends, |(least, most), it| {
            (least.min(it[axis]), most.max(it[axis]))
        })
    };
    let (across, down) = (bounds(0), bounds(1));
    let longer = (across.1 - across.0).max(down.1 - down.0).max(0.1);
    let scale = (BOX - width) / longer;
    let fit = |lines: &[Vec<Point>], middle: Point| -> Vec<Vec<Point>> {
        let place = |it: &Point| [0, 1].map(|axis| (it[axis] - middle[axis]) * scale + MIDDLE);
        lines
            .iter()
            .map(|it| it.iter().map(place).collect())
            .collect()
    };
    let middle = [across, down].map(|(least, most)| f32::midpoint(least, most));
    let centre = centre(&cover(&fit(lines, middle), width, softness));
    let middle = [0, 1].map(|axis| middle[axis] + (centre[axis] - MIDDLE) / scale);
    cover(&fit(lines, middle), width, softness)
}

/// The part of each pixel that lines cover.
fn cover(lines: &[Vec<Point>], width: f32, softness: f32) -> Frame {
    let mut nearest = [f32::INFINITY; SIDE * SIDE];
    let far = f32::midpoint(width, softness);
    for line in lines {
        let ends = line.windows(2).map(|it| [it[0], it[1]]);
        let dot = (line.len() == 1).then(|| [line[0]; 2]);
        for [from, to] in ends.chain(dot) {
            let range = |axis: usize| {
                let (least, most) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
                let inside = |at: f32| at.clamp(0.0, SIDE as f32) as usize;
                inside(least - far - 0.5)..inside(most + far + 1.5)
            };
            for y in range(1) {
                for x in range(0) {
                    let pixel = &mut nearest[y * SIDE + x];
                    *pixel = pixel.min(distance([x as f32 + 0.5, y as f32 + 0.5], from, to));
                }
            }
        }
    }
    nearest.map(|away| ((width / 2.0 - away) / softness + 0.5).clamp(0.0, 1.0))
}

/// How far a point is from a line.
fn distance(point: Point, from: Point, to: Point) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let off = [point[0] - from[0], point[1] - from[1]];
    let square = along[0] * along[0] + along[1] * along[1];
    let dot = off[0] * along[0] + off[1] * along[1];
    let t = if square > 0.0 {
        (dot / square).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (off[0] - t * along[0]).hypot(off[1] - t * along[1])
}

/// The centre of mass.
fn centre(frame: &Frame) -> Point {
    let mut sums = [0.0; 3];
    for (index, level) in frame.iter().enumerate() {
        let place = [index % SIDE, index / SIDE].map(|it| it as f32 + 0.5);
        sums[0] += level * place[0];
        sums[1] += level * place[1];
        sums[2] += level;
    }
    let mass = sums[2].max(f32::MIN_POSITIVE);
    [sums[0] / mass, sums[1] / mass]
}
