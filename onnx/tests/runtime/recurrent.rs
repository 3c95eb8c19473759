//! Recurrent layers, compared with loops that follow ONNX's equations gate by gate.

use quintet_onnx::Dim;
use quintet_onnx::ops::{self, RecurrentInputs};

use crate::harness::{Array, Case, n, numbers};

const STEPS: usize = 4;
const BATCH: usize = 3;
const FEATURES: usize = 2;
const HIDDEN: usize = 3;

/// Weights in ONNX's layout, without the leading axis of directions.
struct Weights {
    w: Vec<f32>,
    r: Vec<f32>,
    b: Vec<f32>,
}

/// The states after each step, and the last state and cell, row by row.
#[derive(Default)]
struct Reference {
    y: Vec<f32>,
    y_h: Vec<f32>,
    y_c: Vec<f32>,
}

impl Weights {
    fn new(gates: usize) -> Self {
        let rows = gates * HIDDEN;
        Self {
            w: numbers(rows * FEATURES, 1),
            r: numbers(rows * HIDDEN, 2),
            b: numbers(2 * rows, 3),
        }
    }

    /// `Xt * W^T + Ht-1 * R^T + Wb + Rb` for one row of the stacked gates.
    fn gate(&self, row: usize, x: &[f32], h: &[f32], with_bias: bool) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let bias = if with_bias {
            self.b[row] + self.b[self.b.len() / 2 + row]
        } else {
            0.0
        };
        dot(x, &self.w[row * FEATURES..][..FEATURES])
            + dot(h, &self.r[row * HIDDEN..][..HIDDEN])
            + bias
    }
}

/// Runs `step` over each row's steps. It takes the input, the state and the cell, and gives the next two.
fn unroll(
    x: &[f32],
    lengths: &[i32],
    step: impl Fn(&[f32], &[f32], &[f32]) -> (Vec<f32>, Vec<f32>),
) -> Reference {
    let mut reference = Reference {
        y: vec![0.0; STEPS * BATCH * HIDDEN],
        ..Reference::default()
    };
    for (row, &length) in lengths.iter().enumerate() {
        let (mut h, mut c) = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
        for t in 0..usize::try_from(length).unwrap() {
            let place = t * BATCH + row;
            (h, c) = step(&x[place * FEATURES..][..FEATURES], &h, &c);
            reference.y[place * HIDDEN..][..HIDDEN].copy_from_slice(&h);
        }
        reference.y_h.extend(h);
        reference.y_c.extend(c);
    }
    reference
}

fn rnn_reference(weights: &Weights, x: &[f32], lengths: &[i32], with_bias: bool) -> Reference {
    unroll(x, lengths, |x, h, c| {
        let next = (0..HIDDEN)
            .map(|j| weights.gate(j, x, h, with_bias).tanh())
            .collect();
        (next, c.to_vec())
    })
}

fn lstm_reference(weights: &Weights, x: &[f32], lengths: &[i32], with_bias: bool) -> Reference {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    unroll(x, lengths, |x, h, c| {
        let gate = |number: usize, j: usize| weights.gate(number * HIDDEN + j, x, h, with_bias);
        (0..HIDDEN)
            .map(|j| {
                let i = sigmoid(gate(0, j));
                let o = sigmoid(gate(1, j));
                let f = sigmoid(gate(2, j));
                let cell = f * c[j] + i * gate(3, j).tanh();
                (o * cell.tanh(), cell)
            })
            .unzip()
    })
}

/// The four ways to call an operator: with and without biases and lengths.
fn variants() -> impl Iterator<Item = (bool, Option<[i32; BATCH]>)> {
    let lengths = [None, Some([4, 1, 3])];
    lengths
        .into_iter()
        .flat_map(|lengths| [(false, lengths), (true, lengths)])
}

/// The layer's outputs as the closure picks them, run in ONNX Runtime.
fn run<const N: usize>(
    gates: usize,
    x: &[f32],
    with_bias: bool,
    lengths: Option<[i32; BATCH]>,
    layer: impl Fn(&mut Case, &RecurrentInputs<'_>) -> [quintet_onnx::Value; N],
) -> Vec<Array> {
    let weights = Weights::new(gates);
    let rows = gates * HIDDEN;
    let mut case = Case::new();
    let shape = [Dim::symbol("L"), n(), FEATURES.into()];
    let x = case.input(shape, Array::f32(&[STEPS, BATCH, FEATURES], x));
    let w = case
        .g
        .initializer_f32("w", &[1, rows, FEATURES], &weights.w)
        .unwrap();
    let r = case
        .g
        .initializer_f32("r", &[1, rows, HIDDEN], &weights.r)
        .unwrap();
    let b = with_bias.then(|| {
        case.g
            .initializer_f32("b", &[1, 2 * rows], &weights.b)
            .unwrap()
    });
    let lens = lengths.map(|lengths| case.input([n()], Array::i32(&[BATCH], &lengths)));
    let inputs = RecurrentInputs {
        x: &x,
        w: &w,
        r: &r,
        b: b.as_ref(),
        sequence_lens: lens.as_ref(),
    };
    let outputs = layer(&mut case, &inputs);
    for output in &outputs {
        case.output(output);
    }
    case.run()
}

#[test]
fn rnn_follows_its_equation() {
    let x = numbers(STEPS * BATCH * FEATURES, 7);
    for (with_bias, lengths) in variants() {
        let all = lengths.unwrap_or([4; BATCH]);
        let expected = rnn_reference(&Weights::new(1), &x, &all, with_bias);
        let actual = run(1, &x, with_bias, lengths, |case, inputs| {
            let outputs = ops::rnn(&mut case.g, inputs).unwrap();
            [outputs.y, outputs.y_h]
        });
        actual[0].assert_close(&Array::f32(&[STEPS, 1, BATCH, HIDDEN], &expected.y), 1e-5);
        actual[1].assert_close(&Array::f32(&[1, BATCH, HIDDEN], &expected.y_h), 1e-5);
    }
}

#[test]
fn lstm_follows_its_equations_gate_by_gate() {
    let x = numbers(STEPS * BATCH * FEATURES, 8);
    for (with_bias, lengths) in variants() {
        let all = lengths.unwrap_or([4; BATCH]);
        let expected = lstm_reference(&Weights::new(4), &x, &all, with_bias);
        let actual = run(4, &x, with_bias, lengths, |case, inputs| {
            let outputs = ops::lstm(&mut case.g, inputs).unwrap();
            [outputs.y, outputs.y_h, outputs.y_c]
        });
        actual[0].assert_close(&Array::f32(&[STEPS, 1, BATCH, HIDDEN], &expected.y), 1e-5);
        actual[1].assert_close(&Array::f32(&[1, BATCH, HIDDEN], &expected.y_h), 1e-5);
        actual[2].assert_close(&Array::f32(&[1, BATCH, HIDDEN], &expected.y_c), 1e-5);
    }
}

#[test]
fn unused_outputs_can_be_left_out() {
    let x = numbers(STEPS * BATCH * FEATURES, 9);
    let lengths = [2, 4, 1];
    let expected = rnn_reference(&Weights::new(1), &x, &lengths, true);
    let actual = run(1, &x, true, Some(lengths), |case, inputs| {
        [ops::rnn(&mut case.g, inputs).unwrap().y_h]
    });
    actual[0].assert_close(&Array::f32(&[1, BATCH, HIDDEN], &expected.y_h), 1e-5);

    let expected = lstm_reference(&Weights::new(4), &x, &lengths, true);
    let actual = run(4, &x, true, Some(lengths), |case, inputs| {
        [ops::lstm(&mut case.g, inputs).unwrap().y_c]
    });
    actual[0].assert_close(&Array::f32(&[1, BATCH, HIDDEN], &expected.y_c), 1e-5);
}

#[test]
fn padding_does_not_matter() {
    let mut x = numbers(STEPS * BATCH * FEATURES, 10);
    let last = |x: &[f32]| {
        run(4, x, true, Some([4, 1, 3]), |case, inputs| {
            [ops::lstm(&mut case.g, inputs).unwrap().y_h]
        })
    };
    let before = last(&x);
    let padding = (STEPS - 1) * BATCH + 1;
    x[padding * FEATURES..][..FEATURES].fill(100.0);
    assert_eq!(last(&x), before);
}
