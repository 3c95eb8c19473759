//! Between the messages of ModelInfer and tensors.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use quintet_bundle::DataType;
use quintet_proto::inference as oip;
use quintet_proto::inference::infer_parameter::ParameterChoice;
use quintet_proto::inference::model_infer_response::InferOutputTensor;

use super::{Elements, Tensor};
use crate::error::{ServeError, Violation};
use crate::model::Model;

type Parameters = HashMap<String, oip::InferParameter>;

/// Parameters of a tensor that change where or how its elements are given. To ignore one would be
/// to answer another request.
const UNSUPPORTED: [&str; 2] = ["shared_memory_region", "classification"];

/// The form of an answer.
#[derive(Debug)]
pub(super) struct Form {
    /// The names of the outputs, in this order; none: all.
    pub(super) outputs: Vec<String>,
    id: String,
    /// Whether elements come as bytes.
    raw: bool,
}

/// A request as tensors, and the form of its answer.
pub(super) fn request(request: oip::ModelInferRequest) -> Result<(Vec<Tensor>, Form), ServeError> {
    let raw = !request.raw_input_contents.is_empty();
    let mut violations = Vec::new();
    let (given, inputs) = (request.raw_input_contents.len(), request.inputs.len());
    if raw && given != inputs {
        violations.push(Violation::new(
            "raw_input_contents",
            format!("has {given} entries for {inputs} inputs"),
        ));
    }
    let mut raw_contents = request.raw_input_contents.into_iter();
    let mut tensors = Vec::with_capacity(inputs);
    for (index, input) in request.inputs.into_iter().enumerate() {
        check(
            &input.parameters,
            || format!("inputs[{index}]"),
            &mut violations,
        );
        let elements = match (elements(input.contents), raw_contents.next()) {
            (Ok(Elements::Missing), Some(bytes)) => Elements::Raw(bytes),
            (Ok(_), Some(_)) => {
                violations.push(Violation::new(
                    format!("inputs[{index}].contents"),
                    "is not empty, nor is raw_input_contents; one of them is allowed",
                ));
                continue;
            }
            (Ok(elements), None) => elements,
            (Err(description), _) => {
                violations.push(Violation::new(
                    format!("inputs[{index}].contents"),
                    description,
                ));
                continue;
            }
        };
        tensors.push(Tensor {
            name: input.name,
            datatype: input.datatype,
            shape: input.shape,
            elements,
        });
    }
    let mut outputs = Vec::with_capacity(request.outputs.len());
    for (index, output) in request.outputs.into_iter().enumerate() {
        check(
            &output.parameters,
            || format!("outputs[{index}]"),
            &mut violations,
        );
        outputs.push(output.name);
    }
    if !violations.is_empty() {
        return Err(ServeError::violations(violations));
    }
    let id = request.id;
    Ok((tensors, Form { outputs, id, raw }))
}

/// The answer of `model`: `rows` rows of its `outputs`, each its place in the signature and its
/// elements as little-endian bytes.
pub(super) fn answer(
    model: &Model,
    form: Form,
    rows: usize,
    outputs: Vec<(usize, Bytes)>,
) -> oip::ModelInferResponse {
    let mut answer = oip::ModelInferResponse {
        model_name: model.name.to_string(),
        model_version: model.version.to_string(),
        id: form.id,
        outputs: Vec::with_capacity(outputs.len()),
        ..Default::default()
    };
    for (place, bytes) in outputs {
        let port = &model.signature.outputs[place];
        let row_shape = port.row_shape.iter().copied();
        let shape = std::iter::once(rows).chain(row_shape);
        let mut output = InferOutputTensor {
            name: port.name.clone(),
            datatype: port.datatype.as_str().to_owned(),
            shape: shape.map(|size| size as i64).collect(),
            ..Default::default()
        };
        if form.raw {
            answer.raw_output_contents.push(bytes);
        } else {
            output.contents = Some(contents(port.datatype, &bytes));
        }
        answer.outputs.push(output);
    }
    answer
}

/// The request's own timeout, from its parameter `timeout` in microseconds; 0: none.
pub(super) fn timeout(request: &oip::ModelInferRequest) -> Result<Option<Duration>, ServeError> {
    let Some(parameter) = request.parameters.get("timeout") else {
        return Ok(None);
    };
    let micros = match parameter.parameter_choice {
        Some(ParameterChoice::Int64Param(micros)) => u64::try_from(micros).ok(),
        Some(ParameterChoice::Uint64Param(micros)) => Some(micros),
        _ => None,
    };
    match micros {
        Some(0) => Ok(None),
        Some(micros) => Ok(Some(Duration::from_micros(micros))),
        None => Err(ServeError::invalid(
            "parameters[timeout]",
            "is no number of microseconds; a positive int64_param is allowed",
        )),
    }
}

/// Whether the caller of a stream wants the last answer to its request marked.
pub(super) fn wants_final_response(request: &oip::ModelInferRequest) -> bool {
    let asked = request.parameters.get("triton_enable_empty_final_response");
    let asked = asked.and_then(|parameter| parameter.parameter_choice.as_ref());
    matches!(asked, Some(ParameterChoice::BoolParam(true)))
}

/// Marks the answer as the last to its request.
pub(super) fn mark_final(answer: &mut oip::ModelInferResponse) {
    let yes = oip::InferParameter {
        parameter_choice: Some(ParameterChoice::BoolParam(true)),
    };
    let name = "triton_final_response".to_owned();
    answer.parameters.insert(name, yes);
}

/// Finds the parameters of a tensor that cannot be ignored.
fn check(parameters: &Parameters, place: impl Fn() -> String, violations: &mut Vec<Violation>) {
    if parameters.is_empty() {
        return;
    }
    for name in UNSUPPORTED {
        if parameters.contains_key(name) {
            violations.push(Violation::new(
                format!("{}.parameters[{name}]", place()),
                "is not supported; elements come and go in the messages",
            ));
        }
    }
}

/// The elements of the one list that is not empty.
fn elements(contents: Option<oip::InferTensorContents>) -> Result<Elements, String> {
    let Some(contents) = contents else {
        return Ok(Elements::Missing);
    };
    let foreign = [
        ("bool_contents", contents.bool_contents.is_empty()),
        ("uint64_contents", contents.uint64_contents.is_empty()),
        ("fp64_contents", contents.fp64_contents.is_empty()),
        ("bytes_contents", contents.bytes_contents.is_empty()),
    ];
    let foreign = foreign.into_iter().filter(|(_, empty)| !empty);
    let mut found: Vec<Elements> = foreign.map(|(list, _)| Elements::Foreign(list)).collect();
    if !contents.uint_contents.is_empty() {
        found.push(Elements::Uint32(contents.uint_contents));
    }
    if !contents.int_contents.is_empty() {
        found.push(Elements::Int32(contents.int_contents));
    }
    if !contents.int64_contents.is_empty() {
        found.push(Elements::Int64(contents.int64_contents));
    }
    if !contents.fp32_contents.is_empty() {
        found.push(Elements::Float32(contents.fp32_contents));
    }
    match found.len() {
        0 => Ok(Elements::Missing),
        1 => Ok(found.remove(0)),
        lists => Err(format!("fills {lists} lists; one is allowed")),
    }
}

/// Little-endian elements as the protocol's list for their type.
fn contents(datatype: DataType, bytes: &Bytes) -> oip::InferTensorContents {
    fn values<const SIZE: usize, T>(bytes: &[u8], value: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
        let (chunks, _) = bytes.as_chunks();
        chunks.iter().map(|chunk| value(*chunk)).collect()
    }
    let mut contents = oip::InferTensorContents::default();
    match datatype {
        DataType::Uint8 => contents.uint_contents = values(bytes, |[byte]| byte.into()),
        DataType::Int32 => contents.int_contents = values(bytes, i32::from_le_bytes),
        DataType::Int64 => contents.int64_contents = values(bytes, i64::from_le_bytes),
        DataType::Float32 => contents.fp32_contents = values(bytes, f32::from_le_bytes),
    }
    contents
}

#[cfg(test)]
mod tests;
