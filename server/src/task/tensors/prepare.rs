//! From tensors to rows.

use std::fmt;

use bytes::Bytes;
use quintet_bundle::DataType;
use smallvec::SmallVec;

use super::elements::non_finite;
use super::{Elements, Tensor, names_of};
use crate::error::Violation;
use crate::runtime::{Measure, Port, Rows, Signature, element};

/// The rows of a request's tensors, which may come in any order. `max_rows` is the most that a
/// request may have. Raw rows are slices of the message, not copies.
///
/// Whatever could fail inside a batch is refused here, so that one caller's bad row never touches
/// another's.
///
/// # Errors
/// All that is wrong, by field.
pub fn prepare(
    signature: &Signature,
    tensors: Vec<Tensor>,
    max_rows: usize,
) -> Result<Rows, Vec<Violation>> {
    let mut violations = Vec::new();
    let places = places(&signature.inputs, &tensors, &mut violations);
    // The other tensors have as many rows as the first. An impossible number is reported for the
    // tensor itself.
    let rows = tensors
        .first()
        .and_then(|tensor| tensor.shape.first())
        .and_then(|rows| usize::try_from(*rows).ok())
        .filter(|rows| (1..=max_rows).contains(rows));
    let mut columns: SmallVec<[Option<Bytes>; 2]> = smallvec::smallvec![None; tensors.len()];
    // Whether the elements are raw, and how long the sequences are.
    let (mut raw, mut longest) = (false, None);
    for (index, tensor) in tensors.into_iter().enumerate() {
        let Some(port) = places
            .iter()
            .position(|place| *place == Some(index))
            .map(|place| &signature.inputs[place])
        else {
            continue;
        };
        raw = matches!(tensor.elements, Elements::Raw(_));
        if port.is_sequence {
            let steps = tensor.shape.get(1).map_or(0, |steps| *steps as usize);
            let first = *longest.get_or_insert(steps);
            if first != steps {
                let problem = format!("has {steps} steps; another sequence has {first}");
                violations.push(Violation::new(format!("inputs[{index}].shape"), problem));
                continue;
            }
        }
        let column = Column {
            port,
            index,
            rows,
            max_rows,
            longest: signature.sequence.map_or(0, |sequence| sequence.longest),
        };
        match column.bytes(tensor) {
            Ok(bytes) => columns[index] = Some(bytes),
            Err(violation) => violations.push(violation),
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    // Without a violation, each input has its bytes, with as many rows as the first.
    let columns: SmallVec<[Bytes; 2]> = places
        .iter()
        .filter_map(|place| columns[(*place)?].take())
        .collect();
    let cut = signature.cut(&columns, rows.unwrap_or(0), longest.unwrap_or(1));
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
        let field = contents(raw, places[input].unwrap_or(0));
        vec![Violation::new(field, problem)]
    })
}

/// For each input of the model, the index of its tensor.
fn places(
    ports: &[Port],
    tensors: &[Tensor],
    violations: &mut Vec<Violation>,
) -> SmallVec<[Option<usize>; 2]> {
    let mut places: SmallVec<[Option<usize>; 2]> = smallvec::smallvec![None; ports.len()];
    for (index, tensor) in tensors.iter().enumerate() {
        let name = &tensor.name;
        let problem = match ports.iter().position(|port| port.name == *name) {
            None => format!("is `{name}`; the model's inputs are {}", names_of(ports)),
            Some(place) if places[place].is_some() => format!("is `{name}`, a second time"),
            Some(place) => {
                places[place] = Some(index);
                continue;
            }
        };
        violations.push(Violation::new(format!("inputs[{index}].name"), problem));
    }
    for (port, place) in ports.iter().zip(&places) {
        if place.is_none() {
            let problem = format!("lacks `{}`", port.name);
            violations.push(Violation::new("inputs", problem));
        }
    }
    places
}

/// What is expected of one tensor.
struct Column<'s> {
    port: &'s Port,
    /// The tensor's place in the request.
    index: usize,
    /// The rows of the request's first tensor.
    rows: Option<usize>,
    max_rows: usize,
    /// The most steps of a sequence.
    longest: usize,
}

impl Column<'_> {
    /// The checked bytes of the tensor.
    fn bytes(self, tensor: Tensor) -> Result<Bytes, Violation> {
        let Self {
            port,
            index,
            rows,
            max_rows,
            longest,
        } = self;
        let Tensor {
            datatype,
            mut shape,
            elements,
            ..
        } = tensor;
        let field = |name: &str| format!("inputs[{index}].{name}");
        if datatype != port.datatype.as_str() {
            let problem = format!("is `{datatype}`; {} is needed", port.datatype);
            return Err(Violation::new(field("datatype"), problem));
        }
        // Triton's clients write a row that is one number as a list of one.
        if port.open_row_shape().count() == 0 && matches!(shape[..], [_, 1]) {
            shape.pop();
        }
        let same = |(given, size): (&i64, i64)| *given == size || (size == -1 && *given >= 0);
        let fits = shape.len() == port.open_row_shape().count() + 1
            && shape[1..].iter().zip(port.open_row_shape()).all(same);
        if !fits {
            let problem = format!("is {shape:?}; {} is allowed", Allowed(port));
            return Err(Violation::new(field("shape"), problem));
        }
        let steps = if port.is_sequence {
            let given = usize::try_from(shape[1]).unwrap_or(0);
            if !(1..=longest).contains(&given) {
                let problem = format!("is {shape:?}; 1 to {longest} steps are allowed");
                return Err(Violation::new(field("shape"), problem));
            }
            given
        } else {
            1
        };
        let own = usize::try_from(shape[0]).unwrap_or(0);
        if !(1..=max_rows).contains(&own) {
            let problem = format!("is {shape:?}; 1 to {max_rows} rows are allowed");
            return Err(Violation::new(field("shape"), problem));
        }
        if let Some(rows) = rows.filter(|rows| *rows != own) {
            let problem = format!("is {shape:?}; inputs[0] has {rows} rows");
            return Err(Violation::new(field("shape"), problem));
        }
        let raw = matches!(elements, Elements::Raw(_));
        let field = contents(raw, index);
        let bytes = elements
            .into_bytes(port.datatype)
            .map_err(|problem| Violation::new(field.clone(), problem))?;
        // This cannot overflow: the rows are bounded, and the model has run such a row.
        let needed = own * steps * port.row_bytes();
        if bytes.len() != needed {
            let size = port.datatype.size();
            let (given, needed, unit) = if raw {
                (bytes.len(), needed, "bytes")
            } else {
                (bytes.len() / size, needed / size, "elements")
            };
            let problem = format!("holds {given} {unit}; {datatype} {shape:?} takes {needed}");
            return Err(Violation::new(field, problem));
        }
        if port.datatype == DataType::Float32
            && let Some((place, value)) = non_finite(&bytes)
        {
            let problem = format!("element {place} is {value}; only finite numbers are allowed");
            return Err(Violation::new(field, problem));
        }
        if let Some(values) = port.values
            && let Some((place, value)) = not_below(port.datatype, &bytes, values)
        {
            let last = values.saturating_sub(1);
            let problem = format!("element {place} is {value}; 0 to {last} are allowed");
            return Err(Violation::new(field, problem));
        }
        Ok(bytes)
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
    let mut elements =
        (0..bytes.len() / datatype.size()).map(|place| (place, element(datatype, bytes, place)));
    elements.find(|(_, value)| !usize::try_from(*value).is_ok_and(|value| value < values))
}

/// The shape that an input takes, -1 for the batch's dimension.
struct Allowed<'p>(&'p Port);

impl fmt::Display for Allowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[-1")?;
        self.0
            .open_row_shape()
            .try_for_each(|size| write!(f, ", {size}"))?;
        f.write_str("]")
    }
}
