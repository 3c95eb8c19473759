//! Means and the largest numbers of an axis.

use quintet_onnx::{Dim, ops};

use crate::harness::{Array, Case, n};

#[test]
fn reduce_mean_leaves_the_axis_out() {
    for axis in [1, -2] {
        let mut case = Case::new();
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0];
        let x = case.input(
            [n(), Dim::symbol("L"), 2.into()],
            Array::f32(&[1, 3, 2], &data),
        );
        let y = ops::reduce_mean(&mut case.g, &x, axis).unwrap();
        assert_eq!(case.result(&y), Array::f32(&[1, 2], &[3.0, 5.0]));
    }
}

#[test]
fn reduce_max_keeps_an_axis_of_one() {
    for (axis, shape, expected) in [
        (-1, [1, 3, 1], &[2.0, 3.0, -5.0][..]),
        (1, [1, 1, 2], &[3.0, 2.0]),
    ] {
        let mut case = Case::new();
        let data = [1.0, 2.0, 3.0, -4.0, -5.0, -9.0];
        let x = case.input(
            [n(), Dim::symbol("L"), 2.into()],
            Array::f32(&[1, 3, 2], &data),
        );
        let y = ops::reduce_max(&mut case.g, &x, axis).unwrap();
        assert_eq!(case.result(&y), Array::f32(&shape, expected));
    }
}
