//! Any model as plain tensors: the Open Inference Protocol, and those of Triton's extensions that
//! its clients use.

mod calls;
mod describe;
mod elements;
mod finish;
mod prepare;
mod wire;

pub(crate) use calls::calls;
pub use elements::Elements;
pub use finish::{finish, wanted};
pub use prepare::prepare;

use crate::runtime::Port;

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

fn names_of(ports: &[Port]) -> String {
    let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
