//! What convolution, pooling, normalisation and recurrent layers refuse, and in what words.

use expect_test::expect;
use quintet_onnx::ops::{
    self, BatchNormalizationInputs, ConvAttributes, ConvTransposeAttributes, MaxPoolAttributes,
    RecurrentInputs,
};
use quintet_onnx::{DataType, Dim, Value};

use crate::bench::{Bench, n, refused};

#[test]
fn convolutions() {
    let image = [n(), 3.into(), 8.into(), 8.into()];
    let conv = |w: [usize; 4], b: Option<usize>, attributes: ConvAttributes| {
        let image = image.clone();
        move |t: &mut Bench| {
            let (x, w) = (t.floats(image.clone()), t.floats(w));
            let b = b.map(|channels| t.floats([channels]));
            ops::conv(&mut t.g, &x, &w, b.as_ref(), attributes)
        }
    };
    let default = ConvAttributes::default();
    refused(
        &[
            &|t| {
                let (x, w) = (t.floats([n(), 3.into(), 8.into()]), t.floats([4, 3, 3, 3]));
                ops::conv(&mut t.g, &x, &w, None, default)
            },
            &|t| {
                let x = t.floats([1.into(), 3.into(), n(), 8.into()]);
                let w = t.floats([4, 3, 3, 3]);
                ops::conv(&mut t.g, &x, &w, None, default)
            },
            &|t| {
                let x = t.floats(image.clone());
                let w = t.floats([n(), 3.into(), 3.into(), 3.into()]);
                ops::conv(&mut t.g, &x, &w, None, default)
            },
            &conv([4, 1, 3, 3], None, default),
            &conv([4, 3, 3, 3], Some(3), default),
            &conv([4, 3, 9, 3], None, default),
            &conv(
                [4, 3, 3, 3],
                None,
                ConvAttributes {
                    group: 2,
                    ..default
                },
            ),
            &conv(
                [4, 3, 3, 3],
                None,
                ConvAttributes {
                    group: 0,
                    ..default
                },
            ),
            &conv(
                [4, 3, 3, 3],
                None,
                ConvAttributes {
                    strides: [0, 1],
                    ..default
                },
            ),
            &conv(
                [4, 3, 3, 3],
                None,
                ConvAttributes {
                    pads: [usize::MAX; 4],
                    ..default
                },
            ),
        ],
        &expect![[r#"
            Conv node `Conv_0`: input X (`v1`) has the shape [N, 3, 8], allowed: [N, C, H, W], where only N may be a symbol
            Conv node `Conv_0`: input X (`v1`) has the shape [1, 3, N, 8], allowed: [N, C, H, W], where only N may be a symbol
            Conv node `Conv_0`: input W (`v2`) has the shape [N, 3, 3, 3], allowed: [M, C / group, kH, kW], all fixed
            Conv node `Conv_0`: input W (`v2`) has the shape [4, 1, 3, 3], allowed: [M, 3, kH, kW]
            Conv node `Conv_0`: input B (`v3`) has the shape [3], allowed: [4]
            Conv node `Conv_0`: input X (`v1`) has the shape [N, 3, 8, 8], allowed: at least one [9, 3] kernel, padded
            Conv node `Conv_0`: attribute group is 2, allowed: a divisor of 3 and 4 channels
            Conv node `Conv_0`: attribute group is 0, allowed: a divisor of 3 and 4 channels
            Conv node `Conv_0`: attribute strides is [0, 1], allowed: 1 to 2147483647
            Conv node `Conv_0`: attribute pads is [18446744073709551615, 18446744073709551615, 18446744073709551615, 18446744073709551615], allowed: 0 to 2147483647
        "#]],
    );
}

#[test]
fn transposes_and_pools() {
    let image = [n(), 3.into(), 8.into(), 8.into()];
    refused(
        &[
            &|t| {
                let (x, w) = (t.floats(image.clone()), t.floats([4, 3, 3, 3]));
                ops::conv_transpose(&mut t.g, &x, &w, None, ConvTransposeAttributes::default())
            },
            &|t| {
                let (x, w) = (t.floats(image.clone()), t.floats([3, 4, 3, 3]));
                let attributes = ConvTransposeAttributes {
                    output_padding: [1, 0],
                    ..Default::default()
                };
                ops::conv_transpose(&mut t.g, &x, &w, None, attributes)
            },
            &|t| {
                let (x, w) = (t.floats(image.clone()), t.floats([3, 4, 3, 3]));
                let attributes = ConvTransposeAttributes {
                    pads: [5; 4],
                    ..Default::default()
                };
                ops::conv_transpose(&mut t.g, &x, &w, None, attributes)
            },
            &|t| {
                let x = t.floats(image.clone());
                let attributes = MaxPoolAttributes {
                    pads: [0, 2, 0, 0],
                    ..MaxPoolAttributes::square(2)
                };
                ops::max_pool(&mut t.g, &x, attributes)
            },
            &|t| {
                let x = t.floats(image.clone());
                ops::max_pool(&mut t.g, &x, MaxPoolAttributes::square(0))
            },
            &|t| {
                let x = t.floats(image.clone());
                ops::max_pool(&mut t.g, &x, MaxPoolAttributes::square(9))
            },
        ],
        &expect![[r#"
            ConvTranspose node `ConvTranspose_0`: input W (`v2`) has the shape [4, 3, 3, 3], allowed: [3, M, kH, kW]
            ConvTranspose node `ConvTranspose_0`: attribute output_padding is [1, 0], allowed: less than the strides [1, 1]
            ConvTranspose node `ConvTranspose_0`: attribute pads is [5, 5, 5, 5], allowed: what leaves at least one pixel
            MaxPool node `MaxPool_0`: attribute pads is [0, 2, 0, 0], allowed: less than the kernel [2, 2]
            MaxPool node `MaxPool_0`: attribute kernel_shape is [0, 0], allowed: 1 to 2147483647
            MaxPool node `MaxPool_0`: input X (`v1`) has the shape [N, 3, 8, 8], allowed: at least one [9, 9] window, padded
        "#]],
    );
}

#[test]
fn normalisation() {
    let normalise = |x: Value, factor: Value, epsilon: f32, t: &mut Bench| {
        let inputs = BatchNormalizationInputs {
            x: &x,
            scale: &factor,
            b: &factor,
            input_mean: &factor,
            input_var: &factor,
        };
        ops::batch_normalization(&mut t.g, &inputs, epsilon)
    };
    refused(
        &[
            &|t| {
                let (x, factor) = (t.floats([n(), 3.into()]), t.floats([4]));
                normalise(x, factor, 1e-5, t)
            },
            &|t| {
                let (x, factor) = (t.floats([n()]), t.floats([4]));
                normalise(x, factor, 1e-5, t)
            },
            &|t| {
                let (x, factor) = (t.floats([n(), 4.into()]), t.floats([4]));
                normalise(x, factor, -1.0, t)
            },
        ],
        &expect![[r#"
            BatchNormalization node `BatchNormalization_0`: input scale (`v2`) has the shape [4], allowed: [3]
            BatchNormalization node `BatchNormalization_0`: input X (`v1`) has the shape [N], allowed: [N, C, ...]
            BatchNormalization node `BatchNormalization_0`: attribute epsilon is -1, allowed: a finite number, at least 0
        "#]],
    );
}

#[test]
fn recurrent_layers() {
    struct Shapes {
        x: Vec<Dim>,
        w: [usize; 3],
        r: [usize; 3],
        b: usize,
        lens: Dim,
    }
    let sound = || Shapes {
        x: vec![Dim::symbol("L"), n(), 2.into()],
        w: [1, 12, 2],
        r: [1, 12, 3],
        b: 24,
        lens: n(),
    };
    let lstm = |shapes: Shapes| {
        move |t: &mut Bench| {
            let (x, w, r) = (
                t.floats(shapes.x.clone()),
                t.floats(shapes.w),
                t.floats(shapes.r),
            );
            let (b, lens) = (
                t.floats([1, shapes.b]),
                t.value(DataType::Int32, [shapes.lens.clone()]),
            );
            let inputs = RecurrentInputs {
                x: &x,
                w: &w,
                r: &r,
                b: Some(&b),
                sequence_lens: Some(&lens),
            };
            ops::lstm(&mut t.g, &inputs).map(|outputs| outputs.y)
        }
    };
    assert!(lstm(sound())(&mut Bench::new()).is_ok());
    refused(
        &[
            &lstm(Shapes {
                x: vec![n(), 2.into()],
                ..sound()
            }),
            &lstm(Shapes {
                x: vec![n(), n(), Dim::symbol("I")],
                ..sound()
            }),
            &lstm(Shapes {
                w: [1, 12, 5],
                ..sound()
            }),
            &lstm(Shapes {
                w: [2, 12, 2],
                ..sound()
            }),
            &lstm(Shapes {
                r: [1, 9, 3],
                ..sound()
            }),
            &lstm(Shapes {
                r: [2, 12, 3],
                ..sound()
            }),
            &lstm(Shapes { b: 12, ..sound() }),
            &lstm(Shapes {
                lens: Dim::symbol("L"),
                ..sound()
            }),
            &|t| {
                let (x, w, r) = (
                    t.floats([5, 1, 2]),
                    t.floats([1, 3, 2]),
                    t.floats([1, 3, 3]),
                );
                let lens = t.value(DataType::Int64, [1]);
                let inputs = RecurrentInputs {
                    x: &x,
                    w: &w,
                    r: &r,
                    b: None,
                    sequence_lens: Some(&lens),
                };
                ops::rnn(&mut t.g, &inputs).map(|outputs| outputs.y)
            },
        ],
        &expect![[r#"
            LSTM node `LSTM_0`: input X (`v1`) has the shape [N, 2], allowed: [L, N, I]
            LSTM node `LSTM_0`: input X (`v1`) has the shape [N, N, I], allowed: [L, N, I] with a fixed I
            LSTM node `LSTM_0`: input W (`v2`) has the shape [1, 12, 5], allowed: [1, 12, 2]
            LSTM node `LSTM_0`: input W (`v2`) has the shape [2, 12, 2], allowed: [1, 12, 2]
            LSTM node `LSTM_0`: input R (`v3`) has the shape [1, 9, 3], allowed: [1, 4 * H, H]
            LSTM node `LSTM_0`: input R (`v3`) has the shape [2, 12, 3], allowed: [1, 4 * H, H]
            LSTM node `LSTM_0`: input B (`v4`) has the shape [1, 12], allowed: [1, 24]
            LSTM node `LSTM_0`: input sequence_lens (`v5`) has the shape [L], allowed: [N]
            RNN node `RNN_0`: input sequence_lens (`v4`) is int64, allowed: int32
        "#]],
    );
}
