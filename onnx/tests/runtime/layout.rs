//! Types, shapes and order.

use quintet_onnx::{DataType, Dim, ops};

use crate::harness::{Array, Case, n, numbers};

#[test]
fn cast_goes_between_all_types() {
    let all = [
        DataType::Uint8,
        DataType::Int8,
        DataType::Int32,
        DataType::Int64,
        DataType::Float16,
        DataType::Float32,
    ];
    for from in all {
        for to in all {
            let mut case = Case::new();
            let x = case.input([n()], Array::f32(&[3], &[0.0, 1.75, 100.5]));
            let y = ops::cast(&mut case.g, &x, from).unwrap();
            let y = ops::cast(&mut case.g, &y, to).unwrap();
            assert_eq!(y.data_type(), to);
            let y = ops::cast(&mut case.g, &y, DataType::Float32).unwrap();
            let float = |data_type| matches!(data_type, DataType::Float16 | DataType::Float32);
            let expected = if float(from) && float(to) {
                [0.0, 1.75, 100.5]
            } else {
                [0.0, 1.0, 100.0]
            };
            assert_eq!(
                case.result(&y),
                Array::f32(&[3], &expected),
                "{from} to {to}"
            );
        }
    }
}

#[test]
fn cast_results_have_their_type() {
    let mut case = Case::new();
    let x = case.input([n()], Array::u8(&[2], &[0, 255]));
    for data_type in [DataType::Float32, DataType::Int32, DataType::Int64] {
        let y = ops::cast(&mut case.g, &x, data_type).unwrap();
        case.output(&y);
    }
    let expected = [
        Array::f32(&[2], &[0.0, 255.0]),
        Array::i32(&[2], &[0, 255]),
        Array::i64(&[2], &[0, 255]),
    ];
    assert_eq!(case.run(), expected);
}

#[test]
fn reshape_keeps_the_elements() {
    let data = numbers(24, 1);
    let table: [(&[i64], &[usize]); 6] = [
        (&[0, 12], &[2, 12]),
        (&[-1, 12], &[2, 12]),
        (&[0, -1], &[2, 12]),
        (&[0, 0, 2, 2], &[2, 3, 2, 2]),
        (&[4, -1, 3], &[4, 2, 3]),
        (&[0, 4, 1, -1], &[2, 4, 1, 3]),
    ];
    for (target, expected) in table {
        let mut case = Case::new();
        let x = case.input([n(), 3.into(), 4.into()], Array::f32(&[2, 3, 4], &data));
        let y = ops::reshape(&mut case.g, &x, target).unwrap();
        assert_eq!(case.result(&y), Array::f32(expected, &data), "{target:?}");
    }
}

#[test]
fn reshape_infers_fixed_lengths() {
    let mut case = Case::new();
    let x = case.fixed(Array::i64(&[2, 3], &[1, 2, 3, 4, 5, 6]));
    let y = ops::reshape(&mut case.g, &x, &[-1]).unwrap();
    assert_eq!(y.shape().to_string(), "[6]");
    assert_eq!(case.result(&y), Array::i64(&[6], &[1, 2, 3, 4, 5, 6]));
}

#[test]
fn flatten_splits_at_an_axis() {
    let data = numbers(24, 1);
    let fixed: [(i64, [usize; 2]); 6] = [
        (0, [1, 24]),
        (1, [2, 12]),
        (2, [6, 4]),
        (3, [24, 1]),
        (-1, [6, 4]),
        (-3, [1, 24]),
    ];
    for (axis, expected) in fixed {
        let mut case = Case::new();
        let x = case.fixed(Array::f32(&[2, 3, 4], &data));
        let y = ops::flatten(&mut case.g, &x, axis).unwrap();
        assert_eq!(case.result(&y), Array::f32(&expected, &data), "axis {axis}");
    }
    let mut case = Case::new();
    let x = case.input([n(), 3.into(), 4.into()], Array::f32(&[2, 3, 4], &data));
    let y = ops::flatten(&mut case.g, &x, 1).unwrap();
    assert_eq!(case.result(&y), Array::f32(&[2, 12], &data));
}

#[test]
fn gather_looks_rows_up() {
    let mut case = Case::new();
    let shape = [n(), Dim::symbol("L")];
    let tokens = case.input(shape, Array::i64(&[1, 3], &[2, 0, -1]));
    let table = case
        .g
        .initializer_f32("table", &[3, 2], &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
        .unwrap();
    let y = ops::gather(&mut case.g, &table, &tokens, 0).unwrap();
    assert_eq!(y.shape().to_string(), "[N, L, 2]");
    assert_eq!(
        case.result(&y),
        Array::f32(&[1, 3, 2], &[2.0, 2.5, 0.0, 0.5, 2.0, 2.5])
    );
}

#[test]
fn gather_picks_along_an_inner_axis() {
    for axis in [1, -1] {
        let mut case = Case::new();
        let x = case.input([n(), 3.into()], Array::u8(&[2, 3], &[1, 2, 3, 4, 5, 6]));
        let indices = case.g.initializer("indices", &[2], &[2, 0]).unwrap();
        let y = ops::gather(&mut case.g, &x, &indices, axis).unwrap();
        assert_eq!(case.result(&y), Array::u8(&[2, 2], &[3, 1, 6, 4]));
    }
    let mut case = Case::new();
    let x = case.input([n(), 3.into()], Array::u8(&[2, 3], &[1, 2, 3, 4, 5, 6]));
    let last = case.g.initializer("last", &[], &[-1_i64]).unwrap();
    let y = ops::gather(&mut case.g, &x, &last, 1).unwrap();
    assert_eq!(
        case.result(&y),
        Array::u8(&[2], &[3, 6]),
        "a scalar index takes the axis away"
    );
}

#[test]
fn unsqueeze_and_squeeze_undo_each_other() {
    let table: [(&[i64], &[usize]); 4] = [
        (&[0], &[1, 2, 3]),
        (&[-1], &[2, 3, 1]),
        (&[1, 3], &[2, 1, 3, 1]),
        (&[-1, 0], &[1, 2, 3, 1]),
    ];
    let data = numbers(6, 2);
    for (axes, expected) in table {
        let mut case = Case::new();
        let x = case.input([n(), 3.into()], Array::f32(&[2, 3], &data));
        let wide = ops::unsqueeze(&mut case.g, &x, axes).unwrap();
        let back = ops::squeeze(&mut case.g, &wide, axes).unwrap();
        case.output(&wide);
        case.output(&back);
        assert_eq!(
            case.run(),
            [Array::f32(expected, &data), Array::f32(&[2, 3], &data)]
        );
    }
}

#[test]
fn transpose_moves_axes() {
    let mut case = Case::new();
    let shape = [n(), Dim::symbol("L"), 2.into()];
    let data = Array::i64(&[2, 3, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let x = case.input(shape, data);
    let time_first = ops::transpose(&mut case.g, &x, &[1, 0, 2]).unwrap();
    let rotated = ops::transpose(&mut case.g, &x, &[2, 0, 1]).unwrap();
    assert_eq!(rotated.shape().to_string(), "[2, N, L]");
    case.output(&time_first);
    case.output(&rotated);
    let expected = [
        Array::i64(&[3, 2, 2], &[0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]),
        Array::i64(&[2, 2, 3], &[0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]),
    ];
    assert_eq!(case.run(), expected);
}
