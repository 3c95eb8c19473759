//! What is refused and in which words; typed elements are the same rows as raw ones.

use expect_test::expect;
use proptest::prelude::*;

use bytes::Bytes;
use quintet_bundle::DataType;

use super::*;
use crate::runtime::{Port, Row, Signature};

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
    }
}

fn tensor(name: &str, datatype: &str, shape: &[i64], elements: Elements) -> Tensor {
    Tensor {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
        elements,
    }
}

fn pixels(shape: &[i64], elements: Elements) -> Tensor {
    tensor("pixels", "UINT8", shape, elements)
}

fn weight(values: &[f32]) -> Tensor {
    let elements = Elements::Float32(values.to_vec());
    tensor("weight", "FP32", &[values.len() as i64], elements)
}

fn raw(bytes: &[u8]) -> Elements {
    Elements::Raw(Bytes::copy_from_slice(bytes))
}

fn refusal(tensors: Vec<Tensor>) -> String {
    let violations = prepare(&signature(), tensors, 3).unwrap_err();
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
        vec![typed(Elements::Uint32(vec![0; 5])), one()],
        vec![typed(Elements::Uint32(vec![0, 0, 256, 0])), one()],
        vec![typed(Elements::Int32(vec![0; 4])), one()],
        vec![typed(Elements::Foreign("bytes_contents")), one()],
        vec![typed(Elements::Missing), one()],
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
        pixels(&[2, 2, 2], Elements::Raw(data.clone())),
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
        wanted(&signature(), names.iter().copied())
            .map(|wanted| wanted.to_vec())
            .map_err(|violations| violations[0].description.clone())
    };
    assert_eq!(names(&[]), Ok(vec![0, 1]));
    assert_eq!(names(&["counts"]), Ok(vec![1]));
    assert_eq!(names(&["counts", "score"]), Ok(vec![1, 0]));
    assert_eq!(
        names(&["logits"]),
        Err("is `logits`; the model's outputs are score, counts".to_owned())
    );
    assert_eq!(
        names(&["score", "score"]),
        Err("is `score`, a second time".to_owned())
    );
}

#[test]
fn an_output_that_is_no_number_is_no_answer() {
    let row = |score: f32| -> Row {
        let cells = [score.to_le_bytes().to_vec(), vec![1; 8]];
        cells.into_iter().map(Bytes::from).collect()
    };
    assert_eq!(finish(&signature(), 0, &[row(0.5), row(f32::NAN)]), None);
    assert_eq!(
        finish(&signature(), 1, &[row(0.5), row(f32::NAN)]),
        Some(Bytes::from(vec![1; 16]))
    );
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
        let signature = Signature { inputs: ports.clone(), outputs: ports, sequence: None };
        let n = rows.len() as i64;
        let bytes: Vec<u8> = rows.iter().flat_map(|row| row.0).collect();
        let ints: Vec<i32> = rows.iter().flat_map(|row| row.1).collect();
        let longs: Vec<i64> = rows.iter().map(|row| row.2).collect();
        let floats: Vec<f32> = rows.iter().map(|row| row.3).collect();
        let little = [
            bytes.clone(),
            ints.iter().flat_map(|value| value.to_le_bytes()).collect(),
            longs.iter().flat_map(|value| value.to_le_bytes()).collect(),
            floats.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ];
        let tensors = |elements: [Elements; 4]| -> Vec<Tensor> {
            let [a, b, c, d] = elements;
            vec![
                tensor("a", "UINT8", &[n, 3], a),
                tensor("b", "INT32", &[n, 2], b),
                tensor("c", "INT64", &[n, 1], c),
                tensor("d", "FP32", &[n], d),
            ]
        };
        let wide = bytes.into_iter().map(u32::from).collect();
        let typed = tensors([
            Elements::Uint32(wide),
            Elements::Int32(ints),
            Elements::Int64(longs),
            Elements::Float32(floats),
        ]);
        let raw = tensors(little.clone().map(|bytes| Elements::Raw(bytes.into())));
        let typed = prepare(&signature, typed, 8).unwrap();
        prop_assert_eq!(&typed, &prepare(&signature, raw, 8).unwrap());
        for (port, little) in little.iter().enumerate() {
            prop_assert_eq!(finish(&signature, port, &typed).unwrap(), little);
        }
    }
}
