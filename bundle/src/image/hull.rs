//! The convex hull of a set of pixels.

use std::ops::Range;

type Point = [f32; 2];

/// How far an ellipse's outline may be from one, in parts of its axes.
const ELLIPTIC: f32 = 0.12;

/// A convex polygon around pixels, its corners counter-clockwise where `y` points downwards.
#[derive(Debug, Clone)]
pub(super) struct Hull(Vec<Point>);

impl Hull {
    /// The hull of the pixels from the first to the last of each row: `(y, first, last)`, from the
    /// top.
    pub(super) fn of(rows: &[(usize, usize, usize)]) -> Self {
        let corners = |&(y, first, last): &(usize, usize, usize)| {
            let (left, right) = (first as f32, last as f32 + 1.0);
            let (top, bottom) = (y as f32, y as f32 + 1.0);
            [[left, top], [left, bottom], [right, top], [right, bottom]]
        };
        let mut points: Vec<Point> = rows.iter().flat_map(corners).collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        // Andrew's monotone chain (1979).
        let mut hull = half(points.iter().copied());
        hull.pop();
        hull.extend(half(points.iter().rev().copied()));
        hull.pop();
        Self(hull)
    }

    /// Its area in pixels.
    pub(super) fn area(&self) -> f32 {
        let sum: f32 = self.sides().map(|[a, b]| a[0] * b[1] - b[0] * a[1]).sum();
        sum.abs() / 2.0
    }

    /// The area of the smallest rectangle around it; one side of it lies on a side of the hull
    /// (Freeman and Shapira 1975).
    pub(super) fn rectangle_area(&self) -> f32 {
        let area = |[a, b]: [Point; 2]| {
            let length = (b[0] - a[0]).hypot(b[1] - a[1]).max(f32::MIN_POSITIVE);
            let along = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
            let extent = |axis: Point| {
                let places = self
                    .0
                    .iter()
                    .map(|point| point[0] * axis[0] + point[1] * axis[1]);
                let ends = places.fold((f32::MAX, f32::MIN), |(low, high), at| {
                    (low.min(at), high.max(at))
                });
                ends.1 - ends.0
            };
            extent(along) * extent([-along[1], along[0]])
        };
        self.sides().map(area).fold(f32::MAX, f32::min)
    }

    /// Whether it is about a circle, or an ellipse that is not turned.
    pub(super) fn is_elliptic(&self) -> bool {
        let ends = |axis: usize| {
            let places = self.0.iter().map(|point| point[axis]);
            places.fold((f32::MAX, f32::MIN), |(low, high), at| {
                (low.min(at), high.max(at))
            })
        };
        let [x, y] = [0, 1].map(ends);
        let off = |at: f32, (low, high): (f32, f32)| (2.0 * at - low - high) / (high - low);
        let is_near = |&[a, b]: &Point| {
            let away = off(a, x).hypot(off(b, y));
            (1.0 - ELLIPTIC..1.0 + ELLIPTIC).contains(&away)
        };
        // Long sides are no arcs: their middles lie inside.
        let middle = |[a, b]: [Point; 2]| [0, 1].map(|axis| f32::midpoint(a[axis], b[axis]));
        self.0.iter().all(is_near) && self.sides().map(middle).all(|it| is_near(&it))
    }

    /// The columns of a row that lie inside, at least `margin` pixels from each side.
    pub(super) fn columns(&self, y: usize, margin: f32) -> Range<usize> {
        let (mut left, mut right) = (0.0_f32, f32::MAX);
        let y = y as f32 + 0.5;
        for [a, b] in self.sides() {
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = dx.hypot(dy).max(f32::MIN_POSITIVE);
            // Inside, `dx (y - a.y) - dy (x - a.x)` is at least `margin * length`.
            let room = dx * (y - a[1]) + dy * a[0] - margin * length;
            if dy > 0.0 {
                right = right.min(room / dy);
            } else if dy < 0.0 {
                left = left.max(room / dy);
            } else if room < 0.0 {
                return 0..0;
            }
        }
        let (first, end) = (
            (left - 0.5).ceil().max(0.0) as usize,
            (right + 0.5).floor() as usize,
        );
        first..end.max(first)
    }

    fn sides(&self) -> impl Iterator<Item = [Point; 2]> {
        let next = self.0.iter().cycle().skip(1);
        self.0.iter().zip(next).map(|(&a, &b)| [a, b])
    }
}

/// The first and last pixel of each of these rows that has any: `(y, first, last)`, from the top.
/// No pixel may lie in another row.
pub(super) fn extents(
    width: usize,
    rows: Range<usize>,
    pixels: &[u32],
) -> Vec<(usize, usize, usize)> {
    let top = rows.start;
    let mut rows: Vec<_> = rows.map(|y| (y, width, 0)).collect();
    for &pixel in pixels {
        let (x, y) = (pixel as usize % width, pixel as usize / width);
        let (_, first, last) = &mut rows[y - top];
        (*first, *last) = (x.min(*first), x.max(*last));
    }
    rows.retain(|(_, first, last)| first <= last);
    rows
}

/// One chain of the hull, of points in order.
fn half(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut chain: Vec<Point> = Vec::new();
    for point in points {
        while let [.., a, b] = chain[..] {
            let turn = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
            if turn > 0.0 {
                break;
            }
            chain.pop();
        }
        chain.push(point);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
    }

    #[test]
    fn a_rectangle_is_its_own_hull() {
        let hull = Hull::of(&[(3, 2, 9), (4, 2, 9), (5, 2, 9)]);
        close(hull.area(), 24.0);
        close(hull.rectangle_area(), 24.0);
        assert_eq!(hull.columns(3, 0.0), 2..10);
        assert_eq!(hull.columns(4, 1.0), 3..9);
        assert_eq!(hull.columns(3, 1.0), 0..0);
        assert_eq!(hull.columns(2, 0.0), 0..0);
    }

    #[test]
    fn a_diamond_fills_a_turned_rectangle() {
        let rows: Vec<_> = (0..41_usize)
            .map(|y| (y, y.abs_diff(20), 40 - y.abs_diff(20)))
            .collect();
        let hull = Hull::of(&rows);
        let share = hull.area() / hull.rectangle_area();
        assert!(share > 0.95, "{share}");
        assert_eq!(hull.columns(20, 2.0), 2..39);
    }
}
