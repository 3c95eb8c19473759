//! Arithmetic.

use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{GraphBuilder, GraphError, Value};

use crate::harness::{Array, Case, n, numbers};

type Binary = fn(&mut GraphBuilder, &Value, &Value) -> Result<Value, GraphError>;

#[test]
fn arithmetic_broadcasts() {
    let table: [(Binary, [f32; 6]); 4] = [
        (ops::add, [11.0, 22.0, 33.0, 14.0, 25.0, 36.0]),
        (ops::sub, [-9.0, -18.0, -27.0, -6.0, -15.0, -24.0]),
        (ops::mul, [10.0, 40.0, 90.0, 40.0, 100.0, 180.0]),
        (ops::div, [0.1, 0.1, 0.1, 0.4, 0.25, 0.2]),
    ];
    for (op, expected) in table {
        let mut case = Case::new();
        let a = Array::f32(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let a = case.input([n(), 3.into()], a);
        let b = case
            .g
            .initializer_f32("b", &[3], &[10.0, 20.0, 30.0])
            .unwrap();
        let y = op(&mut case.g, &a, &b).unwrap();
        case.result(&y)
            .assert_close(&Array::f32(&[2, 3], &expected), 1e-6);
    }
}

#[test]
fn arithmetic_takes_integers() {
    let table: [(Binary, [i32; 2]); 4] = [
        (ops::add, [-5, 9]),
        (ops::sub, [-9, 5]),
        (ops::mul, [-14, 14]),
        (ops::div, [-3, 3]),
    ];
    for (op, expected) in table {
        let mut case = Case::new();
        let narrow = case.fixed(Array::i32(&[2], &[-7, 7]));
        let two = case.g.initializer("two", &[], &[2]).unwrap();
        let narrow = op(&mut case.g, &narrow, &two).unwrap();
        let wide = case.fixed(Array::i64(&[2], &[-7, 7]));
        let two = case.g.initializer("wide two", &[], &[2_i64]).unwrap();
        let wide = op(&mut case.g, &wide, &two).unwrap();
        case.output(&narrow);
        case.output(&wide);
        let wide = expected.map(i64::from);
        assert_eq!(
            case.run(),
            [Array::i32(&[2], &expected), Array::i64(&[2], &wide)]
        );
    }
}

#[test]
fn axes_broadcast_from_both_sides() {
    let mut case = Case::new();
    let column = case.input([n(), 1.into()], Array::f32(&[2, 1], &[1.0, 2.0]));
    let row = case.fixed(Array::f32(&[3], &[10.0, 20.0, 30.0]));
    let y = ops::add(&mut case.g, &column, &row).unwrap();
    let expected = Array::f32(&[2, 3], &[11.0, 21.0, 31.0, 12.0, 22.0, 32.0]);
    assert_eq!(case.result(&y), expected);
}

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

#[test]
fn gemm_takes_every_attribute() {
    let (rows, inner, columns) = (2, 3, 4);
    let a = numbers(rows * inner, 1);
    let b = numbers(inner * columns, 2);
    let c = numbers(rows, 3);
    for mode in 0..8 {
        let [trans_a, trans_b, with_c] = [0, 1, 2].map(|bit| mode >> bit & 1 == 1);
        let at_a = |i, k| {
            if trans_a {
                a[k * rows + i]
            } else {
                a[i * inner + k]
            }
        };
        let at_b = |k, j| {
            if trans_b {
                b[j * inner + k]
            } else {
                b[k * columns + j]
            }
        };
        let mut expected = Vec::new();
        for (i, bias) in c.iter().enumerate() {
            for j in 0..columns {
                let product: f32 = (0..inner).map(|k| at_a(i, k) * at_b(k, j)).sum();
                expected.push(product + if with_c { *bias } else { 0.0 });
            }
        }

        let mut case = Case::new();
        let a_shape = if trans_a {
            [inner, rows]
        } else {
            [rows, inner]
        };
        let b_shape = if trans_b {
            [columns, inner]
        } else {
            [inner, columns]
        };
        let x = case.fixed(Array::f32(&a_shape, &a));
        let w = case.g.initializer_f32("b", &b_shape, &b).unwrap();
        let bias = with_c.then(|| case.g.initializer_f32("c", &[rows, 1], &c).unwrap());
        let attributes = GemmAttributes { trans_a, trans_b };
        let y = ops::gemm(&mut case.g, &x, &w, bias.as_ref(), attributes).unwrap();
        case.result(&y)
            .assert_close(&Array::f32(&[rows, columns], &expected), 1e-5);
    }
}

#[test]
fn matmul_multiplies_the_last_axes_and_broadcasts_the_others() {
    let [batch, heads, rows, inner, columns] = [2, 3, 2, 4, 5];
    let a = numbers(batch * heads * rows * inner, 1);
    let one_for_each_head = numbers(heads * inner * columns, 2);
    let mut expected = Vec::new();
    for n in 0..batch {
        for head in 0..heads {
            for i in 0..rows {
                for j in 0..columns {
                    let at_a = |k| a[((n * heads + head) * rows + i) * inner + k];
                    let at_b = |k| one_for_each_head[(head * inner + k) * columns + j];
                    expected.push((0..inner).map(|k| at_a(k) * at_b(k)).sum());
                }
            }
        }
    }
    let mut case = Case::new();
    let shape = [n(), heads.into(), rows.into(), inner.into()];
    let x = case.input(shape, Array::f32(&[batch, heads, rows, inner], &a));
    let w = case.fixed(Array::f32(&[heads, inner, columns], &one_for_each_head));
    let y = ops::matmul(&mut case.g, &x, &w).unwrap();
    assert_eq!(y.shape().to_string(), "[N, 3, 2, 5]");
    let expected = Array::f32(&[batch, heads, rows, columns], &expected);
    case.result(&y).assert_close(&expected, 1e-5);
}
