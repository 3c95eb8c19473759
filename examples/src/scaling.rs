//! A pre-processing: coordinates are scaled before they meet the graph.

use quintet_bundle::{ManifestError, PreprocessingKind};
use serde::{Deserialize, Serialize};

/// What a manifest says: `kind = "scaling"` and a factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Each coordinate is multiplied by it.
    pub factor: f32,
}

impl Scaling {
    /// What the graph takes for a point.
    pub fn apply(&self, point: [f32; 2]) -> [f32; 2] {
        point.map(|coordinate| coordinate * self.factor)
    }
}

impl PreprocessingKind for Scaling {
    const KIND: &'static str = "scaling";

    fn validate(&self) -> Result<(), ManifestError> {
        if self.factor.is_finite() && self.factor > 0.0 {
            return Ok(());
        }
        let (field, allowed) = ("preprocessing.factor", "a finite number above 0");
        Err(ManifestError::field(field, self.factor, allowed))
    }
}
