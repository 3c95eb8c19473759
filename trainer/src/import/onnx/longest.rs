//! How many tokens a graph reads, found by running it.

use quintet_bundle::{DataType, Role, Tensor};

use crate::error::Error;
use crate::verify::{LoadedModel, Port, Tensors};

/// Tried first, and what most encoders read.
pub(super) const USUAL: usize = 512;
/// A token that is no padding in the usual vocabularies.
const TOKEN: i64 = 2;

/// The most tokens, up to [`USUAL`], with which the graph runs. `None`: it runs with none, or takes
/// something that is no part of a text.
pub(super) fn longest(file: &mut LoadedModel, ports: &[(Port, Option<Role>)]) -> Option<usize> {
    let mut runs = |length| text(ports, length).is_ok_and(|text| file.run(&text).is_ok());
    if runs(USUAL) {
        return Some(USUAL);
    }
    // It runs with `most` and fails with `least`.
    let (mut most, mut least) = (1, USUAL);
    if !runs(most) {
        return None;
    }
    while least - most > 1 {
        let middle = usize::midpoint(most, least);
        if runs(middle) {
            most = middle;
        } else {
            least = middle;
        }
    }
    Some(most)
}

/// One text of `length` tokens.
fn text(ports: &[(Port, Option<Role>)], length: usize) -> Result<Tensors, Error> {
    let tensor = |(port, role): &(Port, Option<Role>)| {
        let (shape, number) = match role {
            Some(Role::Tokens) => (vec![1, length], TOKEN),
            Some(Role::AttentionMask) => (vec![1, length], 1),
            Some(Role::TokenTypeIds) => (vec![1, length], 0),
            Some(Role::Lengths) => (vec![1], length as i64),
            _ => return Err(Error::Usage(format!("{}: is no part of a text", port.name))),
        };
        let count = shape.iter().product();
        let tensor = match port.datatype {
            Some(DataType::Int64) => Tensor::new(shape, vec![number; count])?,
            _ => Tensor::new(shape, vec![number as i32; count])?,
        };
        Ok((port.name.clone(), tensor))
    };
    ports.iter().map(tensor).collect()
}
