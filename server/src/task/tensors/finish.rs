//! From rows to tensors.

use bytes::Bytes;
use quintet_bundle::DataType;
use smallvec::SmallVec;

use super::elements::non_finite;
use super::names_of;
use crate::error::Violation;
use crate::runtime::{Row, Signature};

/// All rows of the output `port` of the signature. `None`: it holds something that is no number.
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
    let sound =
        signature.outputs[port].datatype != DataType::Float32 || non_finite(&bytes).is_none();
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
        violations.push(Violation::new(format!("outputs[{index}].name"), problem));
    }
    if violations.is_empty() {
        Ok(wanted)
    } else {
        Err(violations)
    }
}
