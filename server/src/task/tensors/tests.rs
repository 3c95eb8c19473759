//! What is refused and in which words; typed elements are the same rows as raw ones.

use expect_test::expect;
use proptest::prelude::*;

use bytes::Bytes;
use quintet_bundle::DataType;

use quintet_proto::inference::InferTensorContents;
use quintet_proto::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};

use super::finish::{column, wanted};
use super::prepare::{Input, prepare};
use crate::error::ServeError;
use crate::runtime::{Measure, Port, Row, Sequence, Signature};

/// Elements in a list, or as bytes.
type Elements = (Option<InferTensorContents>, Option<Bytes>);

fn port(name: &str, datatype: DataType, row_shape: &[usize]) -> Port {
    Port {
        name: name.to_owned(),
        role: None,
        datatype,
        is_sequence: false,
        padding: 0,
        row_shape: row_shape.to_vec(),
        values: None,
    }
}

/// Two inputs and two outputs, so that order can matter.
fn signature() -> Signature {
    Signature {
        inputs: vec![
            port("pixels", DataType::Uint8, &[2, 2]),
            port("weight", DataType::Float32, &[]),
        ],
        outputs: vec![
            port("score", DataType::Float32, &[]),
            port("counts", DataType::Int32, &[2]),
        ],
        sequence: None,
        is_single: false,
    }
}

fn tensor(name: &str, datatype: &str, shape: &[i64], (contents, raw): Elements) -> Input {
    let tensor = InferInputTensor {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
        contents,
        ..Default::default()
    };
    (tensor, raw)
}

fn ints(values: Vec<i32>) -> Elements {
    let contents = InferTensorContents {
        int_contents: values,
        ..Default::default()
    };
    (Some(contents), None)
}

fn longs(values: Vec<i64>) -> Elements {
    let contents = InferTensorContents {
        int64_contents: values,
        ..Default::default()
    };
    (Some(contents), None)
}

fn bytes(values: Vec<u32>) -> Elements {
    let contents = InferTensorContents {
        uint_contents: values,
        ..Default::default()
    };
    (Some(contents), None)
}

fn floats(values: Vec<f32>) -> Elements {
    let contents = InferTensorContents {
        fp32_contents: values,
        ..Default::default()
    };
    (Some(contents), None)
}

fn pixels(shape: &[i64], elements: Elements) -> Input {
    tensor("pixels", "UINT8", shape, elements)
}

fn weight(values: &[f32]) -> Input {
    let elements = floats(values.to_vec());
    tensor("weight", "FP32", &[values.len() as i64], elements)
}

fn raw(bytes: &[u8]) -> Elements {
    (None, Some(Bytes::copy_from_slice(bytes)))
}

fn refusal(tensors: Vec<Input>) -> String {
    let Err(ServeError::InvalidArgument { violations }) = prepare(&signature(), tensors, 3) else {
        panic!("it is taken");
    };
    let lines = violations
        .iter()
        .map(|violation| format!("{}: {}\n", violation.field, violation.description));
    lines.collect()
}

#[test]
fn what_is_wrong_is_named() {
    let good = || pixels(&[1, 2, 2], raw(&[1, 2, 3, 4]));
    let one = || weight(&[0.5]);
    let as_type = |datatype: &str| tensor("pixels", datatype, &[1, 2, 2], raw(&[0; 4]));
    let typed = |elements| pixels(&[1, 2, 2], elements);
    let foreign = InferTensorContents {
        bytes_contents: vec![Bytes::new()],
        ..Default::default()
    };
    let two_lists = InferTensorContents {
        fp32_contents: vec![1.0],
        ..foreign.clone()
    };
    let all: String = [
        vec![],
        vec![good()],
        vec![good(), one(), one()],
        vec![good(), one(), tensor("mask", "UINT8", &[1], raw(&[1]))],
        vec![as_type("BYTES"), one()],
        vec![as_type("uint8"), one()],
        vec![pixels(&[1, 2, 3], raw(&[0; 6])), one()],
        vec![pixels(&[2, 2], raw(&[0; 4])), one()],
        vec![pixels(&[], raw(&[])), one()],
        vec![pixels(&[0, 2, 2], raw(&[])), one()],
        vec![pixels(&[-1, 2, 2], raw(&[0; 4])), one()],
        vec![pixels(&[4, 2, 2], raw(&[0; 16])), weight(&[0.0; 4])],
        vec![pixels(&[i64::MAX, 2, 2], raw(&[])), one()],
        vec![good(), weight(&[1.0, 2.0])],
        vec![pixels(&[1, 2, 2], raw(&[0; 3])), one()],
        vec![typed(bytes(vec![0; 5])), one()],
        vec![typed(bytes(vec![0, 0, 256, 0])), one()],
        vec![typed(ints(vec![0; 4])), one()],
        vec![typed((Some(foreign), None)), one()],
        vec![typed((Some(two_lists), None)), one()],
        vec![typed((None, None)), one()],
        vec![good(), weight(&[f32::NAN])],
        vec![good(), weight(&[f32::NEG_INFINITY])],
    ]
    .into_iter()
    .map(refusal)
    .collect();
    expect![[r"
        inputs: lacks `pixels`
        inputs: lacks `weight`
        inputs: lacks `weight`
        inputs[2].name: is `weight`, a second time
        inputs[2].name: is `mask`; the model's inputs are pixels, weight
        inputs[0].datatype: is `BYTES`; UINT8 is needed
        inputs[0].datatype: is `uint8`; UINT8 is needed
        inputs[0].shape: is [1, 2, 3]; [-1, 2, 2] is allowed
        inputs[0].shape: is [2, 2]; [-1, 2, 2] is allowed
        inputs[1].shape: is [1]; inputs[0] has 2 rows
        inputs[0].shape: is []; [-1, 2, 2] is allowed
        inputs[0].shape: is [0, 2, 2]; 1 to 3 rows are allowed
        inputs[0].shape: is [-1, 2, 2]; 1 to 3 rows are allowed
        inputs[0].shape: is [4, 2, 2]; 1 to 3 rows are allowed
        inputs[1].shape: is [4]; 1 to 3 rows are allowed
        inputs[0].shape: is [9223372036854775807, 2, 2]; 1 to 3 rows are allowed
        inputs[1].shape: is [2]; inputs[0] has 1 rows
        raw_input_contents[0]: holds 3 bytes; UINT8 [1, 2, 2] takes 4
        inputs[0].contents: holds 5 elements; UINT8 [1, 2, 2] takes 4
        inputs[0].contents: element 2 is 256; UINT8 holds 0 to 255
        inputs[0].contents: has int_contents; UINT8 belongs in uint_contents
        inputs[0].contents: has bytes_contents; UINT8 belongs in uint_contents
        inputs[0].contents: fills 2 lists; one is allowed
        inputs[0].contents: is empty, and so is raw_input_contents; UINT8 belongs in uint_contents
        inputs[1].contents: element 0 is NaN; only finite numbers are allowed
        inputs[1].contents: element 0 is -inf; only finite numbers are allowed
    "]]
    .assert_eq(&all);
}

#[test]
fn raw_rows_are_slices_of_what_came() {
    let data = Bytes::from(vec![7; 8]);
    let tensors = vec![
        weight(&[1.0, 2.0]),
        pixels(&[2, 2, 2], (None, Some(data.clone()))),
    ];
    let rows = prepare(&signature(), tensors, 2).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0][0].as_ptr(), data.as_ptr());
    assert_eq!(rows[1][0].as_ptr(), data[4..].as_ptr());
    assert_eq!(rows[1][1][..], 2f32.to_le_bytes());
}

#[test]
fn outputs_are_chosen_by_name_in_the_order_asked_for() {
    let names = |names: &[&str]| {
        let output = |name: &&str| InferRequestedOutputTensor {
            name: (*name).to_owned(),
            ..Default::default()
        };
        let outputs: Vec<_> = names.iter().map(output).collect();
        let wanted = wanted(&signature(), &outputs).map(|wanted| wanted.to_vec());
        wanted.map_err(|error| error.to_string())
    };
    assert_eq!(names(&[]), Ok(vec![0, 1]));
    assert_eq!(names(&["counts"]), Ok(vec![1]));
    assert_eq!(names(&["counts", "score"]), Ok(vec![1, 0]));
    let refused = |problem: &str| Err(format!("outputs[{problem}"));
    assert_eq!(
        names(&["logits"]),
        refused("0].name: is `logits`; the model's outputs are score, counts")
    );
    assert_eq!(
        names(&["score", "score"]),
        refused("1].name: is `score`, a second time")
    );
}

#[test]
fn an_output_that_is_no_number_is_no_answer() {
    let row = |score: f32| -> Row {
        let cells = [score.to_le_bytes().to_vec(), vec![1; 8]];
        cells.into_iter().map(Bytes::from).collect()
    };
    assert_eq!(column(&signature(), 0, &[row(0.5), row(f32::NAN)]), None);
    assert_eq!(
        column(&signature(), 1, &[row(0.5), row(f32::NAN)]),
        Some(Bytes::from(vec![1; 16]))
    );
}

#[test]
fn sequences_are_as_long_as_the_first_that_can_be() {
    let sequence = |name| Port {
        is_sequence: true,
        ..port(name, DataType::Int64, &[])
    };
    let signature = Signature {
        inputs: vec![sequence("tokens"), sequence("mask")],
        outputs: Vec::new(),
        sequence: Some(Sequence {
            measure: Measure::Mask(1),
            longest: 9,
        }),
        is_single: false,
    };
    let check = |tokens: i64, mask: i64| {
        let tensors = [("tokens", tokens), ("mask", mask)].map(|(name, steps)| {
            let elements = longs(vec![1; steps.max(0) as usize]);
            tensor(name, "INT64", &[1, steps], elements)
        });
        let rows = prepare(&signature, tensors.into(), 1);
        rows.map(|rows| rows[0].steps())
            .map_err(|error| error.to_string())
    };
    assert_eq!(check(3, 3), Ok(3));
    for (tokens, mask, words) in [
        (
            -1,
            3,
            "inputs[0].shape: is [1, -1]; 1 to 9 steps are allowed",
        ),
        (
            10,
            3,
            "inputs[0].shape: is [1, 10]; 1 to 9 steps are allowed",
        ),
        (2, 3, "inputs[1].shape: has 3 steps; another sequence has 2"),
    ] {
        assert_eq!(check(tokens, mask), Err(words.to_owned()));
    }
}

#[test]
fn a_task_may_restrict_the_values_of_any_integer() {
    for (datatype, size) in [
        (DataType::Uint8, 1),
        (DataType::Int32, 4),
        (DataType::Int64, 8),
    ] {
        let mut signature = signature();
        signature.inputs.truncate(1);
        signature.inputs[0] = Port {
            values: Some(4),
            ..port("levels", datatype, &[2])
        };
        let check = |value: u8| {
            let mut elements = vec![0; 2 * size];
            elements[size] = value;
            let levels = tensor("levels", datatype.as_str(), &[1, 2], raw(&elements));
            let rows = prepare(&signature, vec![levels], 1);
            rows.map(|rows| rows.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(3), Ok(1), "{datatype}");
        let words = "raw_input_contents[0]: element 1 is 4; 0 to 3 are allowed";
        assert_eq!(check(4), Err(words.to_owned()), "{datatype}");
    }
}

proptest! {
    /// However elements are written, the rows are the same, and putting the rows together gives the
    /// tensor again.
    #[test]
    fn typed_is_raw(
        rows in prop::collection::vec((any::<[u8; 3]>(), any::<[i32; 2]>(), any::<i64>(), -1e30f32..1e30), 1..9),
    ) {
        let ports = vec![
            port("a", DataType::Uint8, &[3]),
            port("b", DataType::Int32, &[2]),
            port("c", DataType::Int64, &[1]),
            port("d", DataType::Float32, &[]),
        ];
        let signature = Signature { inputs: ports.clone(), outputs: ports, sequence: None, is_single: false };
        let n = rows.len() as i64;
        let small: Vec<u8> = rows.iter().flat_map(|row| row.0).collect();
        let middle: Vec<i32> = rows.iter().flat_map(|row| row.1).collect();
        let large: Vec<i64> = rows.iter().map(|row| row.2).collect();
        let reals: Vec<f32> = rows.iter().map(|row| row.3).collect();
        let little = [
            small.clone(),
            middle.iter().flat_map(|value| value.to_le_bytes()).collect(),
            large.iter().flat_map(|value| value.to_le_bytes()).collect(),
            reals.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ];
        let tensors = |elements: [Elements; 4]| -> Vec<Input> {
            let [a, b, c, d] = elements;
            vec![
                tensor("a", "UINT8", &[n, 3], a),
                tensor("b", "INT32", &[n, 2], b),
                tensor("c", "INT64", &[n, 1], c),
                tensor("d", "FP32", &[n], d),
            ]
        };
        let wide = small.into_iter().map(u32::from).collect();
        let typed = tensors([bytes(wide), ints(middle), longs(large), floats(reals)]);
        let raw = tensors(little.clone().map(|bytes| (None, Some(bytes.into()))));
        let typed = prepare(&signature, typed, 8).unwrap();
        prop_assert_eq!(&typed, &prepare(&signature, raw, 8).unwrap());
        for (port, little) in little.iter().enumerate() {
            prop_assert_eq!(column(&signature, port, &typed).unwrap(), little);
        }
    }
}
