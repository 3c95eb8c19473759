//! What a run costs, as a function of its rows and their width. It belongs to the model: a
//! recurrent network's cost is linear in the width, that of attention is not.

mod measure;

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
    /// Of runs of the widest rows of these: of one row, and then of doublings.
    pub(super) widest: Vec<f64>,
    /// What a server spends on a run beside the run itself.
    pub(super) hand_over: f64,
    /// The same with what its callers' answers cost together.
    pub(super) answers: f64,
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

/// Once the rows cost this many times the fixed cost of a run, a larger run saves little per row.
const ROWS_TO_RUN: f64 = 4.0;

/// Microseconds: an instance is woken, and finds the data of other work in the caches. Chosen by
/// the texts that a server scores a second (docs/decisions/003).
const HAND_OVER: f64 = 30.0;

/// Microseconds: threads of callers and of connections wake for the answers of a run, and its
/// instance finds the caches changed. From the texts that a server scores a second with runs of
/// different sizes (docs/decisions/004).
const ANSWERS: f64 = 150.0;

/// Less than this part of a run is not worth joining rows for: it is known no better.
const LEAST_SAVING: f64 = 0.02;

/// If the largest measured run is cheaper per row by this factor than one of half its rows, a still
/// larger run may be cheaper again.
const MUCH: f64 = 1.1;

impl Cost {
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

    /// The fewest tokens of a run that is as cheap per token as any other: a larger one fills the
    /// caches, and its callers wait longer. `None`: not known, since the largest run that was
    /// measured saves much beside the one before.
    pub(super) fn efficient_tokens(&self) -> Option<usize> {
        let width = self.points.last()?.width;
        let per_row = self.per_row();
        let cheapest = per_row.iter().copied().fold(f64::MAX, f64::min);
        let is_cheapest = |cost: &f64| *cost <= cheapest * (1.0 + LEAST_SAVING);
        match per_row[..] {
            [.., before, last] if before < last * MUCH => {
                let doublings = per_row.iter().position(is_cheapest)?;
                Some(width << doublings)
            }
            _ => None,
        }
    }

    /// What a row costs in runs of the widest rows: of one row, and then of doublings.
    fn per_row(&self) -> Vec<f64> {
        let runs = self.widest.iter().enumerate();
        let shared = |(at, run)| (run + self.answers) / f64::from(1 << at);
        runs.map(shared).collect()
    }
}
