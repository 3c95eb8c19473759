//! Parameters and raw bytes, as the wire brings them.

use bytes::Bytes;
use expect_test::expect;
use oip::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};

use super::*;

fn parameters(name: &str, choice: ParameterChoice) -> Parameters {
    let parameter = oip::InferParameter {
        parameter_choice: Some(choice),
    };
    HashMap::from([(name.to_owned(), parameter)])
}

fn input(contents: oip::InferTensorContents) -> InferInputTensor {
    InferInputTensor {
        name: "x".to_owned(),
        contents: Some(contents),
        ..Default::default()
    }
}

fn numbers() -> oip::InferTensorContents {
    oip::InferTensorContents {
        fp32_contents: vec![1.0],
        ..Default::default()
    }
}

#[test]
fn what_cannot_be_taken_is_named() {
    let region = || {
        parameters(
            "shared_memory_region",
            ParameterChoice::StringParam("r".into()),
        )
    };
    let classes = parameters("classification", ParameterChoice::Int64Param(3));
    let empty = oip::ModelInferRequest::default;
    let requests = [
        oip::ModelInferRequest {
            raw_input_contents: vec![Bytes::new(); 2],
            inputs: vec![input(oip::InferTensorContents::default())],
            ..empty()
        },
        oip::ModelInferRequest {
            raw_input_contents: vec![Bytes::new()],
            inputs: vec![input(numbers())],
            ..empty()
        },
        oip::ModelInferRequest {
            inputs: vec![InferInputTensor {
                parameters: region(),
                ..input(numbers())
            }],
            outputs: vec![InferRequestedOutputTensor {
                name: "y".to_owned(),
                parameters: classes,
            }],
            ..empty()
        },
    ];
    let told: Vec<_> = requests
        .into_iter()
        .map(|wrong| check(&wrong).unwrap_err().to_string())
        .collect();
    expect![[r"
        raw_input_contents: has 2 entries for 1 inputs
        inputs[0].contents: is not empty, nor is raw_input_contents; one of them is allowed
        inputs[0].parameters[shared_memory_region]: is not supported; elements come and go in the messages; outputs[0].parameters[classification]: is not supported; elements come and go in the messages"]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn raw_bytes_and_unknown_parameters_are_taken() {
    let raw = oip::ModelInferRequest {
        inputs: vec![input(oip::InferTensorContents::default())],
        raw_input_contents: vec![Bytes::from(vec![1, 2, 3])],
        parameters: parameters("unknown", ParameterChoice::BoolParam(true)),
        ..Default::default()
    };
    assert_eq!(check(&raw), Ok(()));
}

#[test]
fn timeouts_are_microseconds() {
    let of = |choice| {
        timeout(&oip::ModelInferRequest {
            parameters: parameters("timeout", choice),
            ..Default::default()
        })
    };
    let micros = |micros| Ok(Some(Duration::from_micros(micros)));
    assert_eq!(of(ParameterChoice::Int64Param(250)), micros(250));
    assert_eq!(of(ParameterChoice::Uint64Param(u64::MAX)), micros(u64::MAX));
    assert_eq!(of(ParameterChoice::Int64Param(0)), Ok(None));
    assert!(of(ParameterChoice::Int64Param(-1)).is_err());
    assert!(of(ParameterChoice::StringParam("1s".to_owned())).is_err());
    assert_eq!(timeout(&oip::ModelInferRequest::default()), Ok(None));
}
