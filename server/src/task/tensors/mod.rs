//! Any model as plain tensors: the Open Inference Protocol, and those of Triton's extensions that
//! its clients use.

mod calls;
mod contents;
mod describe;
mod finish;
mod parameters;
mod prepare;

pub(crate) use calls::calls;

use crate::clip::clip;
use crate::runtime::Port;

/// The shape of a tensor of this port, -1 for the batch's dimension and a sequence's length.
pub(crate) fn shape(port: &Port) -> impl Iterator<Item = i64> {
    std::iter::once(-1).chain(port.open_row_shape())
}

/// The place of the port of this name among a model's `inputs` or `outputs`, unless it is taken.
fn find(
    (side, ports): (&str, &[Port]),
    name: &str,
    is_taken: impl Fn(usize) -> bool,
) -> Result<usize, String> {
    match ports.iter().position(|port| port.name == name) {
        Some(place) if is_taken(place) => Err(format!("is `{}`, a second time", clip(name))),
        Some(place) => Ok(place),
        None => {
            let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
            let names = names.join(", ");
            Err(format!(
                "is `{}`; the model's {side} are {names}",
                clip(name)
            ))
        }
    }
}

#[cfg(test)]
mod tests;
