//! Comparison and choice.

use quintet_onnx::ops;

use crate::harness::{Array, Case, n};

#[test]
fn less_compares_numbers_with_broadcasting() {
    let mut case = Case::new();
    let places = case.fixed(Array::i64(&[4], &[0, 1, 2, 3]));
    let lengths = case.input([n(), 1.into()], Array::i64(&[2, 1], &[1, 3]));
    let y = ops::less(&mut case.g, &places, &lengths).unwrap();
    case.output(&y);
    let a = case.fixed(Array::f32(&[3], &[-1.0, 0.5, f32::NAN]));
    let b = case.fixed(Array::f32(&[1], &[0.5]));
    let y = ops::less(&mut case.g, &a, &b).unwrap();
    case.output(&y);
    let (yes, no) = (true, false);
    let expected = [
        Array::bool(&[2, 4], &[yes, no, no, no, yes, yes, yes, no]),
        Array::bool(&[3], &[yes, no, no]),
    ];
    assert_eq!(case.run(), expected);
}

#[test]
fn where_takes_one_or_the_other() {
    let mut case = Case::new();
    let condition = case.input([n(), 1.into()], Array::bool(&[2, 1], &[true, false]));
    let x = case.fixed(Array::f32(&[3], &[1.0, 2.0, 3.0]));
    let least = case.g.initializer("least", &[], &[f32::MIN]).unwrap();
    let y = ops::where_(&mut case.g, &condition, &x, &least).unwrap();
    let masked = [f32::MIN; 3];
    let expected = Array::f32(&[2, 3], &[[1.0, 2.0, 3.0], masked].concat());
    assert_eq!(case.result(&y), expected);
}
