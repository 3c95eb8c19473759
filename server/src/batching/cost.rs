//! What a run costs, as a function of its rows and their width. It belongs to the model: a
//! recurrent network's cost is linear in the width, that of attention is not.

use std::iter::successors;
use std::time::Duration;

use super::lanes::Extent;

/// The cost of a run by its rows and the width to which they are padded. Only proportions matter:
/// an engine learns from its runs how long a unit takes.
///
/// The cost is linear in the rows, and between the widths at which it is known linear in the width.
/// Without any, which is right for rows of a fixed size, it is rows times width.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cost {
    /// By width, which is unique.
    pub(super) points: Vec<CostAt>,
    /// What a server spends on a run beside the run itself.
    pub(super) hand_over: f64,
}

/// The cost of a run whose widest row has this width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CostAt {
    pub(super) width: usize,
    /// What each row costs.
    pub(super) row: f64,
    /// What the run costs beside its rows.
    pub(super) run: f64,
}

/// Rows of the larger of the two runs that are measured at each width.
const MEASURED_ROWS: usize = 4;

/// A run is measured at most so often, at least twice.
const MOST_REPETITIONS: usize = 8;

/// Once its repetitions have taken so long together, a run is not repeated again.
const LONG_ENOUGH: Duration = Duration::from_micros(500);

/// Once a run takes so long, wider ones are not measured: that would delay the start.
const LONG_RUN: Duration = Duration::from_millis(100);

/// Once the rows cost this many times the fixed cost of a run, a larger run saves little per row.
const ROWS_TO_RUN: f64 = 4.0;

/// Microseconds: an instance is woken, and finds the data of other work in the caches. Chosen by
/// the texts that a server scores a second (docs/decisions/003).
const HAND_OVER: f64 = 30.0;

/// Less than this part of a run is not worth joining rows for. The cost is measured with few rows,
/// and more of them may cost a little more each, as those of wide texts do once the caches are
/// full.
const LEAST_SAVING: f64 = 0.02;

impl Cost {
    /// Measures the cost of rows up to `longest` wide: `run(rows, width)` makes one run of at most
    /// `max_batch_size` rows and says how long it took.
    ///
    /// Other programs can only lengthen a run. So the shortest of its repetitions counts, and a
    /// narrow run counts no more than a wider one. Widths whose runs take very long are not
    /// measured; the line through the two widest that were goes on.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn measure<E>(
        max_batch_size: usize,
        longest: usize,
        mut run: impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<Self, E> {
        let many = MEASURED_ROWS.min(max_batch_size);
        let mut fastest = |rows, width| -> Result<Duration, E> {
            let (mut best, mut total) = (Duration::MAX, Duration::ZERO);
            for repetition in 0..MOST_REPETITIONS {
                if repetition >= 2 && total >= LONG_ENOUGH {
                    break;
                }
                let took = run(rows, width)?;
                best = best.min(took);
                total += took;
            }
            Ok(best)
        };
        // Each twice the one before: where the cost is quadratic, a line is off by an eighth at
        // most.
        let halved = |width: &usize| (*width > 1).then_some(*width / 2);
        let widths: Vec<usize> = successors(Some(longest.max(1)), halved).collect();
        let mut runs = Vec::new();
        for width in widths.into_iter().rev() {
            let one = fastest(1, width)?;
            let all = if many > 1 { fastest(many, width)? } else { one };
            runs.push((width, one.as_secs_f64() * 1e6, all.as_secs_f64() * 1e6));
            if all >= LONG_RUN {
                break;
            }
        }
        let mut points: Vec<CostAt> = Vec::new();
        for (width, one, all) in runs.into_iter().rev() {
            let row = match many {
                1 => one,
                _ => (all - one) / (many - 1) as f64,
            };
            let wider = points.last();
            let row = row.clamp(f64::EPSILON, wider.map_or(f64::MAX, |wider| wider.row));
            let run = (one - row).clamp(0.0, wider.map_or(f64::MAX, |wider| wider.run));
            points.push(CostAt { width, row, run });
        }
        points.reverse();
        Ok(Self {
            points,
            hand_over: HAND_OVER,
        })
    }

    /// The cost of one run.
    pub(super) fn of_run(&self, Extent { rows, width }: Extent) -> f64 {
        let (rows, width) = (rows as f64, width as f64);
        let (low, high) = match self.points[..] {
            [] => return rows * width,
            [only] => return rows * only.row + only.run,
            _ => {
                let wider = self
                    .points
                    .partition_point(|point| (point.width as f64) < width)
                    .clamp(1, self.points.len() - 1);
                (self.points[wider - 1], self.points[wider])
            }
        };
        let part = (width - low.width as f64) / (high.width - low.width) as f64;
        let between = |low: f64, high: f64| low + (high - low) * part;
        rows * between(low.row, high.row) + between(low.run, high.run)
    }

    /// What a run of both saves beside two runs; `None`: nothing that is worth it.
    pub(super) fn saves(&self, one: Extent, other: Extent) -> Option<f64> {
        let together = self.of_run(one.and(other));
        let saves = self.of_run(one) + self.of_run(other) + self.hand_over - together;
        (saves >= LEAST_SAVING * together).then_some(saves)
    }

    /// The fewest rows of a run that is nearly as cheap per row as a larger one. Of the widest
    /// rows: only these make runs so long that it matters.
    pub(super) fn efficient_rows(&self) -> usize {
        let widest = self.points.last();
        widest.map_or(0, |widest| {
            (ROWS_TO_RUN * widest.run / widest.row).ceil() as usize
        })
    }
}
