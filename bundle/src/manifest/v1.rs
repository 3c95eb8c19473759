//! Manifests of version 1, which knew only models that were trained here and two kinds of
//! pre-processing: the same in the words of the present version, before anything is checked.

use toml::{Table, Value};

use crate::error::check;
use crate::{FORMAT_VERSION, ManifestError, Role, text};

/// Keys of `training` that belong to every model.
const OF_THE_MODEL: [&str; 3] = ["parameters", "created_by", "metrics"];

/// Roles, whose names were the names of their tensors.
const ROLES: [Role; 6] = [
    Role::Tokens,
    Role::Lengths,
    Role::Pixels,
    Role::Noise,
    Role::Probabilities,
    Role::Score,
];

/// Rewrites a manifest of version 1. What no version knows stays, to be refused later.
///
/// # Errors
/// It has a field of version 2.
pub(super) fn upgrade(manifest: &mut Table) -> Result<(), ManifestError> {
    for field in ["provenance"].iter().chain(&OF_THE_MODEL) {
        refuse(field, manifest.get(*field))?;
    }
    manifest.insert("format_version".into(), FORMAT_VERSION.into());
    if let Some(Value::Table(mut training)) = manifest.remove("training") {
        for key in OF_THE_MODEL {
            manifest.extend(training.remove_entry(key));
        }
        let provenance = Table::from_iter([("trained".into(), training.into())]);
        manifest.insert("provenance".into(), provenance.into());
    }
    let mut noise = None;
    for side in ["inputs", "outputs"] {
        let tensors = manifest.get_mut(side).and_then(Value::as_array_mut);
        for tensor in tensors
            .into_iter()
            .flatten()
            .filter_map(Value::as_table_mut)
        {
            refuse(&format!("{side}.role"), tensor.get("role"))?;
            let name = tensor.get("name").and_then(Value::as_str);
            let role = ROLES.iter().find(|role| Some(&*role.to_string()) == name);
            let Some(role) = role else { continue };
            tensor.insert("role".into(), role.to_string().into());
            if (side, *role) == ("inputs", Role::Noise) {
                let shape = tensor.get("shape").and_then(Value::as_array);
                noise = shape.and_then(|shape| shape.get(1)).cloned();
            }
        }
    }
    if let Some(settings) = manifest.get_mut("preprocessing") {
        settings.as_table_mut().map(upgrade_preprocessing);
    } else if let Some(size) = noise {
        // A generator's noise was known by its input alone.
        let spec = [("kind".into(), "noise".into()), ("size".into(), size)];
        manifest.insert("preprocessing".into(), Table::from_iter(spec).into());
    }
    Ok(())
}

/// Refuses a field of version 2.
fn refuse(field: &str, value: Option<&Value>) -> Result<(), ManifestError> {
    let allowed = "left out where format_version is 1";
    check(value.is_none(), field, "set", allowed)
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
    for (key, value) in added {
        settings.insert((*key).into(), value.clone());
    }
}
