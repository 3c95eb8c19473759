//! Normalisation.

use quintet_onnx::ops::{self, BatchNormalizationInputs};

use crate::harness::{Array, Case, n, numbers};

#[test]
fn batch_normalization_uses_the_running_statistics() {
    let (scale, bias, mean, var) = ([1.0, 2.0], [0.5, -0.5], [0.1, 0.2], [4.0, 0.25]);
    for epsilon in [0.0, 1e-3] {
        for shape in [&[3, 2][..], &[3, 2, 2, 2]] {
            let inner: usize = shape[2..].iter().product();
            let x = numbers(6 * inner, 6);
            let normal = |(i, x): (usize, &f32)| {
                let c = i / inner % 2;
                (x - mean[c]) / f32::sqrt(var[c] + epsilon) * scale[c] + bias[c]
            };
            let expected: Vec<f32> = x.iter().enumerate().map(normal).collect();

            let mut case = Case::new();
            let array = Array::f32(shape, &x);
            let x = match shape {
                [_, c] => case.input([n(), (*c).into()], array),
                _ => case.input([n(), 2.into(), 2.into(), 2.into()], array),
            };
            let [scale, b, input_mean, input_var] = [
                ("scale", scale),
                ("bias", bias),
                ("mean", mean),
                ("var", var),
            ]
            .map(|(name, data)| case.g.initializer_f32(name, &[2], &data).unwrap());
            let inputs = BatchNormalizationInputs {
                x: &x,
                scale: &scale,
                b: &b,
                input_mean: &input_mean,
                input_var: &input_var,
            };
            let y = ops::batch_normalization(&mut case.g, &inputs, epsilon).unwrap();
            case.result(&y)
                .assert_close(&Array::f32(shape, &expected), 1e-5);
        }
    }
}

#[test]
fn layer_normalization_makes_each_row_standard() {
    let (scale, bias) = ([1.0, 2.0, -1.0], [0.5, -0.5, 0.0]);
    for (epsilon, with_bias) in [(0.0, true), (0.1, false)] {
        let x = numbers(12, 3);
        let row = |row: &[f32]| -> Vec<f32> {
            let mean = row.iter().sum::<f32>() / 3.0;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 3.0;
            let normal = |(i, x): (usize, &f32)| {
                let bias = if with_bias { bias[i] } else { 0.0 };
                (x - mean) / f32::sqrt(variance + epsilon) * scale[i] + bias
            };
            row.iter().enumerate().map(normal).collect()
        };
        let expected: Vec<f32> = x.chunks(3).flat_map(row).collect();
        let mut case = Case::new();
        let x = case.input([n(), 2.into(), 3.into()], Array::f32(&[2, 2, 3], &x));
        let weight = case.g.initializer_f32("weight", &[3], &scale).unwrap();
        let b = with_bias.then(|| case.g.initializer_f32("bias", &[3], &bias).unwrap());
        let y = ops::layer_normalization(&mut case.g, &x, &weight, b.as_ref(), epsilon).unwrap();
        case.result(&y)
            .assert_close(&Array::f32(&[2, 2, 3], &expected), 1e-5);
    }
}
