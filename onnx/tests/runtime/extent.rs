//! Run-time lengths, and parts of an axis.

use quintet_onnx::{Dim, ops};

use crate::harness::{Array, Case, n, numbers};

#[test]
fn an_axis_knows_its_length_and_its_places() {
    for axis in [1, -2] {
        let mut case = Case::new();
        let data = Array::f32(&[2, 5, 3], &numbers(30, 1));
        let x = case.input([n(), Dim::symbol("L"), 3.into()], data);
        let length = ops::shape(&mut case.g, &x, axis).unwrap();
        let places = ops::range(&mut case.g, &x, axis).unwrap();
        assert_eq!(places.shape().to_string(), "[L]");
        case.output(&length);
        case.output(&places);
        let expected = [Array::i64(&[1], &[5]), Array::i64(&[5], &[0, 1, 2, 3, 4])];
        assert_eq!(case.run(), expected);
    }
}

#[test]
fn slice_takes_a_part_of_an_axis() {
    let data: Vec<f32> = (0..12).map(|it| it as f32).collect();
    let mut case = Case::new();
    let x = case.input([n(), 4.into()], Array::f32(&[3, 4], &data));
    let y = ops::slice(&mut case.g, &x, -1, 1, 3).unwrap();
    let expected = Array::f32(&[3, 2], &[1.0, 2.0, 5.0, 6.0, 9.0, 10.0]);
    assert_eq!(case.result(&y), expected);
}

#[test]
fn pad_puts_zeros_around_an_axis() {
    let data: Vec<f32> = (1..=6).map(|it| it as f32).collect();
    for (axis, pads, size, expected) in [
        (
            1,
            [1, 2],
            [1, 5, 3],
            [&[0.0; 3][..], &data, &[0.0; 6]].concat(),
        ),
        (
            -1,
            [0, 1],
            [1, 2, 4],
            vec![1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0],
        ),
    ] {
        let mut case = Case::new();
        let x = case.input([n(), 2.into(), 3.into()], Array::f32(&[1, 2, 3], &data));
        let y = ops::pad(&mut case.g, &x, axis, pads).unwrap();
        assert_eq!(case.result(&y), Array::f32(&size, &expected));
    }
}

#[test]
fn concat_puts_values_side_by_side() {
    let mut case = Case::new();
    let a = case.input([n(), 1.into()], Array::f32(&[2, 1], &[1.0, 2.0]));
    let b = case.input([n(), 2.into()], Array::f32(&[2, 2], &[3.0, 4.0, 5.0, 6.0]));
    let y = ops::concat(&mut case.g, &[&a, &b, &a], 1).unwrap();
    let expected = Array::f32(&[2, 4], &[1.0, 3.0, 4.0, 1.0, 2.0, 5.0, 6.0, 2.0]);
    assert_eq!(case.result(&y), expected);
}
