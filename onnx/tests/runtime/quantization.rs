//! Integers that stand for float32 numbers.

use quintet_onnx::{Dim, GraphError, ops, quantize};

use crate::harness::{Array, Case, n, numbers};

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

/// The weights are small enough for processors whose 16-bit sums saturate.
#[test]
fn an_integer_product_is_exact_for_every_row() {
    const ROWS: usize = 3;
    const INNER: usize = 70;
    const COLUMNS: usize = 5;
    let a: Vec<u8> = (0..2 * ROWS * INNER)
        .map(|i| (i * 89 % 256) as u8)
        .collect();
    let b: Vec<i8> = (0..INNER * COLUMNS)
        .map(|i| ((i * 31 % 129) as i32 - 64) as i8)
        .collect();
    for zero in [0, 128, 255] {
        let mut case = Case::new();
        let x = case.input(
            [n(), Dim::symbol("L"), INNER.into()],
            Array::u8(&[2, ROWS, INNER], &a),
        );
        let weight = case.g.initializer("b", &[INNER, COLUMNS], &b).unwrap();
        let y = ops::matmul_integer(&mut case.g, &x, &weight, zero).unwrap();
        let sum = |at: usize| -> i32 {
            let (row, column) = (at / COLUMNS, at % COLUMNS);
            let term = |k: usize| {
                let a = i32::from(a[row * INNER + k]) - i32::from(zero);
                a * i32::from(b[k * COLUMNS + column])
            };
            (0..INNER).map(term).sum()
        };
        let expected: Vec<i32> = (0..2 * ROWS * COLUMNS).map(sum).collect();
        assert_eq!(case.result(&y), Array::i32(&[2, ROWS, COLUMNS], &expected));
    }
}

#[test]
fn numbers_come_back_within_half_a_step_of_their_channel() {
    let shape = [7, 4];
    let data = numbers(28, 9);
    for axis in [0, 1] {
        let (stored, scales) = quantize("w", &shape, axis, &data).unwrap();
        assert_eq!((stored.len(), scales.len()), (28, shape[axis]));
        for (at, (&stored, value)) in stored.iter().zip(&data).enumerate() {
            let scale = scales[[at / 4, at % 4][axis]];
            let back = f32::from(stored) * scale;
            // The scale's last bits are cleared, which cuts the largest number.
            let step = scale * (0.5 + 127.0 / 65_536.0);
            assert!((back - value).abs() <= step, "{value} is {back}");
        }
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    let error = quantize("w", &[2, 1], 1, &[1.0, f32::NAN]).unwrap_err();
    assert!(matches!(error, GraphError::Value(_)), "{error}");
}
