//! One row, and how whole tensors are cut into rows.

use std::ops::Deref;

use bytes::Bytes;
use quintet_bundle::DataType;
use smallvec::SmallVec;

use super::signature::{Measure, Signature};
use crate::batching::BatchRow;

/// One row: for each input or output of the signature, its elements as little-endian bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    cells: SmallVec<[Bytes; 2]>,
    steps: usize,
}

/// The rows of one request. Most requests have one.
pub type Rows = SmallVec<[Row; 1]>;

/// The length that a row's tensors say is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("row {row} has length {length}; 1 to {longest} are allowed")]
pub struct BadLength {
    /// The row.
    pub row: usize,
    /// What the tensors say; of a mask that is not ones and then zeros, -1.
    pub length: i64,
    /// The steps in the tensors.
    pub longest: usize,
}

impl Row {
    /// A row whose sequences have `steps` steps.
    pub fn sequence(cells: impl IntoIterator<Item = Bytes>, steps: usize) -> Self {
        Self {
            cells: cells.into_iter().collect(),
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

impl BatchRow for Row {
    fn width(&self) -> usize {
        self.steps
    }

    fn bytes(&self) -> usize {
        self.cells.iter().map(Bytes::len).sum()
    }
}

/// A row without cells.
impl Default for Row {
    fn default() -> Self {
        Self::sequence([], 1)
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
        Self::sequence(cells, 1)
    }
}

impl Signature {
    /// Cuts whole input tensors, one for each input and with `rows` rows each, into rows.
    /// Sequences, padded to `longest` steps, are cut to their rows' own lengths. Nothing is copied.
    pub fn cut(&self, columns: &[Bytes], rows: usize, longest: usize) -> Result<Rows, BadLength> {
        let cut = |row: usize, steps: usize| {
            let ports = self.inputs.iter().zip(columns);
            let cells = ports.map(|(port, column)| {
                let (stride, len) = if port.is_sequence {
                    (longest * port.row_bytes(), steps * port.row_bytes())
                } else {
                    (port.row_bytes(), port.row_bytes())
                };
                column.slice(row * stride..row * stride + len)
            });
            Row::sequence(cells, steps)
        };
        let Some(sequence) = &self.sequence else {
            return Ok((0..rows).map(|row| cut(row, 1)).collect());
        };
        let length = |row: usize| match sequence.measure {
            Measure::Lengths(input) => element(self.inputs[input].datatype, &columns[input], row),
            Measure::Mask(input) => {
                let port = &self.inputs[input];
                let ones = |step| element(port.datatype, &columns[input], row * longest + step);
                let steps = (0..longest).take_while(|step| ones(*step) == 1).count();
                let is_mask = (steps..longest).all(|step| ones(step) == 0);
                if is_mask { steps as i64 } else { -1 }
            }
        };
        (0..rows)
            .map(|row| match length(row) {
                length if (1..=longest as i64).contains(&length) => Ok(cut(row, length as usize)),
                length => Err(BadLength {
                    row,
                    length,
                    longest,
                }),
            })
            .collect()
    }

    /// A row whose sequences are `steps` long: those of `row` again and again.
    pub(crate) fn repeat(&self, row: &Row, steps: usize) -> Row {
        let cells = self.inputs.iter().zip(&row[..]).enumerate();
        let cells = cells.map(|(input, (port, cell))| {
            if port.is_sequence {
                let len = steps * port.row_bytes();
                cell.iter().copied().cycle().take(len).collect()
            } else if self
                .sequence
                .is_some_and(|it| it.measure == Measure::Lengths(input))
            {
                integer(port.datatype, steps as i64)
            } else {
                cell.clone()
            }
        });
        Row::sequence(cells, steps)
    }
}

/// An integer as an input's element.
fn integer(datatype: DataType, value: i64) -> Bytes {
    match datatype {
        DataType::Int64 => Bytes::copy_from_slice(&value.to_le_bytes()),
        _ => Bytes::copy_from_slice(&(value as i32).to_le_bytes()),
    }
}

/// The element at `index` of an integer tensor.
pub(crate) fn element(datatype: DataType, bytes: &[u8], index: usize) -> i64 {
    match datatype {
        DataType::Uint8 => bytes[index].into(),
        DataType::Int64 => i64::from_le_bytes(bytes.as_chunks().0[index]),
        _ => i32::from_le_bytes(bytes.as_chunks().0[index]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Port, Sequence};

    /// Two sequences, and what tells their length.
    fn signature(measure: Measure) -> Signature {
        let port = |datatype, is_sequence| Port {
            name: String::new(),
            role: None,
            datatype,
            is_sequence,
            padding: 0,
            row_shape: Vec::new(),
            values: None,
        };
        let is_mask = matches!(measure, Measure::Mask(_));
        let inputs = [
            port(DataType::Int64, true),
            port(DataType::Int32, true),
            port(
                if is_mask {
                    DataType::Int32
                } else {
                    DataType::Int64
                },
                is_mask,
            ),
        ];
        Signature {
            inputs: inputs.into(),
            outputs: Vec::new(),
            sequence: Some(Sequence {
                measure,
                longest: 9,
            }),
            is_single: false,
        }
    }

    fn bytes<const N: usize>(elements: impl IntoIterator<Item = [u8; N]>) -> Bytes {
        elements.into_iter().flatten().collect::<Vec<u8>>().into()
    }

    #[test]
    fn several_sequences_are_cut_to_the_length_that_an_input_tells() {
        let tokens = bytes((1..=6_i64).map(i64::to_le_bytes));
        let types = bytes((1..=6_i32).map(i32::to_le_bytes));
        let mask = |ones: [i32; 6]| bytes(ones.map(i32::to_le_bytes));
        let lengths = bytes([2_i64, 3].map(i64::to_le_bytes));
        for (measure, last) in [
            (Measure::Lengths(2), lengths),
            (Measure::Mask(2), mask([1, 1, 0, 1, 1, 1])),
        ] {
            let columns = [tokens.clone(), types.clone(), last];
            let rows = signature(measure).cut(&columns, 2, 3).unwrap();
            assert_eq!([rows[0].steps(), rows[1].steps()], [2, 3]);
            assert_eq!(rows[0][0], tokens.slice(..16));
            assert_eq!(rows[1][1], types.slice(12..));
        }
        for wrong in [[0, 0, 0, 1, 1, 1], [1, 0, 1, 1, 1, 1], [2, 1, 0, 1, 1, 1]] {
            let columns = [tokens.clone(), types.clone(), mask(wrong)];
            let error = signature(Measure::Mask(2)).cut(&columns, 2, 3).unwrap_err();
            assert_eq!(error.row, 0, "{wrong:?}");
        }
    }
}
