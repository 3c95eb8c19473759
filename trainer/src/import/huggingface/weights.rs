//! From a checkpoint to the weights of our encoder.

use quintet_onnx::Storage;
use tch::{Kind, Tensor};

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::names::{is_unused, older, theirs};

/// Copies the weights of a checkpoint to those of our network, by name. Gives how they can be stored
/// without loss.
///
/// # Errors
/// Tensors that are missing, of another shape or type, or of no use.
pub(super) fn load(
    weights: Vec<(String, Tensor)>,
    config: &Config,
    checkpoint: &Checkpoint<'_>,
) -> Result<Storage, String> {
    let family = config.family;
    let names = |ours: &str| {
        let name = theirs(family, ours);
        let older = older(&name);
        std::iter::once(name).chain(older).collect()
    };
    let is_unused = |name: &str| is_unused(family, name);
    let kinds = checkpoint.copy_to(weights, names, is_unused, family.name())?;
    let halves = kinds.iter().all(|kind| *kind == Kind::Half);
    Ok(if halves {
        Storage::Float16
    } else {
        Storage::Float32
    })
}
