//! How weights are stored. What a graph computes is float32 throughout.

use half::f16;

use crate::data_type::DataType;
use crate::error::{GraphError, Result};
use crate::graph::GraphBuilder;
use crate::ops;
use crate::value::Value;

/// How the weights of a graph are stored, see [`GraphBuilder::weight`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As they are.
    #[default]
    Float32,
    /// Rounded to the nearest float16, with the cast back in the graph: half the size.
    Float16,
}

impl Storage {
    /// `weights` as a graph computes with them: rounded to what can be stored.
    ///
    /// An element beyond float16's range becomes infinite, which [`GraphBuilder::weight`] refuses.
    #[must_use]
    pub fn round(self, mut weights: Vec<f32>) -> Vec<f32> {
        if self == Self::Float16 {
            for weight in &mut weights {
                *weight = f16::from_f32(*weight).to_f32();
            }
        }
        weights
    }
}

/// Adds a weight to the graph and gives its float32 value.
pub(crate) fn weight(
    graph: &mut GraphBuilder,
    name: &str,
    shape: &[usize],
    data: &[f32],
    storage: Storage,
) -> Result<Value> {
    match storage {
        Storage::Float32 => graph.initializer(name, shape, data),
        Storage::Float16 => {
            let stored = graph.initializer(name, shape, &to_float16(name, data)?)?;
            ops::cast(graph, &stored, DataType::Float32)
        }
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
