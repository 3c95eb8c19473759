//! Random chains of operators: what the builder takes, the check passes and the runtime runs, with the
//! shapes that the builder inferred.

use proptest::collection::vec;
use proptest::prelude::*;
use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Value};

use crate::harness::{Array, Case, numbers};

/// One step of a random chain on a value; a step may be refused.
#[derive(Clone, Debug)]
enum Step {
    Relu,
    Round,
    Clip(Option<f32>, Option<f32>),
    Softmax(i64),
    AddItself,
    Scale,
    Linear(usize),
    Reshape(Vec<i64>),
    Flatten(i64),
    Unsqueeze(Vec<i64>),
    Squeeze(Vec<i64>),
    Transpose(Vec<usize>),
    ThroughHalf,
}

fn step() -> impl Strategy<Value = Step> {
    let axis = -3..4_i64;
    prop_oneof![
        Just(Step::Relu),
        Just(Step::Round),
        (bound(), bound()).prop_map(|(min, max)| Step::Clip(min, max)),
        axis.clone().prop_map(Step::Softmax),
        Just(Step::AddItself),
        Just(Step::Scale),
        (0..5_usize).prop_map(Step::Linear),
        vec(-2..7_i64, 0..4).prop_map(Step::Reshape),
        axis.clone().prop_map(Step::Flatten),
        vec(axis.clone(), 0..3).prop_map(Step::Unsqueeze),
        vec(axis, 0..3).prop_map(Step::Squeeze),
        vec(0..4_usize, 0..4).prop_map(Step::Transpose),
        Just(Step::ThroughHalf),
    ]
}

/// Takes the step. `number` makes its weight's name unique. A weight is only made once it must fit, so
/// that a refused step leaves nothing dangling.
fn take(g: &mut GraphBuilder, x: &Value, step: &Step, number: usize) -> Result<Value, GraphError> {
    match step {
        Step::Relu => ops::relu(g, x),
        Step::Round => ops::round(g, x),
        Step::Clip(min, max) => ops::clip(g, x, *min, *max),
        Step::Softmax(axis) => ops::softmax(g, x, *axis),
        Step::AddItself => ops::add(g, x, x),
        Step::Scale => {
            let factor = g.initializer_f32(&format!("factor{number}"), &[], &[0.5])?;
            ops::mul(g, x, &factor)
        }
        Step::Linear(width) => {
            let [_, Dim::Fixed(features)] = x.shape()[..] else {
                return Ok(x.clone());
            };
            let weights = vec![0.25; width * features];
            let weight = g.weight(&format!("weight{number}"), &[features, *width], 1, &weights)?;
            ops::gemm(g, x, &weight, None, GemmAttributes::default())
        }
        Step::Reshape(shape) => ops::reshape(g, x, shape),
        Step::Flatten(axis) => ops::flatten(g, x, *axis),
        Step::Unsqueeze(axes) => ops::unsqueeze(g, x, axes),
        Step::Squeeze(axes) => ops::squeeze(g, x, axes),
        Step::Transpose(perm) => ops::transpose(g, x, perm),
        Step::ThroughHalf => {
            let half = ops::cast(g, x, DataType::Float16)?;
            ops::cast(g, &half, DataType::Float32)
        }
    }
}

fn bound() -> impl Strategy<Value = Option<f32>> {
    proptest::option::of(-2.0..2.0_f32)
}

/// The first value's axes and how long each is in the run.
fn first() -> impl Strategy<Value = Vec<(Dim, usize)>> {
    let axis = prop_oneof![
        Just((Dim::Fixed(1), 1)),
        (2..4_usize).prop_map(|length| (Dim::Fixed(length), length)),
        Just((Dim::symbol("N"), 5)),
        Just((Dim::symbol("L"), 7)),
    ];
    vec(axis, 0..4)
}

proptest! {
    #[test]
    fn chains_pass_the_check_and_run(first in first(), steps in vec(step(), 1..12)) {
        let (dims, lengths): (Vec<_>, Vec<_>) = first.into_iter().unzip();
        let mut case = Case::new();
        let data = numbers(lengths.iter().product(), 1);
        let x = case.input(dims, Array::f32(&lengths, &data));
        let mut last = ops::tanh(&mut case.g, &x).unwrap();
        for (number, step) in steps.iter().enumerate() {
            last = take(&mut case.g, &last, step, number).unwrap_or(last);
        }
        case.result(&last);
    }
}
