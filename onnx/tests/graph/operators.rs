//! What arithmetic, activations and layout refuse, and in what words.

use expect_test::expect;
use quintet_onnx::ops::{self, GemmAttributes};
use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError};

use crate::bench::{n, refused};

#[test]
fn arithmetic() {
    refused(
        &[
            &|t| {
                let (a, b) = (t.floats([n(), 2.into()]), t.floats([3]));
                ops::add(&mut t.g, &a, &b)
            },
            &|t| {
                let (a, b) = (t.floats([n()]), t.floats([Dim::symbol("M")]));
                ops::mul(&mut t.g, &a, &b)
            },
            &|t| {
                let (a, b) = (t.floats([n()]), t.floats([3]));
                ops::div(&mut t.g, &a, &b)
            },
            &|t| {
                let (a, b) = (t.floats([usize::MAX >> 2, 1]), t.floats([1, 8]));
                ops::sub(&mut t.g, &a, &b)
            },
            &|t| {
                let (a, b) = (t.floats([n(), 3.into()]), t.floats([2, 4]));
                ops::gemm(&mut t.g, &a, &b, None, GemmAttributes::default())
            },
            &|t| {
                let (a, b) = (t.floats([n(), 3.into()]), t.floats([3, 4]));
                let linear = GemmAttributes {
                    trans_b: true,
                    ..Default::default()
                };
                ops::gemm(&mut t.g, &a, &b, None, linear)
            },
            &|t| {
                let a = t.floats([2, 3, 4]);
                ops::gemm(&mut t.g, &a, &a, None, GemmAttributes::default())
            },
            &|t| {
                let (a, b, c) = (t.floats([1, 3]), t.floats([3, 4]), t.floats([2, 4]));
                ops::gemm(&mut t.g, &a, &b, Some(&c), GemmAttributes::default())
            },
        ],
        &expect![[r#"
            Add node `Add_0`: shapes [N, 2] and [3] do not broadcast; allowed: equal axes, or one of the two is 1
            Mul node `Mul_0`: shapes [N] and [M] do not broadcast; allowed: equal axes, or one of the two is 1
            Div node `Div_0`: shapes [N] and [3] do not broadcast; allowed: equal axes, or one of the two is 1
            Sub node `Sub_0`: the result's shape [4611686018427387903, 8] has more elements than fit an int64
            Gemm node `Gemm_0`: input B (`v2`) has the shape [2, 4], allowed: [3, N]
            Gemm node `Gemm_0`: input B (`v2`) has the shape [3, 4], allowed: [N, 3]
            Gemm node `Gemm_0`: input A (`v1`) has the shape [2, 3, 4], allowed: two axes
            Gemm node `Gemm_0`: input C (`v3`) has the shape [2, 4], allowed: what broadcasts to [1, 4]
        "#]],
    );
}

#[test]
fn activations() {
    refused(
        &[
            &|t| {
                let x = t.floats([n()]);
                ops::leaky_relu(&mut t.g, &x, f32::INFINITY)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::clip(&mut t.g, &x, None, None)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::clip(&mut t.g, &x, Some(1.0), Some(0.0))
            },
            &|t| {
                let x = t.floats([n()]);
                ops::clip(&mut t.g, &x, Some(f32::NAN), None)
            },
            &|t| {
                let x = t.floats([n(), 2.into()]);
                ops::softmax(&mut t.g, &x, 2)
            },
            &|t| {
                let x = t.floats([] as [usize; 0]);
                ops::softmax(&mut t.g, &x, 0)
            },
        ],
        &expect![[r#"
            LeakyRelu node `LeakyRelu_0`: attribute alpha is inf, allowed: a finite number
            Clip node `Clip_0`: attribute min, max is None to None, allowed: at least one bound, min <= max
            Clip node `Clip_0`: attribute min, max is Some(1.0) to Some(0.0), allowed: at least one bound, min <= max
            Clip node `Clip_0`: attribute min, max is Some(NaN) to None, allowed: at least one bound, min <= max
            Softmax node `Softmax_0`: attribute axis is 2, allowed: -2 to 1 for rank 2
            Softmax node `Softmax_0`: attribute axis is 0, allowed: none, a scalar has no axes
        "#]],
    );
}

#[test]
fn layout() {
    let reshapes: [(&[Dim], &[i64]); 9] = [
        (&[n(), 4.into()], &[]),
        (&[n(), 4.into()], &[0, 5]),
        (&[n(), 4.into()], &[3, -1]),
        (&[n(), 4.into()], &[-1]),
        (&[n(), 4.into()], &[-1, -1]),
        (&[n(), 4.into()], &[0, 4, 0]),
        (&[n(), 4.into()], &[0, -2, -2]),
        (&[n(), Dim::symbol("L")], &[-1]),
        (&[2.into(), 3.into()], &[7]),
    ];
    for (from, to) in reshapes {
        let mut g = GraphBuilder::new("reshape");
        let x = g.input("x", DataType::Float32, from.to_vec()).unwrap();
        let error = ops::reshape(&mut g, &x, to).unwrap_err();
        assert!(
            matches!(error, GraphError::Node { op: "Reshape", .. }),
            "{to:?}: {error}"
        );
    }
    refused(
        &[
            &|t| {
                let x = t.floats([n(), 4.into()]);
                ops::reshape(&mut t.g, &x, &[0, 5])
            },
            &|t| {
                let x = t.floats([n(), 4.into()]);
                ops::reshape(&mut t.g, &x, &[])
            },
            &|t| {
                let x = t.floats([n(), 4.into()]);
                ops::flatten(&mut t.g, &x, 2)
            },
            &|t| {
                let x = t.floats([2, 4]);
                ops::flatten(&mut t.g, &x, 3)
            },
            &|t| {
                let (x, i) = (t.floats([2]), t.value(DataType::Int32, [n()]));
                ops::gather(&mut t.g, &x, &i, -2)
            },
            &|t| {
                let x = t.floats([2, 4]);
                ops::unsqueeze(&mut t.g, &x, &[1, -3])
            },
            &|t| {
                let x = t.floats([2, 4]);
                ops::unsqueeze(&mut t.g, &x, &[i64::MIN])
            },
            &|t| {
                let x = t.floats([n(), 4.into()]);
                ops::squeeze(&mut t.g, &x, &[0])
            },
            &|t| {
                let x = t.floats([1]);
                ops::squeeze(&mut t.g, &x, &[])
            },
            &|t| {
                let x = t.floats([2, 4]);
                ops::transpose(&mut t.g, &x, &[0, 0])
            },
        ],
        &expect![[r#"
            Reshape node `Reshape_0`: attribute shape is [0, 5], allowed: lengths, 0 to keep an axis and one -1, that provably hold the elements of [N, 4]
            Reshape node `Reshape_0`: attribute shape is [], allowed: at least one axis
            Flatten node `Flatten_0`: input input (`v1`) has the shape [N, 4], allowed: fixed lengths or one symbol alone on each side of axis 2
            Flatten node `Flatten_0`: attribute axis is 3, allowed: -2 to 2 for rank 2
            Gather node `Gather_0`: attribute axis is -2, allowed: -1 to 0 for rank 1
            Unsqueeze node `Unsqueeze_0`: attribute axes is [1, -3], allowed: each axis once
            Unsqueeze node `Unsqueeze_0`: attribute axes is -9223372036854775808, allowed: -3 to 2 for rank 3
            Squeeze node `Squeeze_0`: input data (`v1`) has the shape [N, 4], allowed: length 1 at the axes [0]
            Squeeze node `Squeeze_0`: attribute axes is [], allowed: at least one axis
            Transpose node `Transpose_0`: attribute perm is [0, 0], allowed: each of the 2 axes once, and at least one axis
        "#]],
    );
}

#[test]
fn what_transformers_need() {
    refused(
        &[
            &|t| {
                let (a, b) = (t.floats([n(), 2.into(), 3.into()]), t.floats([4, 5]));
                ops::matmul(&mut t.g, &a, &b)
            },
            &|t| {
                let (a, b) = (t.floats([2, 3, 4]), t.floats([5, 4, 6]));
                ops::matmul(&mut t.g, &a, &b)
            },
            &|t| {
                let (a, b) = (t.floats([2, 3]), t.floats([3]));
                ops::matmul(&mut t.g, &a, &b)
            },
            &|t| {
                let (x, scale) = (t.floats([n(), 4.into()]), t.floats([3]));
                ops::layer_normalization(&mut t.g, &x, &scale, None, 1e-5)
            },
            &|t| {
                let (x, scale) = (t.floats([n(), 4.into()]), t.floats([4]));
                ops::layer_normalization(&mut t.g, &x, &scale, None, -1.0)
            },
            &|t| {
                let [a, b] = [DataType::Int64, DataType::Int32].map(|it| t.value(it, [n()]));
                ops::less(&mut t.g, &a, &b)
            },
            &|t| {
                let (condition, x) = (t.value(DataType::Bool, [n()]), t.floats([3]));
                ops::where_(&mut t.g, &condition, &x, &x)
            },
            &|t| {
                let x = t.value(DataType::Int64, [n()]);
                ops::gelu(&mut t.g, &x)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::range(&mut t.g, &x, 1)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::slice(&mut t.g, &x, 0, 0, 1)
            },
            &|t| {
                let x = t.floats([4]);
                ops::slice(&mut t.g, &x, 0, 2, 5)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::pad(&mut t.g, &x, 0, [1, 1])
            },
            &|t| {
                let x = t.floats([n(), 2.into()]);
                ops::concat(&mut t.g, &[&x, &x], 0)
            },
            &|t| ops::concat(&mut t.g, &[], 0),
            &|t| {
                let (x, scale) = (t.value(DataType::Int8, [2, 3]), t.floats([2]));
                ops::dequantize_linear(&mut t.g, &x, &scale, 1)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::reduce_mean(&mut t.g, &x, 2)
            },
            &|t| {
                let [a, b] = [DataType::Uint8, DataType::Int8].map(|it| t.value(it, [2, 3]));
                ops::matmul_integer(&mut t.g, &a, &b, 128)
            },
            &|t| {
                let a = t.value(DataType::Int8, [2, 3]);
                ops::matmul_integer(&mut t.g, &a, &a, 128)
            },
            &|t| {
                let x = t.floats([n()]);
                ops::reduce_max(&mut t.g, &x, -2)
            },
        ],
        &expect![[r#"
            MatMul node `MatMul_0`: input B (`v2`) has the shape [4, 5], allowed: [..., 3, N], whose axes before these broadcast with [N, 2, 3]
            MatMul node `MatMul_0`: input B (`v2`) has the shape [5, 4, 6], allowed: [..., 4, N], whose axes before these broadcast with [2, 3, 4]
            MatMul node `MatMul_0`: input B (`v2`) has the shape [3], allowed: two axes or more
            LayerNormalization node `LayerNormalization_0`: input Scale (`v2`) has the shape [3], allowed: [4]
            LayerNormalization node `LayerNormalization_0`: attribute epsilon is -1, allowed: a finite number, at least 0
            Less node `Less_0`: input B (`v2`) is int32, allowed: int64
            Where node `Where_0`: shapes [N] and [3] and [3] do not broadcast; allowed: equal axes, or one of the two is 1
            Div node `Div_0`: input B (`scalar`) is float32, allowed: int64
            Shape node `Shape_0`: attribute start is 1, allowed: -1 to 0 for rank 1
            Slice node `Slice_0`: input data (`v1`) has the shape [N], allowed: a fixed length at axis 0
            Slice node `Slice_0`: attribute starts, ends is 2 to 5, allowed: a part of 0 to 4
            Pad node `Pad_0`: input data (`v1`) has the shape [N], allowed: a fixed length at axis 0
            Concat node `Concat_0`: input inputs (`v1`) has the shape [N, 2], allowed: [N, 2] with a fixed length at axis 0
            Concat node `Concat_0`: attribute inputs is none, allowed: at least one
            DequantizeLinear node `DequantizeLinear_0`: input x_scale (`v2`) has the shape [2], allowed: [3]
            ReduceMean node `ReduceMean_0`: attribute axes is 2, allowed: -1 to 0 for rank 1
            MatMulInteger node `MatMulInteger_0`: input B (`v2`) has the shape [2, 3], allowed: [..., 3, N], whose axes before these broadcast with [2, 3]
            MatMulInteger node `MatMulInteger_0`: input A (`v1`) is int8, allowed: uint8
            ReduceMax node `ReduceMax_0`: attribute axes is -2, allowed: -1 to 0 for rank 1
        "#]],
    );
}
