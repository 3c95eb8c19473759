//! Between grey levels and a network's numbers. The graph owns these steps, so that training and
//! serving cannot differ in them.

use quintet_onnx::{DataType, GraphBuilder, GraphError, Value, ops};
use tch::{Kind, Tensor};

use super::Operator;

/// Scales grey levels 0..=255 of any numeric kind to float32 in 0..=1.
pub const PIXEL_SCALE: Operator = Operator(
    |pixels| pixels.to_kind(Kind::Float) / 255.0,
    |graph, pixels| {
        let x = ops::cast(graph, pixels, DataType::Float32)?;
        let white = graph.initializer_f32("white", &[], &[255.0])?;
        ops::div(graph, &x, &white)
    },
);

/// Converts between grey levels 0..=255 and a generator's −1..=1.
#[derive(Debug)]
pub struct SignedPixels;

impl SignedPixels {
    /// Grey levels on either side of the middle.
    pub const HALF_RANGE: f64 = 127.5;

    /// Pixels of any numeric kind → float32 in −1..=1, of the same shape.
    pub fn from_pixels(&self, pixels: &Tensor) -> Tensor {
        pixels.to_kind(Kind::Float) / Self::HALF_RANGE - 1.0
    }

    /// float32 in −1..=1 → the nearest grey levels, uint8 of the same shape.
    pub fn to_pixels(&self, images: &Tensor) -> Tensor {
        self.levels(images).round().to_kind(Kind::Uint8)
    }

    /// float32 in −1..=1 → grey levels 0..=255 before they are rounded.
    pub fn levels(&self, images: &Tensor) -> Tensor {
        (images + 1.0) * Self::HALF_RANGE
    }

    /// float32 in −1..=1 → uint8 of the same shape, as [`Self::to_pixels`].
    pub fn export(&self, graph: &mut GraphBuilder, images: &Value) -> Result<Value, GraphError> {
        let one = graph.initializer_f32("one", &[], &[1.0])?;
        let half = graph.initializer_f32("half_range", &[], &[Self::HALF_RANGE as f32])?;
        let x = ops::add(graph, images, &one)?;
        let x = ops::mul(graph, &x, &half)?;
        let x = ops::round(graph, &x)?;
        ops::cast(graph, &x, DataType::Uint8)
    }
}
