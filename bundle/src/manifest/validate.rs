//! The rules that a manifest's values must keep, beyond being of the right type.

use std::collections::BTreeSet;

use super::Manifest;
use crate::{
    Dim, FORMAT_VERSION, GOLDEN_FILE, MANIFEST_FILE, MAX_FILE_BYTES, MODEL_FILE, ManifestError,
    Preprocessing, Role, TensorSpec,
};

/// Longest model name in bytes; it becomes a folder name and a metric label.
const MAX_NAME: usize = 64;

impl Manifest {
    /// Checks every value except the list of files.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if self.format_version != FORMAT_VERSION {
            return Err(ManifestError::FormatVersion {
                found: self.format_version.into(),
            });
        }
        identifier("name", &self.name)?;
        at_least_one("version", u64::from(self.version))?;
        identifier("task", &self.task)?;
        identifier("architecture", &self.architecture)?;
        at_most_i64("parameters", self.parameters)?;
        self.validate_signature()?;
        validate_roles("inputs", &self.inputs, Role::is_input)?;
        validate_roles("outputs", &self.outputs, Role::is_output)?;
        self.validate_labels()?;
        self.preprocessing
            .as_ref()
            .map_or(Ok(()), Preprocessing::validate)?;
        self.provenance.validate()?;
        if let Some((name, value)) = self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(ManifestError::field(
                format!("metrics.{name}"),
                &value,
                "a finite number",
            ));
        }
        at_least_one("golden.samples", self.golden.samples as u64)?;
        let tolerance = self.golden.tolerance;
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            let allowed = "a finite number, 0 or more";
            return Err(ManifestError::field(
                "golden.tolerance",
                &tolerance,
                allowed,
            ));
        }
        Ok(())
    }

    /// Checks the list of files: safe names, real checksums, nothing essential left out.
    pub(crate) fn validate_files(&self) -> Result<(), ManifestError> {
        for (name, digest) in &self.files {
            file_name(name)?;
            sha256(&format!("files.{name}.sha256"), &digest.sha256)?;
            if digest.bytes > MAX_FILE_BYTES {
                let allowed = format!("at most {MAX_FILE_BYTES}");
                return Err(ManifestError::field(
                    format!("files.{name}.bytes"),
                    &digest.bytes,
                    allowed,
                ));
            }
        }
        let extra = self
            .preprocessing
            .as_ref()
            .map_or(&[][..], Preprocessing::files);
        for required in [MODEL_FILE, GOLDEN_FILE].iter().chain(extra) {
            if !self.files.contains_key(*required) {
                return Err(ManifestError::field(
                    "files",
                    &format!("without {required}"),
                    "a table with every file of the bundle",
                ));
            }
        }
        Ok(())
    }

    fn validate_signature(&self) -> Result<(), ManifestError> {
        // ONNX has one name space for all values of a graph.
        let mut names = BTreeSet::new();
        for (field, specs) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            if specs.is_empty() {
                return Err(ManifestError::field(field, &"empty", "at least one tensor"));
            }
            for spec in specs {
                if spec.name.is_empty() || !names.insert(spec.name.as_str()) {
                    return Err(ManifestError::field(
                        format!("{field}.name"),
                        &quoted(&spec.name),
                        "not empty, and unique among inputs and outputs",
                    ));
                }
                validate_shape(field, spec)?;
            }
        }
        Ok(())
    }

    fn validate_labels(&self) -> Result<(), ManifestError> {
        let mut seen = BTreeSet::new();
        if let Some(label) = self
            .labels
            .iter()
            .find(|label| label.is_empty() || !seen.insert(*label))
        {
            return Err(ManifestError::field(
                "labels",
                &quoted(label),
                "not empty, and unique",
            ));
        }
        let classes =
            |spec: &&TensorSpec| matches!(spec.role, Some(Role::Probabilities | Role::Logits));
        if let Some(output) = self.outputs.iter().find(classes)
            && let [_, Dim::Fixed(classes)] = output.shape[..]
            && classes != self.labels.len()
        {
            return Err(ManifestError::field(
                "labels",
                &format!("a list of {}", self.labels.len()),
                format!("a list of {classes}, as output {} has classes", output.name),
            ));
        }
        Ok(())
    }
}

/// Accepts a plain file name that cannot lead out of the bundle's folder.
pub(crate) fn file_name(name: &str) -> Result<(), ManifestError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty()
        || name.starts_with('.')
        || !name.bytes().all(plain)
        || name.eq_ignore_ascii_case(MANIFEST_FILE)
    {
        let allowed = "a plain file name of letters, digits, `.`, `_` and `-`, without a leading \
                       dot, other than the manifest's own";
        return Err(ManifestError::field("files", &quoted(name), allowed));
    }
    Ok(())
}

/// Accepts a SHA-256 as a manifest writes it.
pub(super) fn sha256(field: &str, value: &str) -> Result<(), ManifestError> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if value.len() == 64 && value.bytes().all(hex) {
        return Ok(());
    }
    Err(ManifestError::field(
        field,
        &quoted(value),
        "64 lower-case hex digits",
    ))
}

/// Accepts a number that TOML can hold.
pub(super) fn at_most_i64(field: &str, value: u64) -> Result<(), ManifestError> {
    if i64::try_from(value).is_ok() {
        return Ok(());
    }
    Err(ManifestError::field(
        field,
        &value,
        format!("at most {}", i64::MAX),
    ))
}

fn validate_roles(
    field: &str,
    specs: &[TensorSpec],
    belongs: impl Fn(Role) -> bool,
) -> Result<(), ManifestError> {
    for (index, spec) in specs.iter().enumerate() {
        let Some(role) = spec.role else { continue };
        let place = format!("{field}.{}", spec.name);
        let wrong = if !belongs(role) {
            Some(format!("a role of {field}"))
        } else if specs[..index].iter().any(|other| other.role == Some(role)) {
            Some("a role that no other tensor has".to_owned())
        } else {
            None
        };
        if let Some(allowed) = wrong {
            return Err(ManifestError::field(
                format!("{place}.role"),
                &role,
                allowed,
            ));
        }
        if let Some(allowed) = role.misfit(spec) {
            let found = format!("{} {} for role {role}", spec.datatype, spec.shape_text());
            return Err(ManifestError::field(place, &found, allowed));
        }
    }
    Ok(())
}

fn identifier(field: &str, value: &str) -> Result<(), ManifestError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if value.is_empty() || value.len() > MAX_NAME || !value.bytes().all(plain) {
        let allowed = format!("1 to {MAX_NAME} characters of a-z, 0-9, `_` and `-`");
        return Err(ManifestError::field(field, &quoted(value), allowed));
    }
    Ok(())
}

fn at_least_one(field: &str, value: u64) -> Result<(), ManifestError> {
    if value == 0 {
        return Err(ManifestError::field(field, &value, "at least 1"));
    }
    Ok(())
}

fn validate_shape(field: &str, spec: &TensorSpec) -> Result<(), ManifestError> {
    let bad = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size == 0,
        Dim::Symbol(symbol) => {
            symbol.is_empty()
                || !symbol
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        }
    };
    if spec.shape.is_empty() || spec.shape.iter().any(bad) {
        return Err(ManifestError::field(
            format!("{field}.{}.shape", spec.name),
            &spec.shape_text(),
            "a list of sizes from 1 and symbols such as \"N\"",
        ));
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests;
