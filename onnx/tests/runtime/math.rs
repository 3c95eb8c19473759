//! Arithmetic.

use quintet_onnx::ops::{self, GemmAttributes};

use crate::harness::{Array, Case, n};

#[test]
fn gemm_is_a_linear_layer() {
    let mut case = Case::new();
    let x = case.input(
        [n(), 3.into()],
        Array::f32(&[2, 3], &[1.0, 2.0, 3.0, -1.0, 0.0, 1.0]),
    );
    let w = case
        .g
        .initializer_f32("w", &[2, 3], &[1.0, 0.0, 2.0, 0.5, -1.0, 0.0])
        .unwrap();
    let b = case.g.initializer_f32("b", &[2], &[10.0, 20.0]).unwrap();
    let linear = GemmAttributes {
        trans_b: true,
        ..Default::default()
    };
    let y = ops::gemm(&mut case.g, &x, &w, Some(&b), linear).unwrap();
    let expected = Array::f32(&[2, 2], &[17.0, 18.5, 11.0, 19.5]);
    assert_eq!(case.result(&y), expected);
}
