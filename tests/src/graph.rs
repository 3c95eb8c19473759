//! The tiny models' graphs: functions of the frame's first pixels, some slow, some fragile.

use quintet_onnx::{DataType, Dim, GraphBuilder, GraphError, Value, ops};

use crate::frame::{CLASSES, evidence_weight};

/// Channels of a slow model's convolutions.
const CHANNELS: usize = 64;

/// What a graph computes beside its answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Body {
    /// By how many places the classes are turned.
    pub(crate) turn: usize,
    /// Convolutions of 64 channels, each about 29 million multiplications a row.
    pub(crate) convolutions: usize,
    /// Whether the last pixel chooses an entry of a table of eight: 0 to 6 are zero, 7 is NaN, and
    /// 8 is out of bounds, which fails the run.
    pub(crate) fragile: bool,
}

/// `pixels: uint8 [N, 28, 28]` to `output: float32 [N, 10]`, as an .onnx file.
pub(crate) fn graph(body: Body, output: &str) -> Result<Vec<u8>, GraphError> {
    let mut g = GraphBuilder::new("tiny");
    let pixels = g.input(
        "pixels",
        DataType::Uint8,
        [Dim::symbol("N"), 28.into(), 28.into()],
    )?;
    let x = ops::cast(&mut g, &pixels, DataType::Float32)?;
    let flat = ops::reshape(&mut g, &x, &[0, 784])?;
    let weight = g.initializer_f32("evidence", &[784, CLASSES], &evidence_weight(body.turn))?;
    let mut logits = ops::gemm(&mut g, &flat, &weight, None, ops::GemmAttributes::default())?;
    if body.convolutions > 0 {
        let idle = idle_work(&mut g, &x, body.convolutions)?;
        logits = ops::add(&mut g, &logits, &idle)?;
    }
    if body.fragile {
        let entry = table_entry(&mut g, &pixels)?;
        logits = ops::add(&mut g, &logits, &entry)?;
    }
    let probabilities = ops::softmax(&mut g, &logits, -1)?;
    g.output(output, &probabilities)?;
    Ok(g.build(&[])?.to_bytes())
}

/// Zeros `[N, 1]` that take long to compute.
pub(crate) fn idle_work(
    g: &mut GraphBuilder,
    x: &Value,
    convolutions: usize,
) -> Result<Value, GraphError> {
    let same = ops::ConvAttributes {
        pads: [1; 4],
        ..Default::default()
    };
    let average = |inputs: usize| vec![1.0 / (9 * inputs) as f32; CHANNELS * inputs * 9];
    let first = g.initializer_f32("first", &[CHANNELS, 1, 3, 3], &average(1))?;
    let next = g.initializer_f32("next", &[CHANNELS, CHANNELS, 3, 3], &average(CHANNELS))?;
    let mut y = ops::reshape(g, x, &[0, 1, 28, 28])?;
    y = ops::conv(g, &y, &first, None, same)?;
    for _ in 0..convolutions {
        y = ops::conv(g, &y, &next, None, same)?;
    }
    let y = ops::reshape(g, &y, &[0, (CHANNELS * 784) as i64])?;
    let one = g.initializer("one", &[1], &[0_i64])?;
    let y = ops::gather(g, &y, &one, 1)?;
    let zero = g.initializer_f32("zero", &[1], &[0.0])?;
    ops::mul(g, &y, &zero)
}

/// The entry `[N, 1]` of a table that the last pixel chooses.
fn table_entry(g: &mut GraphBuilder, pixels: &Value) -> Result<Value, GraphError> {
    let numbers = ops::cast(g, pixels, DataType::Int64)?;
    let numbers = ops::reshape(g, &numbers, &[0, 784])?;
    let last = g.initializer("last", &[1], &[783_i64])?;
    let entry = ops::gather(g, &numbers, &last, 1)?;
    let mut table = [0.0; 8];
    table[7] = f32::NAN;
    let table = g.initializer_f32("table", &[8], &table)?;
    ops::gather(g, &table, &entry, 0)
}
