//! How an input is prepared before it meets the graph: a kind, and the kind's own settings.
//!
//! The kinds of this crate are [`ImageSpec`], [`TextSpec`] and [`NoiseSpec`]. Another crate adds one
//! by implementing [`PreprocessingKind`]: a manifest keeps kinds that this crate does not know.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::check;
use crate::image::ImageSpec;
use crate::noise::NoiseSpec;
use crate::text::TextSpec;
use crate::{Manifest, ManifestError};

/// What a manifest says about pre-processing, as it stands there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// The kind's name.
    pub kind: String,
    #[serde(flatten)]
    settings: toml::Table,
}

/// One kind of pre-processing; a value is what a manifest says of it. Unknown keys should be
/// refused (`#[serde(deny_unknown_fields)]`).
pub trait PreprocessingKind: Serialize + DeserializeOwned {
    /// The kind's name in a manifest.
    const KIND: &'static str;
    /// Files that a bundle must hold for it.
    const FILES: &'static [&'static str] = &[];

    /// Checks the values beyond their types.
    ///
    /// # Errors
    /// [`ManifestError::field`] of `preprocessing.<key>`.
    fn validate(&self) -> Result<(), ManifestError>;
}

/// A kind's name, its files, and how its settings are checked.
type Known = (
    &'static str,
    &'static [&'static str],
    fn(&Preprocessing) -> Result<(), ManifestError>,
);

static KNOWN: [Known; 3] = [
    known::<ImageSpec>(),
    known::<TextSpec>(),
    known::<NoiseSpec>(),
];

const fn known<K: PreprocessingKind>() -> Known {
    (K::KIND, K::FILES, |it| it.read::<K>().map(drop))
}

impl Preprocessing {
    /// What a manifest says for `spec`.
    ///
    /// # Panics
    /// The kind is not a struct of values that TOML has.
    pub fn of<K: PreprocessingKind>(spec: &K) -> Self {
        Self {
            kind: K::KIND.to_owned(),
            settings: toml::Table::try_from(spec).expect("a kind is a table of TOML's values"),
        }
    }

    /// Reads the settings of kind `K`.
    ///
    /// # Errors
    /// The manifest has another kind, or settings that this one does not allow.
    pub fn read<K: PreprocessingKind>(&self) -> Result<K, ManifestError> {
        let Self { kind, settings } = self;
        if kind != K::KIND && self.known().is_none() {
            let unknown = "which this version does not know; a newer one may";
            return Err(ManifestError(format!(
                "preprocessing.kind is {kind}, {unknown}"
            )));
        }
        check(kind == K::KIND, "preprocessing.kind", kind, K::KIND)?;
        let error = |error| ManifestError(format!("preprocessing of kind {kind}: {error}"));
        let spec: K = settings.clone().try_into().map_err(error)?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks the settings of a kind that this crate knows.
    pub(crate) fn validate(&self) -> Result<(), ManifestError> {
        self.known().map_or(Ok(()), |(_, _, check)| check(self))
    }

    /// Files that the bundle must hold, as far as this crate knows the kind.
    pub(crate) fn files(&self) -> &'static [&'static str] {
        self.known().map_or(&[], |(_, files, _)| files)
    }

    fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|(kind, ..)| *kind == self.kind)
    }
}

impl Manifest {
    /// The model's pre-processing, which must be of kind `K`.
    ///
    /// # Errors
    /// The model has no pre-processing, or its kind is not `K`, or its settings are not allowed.
    pub fn spec<K: PreprocessingKind>(&self) -> Result<K, ManifestError> {
        match &self.preprocessing {
            Some(preprocessing) => preprocessing.read(),
            None => Err(ManifestError::field("preprocessing", "missing", K::KIND)),
        }
    }
}
