//! The rules that a manifest's values must keep, beyond being of the right type.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Display;

use super::{FileDigest, Import, Manifest, Provenance};
use crate::error::check;
use crate::{
    Dim, FORMAT_VERSION, GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE, ManifestError, Preprocessing,
    ProblemType, Role, TensorSpec,
};

/// Longest model name in bytes; it becomes a folder name and a metric label.
const MAX_NAME: usize = 64;
/// Largest size of one file of a bundle in bytes: 2 GiB, the limit of a protobuf message.
const MAX_FILE_BYTES: u64 = 1 << 31;

type Checked = Result<(), ManifestError>;

impl Manifest {
    /// Checks what a manifest may have for the name of a model.
    ///
    /// # Errors
    /// [`ManifestError::field`] of `name`.
    pub fn check_name(name: &str) -> Result<(), ManifestError> {
        identifier("name", name)
    }

    /// Checks every value except the list of files.
    pub fn validate(&self) -> Checked {
        check_format_version(self.format_version.into())?;
        identifier("name", &self.name)?;
        identifier("task", &self.task)?;
        identifier("architecture", &self.architecture)?;
        check(self.version > 0, "version", self.version, "at least 1")?;
        fits_toml("parameters", self.parameters)?;
        if let Some(rows) = self.max_batch_size {
            check(rows > 0, "max_batch_size", rows, "at least 1")?;
        }
        self.validate_signature()?;
        self.validate_labels()?;
        if let Some(least) = self.least_divergence {
            let field = "least_divergence";
            let is_above = least > 0.0 && least.is_finite();
            check(is_above, field, least, "a number above 0")?;
            let is_single = self.problem_type == ProblemType::SingleLabelClassification;
            let has_labels = is_single && !self.labels.is_empty();
            check(
                has_labels,
                field,
                "there",
                "where one of several labels is right",
            )?;
        }
        if let Some(preprocessing) = &self.preprocessing {
            preprocessing.validate()?;
        }
        match &self.provenance {
            Provenance::Imported(Import { sha256, .. }) => {
                check_sha256("provenance.imported.sha256", sha256)?;
            }
            Provenance::Trained(training) => {
                fits_toml("provenance.trained.seed", training.seed)?;
                fits_toml("provenance.trained.train_samples", training.train_samples)?;
                let seconds = training.duration_seconds;
                not_negative("provenance.trained.duration_seconds", seconds)?;
            }
        }
        for (name, value) in &self.metrics {
            let field = format!("metrics.{name}");
            check(value.is_finite(), field, value, "a finite number")?;
        }
        let samples = self.golden.samples;
        check(samples > 0, "golden.samples", samples, "at least 1")?;
        not_negative("golden.tolerance", self.golden.tolerance)
    }

    /// Checks the list of files: safe names, real checksums, nothing essential left out.
    pub(crate) fn validate_files(&self) -> Checked {
        for (name, FileDigest { bytes, sha256 }) in &self.files {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let fits = !name.is_empty()
                && !name.starts_with('.')
                && name.bytes().all(plain)
                && !name.eq_ignore_ascii_case(MANIFEST_FILE);
            let allowed = "a plain file name of letters, digits, `.`, `_` and `-`, without a \
                           leading dot, other than the manifest's own";
            check(fits, "files", format!("{name:?}"), allowed)?;
            check_sha256(&format!("files.{name}.sha256"), sha256)?;
            let field = format!("files.{name}.bytes");
            let allowed = format!("at most {MAX_FILE_BYTES}");
            check(*bytes <= MAX_FILE_BYTES, field, bytes, allowed)?;
        }
        let preprocessing = self.preprocessing.as_ref();
        let extra = preprocessing.map_or(&[][..], Preprocessing::files);
        for file in [MODEL_FILE, GOLDEN_FILE].iter().chain(extra) {
            let allowed = "a table with every file of the bundle";
            let found = format!("without {file}");
            check(self.files.contains_key(*file), "files", found, allowed)?;
        }
        Ok(())
    }

    fn validate_signature(&self) -> Checked {
        // ONNX has one name space for all values of a graph.
        let mut names = BTreeSet::new();
        for (side, specs, is_of_side) in [
            ("inputs", &self.inputs, Role::is_input as fn(Role) -> bool),
            ("outputs", &self.outputs, Role::is_output),
        ] {
            check(!specs.is_empty(), side, "empty", "at least one tensor")?;
            let mut roles = HashSet::new();
            for spec in specs {
                let (name, shape) = (&spec.name, spec.shape_text());
                let place = format!("{side}.{name}");
                let unique = !name.is_empty() && names.insert(name);
                let allowed = "not empty, and unique among inputs and outputs";
                check(unique, format!("{side}.name"), format!("{name:?}"), allowed)?;
                let fits = !spec.shape.is_empty() && spec.shape.iter().all(is_dim);
                let allowed = "a list of sizes from 1 and symbols such as \"N\"";
                check(fits, format!("{place}.shape"), &shape, allowed)?;

                let Some(role) = spec.role else { continue };
                let (field, allowed) = (format!("{place}.role"), format!("a role of {side}"));
                check(is_of_side(role), &field, role, allowed)?;
                let allowed = "a role that no other tensor has";
                check(roles.insert(role), field, role, allowed)?;
                let found = format!("{} {shape} for role {role}", spec.datatype);
                let (fits, allowed) = role.form(spec);
                check(fits, place, found, allowed)?;
            }
        }
        Ok(())
    }

    fn validate_labels(&self) -> Checked {
        let mut seen = BTreeSet::new();
        for label in &self.labels {
            let fits = !label.is_empty() && seen.insert(label);
            let allowed = "not empty, and unique";
            check(fits, "labels", format!("{label:?}"), allowed)?;
        }
        for role in [Role::Probabilities, Role::Logits] {
            if let Some(TensorSpec { name, shape, .. }) = self.output(role)
                && let [_, Dim::Fixed(classes)] = shape[..]
            {
                let labels = self.labels.len();
                let found = format!("a list of {labels}");
                let allowed = format!("a list of {classes}, as output {name} has classes");
                check(labels == classes, "labels", found, allowed)?;
            }
        }
        Ok(())
    }
}

/// Accepts the version of the format that this version writes.
pub(super) fn check_format_version(found: i64) -> Checked {
    if found == i64::from(FORMAT_VERSION) {
        return Ok(());
    }
    let problem = format!("format_version is {found}, this version reads 1 to {FORMAT_VERSION}");
    Err(ManifestError(problem))
}

fn identifier(field: &str, value: &str) -> Checked {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let fits = (1..=MAX_NAME).contains(&value.len()) && value.bytes().all(plain);
    let allowed = format!("1 to {MAX_NAME} characters of a-z, 0-9, `_` and `-`");
    check(fits, field, format!("{value:?}"), allowed)
}

fn is_dim(dim: &Dim) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match dim {
        Dim::Fixed(size) => *size > 0,
        Dim::Symbol(symbol) => !symbol.is_empty() && symbol.bytes().all(plain),
    }
}

fn check_sha256(field: &str, value: &str) -> Checked {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = value.len() == 64 && value.bytes().all(hex);
    let allowed = "64 lower-case hex digits";
    check(fits, field, format!("{value:?}"), allowed)
}

fn fits_toml(field: &str, value: u64) -> Checked {
    let most = i64::MAX.unsigned_abs();
    check(value <= most, field, value, format!("at most {most}"))
}

fn not_negative(field: &str, value: impl Into<f64> + Display + Copy) -> Checked {
    let fits = (0.0..f64::INFINITY).contains(&value.into());
    check(fits, field, value, "a finite number, 0 or more")
}

#[cfg(test)]
mod tests;
