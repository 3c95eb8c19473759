//! Training curves.

use std::path::Path;

use plotters::prelude::*;

use super::{Area, BLUE, DrawError, FAINT, FONT, INK, ORANGE, PAPER, draw_png};
use crate::error::Error;

/// One panel: two curves over the epochs, on a logarithmic scale.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What stands above it.
    pub title: &'a str,
    /// What stands behind the numbers of its axis.
    pub unit: &'a str,
    /// The curves' names, and a value an epoch. The best epoch is marked on the second one.
    pub lines: [(&'a str, Vec<f64>); 2],
}

/// Draws two panels side by side, and marks the epoch of index `best`. PNG, 1200×520.
pub fn draw(
    path: &Path,
    title: &str,
    best: usize,
    [left, right]: &[Panel<'_>; 2],
) -> Result<(), Error> {
    draw_png(path, (1200, 520), |root| {
        let body = root
            .margin(10, 0, 0, 0)
            .titled(title, (FONT, 26).into_font().color(&INK))?;
        let (first, second) = body.split_horizontally(600);
        left.draw(&first, best)?;
        right.draw(&second, best)
    })
}

impl Panel<'_> {
    // The figures fall by orders of magnitude, so the scale is logarithmic.
    fn draw(&self, area: &Area<'_>, best: usize) -> Result<(), DrawError> {
        let (low, high) = self.range();
        let [_, (_, marked)] = &self.lines;
        let last = marked.len() as f64;
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .caption(self.title, (FONT, 20, &INK))
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(
                0.5..last + 0.5,
                (low..high).log_scale().with_key_points(ticks(low, high)),
            )?;
        chart
            .configure_mesh()
            .x_desc("epoch")
            .x_labels(10)
            .max_light_lines(0)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{}{}", short(*y), self.unit))
            .label_style((FONT, 16, &INK))
            .axis_style(FAINT)
            .bold_line_style(FAINT.mix(0.35))
            .draw()?;
        // With many epochs, points would only thicken the line.
        let point = if marked.len() > 40 { 0 } else { 2 };
        for ((name, values), color) in self.lines.iter().zip([ORANGE, BLUE]) {
            let points = values
                .iter()
                .enumerate()
                .map(|(index, &value)| (index as f64 + 1.0, value.max(low)));
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(point))?
                .label(*name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3))
                });
        }
        if let Some(&value) = marked.get(best) {
            let at = (best as f64 + 1.0, value.max(low));
            let label = format!("best, epoch {}: {}{}", best + 1, short(value), self.unit);
            chart
                .draw_series([Circle::new(at, 7, INK.stroke_width(2))])?
                .label(label)
                .legend(|(x, y)| Circle::new((x + 9, y), 5, INK.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(PAPER.mix(0.9))
            .border_style(FAINT.mix(0.5))
            .label_font((FONT, 16, &INK))
            .margin(8)
            .draw()
    }

    // A little more than the range of the values. Zero has no logarithm.
    fn range(&self) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|(_, values)| values);
        let positive = || {
            values
                .clone()
                .copied()
                .filter(|it| *it > 0.0 && it.is_finite())
        };
        let low = positive().fold(f64::INFINITY, f64::min);
        let high = positive().fold(0.0, f64::max);
        if low <= high {
            (low * 0.8, high * 1.25)
        } else {
            (0.1, 1.0)
        }
    }
}

// 1, 2 and 5 of each power of ten.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let steps = |power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power));
    powers
        .flat_map(steps)
        .filter(|tick| (low..high).contains(tick))
        .collect()
}

// Two significant digits.
fn short(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else if value >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}
