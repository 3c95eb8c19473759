//! Long thin straight lines that are not the digit's: rules, underlines, borders, boxes of forms.
//!
//! A line is found by a Hough transform (Duda and Hart 1972) over thin runs of ink. Where a stroke
//! crosses it the run is long, and the stroke stays whole.

use super::levels::transposed;
use super::strokes::stroke_width;

/// Thickest line, in parts of the picture's shorter side.
const THICKEST: f32 = 0.035;
/// Steepest line against the picture's edge: 7 degrees.
const STEEPEST: f32 = 0.12;
/// Least length of a line, in parts of the picture's side.
const LEAST_LENGTH: f32 = 0.8;
/// Least part of a line's length that is inked.
const LEAST_INKED: f32 = 0.85;
/// Least part of the picture's side that is line alone, without a stroke across it.
const LEAST_ALONE: f32 = 0.35;
/// Most lines that are looked for in each direction.
const MOST: usize = 32;
/// A line that is the only one of its direction, and at least this thick beside the strokes, may be
/// one of them: the bar of a 4 or a 7 that is cut out at its ends.
const AS_THICK: f32 = 0.75;
/// So many lines of one direction are those of ruled paper, whose margin is a line across them.
const RULED: usize = 4;
/// Pixels between a run's middle and the line that it belongs to.
const NEAR: usize = 2;

/// A run of ink in a column.
#[derive(Debug, Clone, Copy)]
struct Run {
    column: usize,
    top: usize,
    length: usize,
}

/// A line, by the rows on which it passes the columns.
#[derive(Debug, Clone, Copy)]
struct Line {
    slope: f32,
    /// Its row in the middle column.
    row: f32,
    middle: f32,
}

/// Clears the lines of both directions; says how many there were.
pub(super) fn erase(width: usize, mask: &mut Vec<bool>) -> usize {
    let height = mask.len() / width;
    let thickest = (width.min(height) as f32 * THICKEST).max(2.0) as usize;
    let level = erase_level(width, mask, thickest, true);
    let thin_rows = mask
        .chunks_exact(width)
        .filter(|row| has_thin_run(row, thickest))
        .count();
    if (thin_rows as f32) < LEAST_ALONE * height as f32 {
        return level;
    }
    let mut turned = transposed(width, mask);
    let upright = erase_level(height, &mut turned, thickest, level < RULED);
    if upright > 0 {
        *mask = transposed(height, &turned);
    }
    level + upright
}

/// Whether a row has a run of ink that is no longer than a line is thick.
fn has_thin_run(row: &[bool], thickest: usize) -> bool {
    let runs = row.split(|inked| !inked);
    runs.map(<[bool]>::len)
        .any(|length| (1..=thickest).contains(&length))
}

/// Clears the lines that are about level; says how many there were. A single one may be a stroke,
/// or not.
fn erase_level(width: usize, mask: &mut Vec<bool>, thickest: usize, may_be_stroke: bool) -> usize {
    let mut runs = thin_runs(width, mask, thickest);
    let least_alone = (width as f32 * LEAST_ALONE) as usize;
    if runs.len() < least_alone {
        return 0;
    }
    let mut votes = Votes::new(width, mask.len() / width);
    for run in &runs {
        votes.cast(*run, 1);
    }
    let mut rest = mask.clone();
    let mut pens = Vec::new();
    for _ in 0..MOST {
        let (line, count) = votes.winner();
        if (count as usize) < least_alone {
            break;
        }
        pens.extend(erase_line(width, &mut rest, line, thickest));
        runs.retain(|run| {
            let middle = run.top as f32 + (run.length - 1) as f32 / 2.0;
            let is_near = (middle - line.row_at(run.column)).abs() <= NEAR as f32;
            if is_near {
                votes.cast(*run, -1);
            }
            !is_near
        });
    }
    let is_stroke = |pen: usize| {
        let is_all = !rest.contains(&true);
        is_all || pen as f32 >= AS_THICK * stroke_width(width, &rest)
    };
    if may_be_stroke && matches!(pens[..], [pen] if is_stroke(pen)) {
        return 0;
    }
    *mask = rest;
    pens.len()
}

/// Clears one line, if it is one; gives its thickness.
fn erase_line(width: usize, mask: &mut [bool], line: Line, thickest: usize) -> Option<usize> {
    let runs: Vec<Run> = (0..width)
        .filter_map(|column| run_at(width, mask, line, column))
        .collect();
    let mut thin: Vec<Run> = runs
        .iter()
        .copied()
        .filter(|run| run.length <= thickest)
        .collect();
    let (first, last) = (thin.first()?, thin.last()?);
    let length = last.column - first.column + 1;
    if (length as f32) < LEAST_LENGTH * width as f32
        || (thin.len() as f32) < LEAST_ALONE * width as f32
        || (runs.len() as f32) < LEAST_INKED * length as f32
    {
        return None;
    }
    let middle = thin.len() / 2;
    let pen = thin
        .select_nth_unstable_by_key(middle, |run| run.length)
        .1
        .length;
    for run in runs.iter().filter(|run| run.length <= pen + pen.max(2)) {
        for row in run.top..run.top + run.length {
            mask[row * width + run.column] = false;
        }
    }
    Some(pen)
}

/// The run of ink on a line in a column, whatever its length.
fn run_at(width: usize, mask: &[bool], line: Line, column: usize) -> Option<Run> {
    let height = mask.len() / width;
    let inked = |row: usize| mask[row * width + column];
    let on = line.row_at(column).round();
    let rows = (0..=NEAR).flat_map(|off| [on - off as f32, on + off as f32]);
    let rows = rows.filter(|row| (0.0..height as f32).contains(row));
    let row = rows.map(|row| row as usize).find(|&row| inked(row))?;
    let top = (0..row)
        .rev()
        .take_while(|&row| inked(row))
        .last()
        .unwrap_or(row);
    let end = (row..height).find(|&row| !inked(row)).unwrap_or(height);
    Some(Run {
        column,
        top,
        length: end - top,
    })
}

/// The runs that are no longer than a line is thick.
fn thin_runs(width: usize, mask: &[bool], thickest: usize) -> Vec<Run> {
    let mut lengths = vec![0; width];
    let mut runs = Vec::new();
    let blank = vec![false; width];
    for (y, row) in mask.chunks_exact(width).chain([&blank[..]]).enumerate() {
        for (column, (&inked, length)) in row.iter().zip(&mut lengths).enumerate() {
            if inked {
                *length += 1;
            } else if *length > 0 {
                let length = std::mem::take(length);
                if length <= thickest {
                    let top = y - length;
                    runs.push(Run {
                        column,
                        top,
                        length,
                    });
                }
            }
        }
    }
    runs
}

/// How many runs lie on each line.
struct Votes {
    middle: f32,
    slopes: Vec<f32>,
    /// Rows that lie above the picture in the middle column.
    margin: f32,
    rows: usize,
    /// `rows` for each slope.
    counts: Vec<i32>,
}

impl Votes {
    fn new(width: usize, height: usize) -> Self {
        let middle = (width as f32 - 1.0) / 2.0;
        // The next slope is a pixel and a half away at the picture's edge.
        let step = 3.0 / width as f32;
        let steps = (STEEPEST / step) as i32;
        let slopes: Vec<f32> = (-steps..=steps).map(|it| it as f32 * step).collect();
        let margin = (STEEPEST * middle).ceil() + 2.0;
        let rows = height + 2 * margin as usize;
        Self {
            middle,
            counts: vec![0; slopes.len() * rows],
            slopes,
            margin,
            rows,
        }
    }

    fn cast(&mut self, run: Run, vote: i32) {
        let row = run.top as f32 + (run.length - 1) as f32 / 2.0 + self.margin;
        let off = run.column as f32 - self.middle;
        for (slope, counts) in self
            .slopes
            .iter()
            .zip(self.counts.chunks_exact_mut(self.rows))
        {
            counts[(row - slope * off).round() as usize] += vote;
        }
    }

    /// The line that most runs lie on, with the rows beside it counted too.
    fn winner(&self) -> (Line, i32) {
        let mut best = (0, 0, 0);
        for (place, counts) in self.counts.chunks_exact(self.rows).enumerate() {
            for (row, three) in counts.windows(3).enumerate() {
                let count = three.iter().sum();
                if count > best.2 {
                    best = (place, row + 1, count);
                }
            }
        }
        let line = Line {
            slope: self.slopes[best.0],
            row: best.1 as f32 - self.margin,
            middle: self.middle,
        };
        (line, best.2)
    }
}

impl Line {
    fn row_at(self, column: usize) -> f32 {
        self.row + self.slope * (column as f32 - self.middle)
    }
}
