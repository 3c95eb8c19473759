//! Between grey levels and a network's numbers. The graph owns these steps, so that training and
//! serving cannot differ in them.

use quintet_onnx::{DataType, GraphBuilder, GraphError, Value, ops};
use tch::{Kind, Tensor};

use super::{Layer, Operator};

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

/// Levels 0..=255 of photographs less their mean and over their deviation, for each channel:
/// `[N, H, W, C]` of any numeric kind → float32 `[N, C, H, W]`.
#[derive(Debug)]
pub struct Normalize {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Normalize {
    /// `mean` and `deviation` are of levels 0..=1, as they are usually given.
    pub fn new(mean: &[f64], deviation: &[f64]) -> Self {
        let levels = |parts: &[f64]| parts.iter().map(|it| (it * 255.0) as f32).collect();
        Self {
            mean: levels(mean),
            deviation: levels(deviation),
        }
    }
}

impl Layer for Normalize {
    fn forward_t(&self, x: &Tensor, _: bool) -> Tensor {
        let each = |values| {
            Tensor::from_slice(values)
                .reshape([-1, 1, 1])
                .to_device(x.device())
        };
        let x = x.permute([0, 3, 1, 2]).to_kind(Kind::Float);
        (x - each(&self.mean)) / each(&self.deviation)
    }

    fn export(&self, graph: &mut GraphBuilder, x: &Value) -> Result<Value, GraphError> {
        let shape = [self.mean.len(), 1, 1];
        let mean = graph.initializer_f32("mean", &shape, &self.mean)?;
        let deviation = graph.initializer_f32("deviation", &shape, &self.deviation)?;
        let x = ops::transpose(graph, x, &[0, 3, 1, 2])?;
        let x = ops::cast(graph, &x, DataType::Float32)?;
        let x = ops::sub(graph, &x, &mean)?;
        ops::div(graph, &x, &deviation)
    }
}

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
