//! Manifests of version 1, which knew only models that were trained here and two kinds of
//! pre-processing: the same in the words of the present version, before anything is checked.

use toml::{Table, Value};

use crate::{FORMAT_VERSION, Role, text};

/// Keys of `training` that belong to every model.
const OF_THE_MODEL: [&str; 3] = ["parameters", "created_by", "metrics"];

/// Rewrites a manifest of version 1. What does not belong there stays, to be refused later.
pub(super) fn upgrade(manifest: &mut Table) {
    manifest.insert(
        "format_version".to_owned(),
        i64::from(FORMAT_VERSION).into(),
    );
    if let Some(Value::Table(mut training)) = manifest.remove("training") {
        for key in OF_THE_MODEL {
            if let Some((key, value)) = training.remove_entry(key) {
                manifest.insert(key, value);
            }
        }
        let provenance = Table::from_iter([("trained".to_owned(), training.into())]);
        manifest.insert("provenance".to_owned(), provenance.into());
    }
    for side in ["inputs", "outputs"] {
        let Some(Value::Array(tensors)) = manifest.get_mut(side) else {
            continue;
        };
        // A tensor's name was its role.
        for tensor in tensors.iter_mut().filter_map(Value::as_table_mut) {
            let name = tensor.get("name").and_then(Value::as_str);
            if let Some(role) = name.and_then(Role::of_name) {
                tensor.insert("role".to_owned(), role.as_str().into());
            }
        }
    }
    match manifest
        .get_mut("preprocessing")
        .and_then(Value::as_table_mut)
    {
        Some(settings) => upgrade_preprocessing(settings),
        None => add_noise(manifest),
    }
}

fn upgrade_preprocessing(settings: &mut Table) {
    let added: &[(&str, Value)] = match settings.get("kind").and_then(Value::as_str) {
        Some("digit_frame") => &[
            ("kind", "image".into()),
            ("channels", "grey".into()),
            ("fit", "digit".into()),
        ],
        Some("token_sequence") => &[
            ("kind", "text".into()),
            ("truncation_side", "left".into()),
            ("add_special_tokens", true.into()),
            ("pad_token_id", text::PADDING.into()),
        ],
        _ => &[],
    };
    settings.extend(
        added
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone())),
    );
}

/// A generator's noise was known by its input alone.
fn add_noise(manifest: &mut Table) {
    let inputs = manifest.get("inputs").and_then(Value::as_array);
    let noise = inputs
        .into_iter()
        .flatten()
        .find(|input| input.get("role").and_then(Value::as_str) == Some(Role::Noise.as_str()));
    let size = noise.and_then(|input| input.get("shape")?.as_array()?.get(1));
    if let Some(size) = size.cloned() {
        let spec = [
            ("kind".to_owned(), "noise".into()),
            ("size".to_owned(), size),
        ];
        manifest.insert("preprocessing".to_owned(), Table::from_iter(spec).into());
    }
}
