//! From rows to a response.

use bytes::Bytes;
use quintet_bundle::DataType;
use quintet_proto::inference::ModelInferResponse;
use quintet_proto::inference::model_infer_request::InferRequestedOutputTensor;
use quintet_proto::inference::model_infer_response::InferOutputTensor;
use smallvec::SmallVec;

use super::contents::{from_bytes, non_finite};
use super::find;
use crate::error::{ServeError, Violation};
use crate::model::Model;
use crate::runtime::{Row, Signature};

/// Which outputs of the signature a request wants; an empty list wants all.
pub(super) fn wanted(
    signature: &Signature,
    outputs: &[InferRequestedOutputTensor],
) -> Result<SmallVec<[usize; 2]>, ServeError> {
    if outputs.is_empty() {
        return Ok((0..signature.outputs.len()).collect());
    }
    let mut wanted = SmallVec::new();
    let mut violations = Vec::new();
    let ports = ("outputs", &signature.outputs[..]);
    for (index, output) in outputs.iter().enumerate() {
        match find(ports, &output.name, |place| wanted.contains(&place)) {
            Ok(place) => wanted.push(place),
            Err(problem) => {
                violations.push(Violation::new(format!("outputs[{index}].name"), problem));
            }
        }
    }
    ServeError::check(violations)?;
    Ok(wanted)
}

/// The outputs `wanted`, as bytes if the request was `raw`. `None`: one holds something that is no
/// number.
pub(super) fn response(
    model: &Model,
    rows: &[Row],
    wanted: &[usize],
    raw: bool,
) -> Option<ModelInferResponse> {
    let mut response = ModelInferResponse {
        model_name: model.name.to_string(),
        model_version: model.version.to_string(),
        outputs: Vec::with_capacity(wanted.len()),
        ..Default::default()
    };
    for place in wanted {
        let port = &model.signature.outputs[*place];
        let bytes = column(&model.signature, *place, rows)?;
        let shape = std::iter::once(rows.len()).chain(port.row_shape.iter().copied());
        response.outputs.push(InferOutputTensor {
            name: port.name.clone(),
            datatype: port.datatype.as_str().to_owned(),
            shape: shape.map(|size| size as i64).collect(),
            contents: (!raw).then(|| from_bytes(&bytes, port.datatype)),
            ..Default::default()
        });
        if raw {
            response.raw_output_contents.push(bytes);
        }
    }
    Some(response)
}

/// All rows of one output. `None`: it holds something that is no number.
pub(super) fn column(signature: &Signature, place: usize, rows: &[Row]) -> Option<Bytes> {
    let port = &signature.outputs[place];
    let bytes = match rows {
        [row] => row.get(place)?.clone(),
        rows => {
            let mut all = Vec::with_capacity(rows.len() * port.row_bytes());
            for row in rows {
                all.extend_from_slice(row.get(place)?);
            }
            all.into()
        }
    };
    let is_sound = port.datatype != DataType::Float32 || non_finite(&bytes).is_none();
    is_sound.then_some(bytes)
}
