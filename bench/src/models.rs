//! Which models of the repository are measured.

use std::path::Path;

use quintet_bundle::Bundle;

use crate::Result;

/// The newest version of every model of the task, or of those of these names; at least one.
pub(crate) fn newest(
    models_dir: &Path,
    names: &[String],
    task: &str,
) -> Result<Vec<(String, Bundle)>> {
    let mut models: Vec<(String, Bundle)> = Vec::new();
    for found in quintet_bundle::discover(models_dir)? {
        if !names.is_empty() && !names.contains(&found.name) {
            continue;
        }
        let bundle = Bundle::open(&found.path)?;
        if bundle.manifest().task == task {
            // Versions come oldest first.
            models.retain(|(name, _)| *name != found.name);
            models.push((found.name, bundle));
        }
    }
    if models.is_empty() {
        return Err(format!("no such model in {}", crate::shown(models_dir)).into());
    }
    Ok(models)
}
