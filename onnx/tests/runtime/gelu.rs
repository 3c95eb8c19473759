//! The error function and gated activations, against values of Python's `math.erf` and of the
//! equations.

use quintet_onnx::{GraphBuilder, GraphError, Value, ops};

use crate::harness::{Array, Case, n};

const X: [f32; 6] = [-3.0, -1.0, -0.25, 0.0, 0.5, 2.0];

// [math.erf(x) for x in X]
const ERF: [f32; 6] = [
    -0.999_977_9,
    -0.842_700_8,
    -0.276_326_4,
    0.0,
    0.520_499_9,
    0.995_322_3,
];

// [x / 2 * (1 + math.erf(x / 2 ** 0.5)) for x in X]
const GELU: [f32; 6] = [
    -0.004_049_694,
    -0.158_655_26,
    -0.100_323_42,
    0.0,
    0.345_731_23,
    1.954_499_7,
];

#[track_caller]
fn check(
    op: fn(&mut GraphBuilder, &Value) -> Result<Value, GraphError>,
    expected: [f32; 6],
    tolerance: f32,
) {
    let mut case = Case::new();
    let x = case.input([n(), 3.into()], Array::f32(&[2, 3], &X));
    let y = op(&mut case.g, &x).unwrap();
    case.result(&y)
        .assert_close(&Array::f32(&[2, 3], &expected), tolerance);
}

#[test]
fn erf() {
    check(ops::erf, ERF, 1e-6);
}

#[test]
fn gelu() {
    check(ops::gelu, GELU, 1e-6);
}

#[test]
fn gelu_tanh_follows_its_equation_and_is_near_gelu() {
    let equation = |x: f32| {
        let slope = (2.0 / std::f32::consts::PI).sqrt();
        x / 2.0 * (1.0 + (slope * (x + 0.044_715 * x.powi(3))).tanh())
    };
    check(ops::gelu_tanh, X.map(equation), 1e-6);
    check(ops::gelu_tanh, GELU, 1e-3);
}

#[test]
fn silu() {
    check(ops::silu, X.map(|x| x / (1.0 + (-x).exp())), 1e-6);
}
