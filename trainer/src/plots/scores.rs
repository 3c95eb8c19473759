//! The scores of negative and positive reviews.

use std::path::Path;

use plotters::prelude::*;

use super::{Classified, FAINT, FONT, GREEN, INK, PAPER, RED, draw_png};
use crate::error::Error;

const BINS: usize = 40;

/// Draws how often each score was given to texts of the two classes. PNG, 900×520.
pub fn draw(path: &Path, classified: &Classified<'_>) -> Result<(), Error> {
    let Classified {
        title,
        truths,
        probabilities: scores,
        ..
    } = *classified;
    let counts = [0, 1].map(|label| histogram(scores, truths, label));
    let highest = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    draw_png(path, (900, 520), |root| {
        let mut chart = ChartBuilder::on(root)
            .margin(16)
            .caption(title, (FONT, 26, &INK))
            .x_label_area_size(48)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..1.0, 0.0..highest as f64 * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_desc("score: probability that the review is positive")
            .y_desc("reviews")
            .y_label_formatter(&|count| format!("{count:.0}"))
            .label_style((FONT, 16, &INK))
            .axis_style(FAINT)
            .bold_line_style(FAINT.mix(0.35))
            .max_light_lines(0)
            .draw()?;
        for (name, counts, color) in [
            ("negative reviews", &counts[0], RED),
            ("positive reviews", &counts[1], GREEN),
        ] {
            let bars = counts.iter().enumerate().map(|(bin, &count)| {
                let edge = |bin: usize| bin as f64 / BINS as f64;
                let corners = [(edge(bin), 0.0), (edge(bin + 1), count as f64)];
                Rectangle::new(corners, color.mix(0.45).filled())
            });
            chart.draw_series(bars)?.label(name).legend(move |(x, y)| {
                Rectangle::new([(x, y - 6), (x + 14, y + 6)], color.mix(0.45).filled())
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperMiddle)
            .background_style(PAPER.mix(0.9))
            .border_style(FAINT.mix(0.5))
            .label_font((FONT, 16, &INK))
            .margin(8)
            .draw()
    })
}

/// How many texts of `label` have a score in each of the equal parts of 0..=1.
fn histogram(scores: &[f32], labels: &[i64], label: i64) -> [u64; BINS] {
    let mut counts = [0; BINS];
    for (score, _) in scores.iter().zip(labels).filter(|(_, it)| **it == label) {
        counts[((score * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_has_its_bin() {
        let scores = [0.0, 0.024, 0.026, 0.5, 0.99, 1.0];
        let counts = histogram(&scores, &[1, 1, 1, 0, 1, 1], 1);
        assert_eq!((counts[0], counts[1], counts[BINS - 1]), (2, 1, 2));
        assert_eq!(counts.iter().sum::<u64>(), 5);
        assert_eq!(histogram(&scores, &[1, 1, 1, 0, 1, 1], 0)[BINS / 2], 1);
    }
}
