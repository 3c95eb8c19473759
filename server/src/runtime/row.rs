//! One row, and how whole tensors are cut into rows.

use std::ops::Deref;

use bytes::Bytes;
use smallvec::SmallVec;

use super::signature::Signature;

/// One row: for each input or output of the signature, its elements as little-endian bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    cells: SmallVec<[Bytes; 2]>,
    steps: usize,
}

/// The rows of one request. Most requests have one.
pub type Rows = SmallVec<[Row; 1]>;

/// A row cannot be as long as its tensors say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("row {row} has length {length}; 1 to {longest} are allowed")]
pub struct BadLength {
    /// The row.
    pub row: usize,
    /// What it says of itself.
    pub length: i32,
    /// What there is.
    pub longest: usize,
}

// === impl Row ===

impl Row {
    /// A row without cells.
    pub fn new() -> Self {
        Self::sequence(SmallVec::new(), 1)
    }

    /// A row whose sequences have `steps` steps.
    pub fn sequence(cells: impl Into<SmallVec<[Bytes; 2]>>, steps: usize) -> Self {
        Self {
            cells: cells.into(),
            steps,
        }
    }

    /// How long its sequences are; 1 where it has none.
    pub fn steps(&self) -> usize {
        self.steps
    }

    pub(super) fn push(&mut self, cell: Bytes) {
        self.cells.push(cell);
    }
}

impl Default for Row {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Row {
    type Target = [Bytes];

    fn deref(&self) -> &[Bytes] {
        &self.cells
    }
}

impl FromIterator<Bytes> for Row {
    fn from_iter<I: IntoIterator<Item = Bytes>>(cells: I) -> Self {
        Self::sequence(cells.into_iter().collect::<SmallVec<_>>(), 1)
    }
}

// === impl Signature ===

impl Signature {
    /// Cuts whole input tensors, one for each input and with `rows` rows each, into rows.
    /// Sequences, padded to `longest` steps, are cut to their rows' own lengths. Nothing is copied.
    pub fn cut(
        &self,
        columns: &[Bytes],
        rows: usize,
        longest: usize,
    ) -> Result<SmallVec<[Row; 1]>, BadLength> {
        let cells = |row: usize, steps: usize| {
            let ports = self.inputs.iter().zip(columns);
            ports.map(move |(port, column)| {
                let (stride, len) = if port.is_sequence {
                    (longest * port.row_bytes(), steps * port.row_bytes())
                } else {
                    (port.row_bytes(), port.row_bytes())
                };
                column.slice(row * stride..row * stride + len)
            })
        };
        let Some(sequence) = &self.sequence else {
            return Ok((0..rows).map(|row| cells(row, 1).collect()).collect());
        };
        let (lengths, _) = columns[sequence.lengths].as_chunks();
        let lengths = lengths.iter().map(|length| i32::from_le_bytes(*length));
        lengths
            .take(rows)
            .enumerate()
            .map(|(row, length)| match usize::try_from(length) {
                Ok(steps) if (1..=longest).contains(&steps) => {
                    let cells: SmallVec<[Bytes; 2]> = cells(row, steps).collect();
                    Ok(Row::sequence(cells, steps))
                }
                _ => Err(BadLength {
                    row,
                    length,
                    longest,
                }),
            })
            .collect()
    }
}
