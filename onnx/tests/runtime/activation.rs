//! Functions of one value.

use quintet_onnx::{GraphBuilder, GraphError, Value, ops};

use crate::harness::{Array, Case, n, numbers};

type Unary = fn(&mut GraphBuilder, &Value) -> Result<Value, GraphError>;

const X: [f32; 6] = [-2.5, -0.75, 0.0, 0.5, 1.5, 3.0];

#[track_caller]
fn check(op: Unary, expected: impl Fn(f32) -> f32) {
    let mut case = Case::new();
    let x = case.input([n(), 3.into()], Array::f32(&[2, 3], &X));
    let y = op(&mut case.g, &x).unwrap();
    case.result(&y)
        .assert_close(&Array::f32(&[2, 3], &X.map(expected)), 1e-6);
}

#[test]
fn relu() {
    check(ops::relu, |x| if x > 0.0 { x } else { 0.0 });
}

#[test]
fn abs() {
    check(ops::abs, f32::abs);
}

#[test]
fn sigmoid() {
    check(ops::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
}

#[test]
fn tanh() {
    check(ops::tanh, f32::tanh);
}

#[test]
fn round_takes_halves_to_even() {
    check(ops::round, f32::round_ties_even);
}

#[test]
fn leaky_relu_keeps_its_slope() {
    check(
        |g, x| ops::leaky_relu(g, x, 0.3),
        |x| if x >= 0.0 { x } else { 0.3 * x },
    );
    check(|g, x| ops::leaky_relu(g, x, 0.0), |x| x.max(0.0));
}

#[test]
fn clip_binds_on_the_sides_it_has() {
    check(
        |g, x| ops::clip(g, x, Some(-1.0), Some(1.0)),
        |x| x.clamp(-1.0, 1.0),
    );
    check(|g, x| ops::clip(g, x, Some(0.5), None), |x| x.max(0.5));
    check(|g, x| ops::clip(g, x, None, Some(0.5)), |x| x.min(0.5));
}

#[test]
fn softmax_sums_to_one_along_its_axis() {
    let shape = [2, 3, 4];
    let x = numbers(24, 5);
    for axis in -3..3_i64 {
        let at = usize::try_from(axis.rem_euclid(3)).unwrap();
        let stride: usize = shape[at + 1..].iter().product();
        let expected: Vec<f32> = (0..24)
            .map(|i| {
                let first = i - (i / stride % shape[at]) * stride;
                let sum: f32 = (0..shape[at])
                    .map(|step| x[first + step * stride].exp())
                    .sum();
                x[i].exp() / sum
            })
            .collect();

        let mut case = Case::new();
        let value = case.input([n(), 3.into(), 4.into()], Array::f32(&shape, &x));
        let y = ops::softmax(&mut case.g, &value, axis).unwrap();
        case.result(&y)
            .assert_close(&Array::f32(&shape, &expected), 1e-6);
    }
}
