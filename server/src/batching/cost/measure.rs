//! A model's cost, measured when it is loaded.

use std::iter::successors;
use std::time::Duration;

use super::{ANSWERS, Cost, CostAt, HAND_OVER};

/// The most repetitions of a run. There are at least two, unless it is long.
const MOST_REPETITIONS: usize = 8;

/// A run is not repeated once its repetitions have taken this long together.
const LONG_ENOUGH: Duration = Duration::from_millis(2);

/// A run of this length is measured once. If it has few rows, wider rows are not measured: that
/// would delay the start.
const LONG_RUN: Duration = Duration::from_millis(100);

/// Runs of up to this many rows are measured at each width.
const FEW_ROWS: usize = 4;

/// Runs of up to this many rows are measured where they are expected to be shorter than
/// [`LONG_RUN`].
const MORE_ROWS: usize = 8;

/// At the widest width, runs of more rows are measured while they are expected to be shorter.
const LONGEST_RUN: Duration = Duration::from_millis(400);

/// At the widest width, measuring stops when a row costs this factor more than in a smaller run.
const DEARER: f64 = 1.1;

/// A run, and how long its repetitions took.
#[derive(Debug, Clone, Copy)]
struct Timed {
    rows: usize,
    width: usize,
    shortest: Duration,
    total: Duration,
    repetitions: usize,
}

impl Cost {
    /// Measures the cost of rows up to `longest` wide: `run(rows, width)` makes one run of at most
    /// `max_batch_size` rows and says how long it took.
    ///
    /// Other programs can only lengthen a run. So the shortest of its repetitions counts, with
    /// other runs between them, and no run costs more than one of more rows or of wider ones. What
    /// a run costs beside its rows is the small difference of long times. It is therefore taken
    /// from the line through the runs of all numbers of rows. Widths whose runs take very long are
    /// not measured; the line through the two widest that were goes on.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn measure<E>(
        max_batch_size: usize,
        longest: usize,
        mut run: impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<Self, E> {
        let longest = longest.max(1);
        let mut by_width: Vec<Vec<Timed>> = Vec::new();
        for width in widths(longest) {
            let mut timed = Timed::doublings(max_batch_size.min(MORE_ROWS), width, &mut run)?;
            let few = timed.iter().rfind(|timed| timed.rows <= FEW_ROWS);
            let is_last = width == longest || few.is_some_and(|it| it.shortest >= LONG_RUN);
            if is_last {
                Timed::more_rows(&mut timed, max_batch_size, &mut run)?;
            }
            by_width.push(timed);
            if is_last {
                break;
            }
        }
        for _ in 0..MOST_REPETITIONS {
            for timed in by_width.iter_mut().flatten() {
                timed.repeat(&mut run)?;
            }
        }
        let mut runs = ascending(&by_width);
        let mut points: Vec<CostAt> = Vec::new();
        for (width, runs) in runs.iter().rev() {
            let line = CostAt::of(*width, runs);
            let row = points
                .last()
                .map_or(line.row, |wider| line.row.min(wider.row));
            points.push(CostAt { row, ..line });
        }
        points.reverse();
        Ok(Self {
            points,
            widest: runs.pop().map_or(Vec::new(), |(_, runs)| runs),
            hand_over: HAND_OVER,
            answers: ANSWERS,
        })
    }
}

/// Narrow to wide. Each is twice the one before: where the cost is quadratic, a line is off by an
/// eighth at most.
fn widths(longest: usize) -> Vec<usize> {
    let halved = |width: &usize| (*width > 1).then_some(*width / 2);
    let mut widths: Vec<usize> = successors(Some(longest), halved).collect();
    widths.reverse();
    widths
}

impl Timed {
    fn first<E>(
        rows: usize,
        width: usize,
        run: &mut impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<Self, E> {
        let mut timed = Self {
            rows,
            width,
            shortest: Duration::MAX,
            total: Duration::ZERO,
            repetitions: 0,
        };
        timed.repeat(run)?;
        timed.repeat(run)?;
        Ok(timed)
    }

    /// Runs it once more, unless that took long or often enough.
    fn repeat<E>(
        &mut self,
        run: &mut impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<(), E> {
        let is_known = match self.repetitions {
            0 => false,
            1 => self.total >= LONG_RUN,
            repetitions => repetitions >= MOST_REPETITIONS || self.total >= LONG_ENOUGH,
        };
        if !is_known {
            let took = run(self.rows, self.width)?;
            self.shortest = self.shortest.min(took);
            self.total += took;
            self.repetitions += 1;
        }
        Ok(())
    }

    /// Runs of one row and of doublings up to `most`, if that takes no long run up to a few.
    fn doublings<E>(
        most: usize,
        width: usize,
        run: &mut impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<Vec<Self>, E> {
        let mut timed = vec![Self::first(1, width, run)?];
        while let Some(last) = timed.last() {
            let rows = last.rows * 2;
            if rows > most || (rows > FEW_ROWS && last.shortest * 2 >= LONG_RUN) {
                break;
            }
            timed.push(Self::first(rows, width, run)?);
        }
        Ok(timed)
    }

    /// Adds runs of more rows up to `most`, until they become dearer or very long.
    fn more_rows<E>(
        timed: &mut Vec<Self>,
        most: usize,
        run: &mut impl FnMut(usize, usize) -> Result<Duration, E>,
    ) -> Result<(), E> {
        while let Some(last) = timed.last().copied() {
            let cheapest = timed.iter().map(Self::per_row).fold(f64::MAX, f64::min);
            let is_dearer = last.per_row() > cheapest * DEARER;
            let rows = last.rows * 2;
            if rows > most || is_dearer || last.shortest * 2 >= LONGEST_RUN {
                break;
            }
            timed.push(Self::first(rows, last.width, run)?);
        }
        Ok(())
    }

    fn per_row(&self) -> f64 {
        self.shortest.as_secs_f64() / self.rows as f64
    }
}

/// The microseconds of the runs by width, none more than one of more rows or of wider ones.
fn ascending(by_width: &[Vec<Timed>]) -> Vec<(usize, Vec<f64>)> {
    let mut wide_to_narrow: Vec<(usize, Vec<f64>)> = Vec::new();
    for timed in by_width.iter().rev() {
        let microseconds = |timed: &Timed| timed.shortest.as_secs_f64() * 1e6;
        let mut runs: Vec<f64> = timed.iter().map(microseconds).collect();
        let wider = wide_to_narrow.last().map_or(&[][..], |(_, runs)| runs);
        for (run, wider) in runs.iter_mut().zip(wider) {
            *run = run.min(*wider);
        }
        for at in (1..runs.len()).rev() {
            runs[at - 1] = runs[at - 1].min(runs[at]);
        }
        wide_to_narrow.push((timed.first().map_or(1, |timed| timed.width), runs));
    }
    wide_to_narrow.reverse();
    wide_to_narrow
}

impl CostAt {
    /// The line through runs of one row and of doublings: least squares of the errors in proportion
    /// to the time of a run, since a longer one is known less exactly.
    fn of(width: usize, runs: &[f64]) -> Self {
        let mut sums = [0.0; 5];
        for (at, time) in runs
            .iter()
            .enumerate()
            .take_while(|it| 1 << it.0 <= MORE_ROWS)
        {
            let (x, y) = (f64::from(1 << at), time.max(f64::EPSILON));
            let w = 1.0 / (y * y);
            let terms = [w, w * x, w * x * x, w * y, w * x * y];
            sums.iter_mut().zip(terms).for_each(|(sum, it)| *sum += it);
        }
        let [w, wx, wxx, wy, wxy] = sums;
        let row = (w * wxy - wx * wy) / (w * wxx - wx * wx);
        let run = (wxx * wy - wx * wxy) / (w * wxx - wx * wx);
        // Not so with one number of rows, or where more rows are dearer.
        let (row, run) = if run > 0.0 {
            (row, run)
        } else {
            (wxy / wxx, 0.0)
        };
        let row = row.max(f64::EPSILON);
        Self { width, row, run }
    }
}
