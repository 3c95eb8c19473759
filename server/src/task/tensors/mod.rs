//! Any model as plain tensors: the Open Inference Protocol, and those of Triton's extensions that
//! its clients use.

mod calls;
mod contents;
mod describe;
mod finish;
mod parameters;
mod prepare;

pub(crate) use calls::calls;

use crate::runtime::Port;

/// The shape of a tensor of this port, -1 for the batch's dimension and a sequence's length.
pub(crate) fn shape(port: &Port) -> impl Iterator<Item = i64> {
    std::iter::once(-1).chain(port.open_row_shape())
}

fn names_of(ports: &[Port]) -> String {
    let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
