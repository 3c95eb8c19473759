//! What a file gives, in the terms of the bundle that is made of it.

use quintet_bundle::Tensor;

use super::adapt::{Adapted, Source};
use crate::error::Error;
use crate::import::proof::parity;
use crate::verify::{LoadedModel, Tensors};

/// The bundle's outputs for its inputs, as the file computes them.
pub(super) fn run(
    file: &mut LoadedModel,
    adapted: &Adapted,
    rows: &Tensors,
) -> Result<Tensors, Error> {
    converted(&file.run(&originals(adapted, rows)?)?, adapted)
}

/// What the file takes for what the bundle takes.
fn originals(adapted: &Adapted, inputs: &Tensors) -> Result<Tensors, Error> {
    let original = |(name, tensor): (&String, &Tensor)| match &adapted.normalised {
        Some(it) if it.levels == *name => Ok((it.name.clone(), it.apply(tensor)?)),
        _ => Ok((name.clone(), tensor.clone())),
    };
    inputs.iter().map(original).collect()
}

/// What the bundle should give for what the file gave.
fn converted(outputs: &Tensors, adapted: &Adapted) -> Result<Tensors, Error> {
    let outputs = adapted
        .outputs
        .iter()
        .zip(&adapted.sources)
        .map(|(spec, source)| {
            let Source { name, softmax } = source;
            let output = outputs
                .get(name)
                .ok_or_else(|| parity(name, "is missing"))?;
            let rows = output.shape()[0];
            let elements = output.bytes().len() / output.datatype().size();
            let mut shape = vec![rows];
            shape.extend(match spec.shape.len() {
                1 => Vec::new(),
                2 => vec![elements / rows.max(1)],
                _ => output.shape()[1..].to_vec(),
            });
            let mut tensor = Tensor::from_bytes(output.datatype(), shape, output.bytes().to_vec())?;
            if *softmax {
                let logits = tensor.to_vec::<f32>().unwrap_or_default();
                let classes = tensor.shape()[1].max(1);
                let probabilities = logits.chunks_exact(classes).flat_map(softmax_of);
                tensor = Tensor::new(tensor.shape(), probabilities.collect::<Vec<f32>>())?;
            }
            Ok((spec.name.clone(), tensor))
        });
    outputs.collect()
}

fn softmax_of(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|it| f64::from(it - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}
