//! Products of rows of features with a weight in int8.
//!
//! Each row has a scale of its own, its largest magnitude over 127, and so has each column of the
//! weight. The sums of the products are integers and exact. What becomes of a row does not depend
//! on the rows beside it, as it would with one scale for a whole batch.

use quintet_onnx::{DataType, GraphBuilder, GraphError, Value, ops, quantize};
use tch::{Kind, Tensor};

use crate::export::shape_and_values;

/// The largest magnitude of an integer.
const MOST: f32 = 127.0;
/// What stands for zero in uint8. ONNX Runtime's kernels for x86 take unsigned rows.
const ZERO: u8 = 128;
/// Added before the fraction is cut off, so that a number becomes the nearest integer.
const TO_NEAREST: f32 = ZERO as f32 + 0.5;
/// The least that a row's largest magnitude counts as; a row of zeros stays zeros.
const LEAST: f32 = 1e-30;
/// As many products of integers have a sum that float32 holds exactly: 1024 · 127² < 2²⁴.
const EXACT: i64 = 1024;

/// Rows `[..., K]` of features as integers.
#[derive(Debug)]
pub struct Int8Rows<T> {
    /// In libtorch float32 that holds integers from −127 to 127; in a graph uint8, 128 more.
    numbers: T,
    /// The largest magnitude of each row, float32 `[..., 1]`.
    largest: T,
}

/// A weight `[outputs, inputs]` in int8.
#[derive(Debug)]
pub(super) struct Weight {
    /// `[inputs, outputs]`, row by row.
    numbers: Vec<i8>,
    shape: [usize; 2],
    /// Each output's scale over 127, which is also a row's part of the scale of a product.
    scales: Vec<f32>,
}

impl Int8Rows<Tensor> {
    /// Computes what [`Int8Rows::export`] writes.
    pub(super) fn quantize(x: &Tensor) -> Self {
        let largest = x.abs().amax([-1_i64].as_slice(), true);
        let largest = largest.clamp_min(f64::from(LEAST));
        // tch divides a number by a tensor with a power of it, which rounds twice.
        let steps = largest.full_like(f64::from(MOST)) / &largest;
        let numbers = (x * steps + f64::from(TO_NEAREST)).floor() - f64::from(ZERO);
        Self { numbers, largest }
    }
}

impl Int8Rows<Value> {
    /// Writes the rows of `x`, float32 `[..., K]`, for the layer `name`.
    pub(super) fn export(
        graph: &mut GraphBuilder,
        name: &str,
        x: &Value,
    ) -> Result<Self, GraphError> {
        let mut number =
            |part: &str, value| graph.initializer_f32(&format!("{name}.{part}"), &[], &[value]);
        let (most, to_nearest) = (number("most", MOST)?, number("to_nearest", TO_NEAREST)?);
        let largest = ops::abs(graph, x)?;
        let largest = ops::reduce_max(graph, &largest, -1)?;
        let largest = ops::clip(graph, &largest, Some(LEAST), None)?;
        let steps = ops::div(graph, &most, &largest)?;
        // A cast cuts the fraction off. A Round, a QuantizeLinear or a Clip cost another pass.
        let numbers = ops::mul(graph, x, &steps)?;
        let numbers = ops::add(graph, &numbers, &to_nearest)?;
        let numbers = ops::cast(graph, &numbers, DataType::Uint8)?;
        Ok(Self { numbers, largest })
    }
}

impl Weight {
    /// The nearest to `weight`, float32 `[outputs, inputs]` of the layer `name`.
    pub(super) fn new(name: &str, weight: &Tensor) -> Result<Self, GraphError> {
        let (shape, values) = shape_and_values(&weight.tr());
        let (numbers, scales) = quantize(&format!("{name}.weight"), &shape, 1, &values)?;
        Ok(Self {
            numbers,
            shape: [shape[0], shape[1]],
            scales: scales.iter().map(|scale| scale / MOST).collect(),
        })
    }

    /// The product with the rows, float32 `[..., outputs]`.
    pub(super) fn forward(&self, rows: &Int8Rows<Tensor>) -> Tensor {
        let device = rows.numbers.device();
        let [inputs, outputs] = self.shape.map(|length| length as i64);
        let weight = Tensor::from_slice(&self.numbers).reshape([inputs, outputs]);
        let weight = weight.to_kind(Kind::Float).to_device(device);
        let parts = (0..inputs).step_by(EXACT as usize).map(|start| {
            let count = EXACT.min(inputs - start);
            let rows = rows.numbers.narrow(-1, start, count);
            rows.matmul(&weight.narrow(0, start, count))
        });
        // Each part is exact, and so is their sum, which is rounded once.
        let sum = parts
            .map(|it| it.to_kind(Kind::Double))
            .reduce(|a, b| a + b);
        let sum = sum.expect("a weight has rows").to_kind(Kind::Float);
        sum * Tensor::from_slice(&self.scales).to_device(device) * &rows.largest
    }

    /// Writes [`Weight::forward`] of the layer `name`.
    ///
    /// The product is not written as `y · (scales · largest)`: ONNX Runtime 1.31 takes that for an
    /// integer product of one scale for all rows, and gives wrong numbers.
    pub(super) fn export(
        &self,
        graph: &mut GraphBuilder,
        name: &str,
        rows: &Int8Rows<Value>,
    ) -> Result<Value, GraphError> {
        let weight = graph.initializer(&format!("{name}.weight"), &self.shape, &self.numbers)?;
        let (name, shape) = (format!("{name}.weight.scale"), [self.shape[1]]);
        let scales = graph.initializer_f32(&name, &shape, &self.scales)?;
        let y = ops::matmul_integer(graph, &rows.numbers, &weight, ZERO)?;
        let y = ops::cast(graph, &y, DataType::Float32)?;
        let y = ops::mul(graph, &y, &scales)?;
        ops::mul(graph, &y, &rows.largest)
    }
}
