//! What ModelInfer asks for beside its tensors.

use std::collections::HashMap;
use std::time::Duration;

use quintet_proto::inference as oip;
use quintet_proto::inference::infer_parameter::ParameterChoice;

use crate::error::{ServeError, Violation};

type Parameters = HashMap<String, oip::InferParameter>;

/// Parameters of a tensor that change where or how its elements are given. To ignore one would be
/// to answer another request.
const UNSUPPORTED: [&str; 2] = ["shared_memory_region", "classification"];

/// Checks what needs no model: parameters, and that elements come in one place.
///
/// # Errors
/// All that is wrong, by field.
pub(super) fn check(request: &oip::ModelInferRequest) -> Result<(), ServeError> {
    let mut violations = Vec::new();
    let mut refuse = |field: String, problem: String| {
        violations.push(Violation::new(field, problem));
    };
    let (raw, inputs) = (request.raw_input_contents.len(), request.inputs.len());
    if raw > 0 && raw != inputs {
        let problem = format!("has {raw} entries for {inputs} inputs");
        refuse("raw_input_contents".to_owned(), problem);
    }
    let tensors = request.inputs.iter().map(|input| &input.parameters);
    let tensors = tensors.enumerate().map(|found| ("inputs", found));
    let outputs = request.outputs.iter().map(|output| &output.parameters);
    let outputs = outputs.enumerate().map(|found| ("outputs", found));
    for (list, (index, parameters)) in tensors.chain(outputs) {
        let found = |name: &&str| !parameters.is_empty() && parameters.contains_key(*name);
        for name in UNSUPPORTED.into_iter().filter(found) {
            let problem = "is not supported; elements come and go in the messages";
            let field = format!("{list}[{index}].parameters[{name}]");
            refuse(field, problem.to_owned());
        }
    }
    for (index, input) in request.inputs.iter().enumerate().take(raw) {
        let contents = input.contents.as_ref();
        if contents.is_some_and(|contents| *contents != oip::InferTensorContents::default()) {
            let problem = "is not empty, nor is raw_input_contents; one of them is allowed";
            refuse(format!("inputs[{index}].contents"), problem.to_owned());
        }
    }
    ServeError::check(violations)
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
    let micros = micros.ok_or_else(|| {
        let problem = "is no number of microseconds; a positive int64_param is allowed";
        ServeError::invalid("parameters[timeout]", problem)
    })?;
    Ok((micros > 0).then_some(Duration::from_micros(micros)))
}

/// Whether the caller of a stream wants the last response to its request marked.
pub(super) fn wants_final_response(parameters: &Parameters) -> bool {
    let asked = parameters.get("triton_enable_empty_final_response");
    let asked = asked.and_then(|parameter| parameter.parameter_choice.as_ref());
    matches!(asked, Some(ParameterChoice::BoolParam(true)))
}

/// Marks a response as the last to its request.
pub(super) fn mark_final(response: &mut oip::ModelInferResponse) {
    let yes = oip::InferParameter {
        parameter_choice: Some(ParameterChoice::BoolParam(true)),
    };
    let name = "triton_final_response".to_owned();
    response.parameters.insert(name, yes);
}

#[cfg(test)]
mod tests;
