//! Windows that slide over images, compared with loops that follow the definition.

use quintet_onnx::ops::{self, ConvAttributes, ConvTransposeAttributes, MaxPoolAttributes};

use crate::harness::{Array, Case, n, numbers};

/// `[N, C, H, W]`, all fixed.
type Size = [usize; 4];

fn at(size: Size, [a, b, c, d]: [usize; 4]) -> usize {
    ((a * size[1] + b) * size[2] + c) * size[3] + d
}

/// Every index of a size, in order.
fn indices(size: Size) -> impl Iterator<Item = [usize; 4]> {
    (0..size.iter().product()).map(move |i| {
        let [_, c, h, w] = size;
        [i / (c * h * w), i / (h * w) % c, i / w % h, i % w]
    })
}

/// Where a window's pixel lies in the input, if it is not in the padding.
fn source(out: usize, tap: usize, [stride, dilation, pad, length]: [usize; 4]) -> Option<usize> {
    (out * stride + tap * dilation)
        .checked_sub(pad)
        .filter(|&place| place < length)
}

fn conv_reference(
    (x, x_size): (&[f32], Size),
    (w, w_size): (&[f32], Size),
    b: &[f32],
    attributes: ConvAttributes,
    y_size: Size,
) -> Vec<f32> {
    let ConvAttributes {
        strides,
        pads,
        dilations,
        group,
    } = attributes;
    let outputs_per_group = w_size[0] / group;
    let sum = |[image, m, row, column]: [usize; 4]| {
        let mut sum = b[m];
        for c in 0..w_size[1] {
            for i in 0..w_size[2] {
                for j in 0..w_size[3] {
                    let y = source(row, i, [strides[0], dilations[0], pads[0], x_size[2]]);
                    let z = source(column, j, [strides[1], dilations[1], pads[1], x_size[3]]);
                    let (Some(y), Some(z)) = (y, z) else { continue };
                    let channel = m / outputs_per_group * w_size[1] + c;
                    sum += x[at(x_size, [image, channel, y, z])] * w[at(w_size, [m, c, i, j])];
                }
            }
        }
        sum
    };
    indices(y_size).map(sum).collect()
}

#[test]
fn conv_matches_the_definition() {
    let default = ConvAttributes::default();
    let table = [
        (default, [2, 4, 6, 7], [3, 4, 3, 3], [4, 5]),
        (
            ConvAttributes {
                strides: [2, 3],
                ..default
            },
            [2, 4, 6, 7],
            [3, 4, 3, 2],
            [2, 2],
        ),
        (
            ConvAttributes {
                pads: [1, 2, 0, 1],
                ..default
            },
            [2, 4, 6, 7],
            [3, 4, 3, 3],
            [5, 8],
        ),
        (
            ConvAttributes {
                dilations: [2, 1],
                ..default
            },
            [1, 4, 6, 7],
            [3, 4, 3, 3],
            [2, 5],
        ),
        (
            ConvAttributes {
                group: 2,
                ..default
            },
            [2, 4, 5, 5],
            [6, 2, 3, 3],
            [3, 3],
        ),
        (
            ConvAttributes {
                group: 4,
                ..default
            },
            [2, 4, 5, 5],
            [4, 1, 5, 5],
            [1, 1],
        ),
        (
            ConvAttributes {
                strides: [2, 2],
                pads: [2, 1, 2, 2],
                dilations: [1, 2],
                group: 2,
            },
            [2, 4, 6, 7],
            [2, 2, 3, 3],
            [4, 3],
        ),
    ];
    for (attributes, x_size, w_size, [height, width]) in table {
        let y_size = [x_size[0], w_size[0], height, width];
        let x = numbers(x_size.iter().product(), 1);
        let w = numbers(w_size.iter().product(), 2);
        let b = numbers(w_size[0], 3);
        let expected = conv_reference((&x, x_size), (&w, w_size), &b, attributes, y_size);

        let mut case = Case::new();
        let [_, c, h, v] = x_size.map(Into::into);
        let image = case.input([n(), c, h, v], Array::f32(&x_size, &x));
        let kernel = case.g.initializer_f32("w", &w_size, &w).unwrap();
        let bias = case.g.initializer_f32("b", &[w_size[0]], &b).unwrap();
        let y = ops::conv(&mut case.g, &image, &kernel, Some(&bias), attributes).unwrap();
        case.result(&y)
            .assert_close(&Array::f32(&y_size, &expected), 1e-4);
    }
}

#[test]
fn conv_does_without_a_bias() {
    let mut case = Case::new();
    let x = case.fixed(Array::f32(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0]));
    let w = case
        .g
        .initializer_f32("w", &[1, 1, 1, 2], &[1.0, 10.0])
        .unwrap();
    let y = ops::conv(&mut case.g, &x, &w, None, ConvAttributes::default()).unwrap();
    assert_eq!(case.result(&y), Array::f32(&[1, 1, 2, 1], &[21.0, 43.0]));
}

#[test]
fn conv_transpose_matches_the_definition() {
    let default = ConvTransposeAttributes::default();
    let same = ConvTransposeAttributes {
        pads: [2; 4],
        ..default
    };
    let double = ConvTransposeAttributes {
        strides: [2, 2],
        output_padding: [1, 1],
        ..same
    };
    let lopsided = ConvTransposeAttributes {
        strides: [3, 2],
        pads: [0, 1, 2, 0],
        output_padding: [2, 0],
    };
    let table = [
        (default, [2, 3, 4, 5], [3, 2, 3, 3], [6, 7]),
        (same, [2, 3, 7, 7], [3, 2, 5, 5], [7, 7]),
        (double, [2, 3, 7, 7], [3, 2, 5, 5], [14, 14]),
        (lopsided, [1, 3, 3, 4], [3, 2, 3, 2], [9, 7]),
    ];
    for (attributes, x_size, w_size, [height, width]) in table {
        let y_size = [x_size[0], w_size[1], height, width];
        let x = numbers(x_size.iter().product(), 1);
        let w = numbers(w_size.iter().product(), 2);
        let b = numbers(w_size[1], 3);
        let ConvTransposeAttributes { strides, pads, .. } = attributes;
        let mut expected: Vec<f32> = indices(y_size).map(|[_, m, ..]| b[m]).collect();
        for [image, c, row, column] in indices(x_size) {
            for [_, m, i, j] in indices([1, w_size[1], w_size[2], w_size[3]]) {
                let y = (row * strides[0] + i)
                    .checked_sub(pads[0])
                    .filter(|&y| y < height);
                let z = (column * strides[1] + j)
                    .checked_sub(pads[1])
                    .filter(|&z| z < width);
                let (Some(y), Some(z)) = (y, z) else { continue };
                expected[at(y_size, [image, m, y, z])] +=
                    x[at(x_size, [image, c, row, column])] * w[at(w_size, [c, m, i, j])];
            }
        }

        let mut case = Case::new();
        let [_, c, h, v] = x_size.map(Into::into);
        let image = case.input([n(), c, h, v], Array::f32(&x_size, &x));
        let kernel = case.g.initializer_f32("w", &w_size, &w).unwrap();
        let bias = case.g.initializer_f32("b", &[w_size[1]], &b).unwrap();
        let y = ops::conv_transpose(&mut case.g, &image, &kernel, Some(&bias), attributes).unwrap();
        case.result(&y)
            .assert_close(&Array::f32(&y_size, &expected), 1e-4);
    }
}

#[test]
fn conv_transpose_does_without_a_bias() {
    let mut case = Case::new();
    let x = case.fixed(Array::f32(&[1, 1, 1, 2], &[1.0, 2.0]));
    let w = case
        .g
        .initializer_f32("w", &[1, 1, 1, 2], &[1.0, 10.0])
        .unwrap();
    let y = ops::conv_transpose(
        &mut case.g,
        &x,
        &w,
        None,
        ConvTransposeAttributes::default(),
    );
    let y = y.unwrap();
    assert_eq!(
        case.result(&y),
        Array::f32(&[1, 1, 1, 3], &[1.0, 12.0, 20.0])
    );
}

#[test]
fn max_pool_matches_the_definition() {
    let padded = MaxPoolAttributes {
        kernel_shape: [3, 2],
        strides: [2, 1],
        pads: [1, 0, 2, 1],
    };
    let table = [
        (MaxPoolAttributes::square(2), [2, 3, 6, 7], [3, 3]),
        (
            MaxPoolAttributes {
                strides: [1, 1],
                ..MaxPoolAttributes::square(3)
            },
            [2, 3, 5, 4],
            [3, 2],
        ),
        (padded, [1, 3, 6, 5], [4, 5]),
        (
            MaxPoolAttributes {
                strides: [2, 2],
                pads: [1; 4],
                ..MaxPoolAttributes::square(3)
            },
            [2, 3, 7, 6],
            [4, 3],
        ),
    ];
    for (attributes, x_size, [height, width]) in table {
        let MaxPoolAttributes {
            kernel_shape,
            strides,
            pads,
        } = attributes;
        let y_size = [x_size[0], x_size[1], height, width];
        let x: Vec<f32> = numbers(x_size.iter().product(), 4)
            .into_iter()
            .map(|x| x - 2.0)
            .collect();
        let expected: Vec<f32> = indices(y_size)
            .map(|[image, c, row, column]| {
                let window = indices([1, 1, kernel_shape[0], kernel_shape[1]]);
                let pixels = window.filter_map(|[_, _, i, j]| {
                    let y = source(row, i, [strides[0], 1, pads[0], x_size[2]])?;
                    let z = source(column, j, [strides[1], 1, pads[1], x_size[3]])?;
                    Some(x[at(x_size, [image, c, y, z])])
                });
                pixels.fold(f32::NEG_INFINITY, f32::max)
            })
            .collect();

        let mut case = Case::new();
        let [_, c, h, v] = x_size.map(Into::into);
        let image = case.input([n(), c, h, v], Array::f32(&x_size, &x));
        let y = ops::max_pool(&mut case.g, &image, attributes).unwrap();
        assert_eq!(case.result(&y), Array::f32(&y_size, &expected));
    }
}

#[test]
fn global_average_pool_is_the_mean_of_each_channel() {
    let x_size = [2, 3, 5, 4];
    let x = numbers(x_size.iter().product(), 6);
    let mean = |channel: &[f32]| channel.iter().sum::<f32>() / channel.len() as f32;
    let expected: Vec<f32> = x.chunks(5 * 4).map(mean).collect();
    let mut case = Case::new();
    let image = case.input([n(), 3.into(), 5.into(), 4.into()], Array::f32(&x_size, &x));
    let y = ops::global_average_pool(&mut case.g, &image).unwrap();
    case.result(&y)
        .assert_close(&Array::f32(&[2, 3, 1, 1], &expected), 1e-6);
}
