//! Weights stored as integers.

use quintet_onnx::ops;

use crate::harness::{Array, Case};

#[test]
fn each_row_and_each_column_can_have_its_scale() {
    let table = [
        (0, vec![0.5, 2.0], [-63.5, 0.0, 0.5, 254.0, 4.0, -256.0]),
        (
            -1,
            vec![1.0, 0.5, 0.25],
            [-127.0, 0.0, 0.25, 127.0, 1.0, -32.0],
        ),
    ];
    for (axis, scales, expected) in table {
        let mut case = Case::new();
        let stored = [-127_i8, 0, 1, 127, 2, -128];
        let x = case.g.initializer("x", &[2, 3], &stored).unwrap();
        let count = scales.len();
        let scale = case.g.initializer("scale", &[count], &scales).unwrap();
        let y = ops::dequantize_linear(&mut case.g, &x, &scale, axis).unwrap();
        assert_eq!(case.result(&y), Array::f32(&[2, 3], &expected));
    }
}
