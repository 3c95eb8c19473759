//! Any model as plain tensors, as the Open Inference Protocol sees it: named tensors to rows, rows to tensors.
//!
//! Whatever could fail inside a batch is refused here, so that one caller's bad row never touches another's.

use std::fmt;

use bytes::Bytes;
use quintet_bundle::DataType;
use smallvec::SmallVec;

use crate::error::Violation;
use crate::runtime::{Port, Row, Sequence, Signature};

/// One input of a request, the batch's dimension first in its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The input's name.
    pub name: String,
    /// The type's name in the protocol, such as `FP32`.
    pub datatype: String,
    /// The number of rows, then the shape of a row.
    pub shape: Vec<i64>,
    /// The elements.
    pub elements: Elements,
}

/// A tensor's elements, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// Little-endian bytes.
    Raw(Bytes),
    /// Of an INT32 tensor.
    Int32(Vec<i32>),
    /// Of an INT64 tensor.
    Int64(Vec<i64>),
    /// Of a UINT8 tensor; the wire has no smaller number.
    Uint32(Vec<u32>),
    /// Of an FP32 tensor.
    Float32(Vec<f32>),
    /// In a list, of this name, that no type of ours belongs in.
    Foreign(&'static str),
    /// There are none.
    Missing,
}

/// The rows of a request's tensors, which may come in any order; `max_rows` is the most that a request may have. All
/// that is wrong is named, by field. Raw rows are slices of what came, not copied.
pub fn prepare(
    signature: &Signature,
    tensors: Vec<Tensor>,
    max_rows: usize,
) -> Result<SmallVec<[Row; 1]>, Vec<Violation>> {
    let mut violations = Vec::new();
    let places = places(&signature.inputs, &tensors, &mut violations);
    // The first tensor's rows are the others' too. If it has an impossible number of them, that is a violation of its own.
    let rows = tensors
        .first()
        .and_then(|tensor| tensor.shape.first())
        .and_then(|rows| usize::try_from(*rows).ok())
        .filter(|rows| (1..=max_rows).contains(rows));
    let mut columns: SmallVec<[Option<Bytes>; 2]> = smallvec::smallvec![None; tensors.len()];
    // Where all elements of a request stand, and how long its sequences are.
    let (mut raw, mut longest) = (false, 1);
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
            longest = tensor.shape.get(1).map_or(0, |steps| *steps as usize);
        }
        match column(port, index, tensor, rows, max_rows, signature.sequence) {
            Ok(bytes) => columns[index] = Some(bytes),
            Err(violation) => violations.push(violation),
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    // Without a violation each input has its place, each place its bytes, and all have as many rows as the first.
    let columns: SmallVec<[Bytes; 2]> = places
        .iter()
        .filter_map(|place| columns[(*place)?].take())
        .collect();
    let cut = signature.cut(&columns, rows.unwrap_or(0), longest);
    cut.map_err(|error| {
        let lengths = signature.sequence.map_or(0, |sequence| sequence.lengths);
        let field = contents(raw, places[lengths].unwrap_or(0));
        let (row, length, longest) = (error.row, error.length, error.longest);
        let problem = format!("element {row} is {length}; 1 to {longest} are allowed");
        vec![violation(field, problem)]
    })
}

/// The output `port` of the signature, all rows of it. `None`: it holds something that is no number.
pub fn finish(signature: &Signature, port: usize, rows: &[Row]) -> Option<Bytes> {
    let bytes = match rows {
        [row] => row.get(port)?.clone(),
        rows => {
            let mut all = Vec::with_capacity(rows.len() * signature.outputs[port].row_bytes());
            for row in rows {
                all.extend_from_slice(row.get(port)?);
            }
            all.into()
        }
    };
    let sound = signature.outputs[port].datatype != DataType::Float32 || odd_one(&bytes).is_none();
    sound.then_some(bytes)
}

/// Which outputs of the signature a request wants, by its list of names; an empty list wants all.
pub fn wanted<'n>(
    signature: &Signature,
    names: impl ExactSizeIterator<Item = &'n str>,
) -> Result<SmallVec<[usize; 2]>, Vec<Violation>> {
    if names.len() == 0 {
        return Ok((0..signature.outputs.len()).collect());
    }
    let mut wanted = SmallVec::new();
    let mut violations = Vec::new();
    for (index, name) in names.enumerate() {
        let place = signature.outputs.iter().position(|port| port.name == name);
        let problem = match place {
            None => {
                let known = names_of(&signature.outputs);
                format!("is `{name}`; the model's outputs are {known}")
            }
            Some(place) if wanted.contains(&place) => format!("is `{name}`, a second time"),
            Some(place) => {
                wanted.push(place);
                continue;
            }
        };
        violations.push(violation(format!("outputs[{index}].name"), problem));
    }
    if violations.is_empty() {
        Ok(wanted)
    } else {
        Err(violations)
    }
}

/// For each input of the model, the index of the tensor that is meant for it.
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
        violations.push(violation(format!("inputs[{index}].name"), problem));
    }
    for (port, place) in ports.iter().zip(&places) {
        if place.is_none() {
            violations.push(violation(
                "inputs".to_owned(),
                format!("lacks `{}`", port.name),
            ));
        }
    }
    places
}

/// The checked bytes of one tensor.
fn column(
    port: &Port,
    index: usize,
    tensor: Tensor,
    rows: Option<usize>,
    max_rows: usize,
    sequence: Option<Sequence>,
) -> Result<Bytes, Violation> {
    let Tensor {
        datatype,
        mut shape,
        elements,
        ..
    } = tensor;
    let field = |name: &str| format!("inputs[{index}].{name}");
    if datatype != port.datatype.as_str() {
        let problem = format!("is `{datatype}`; {} is needed", port.datatype);
        return Err(violation(field("datatype"), problem));
    }
    // A row that is one number may come as a list of one, which is how Triton's clients write it.
    if port.open_row_shape().count() == 0 && matches!(shape[..], [_, 1]) {
        shape.pop();
    }
    let same = |(given, size): (&i64, i64)| *given == size || (size == -1 && *given >= 0);
    let fits = shape.len() == port.open_row_shape().count() + 1
        && shape[1..].iter().zip(port.open_row_shape()).all(same);
    if !fits {
        let problem = format!("is {shape:?}; {} is allowed", Allowed(port));
        return Err(violation(field("shape"), problem));
    }
    let steps = if port.is_sequence {
        let longest = sequence.map_or(0, |sequence| sequence.longest);
        let given = usize::try_from(shape[1]).unwrap_or(0);
        if !(1..=longest).contains(&given) {
            let problem = format!("is {shape:?}; 1 to {longest} steps are allowed");
            return Err(violation(field("shape"), problem));
        }
        given
    } else {
        1
    };
    let own = usize::try_from(shape[0]).unwrap_or(0);
    if !(1..=max_rows).contains(&own) {
        let problem = format!("is {shape:?}; 1 to {max_rows} rows are allowed");
        return Err(violation(field("shape"), problem));
    }
    if let Some(rows) = rows.filter(|rows| *rows != own) {
        let problem = format!("is {shape:?}; inputs[0] has {rows} rows");
        return Err(violation(field("shape"), problem));
    }
    let raw = matches!(elements, Elements::Raw(_));
    let field = contents(raw, index);
    let bytes = elements
        .into_bytes(port.datatype)
        .map_err(|problem| violation(field.clone(), problem))?;
    // Neither can overflow: the rows are bounded, and the model's row is one that it has run.
    let needed = own * steps * port.row_bytes();
    if bytes.len() != needed {
        let size = port.datatype.size();
        let (given, needed, unit) = if raw {
            (bytes.len(), needed, "bytes")
        } else {
            (bytes.len() / size, needed / size, "elements")
        };
        let problem = format!("holds {given} {unit}; {datatype} {shape:?} takes {needed}");
        return Err(violation(field, problem));
    }
    if port.datatype == DataType::Float32
        && let Some((place, value)) = odd_one(&bytes)
    {
        let problem = format!("element {place} is {value}; only finite numbers are allowed");
        return Err(violation(field, problem));
    }
    if port.datatype == DataType::Int64
        && let Some(values) = port.values
        && let Some((place, value)) = stray(&bytes, values)
    {
        let last = values.saturating_sub(1);
        let problem = format!("element {place} is {value}; 0 to {last} are allowed");
        return Err(violation(field, problem));
    }
    Ok(bytes)
}

/// Where the elements of input `index` stand.
fn contents(raw: bool, index: usize) -> String {
    if raw {
        format!("raw_input_contents[{index}]")
    } else {
        format!("inputs[{index}].contents")
    }
}

/// The first INT64 that is not one of the first `values` numbers from 0 on, and its place.
fn stray(bytes: &[u8], values: usize) -> Option<(usize, i64)> {
    let (elements, _) = bytes.as_chunks();
    let elements = elements.iter().map(|bytes| i64::from_le_bytes(*bytes));
    let known = |value| usize::try_from(value).is_ok_and(|value| value < values);
    elements.enumerate().find(|(_, value)| !known(*value))
}

/// The first float32 that is not a finite number, and its place.
fn odd_one(bytes: &[u8]) -> Option<(usize, f32)> {
    let values = bytes.chunks_exact(4).map(|bytes| {
        // chunks_exact gives four bytes each.
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    });
    values.enumerate().find(|(_, value)| !value.is_finite())
}

/// The shape that an input takes, -1 for the batch's dimension.
struct Allowed<'p>(&'p Port);

fn names_of(ports: &[Port]) -> String {
    let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
    names.join(", ")
}

fn violation(field: String, description: String) -> Violation {
    Violation { field, description }
}

// === impl Elements ===

impl Elements {
    /// Little-endian bytes of this type; what is wrong with the elements otherwise.
    fn into_bytes(self, datatype: DataType) -> Result<Bytes, String> {
        let list = match (self, datatype) {
            (Self::Raw(bytes), _) => return Ok(bytes),
            (Self::Uint32(values), DataType::Uint8) => {
                let narrow = |(place, value): (usize, &u32)| {
                    u8::try_from(*value)
                        .map_err(|_| format!("element {place} is {value}; UINT8 holds 0 to 255"))
                };
                let bytes: Result<Vec<u8>, _> = values.iter().enumerate().map(narrow).collect();
                return bytes.map(Bytes::from);
            }
            (Self::Int32(values), DataType::Int32) => return Ok(copy(&values)),
            (Self::Int64(values), DataType::Int64) => return Ok(copy(&values)),
            (Self::Float32(values), DataType::Float32) => return Ok(copy(&values)),
            (Self::Missing, _) => {
                let list = list_of(datatype);
                return Err(format!(
                    "is empty, and so is raw_input_contents; {datatype} belongs in {list}"
                ));
            }
            (Self::Int32(_), _) => list_of(DataType::Int32),
            (Self::Int64(_), _) => list_of(DataType::Int64),
            (Self::Uint32(_), _) => list_of(DataType::Uint8),
            (Self::Float32(_), _) => list_of(DataType::Float32),
            (Self::Foreign(list), _) => list,
        };
        let ours = list_of(datatype);
        Err(format!("has {list}; {datatype} belongs in {ours}"))
    }
}

/// The protocol's list for elements of this type.
const fn list_of(datatype: DataType) -> &'static str {
    match datatype {
        DataType::Uint8 => "uint_contents",
        DataType::Int32 => "int_contents",
        DataType::Int64 => "int64_contents",
        DataType::Float32 => "fp32_contents",
    }
}

/// The values as they lie in memory, which is little-endian wherever this server builds.
fn copy<T: bytemuck::NoUninit>(values: &[T]) -> Bytes {
    Bytes::copy_from_slice(bytemuck::cast_slice(values))
}

impl fmt::Display for Allowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[-1")?;
        self.0
            .open_row_shape()
            .try_for_each(|size| write!(f, ", {size}"))?;
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests;
