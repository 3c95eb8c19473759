//! From tensors to rows.

use bytes::Bytes;
use quintet_bundle::DataType;
use quintet_proto::inference::model_infer_request::InferInputTensor;
use smallvec::{SmallVec, smallvec};

use super::contents::{into_bytes, non_finite};
use super::{find, shape};
use crate::clip::clip;
use crate::error::{ServeError, Violation};
use crate::runtime::{Measure, Port, Rows, Signature, element};

/// A tensor, and its elements if they come as bytes.
pub(super) type Input = (InferInputTensor, Option<Bytes>);

/// For each input of a model, the index of its tensor.
type Places = SmallVec<[Option<usize>; 2]>;

/// The rows of a request's tensors, which may come in any order. `max_rows` is the most that a
/// request may have. Raw rows are slices of the message, not copies.
///
/// Whatever could fail inside a batch is refused here, so that one caller's bad row never touches
/// another's.
///
/// # Errors
/// All that is wrong, by field.
pub(super) fn prepare(
    signature: &Signature,
    mut inputs: Vec<Input>,
    max_rows: usize,
) -> Result<Rows, ServeError> {
    let mut violations = Vec::new();
    let places = places(&signature.inputs, &inputs, &mut violations);
    let raw = inputs.iter().any(|(_, raw)| raw.is_some());
    // The other tensors have as many rows as the first. An impossible number is reported for the
    // tensor itself.
    let rows = inputs.first().and_then(|(first, _)| first.shape.first());
    let rows = rows.and_then(|rows| usize::try_from(*rows).ok());
    let mut expected = Expected {
        rows: rows.filter(|rows| (1..=max_rows).contains(rows)),
        steps: None,
        max_rows,
        longest: signature.sequence.map_or(0, |sequence| sequence.longest),
    };
    let mut columns: SmallVec<[Bytes; 2]> = SmallVec::new();
    for (port, place) in signature.inputs.iter().zip(&places) {
        if let Some(index) = *place {
            match expected.column(port, index, &mut inputs[index]) {
                Ok(bytes) => columns.push(bytes),
                Err(violation) => violations.push(violation),
            }
        }
    }
    ServeError::check(violations)?;
    let (rows, steps) = (expected.rows.unwrap_or(0), expected.steps.unwrap_or(1));
    let cut = signature.cut(&columns, rows, steps);
    cut.map_err(|error| {
        let (row, length, longest) = (error.row, error.length, error.longest);
        let (input, problem) = match signature.sequence.map(|sequence| sequence.measure) {
            Some(Measure::Mask(input)) => (
                input,
                format!("row {row} is not 1 for each token and then 0"),
            ),
            Some(Measure::Lengths(input)) => (
                input,
                format!("element {row} is {length}; 1 to {longest} are allowed"),
            ),
            None => (0, error.to_string()),
        };
        ServeError::invalid(contents(raw, places[input].unwrap_or(0)), problem)
    })
}

fn places(ports: &[Port], inputs: &[Input], violations: &mut Vec<Violation>) -> Places {
    let mut places: Places = smallvec![None; ports.len()];
    for (index, (input, _)) in inputs.iter().enumerate() {
        match find(("inputs", ports), &input.name, |place| {
            places[place].is_some()
        }) {
            Ok(place) => places[place] = Some(index),
            Err(problem) => {
                violations.push(Violation::new(format!("inputs[{index}].name"), problem));
            }
        }
    }
    for (port, place) in ports.iter().zip(&places) {
        if place.is_none() {
            let problem = format!("lacks `{}`", port.name);
            violations.push(Violation::new("inputs", problem));
        }
    }
    places
}

/// What all tensors of a request have in common.
struct Expected {
    /// The rows of the first tensor.
    rows: Option<usize>,
    /// The steps of the first sequence.
    steps: Option<usize>,
    max_rows: usize,
    /// The most steps of a sequence.
    longest: usize,
}

impl Expected {
    /// The checked bytes of the tensor at `index`.
    fn column(
        &mut self,
        port: &Port,
        index: usize,
        (input, raw): &mut Input,
    ) -> Result<Bytes, Violation> {
        let datatype = port.datatype;
        let wrong = |field: &str, problem: String| {
            Err(Violation::new(format!("inputs[{index}].{field}"), problem))
        };
        if input.datatype != datatype.as_str() {
            let problem = format!("is `{}`; {datatype} is needed", clip(&input.datatype));
            return wrong("datatype", problem);
        }
        let given = &mut input.shape;
        // Triton's clients write a row that is one number as a list of one.
        if shape(port).count() == 1 && matches!(given[..], [_, 1]) {
            given.pop();
        }
        let same = |(given, size): (&i64, i64)| *given == size || size == -1;
        if given.len() != shape(port).count() || !given.iter().zip(shape(port)).all(same) {
            let allowed: Vec<_> = shape(port).collect();
            let given = format!("{given:?}");
            return wrong(
                "shape",
                format!("is {}; {allowed:?} is allowed", clip(&given)),
            );
        }
        let size = |dimension: usize| usize::try_from(given[dimension]).unwrap_or(0);
        let steps = if port.is_sequence { size(1) } else { 1 };
        if port.is_sequence {
            let longest = self.longest;
            if !(1..=longest).contains(&steps) {
                let problem = format!("is {given:?}; 1 to {longest} steps are allowed");
                return wrong("shape", problem);
            }
            let first = *self.steps.get_or_insert(steps);
            if first != steps {
                let problem = format!("has {steps} steps; another sequence has {first}");
                return wrong("shape", problem);
            }
        }
        let (rows, max_rows) = (size(0), self.max_rows);
        if !(1..=max_rows).contains(&rows) {
            let problem = format!("is {given:?}; 1 to {max_rows} rows are allowed");
            return wrong("shape", problem);
        }
        if let Some(first) = self.rows.filter(|first| *first != rows) {
            return wrong("shape", format!("is {given:?}; inputs[0] has {first} rows"));
        }
        let (is_raw, element_size) = (raw.is_some(), datatype.size());
        let wrong = |problem| Violation::new(contents(is_raw, index), problem);
        let bytes = match raw.take() {
            Some(bytes) => bytes,
            None => into_bytes(input.contents.take(), datatype).map_err(wrong)?,
        };
        // This cannot overflow: the rows are bounded, and the model has run such a row.
        let needed = rows * steps * port.row_bytes();
        let problem = if bytes.len() != needed {
            let (size, unit) = if is_raw {
                (1, "bytes")
            } else {
                (element_size, "elements")
            };
            let (held, needed) = (bytes.len() / size, needed / size);
            format!("holds {held} {unit}; {datatype} {given:?} takes {needed}")
        } else if datatype == DataType::Float32
            && let Some((place, value)) = non_finite(&bytes)
        {
            format!("element {place} is {value}; only finite numbers are allowed")
        } else if let Some(values) = port.values
            && let Some((place, value)) = not_below(datatype, &bytes, values)
        {
            let last = values.saturating_sub(1);
            format!("element {place} is {value}; 0 to {last} are allowed")
        } else {
            return Ok(bytes);
        };
        Err(wrong(problem))
    }
}

/// The field that holds the elements of input `index`.
fn contents(raw: bool, index: usize) -> String {
    if raw {
        format!("raw_input_contents[{index}]")
    } else {
        format!("inputs[{index}].contents")
    }
}

/// The first integer that is not in `0..values`, and its place.
fn not_below(datatype: DataType, bytes: &[u8], values: usize) -> Option<(usize, i64)> {
    let elements = (0..bytes.len() / datatype.size()).map(|at| (at, element(datatype, bytes, at)));
    let mut wrong = elements.filter(|(_, it)| !usize::try_from(*it).is_ok_and(|it| it < values));
    wrong.next()
}
