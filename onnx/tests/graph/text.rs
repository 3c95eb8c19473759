//! The text form of whole graphs.

use expect_test::expect;
use quintet_onnx::ops::{
    self, BatchNormalizationInputs, ConvAttributes, ConvTransposeAttributes, GemmAttributes,
    MaxPoolAttributes, RecurrentInputs,
};
use quintet_onnx::{DataType, Dim, GraphBuilder, Storage};

fn n() -> Dim {
    Dim::symbol("N")
}

#[test]
fn image_classifier() {
    let mut g = GraphBuilder::new("cnn");
    g.set_storage(Storage::Float16);
    let pixels = g
        .input("pixels", DataType::Uint8, [n(), 28.into(), 28.into()])
        .unwrap();
    let scale = g.initializer_f32("scale", &[], &[255.0]).unwrap();
    let kernel = g
        .initializer_f32("conv1.weight", &[32, 1, 3, 3], &[0.0; 288])
        .unwrap();
    let kernel_bias = g.initializer_f32("conv1.bias", &[32], &[0.0; 32]).unwrap();
    let weight = g
        .weight("fc.weight", &[10, 5408], 0, &vec![0.0; 54_080])
        .unwrap();
    let bias = g.initializer_f32("fc.bias", &[10], &[0.0; 10]).unwrap();

    let x = ops::cast(&mut g, &pixels, DataType::Float32).unwrap();
    let x = ops::div(&mut g, &x, &scale).unwrap();
    let x = ops::unsqueeze(&mut g, &x, &[1]).unwrap();
    let x = ops::conv(
        &mut g,
        &x,
        &kernel,
        Some(&kernel_bias),
        ConvAttributes::default(),
    )
    .unwrap();
    let x = ops::relu(&mut g, &x).unwrap();
    let x = ops::max_pool(&mut g, &x, MaxPoolAttributes::square(2)).unwrap();
    let x = ops::flatten(&mut g, &x, 1).unwrap();
    let linear = GemmAttributes {
        trans_b: true,
        ..Default::default()
    };
    let x = ops::gemm(&mut g, &x, &weight, Some(&bias), linear).unwrap();
    let x = ops::softmax(&mut g, &x, -1).unwrap();
    g.output("probabilities", &x).unwrap();

    let model = g.build(&[("task", "image_classification")]).unwrap();
    expect![[r#"
        graph cnn {ir_version=8, opset=17}
        metadata task=image_classification
        input %pixels: uint8[N, 28, 28]
        initializer %scale: float32[] = [255.0]
        initializer %conv1.weight: float32[32, 1, 3, 3]
        initializer %conv1.bias: float32[32]
        initializer %fc.weight: float16[10, 5408]
        initializer %fc.bias: float32[10]
        initializer %Unsqueeze_0.axes: int64[1] = [1]
        %Cast_0: float32[10, 5408] = Cast(%fc.weight) {to=1}
        %Cast_1: float32[N, 28, 28] = Cast(%pixels) {to=1}
        %Div_0: float32[N, 28, 28] = Div(%Cast_1, %scale)
        %Unsqueeze_0: float32[N, 1, 28, 28] = Unsqueeze(%Div_0, %Unsqueeze_0.axes)
        %Conv_0: float32[N, 32, 26, 26] = Conv(%Unsqueeze_0, %conv1.weight, %conv1.bias) {kernel_shape=[3, 3], strides=[1, 1], pads=[0, 0, 0, 0], dilations=[1, 1], group=1}
        %Relu_0: float32[N, 32, 26, 26] = Relu(%Conv_0)
        %MaxPool_0: float32[N, 32, 13, 13] = MaxPool(%Relu_0) {kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], dilations=[1, 1]}
        %Flatten_0: float32[N, 5408] = Flatten(%MaxPool_0) {axis=1}
        %Gemm_0: float32[N, 10] = Gemm(%Flatten_0, %Cast_0, %fc.bias) {transB=1}
        %probabilities: float32[N, 10] = Softmax(%Gemm_0) {axis=-1}
        output %probabilities: float32[N, 10]
    "#]]
    .assert_eq(&model.to_text());
}

#[test]
fn sentiment_scorer() {
    let mut g = GraphBuilder::new("lstm");
    let tokens = g
        .input("tokens", DataType::Int64, [n(), Dim::symbol("L")])
        .unwrap();
    let lengths = g.input("lengths", DataType::Int32, [n()]).unwrap();
    let table = g
        .initializer_f32("embedding.weight", &[5, 4], &[0.0; 20])
        .unwrap();
    let w = g
        .initializer_f32("lstm.w", &[1, 12, 4], &[0.0; 48])
        .unwrap();
    let r = g
        .initializer_f32("lstm.r", &[1, 12, 3], &[0.0; 36])
        .unwrap();
    let fc = g.initializer_f32("fc.weight", &[1, 3], &[0.0; 3]).unwrap();

    let x = ops::gather(&mut g, &table, &tokens, 0).unwrap();
    let x = ops::transpose(&mut g, &x, &[1, 0, 2]).unwrap();
    let inputs = RecurrentInputs {
        x: &x,
        w: &w,
        r: &r,
        b: None,
        sequence_lens: Some(&lengths),
    };
    let x = ops::lstm(&mut g, &inputs).unwrap().y_h;
    let x = ops::squeeze(&mut g, &x, &[0]).unwrap();
    let linear = GemmAttributes {
        trans_b: true,
        ..Default::default()
    };
    let x = ops::gemm(&mut g, &x, &fc, None, linear).unwrap();
    let x = ops::sigmoid(&mut g, &x).unwrap();
    let x = ops::reshape(&mut g, &x, &[-1]).unwrap();
    g.output("score", &x).unwrap();

    let model = g.build(&[]).unwrap();
    expect![[r#"
        graph lstm {ir_version=8, opset=17}
        input %tokens: int64[N, L]
        input %lengths: int32[N]
        initializer %embedding.weight: float32[5, 4]
        initializer %lstm.w: float32[1, 12, 4]
        initializer %lstm.r: float32[1, 12, 3]
        initializer %fc.weight: float32[1, 3] = [0.0, 0.0, 0.0]
        initializer %Squeeze_0.axes: int64[1] = [0]
        initializer %Reshape_0.shape: int64[1] = [-1]
        %Gather_0: float32[N, L, 4] = Gather(%embedding.weight, %tokens) {axis=0}
        %Transpose_0: float32[L, N, 4] = Transpose(%Gather_0) {perm=[1, 0, 2]}
        _, %LSTM_0.Y_h: float32[1, N, 3] = LSTM(%Transpose_0, %lstm.w, %lstm.r, _, %lengths) {direction=forward, hidden_size=3}
        %Squeeze_0: float32[N, 3] = Squeeze(%LSTM_0.Y_h, %Squeeze_0.axes)
        %Gemm_0: float32[N, 1] = Gemm(%Squeeze_0, %fc.weight) {transB=1}
        %Sigmoid_0: float32[N, 1] = Sigmoid(%Gemm_0)
        %score: float32[N] = Reshape(%Sigmoid_0, %Reshape_0.shape)
        output %score: float32[N]
    "#]]
    .assert_eq(&model.to_text());
}

#[test]
fn generator() {
    let mut g = GraphBuilder::new("gan");
    let noise = g
        .input("noise", DataType::Float32, [n(), 100.into()])
        .unwrap();
    let fc = g
        .initializer_f32("fc.weight", &[100, 98], &vec![0.0; 9800])
        .unwrap();
    let [scale, b, mean, var] = ["scale", "bias", "mean", "var"].map(|name| {
        g.initializer_f32(&format!("bn.{name}"), &[98], &[1.0; 98])
            .unwrap()
    });
    let kernel = g
        .initializer_f32("up.weight", &[2, 1, 5, 5], &[0.0; 50])
        .unwrap();

    let x = ops::gemm(&mut g, &noise, &fc, None, GemmAttributes::default()).unwrap();
    let inputs = BatchNormalizationInputs {
        x: &x,
        scale: &scale,
        b: &b,
        input_mean: &mean,
        input_var: &var,
    };
    let x = ops::batch_normalization(&mut g, &inputs, 1e-3).unwrap();
    let x = ops::leaky_relu(&mut g, &x, 0.3).unwrap();
    let x = ops::reshape(&mut g, &x, &[0, 2, 7, 7]).unwrap();
    let double = ConvTransposeAttributes {
        strides: [2, 2],
        pads: [2, 2, 2, 2],
        output_padding: [1, 1],
    };
    let x = ops::conv_transpose(&mut g, &x, &kernel, None, double).unwrap();
    let x = ops::tanh(&mut g, &x).unwrap();
    let x = ops::round(&mut g, &x).unwrap();
    let x = ops::clip(&mut g, &x, None, Some(1.0)).unwrap();
    let x = ops::cast(&mut g, &x, DataType::Uint8).unwrap();
    g.output("pixels", &x).unwrap();

    let model = g.build(&[]).unwrap();
    expect![[r#"
        graph gan {ir_version=8, opset=17}
        input %noise: float32[N, 100]
        initializer %fc.weight: float32[100, 98]
        initializer %bn.scale: float32[98]
        initializer %bn.bias: float32[98]
        initializer %bn.mean: float32[98]
        initializer %bn.var: float32[98]
        initializer %up.weight: float32[2, 1, 5, 5]
        initializer %Reshape_0.shape: int64[4] = [0, 2, 7, 7]
        initializer %Clip_0.max: float32[] = [1.0]
        %Gemm_0: float32[N, 98] = Gemm(%noise, %fc.weight)
        %BatchNormalization_0: float32[N, 98] = BatchNormalization(%Gemm_0, %bn.scale, %bn.bias, %bn.mean, %bn.var) {epsilon=0.001}
        %LeakyRelu_0: float32[N, 98] = LeakyRelu(%BatchNormalization_0) {alpha=0.3}
        %Reshape_0: float32[N, 2, 7, 7] = Reshape(%LeakyRelu_0, %Reshape_0.shape)
        %ConvTranspose_0: float32[N, 1, 14, 14] = ConvTranspose(%Reshape_0, %up.weight) {kernel_shape=[5, 5], strides=[2, 2], pads=[2, 2, 2, 2], dilations=[1, 1], output_padding=[1, 1], group=1}
        %Tanh_0: float32[N, 1, 14, 14] = Tanh(%ConvTranspose_0)
        %Round_0: float32[N, 1, 14, 14] = Round(%Tanh_0)
        %Clip_0: float32[N, 1, 14, 14] = Clip(%Round_0, _, %Clip_0.max)
        %pixels: uint8[N, 1, 14, 14] = Cast(%Clip_0) {to=2}
        output %pixels: uint8[N, 1, 14, 14]
    "#]].assert_eq(&model.to_text());
}

#[test]
fn bytes_are_the_same_each_time() {
    let bytes = || {
        let mut g = GraphBuilder::new("tiny");
        let x = g.input("x", DataType::Float32, [n(), 2.into()]).unwrap();
        let y = ops::clip(&mut g, &x, Some(0.0), Some(1.0)).unwrap();
        g.output("y", &y).unwrap();
        g.build(&[("b", "2"), ("a", "1")]).unwrap().to_bytes()
    };
    assert_eq!(bytes(), bytes());
}
