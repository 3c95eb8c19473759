//! The rules that a manifest's values must keep, beyond being of the right type.

use std::collections::BTreeSet;

use crate::image::SIDE;
use crate::text::TOKENIZER_FILE;
use crate::{
    Dim, FORMAT_VERSION, GOLDEN_FILE, MANIFEST_FILE, MAX_FILE_BYTES, MODEL_FILE, Manifest,
    ManifestError, Preprocessing, Task, TensorSpec,
};

/// Most tokens of a text that a network may read; keeps a row of a batch small.
const MAX_TOKENS: usize = 65_536;

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
        identifier("architecture", &self.architecture)?;
        self.validate_signature()?;
        self.validate_labels()?;
        self.validate_preprocessing()?;
        self.validate_training()?;
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
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if digest.sha256.len() != 64 || !digest.sha256.bytes().all(hex) {
                let allowed = "64 lower-case hex digits";
                return Err(ManifestError::field(
                    format!("files.{name}.sha256"),
                    &quoted(&digest.sha256),
                    allowed,
                ));
            }
            if digest.bytes > MAX_FILE_BYTES {
                let allowed = format!("at most {MAX_FILE_BYTES}");
                return Err(ManifestError::field(
                    format!("files.{name}.bytes"),
                    &digest.bytes,
                    allowed,
                ));
            }
        }
        let mut required = vec![MODEL_FILE, GOLDEN_FILE];
        if matches!(
            self.preprocessing,
            Some(Preprocessing::TokenSequence { .. })
        ) {
            required.push(TOKENIZER_FILE);
        }
        for required in required {
            if !self.files.contains_key(required) {
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
        let Some(output) = self.outputs.first() else {
            return Ok(());
        };
        let classifies = matches!(
            self.task,
            Task::ImageClassification | Task::TextClassification
        );
        // Only a second dimension counts classes; a lone `N` holds one score a row.
        if let (true, [_, Dim::Fixed(classes)]) = (classifies, output.shape.as_slice())
            && *classes != self.labels.len()
        {
            return Err(ManifestError::field(
                "labels",
                &format!("a list of {}", self.labels.len()),
                format!("a list of {classes}, as output {} has classes", output.name),
            ));
        }
        Ok(())
    }

    fn validate_preprocessing(&self) -> Result<(), ManifestError> {
        match self.preprocessing {
            Some(Preprocessing::DigitFrame { width, height })
                if (width, height) != (SIDE, SIDE) =>
            {
                Err(ManifestError::field(
                    "preprocessing",
                    &format!("a digit frame of {width} x {height}"),
                    format!("{SIDE} x {SIDE}"),
                ))
            }
            Some(Preprocessing::TokenSequence { max_tokens })
                if !(1..=MAX_TOKENS).contains(&max_tokens) =>
            {
                Err(ManifestError::field(
                    "preprocessing.max_tokens",
                    &max_tokens,
                    format!("1 to {MAX_TOKENS}"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn validate_training(&self) -> Result<(), ManifestError> {
        let training = &self.training;
        for (field, value) in [
            ("training.seed", training.seed),
            ("training.train_samples", training.train_samples),
            ("training.parameters", training.parameters),
        ] {
            if i64::try_from(value).is_err() {
                return Err(ManifestError::field(
                    field,
                    &value,
                    format!("at most {}", i64::MAX),
                ));
            }
        }
        let seconds = training.duration_seconds;
        if !(seconds.is_finite() && seconds >= 0.0) {
            let allowed = "a finite number, 0 or more";
            return Err(ManifestError::field(
                "training.duration_seconds",
                &seconds,
                allowed,
            ));
        }
        match training
            .metrics
            .iter()
            .find(|(_, value)| !value.is_finite())
        {
            Some((name, value)) => {
                let field = format!("training.metrics.{name}");
                Err(ManifestError::field(field, &value, "a finite number"))
            }
            None => Ok(()),
        }
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
