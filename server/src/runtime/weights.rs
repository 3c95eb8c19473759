//! The weights that all instances of a model share, so that memory does not grow by the model for
//! each.

use std::sync::Arc;

use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor};
use quintet_onnx::initializers;

/// A smaller weight is not worth sharing. Optimisers may also rewrite small constants in place.
const LEAST_ELEMENTS: usize = 16 << 10;

/// A model's large weights, and the forms into which kernels pack them. Sessions made with them
/// hold references instead of copies. By default there are none to share.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    values: Vec<(String, Arc<DynValue>)>,
    packed: Option<PrepackedWeights>,
}

impl Weights {
    /// Those of a model. ONNX Runtime shares the packed form only of a weight that is given to it
    /// as a value; what is in the model's bytes, it packs for each session anew. It finds a weight
    /// by its name in the optimised graph, where casts have been folded.
    pub(super) fn of(model: &[u8]) -> Self {
        // A model that stores its weights in another way shares none.
        let weights = initializers(model).unwrap_or_default();
        let large = weights
            .into_iter()
            .filter(|weight| weight.data.len() >= LEAST_ELEMENTS);
        let values = large.filter_map(|weight| {
            let value = Tensor::from_array((weight.shape, weight.data)).ok()?;
            Some((weight.float32?, Arc::new(value.into_dyn())))
        });
        Self {
            values: values.collect(),
            packed: Some(PrepackedWeights::new()),
        }
    }

    /// Lets a session use them.
    pub(super) fn share(&self, builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        let builder = match &self.packed {
            Some(packed) => builder.with_prepacked_weights(packed)?,
            None => builder,
        };
        self.values
            .iter()
            .try_fold(builder, |builder, (name, value)| {
                Ok(builder.with_initializer(name, Arc::clone(value))?)
            })
    }
}
