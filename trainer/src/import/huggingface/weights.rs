//! From a checkpoint to the weights of our encoder.

use quintet_onnx::Storage;
use tch::{Kind, Tensor};

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::names::{is_unused, older, theirs};

/// Names that an error lists.
const LISTED: usize = 5;

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
    let (mut used, mut missing, mut storage) = (Vec::new(), Vec::new(), Storage::Float16);
    for (ours, mut weight) in weights {
        let name = theirs(config.family, &ours);
        let mut names = [Some(name.clone()), older(&name)].into_iter().flatten();
        let found = names.find_map(|name| Some((checkpoint.tensor(&name, &weight.size())?, name)));
        let Some((found, name)) = found else {
            missing.push(name);
            continue;
        };
        let (kind, values) = found?;
        if kind != Kind::Half {
            storage = Storage::Float32;
        }
        tch::no_grad(|| weight.copy_(&values));
        used.push(name);
    }
    if !missing.is_empty() {
        return Err(format!("lacks {}", list(missing)));
    }
    let is_useless =
        |name: &&str| !used.iter().any(|it| it == name) && !is_unused(config.family, name);
    let useless: Vec<_> = checkpoint
        .names()
        .filter(is_useless)
        .map(str::to_owned)
        .collect();
    if useless.is_empty() {
        return Ok(storage);
    }
    Err(format!(
        "has what {} has not: {}",
        config.family.name(),
        list(useless)
    ))
}

/// The first of the tensors, and how many more there are.
fn list(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let listed = names
        .into_iter()
        .take(LISTED)
        .collect::<Vec<_>>()
        .join(", ");
    match more {
        0 => format!("tensor {listed}"),
        _ => format!("tensor {listed} and {more} more"),
    }
}
