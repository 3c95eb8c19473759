//! A model's cost, measured when it is loaded.

use std::iter::successors;
use std::time::Duration;

use super::{Cost, CostAt, HAND_OVER};

/// Rows of the larger of the two runs that are measured at each width.
const MEASURED_ROWS: usize = 4;

/// A run is measured at most so often, at least twice.
const MOST_REPETITIONS: usize = 8;

/// Once its repetitions have taken so long together, a run is not repeated again.
const LONG_ENOUGH: Duration = Duration::from_millis(2);

/// Once a run takes so long, wider ones are not measured: that would delay the start.
const LONG_RUN: Duration = Duration::from_millis(100);

/// The microseconds of runs of one row and of several, all of one width.
#[derive(Debug, Clone, Copy)]
struct Runs {
    width: usize,
    one: f64,
    all: f64,
}

/// A straight line that is never below zero for a positive width.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: f64,
    slope: f64,
}

impl Cost {
    /// Measures the cost of rows up to `longest` wide: `run(rows, width)` makes one run of at most
    /// `max_batch_size` rows and says how long it took.
    ///
    /// Other programs can only lengthen a run. So the shortest of its repetitions counts, and a
    /// narrow run takes no longer than a wider one. What a run costs beside its rows is the small
    /// difference of two long times. It is therefore not taken from one width alone: it is the line
    /// that fits all widths best. Widths whose runs take very long are not measured; the line
    /// through the two widest that were goes on.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn measure<E>(
        max_batch_size: usize,
        longest: usize,
        run: impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<Self, E> {
        let many = MEASURED_ROWS.min(max_batch_size);
        let runs = runs(many, longest, run)?;
        let beside = Line::beside_rows(&runs, many);
        let mut points: Vec<CostAt> = Vec::new();
        for Runs { width, all, .. } in runs.into_iter().rev() {
            let widest = points.last().map_or(f64::MAX, |wider| wider.row);
            let run = beside.at(width).min(all);
            let row = ((all - run) / many as f64).clamp(f64::EPSILON, widest);
            points.push(CostAt { width, row, run });
        }
        points.reverse();
        Ok(Self {
            points,
            hand_over: HAND_OVER,
        })
    }
}

/// The shortest runs of one row and of `many` at each width, narrow to wide.
fn runs<E>(
    many: usize,
    longest: usize,
    mut run: impl FnMut(usize, usize) -> Result<Duration, E>,
) -> Result<Vec<Runs>, E> {
    let mut fastest = |rows, width| -> Result<f64, E> {
        let (mut best, mut total) = (Duration::MAX, Duration::ZERO);
        for repetition in 0..MOST_REPETITIONS {
            if repetition >= 2 && total >= LONG_ENOUGH {
                break;
            }
            let took = run(rows, width)?;
            best = best.min(took);
            total += took;
        }
        Ok(best.as_secs_f64() * 1e6)
    };
    // Each twice the one before: where the cost is quadratic, a line is off by an eighth at most.
    let halved = |width: &usize| (*width > 1).then_some(*width / 2);
    let widths: Vec<usize> = successors(Some(longest.max(1)), halved).collect();
    let mut runs = Vec::new();
    for width in widths.into_iter().rev() {
        let one = fastest(1, width)?;
        let all = if many > 1 { fastest(many, width)? } else { one };
        runs.push(Runs { width, one, all });
        if all >= LONG_RUN.as_secs_f64() * 1e6 {
            break;
        }
    }
    let (mut one, mut all) = (f64::MAX, f64::MAX);
    for run in runs.iter_mut().rev() {
        (one, all) = (run.one.min(one), run.all.min(all));
        (run.one, run.all) = (one.min(all), all);
    }
    Ok(runs)
}

impl Line {
    /// What a run costs beside its rows, by width: least squares of the errors in proportion to the
    /// time of a run, since a longer one is known less exactly.
    fn beside_rows(runs: &[Runs], many: usize) -> Self {
        let (many, mut sums) = (many as f64, [0.0; 5]);
        for &Runs { width, one, all } in runs {
            if many <= 1.0 || one <= 0.0 {
                continue;
            }
            let beside = (many * one - all) / (many - 1.0);
            let (x, y, w) = (width as f64, beside, 1.0 / (one * one));
            let terms = [w, w * x, w * x * x, w * y, w * x * y];
            sums.iter_mut().zip(terms).for_each(|(sum, it)| *sum += it);
        }
        let [w, wx, wxx, wy, wxy] = sums;
        let determinant = w * wxx - wx * wx;
        let slope = (w * wxy - wx * wy) / determinant;
        let start = (wxx * wy - wx * wxy) / determinant;
        let least = |part: f64| if part > 0.0 { part } else { 0.0 };
        if start >= 0.0 && slope >= 0.0 {
            Self { start, slope }
        } else if start < 0.0 {
            Self {
                start: 0.0,
                slope: least(wxy / wxx),
            }
        } else {
            // One width only, or a slope below zero.
            Self {
                start: least(wy / w),
                slope: 0.0,
            }
        }
    }

    fn at(self, width: usize) -> f64 {
        self.start + self.slope * width as f64
    }
}
