//! How weights are stored. What a graph computes is float32 throughout.

mod int8;
mod read;

use half::f16;
use serde::{Deserialize, Serialize};

use crate::data_type::DataType;
use crate::error::{GraphError, Result};
use crate::graph::GraphBuilder;
use crate::ops;
use crate::value::Value;

pub use self::int8::quantize;
pub use self::read::{Initializer, ReadError, initializers};

/// How the weights of a graph are stored, see [`GraphBuilder::weight`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// As they are.
    #[default]
    Float32,
    /// Rounded to the nearest float16, with the cast back in the graph: half the size.
    Float16,
    /// Rounded to the nearest of 255 evenly spaced numbers, with a scale for each channel, and the
    /// product of both in the graph: a quarter of the size. A tensor with one number a channel, as
    /// a bias, is stored as it is.
    Int8,
}

impl Storage {
    /// The name, as in a recipe.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Int8 => "int8",
        }
    }

    /// `weights` as a graph computes with them: rounded to what can be stored. `axis` is that of
    /// the channels. Rounding what was rounded changes nothing.
    ///
    /// An element beyond float16's range becomes infinite, and one that is not finite makes its
    /// channel so in int8; [`GraphBuilder::weight`] refuses both.
    #[must_use]
    pub fn round(self, shape: &[usize], axis: usize, mut weights: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Float32 => {}
            Self::Float16 => {
                for weight in &mut weights {
                    *weight = f16::from_f32(*weight).to_f32();
                }
            }
            Self::Int8 => int8::round(shape, axis, &mut weights),
        }
        weights
    }
}

/// Adds a weight with channels along `axis` to the graph and gives its float32 value.
pub(crate) fn weight(
    graph: &mut GraphBuilder,
    name: &str,
    shape: &[usize],
    axis: usize,
    data: &[f32],
) -> Result<Value> {
    let axes = shape.len().max(1);
    if axis >= axes {
        return Err(GraphError::Value(format!(
            "weight `{name}`: axis is {axis}, allowed: less than {axes}"
        )));
    }
    match graph.storage() {
        Storage::Float16 => {
            let stored = graph.initializer(name, shape, &to_float16(name, data)?)?;
            ops::cast(graph, &stored, DataType::Float32)
        }
        Storage::Int8 if int8::is_smaller(shape, axis) => {
            let (numbers, scales) = int8::quantize(name, shape, axis, data)?;
            let stored = graph.initializer(name, shape, &numbers)?;
            let mut scales_shape = vec![1; shape.len()];
            scales_shape[axis] = shape[axis];
            let scales = graph.initializer(&format!("{name}.scale"), &scales_shape, &scales)?;
            let numbers = ops::cast(graph, &stored, DataType::Float32)?;
            ops::mul(graph, &numbers, &scales)
        }
        Storage::Float32 | Storage::Int8 => graph.initializer(name, shape, data),
    }
}

/// `data` rounded to the nearest float16; a finite value must stay finite.
fn to_float16(name: &str, data: &[f32]) -> Result<Vec<f16>> {
    data.iter()
        .enumerate()
        .map(|(index, &value)| {
            let half = f16::from_f32(value);
            if value.is_finite() && half.is_infinite() {
                return Err(GraphError::Value(format!(
                    "initializer `{name}` holds {value} at index {index}, which float16 (±65504) \
                     cannot hold"
                )));
            }
            Ok(half)
        })
        .collect()
}
