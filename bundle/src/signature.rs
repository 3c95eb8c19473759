//! What a model takes and gives: names, types and shapes, some dimensions left open.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DataType, Role};

/// One dimension of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// Always this size.
    Fixed(usize),
    /// Any size, the same wherever the symbol stands. `N`, the first dimension, counts rows.
    Symbol(String),
}

/// Name, type and shape of one input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Name of the value in the ONNX graph.
    pub name: String,
    /// What the value means; a tensor without a role is only for callers that name it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Element type.
    pub datatype: DataType,
    /// Shape, outermost dimension first: `["N", 28, 28]`.
    pub shape: Vec<Dim>,
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dim {
    fn from(symbol: &str) -> Self {
        Self::Symbol(symbol.to_owned())
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => size.fmt(f),
            Self::Symbol(symbol) => symbol.fmt(f),
        }
    }
}

impl TensorSpec {
    /// The spec of a value without a role.
    pub fn new(name: impl Into<String>, datatype: DataType, shape: impl Into<Vec<Dim>>) -> Self {
        Self {
            name: name.into(),
            role: None,
            datatype,
            shape: shape.into(),
        }
    }

    /// The spec of a value that is called by its role.
    pub fn of_role(role: Role, datatype: DataType, shape: impl Into<Vec<Dim>>) -> Self {
        Self {
            role: Some(role),
            ..Self::new(role.to_string(), datatype, shape)
        }
    }

    /// Whether `shape` fits. Symbols already in `sizes` must keep their size; new ones are added.
    pub(crate) fn fits<'s>(
        &'s self,
        shape: &[usize],
        sizes: &mut BTreeMap<&'s str, usize>,
    ) -> bool {
        self.shape.len() == shape.len()
            && self.shape.iter().zip(shape).all(|(dim, &size)| match dim {
                Dim::Fixed(fixed) => *fixed == size,
                Dim::Symbol(symbol) => *sizes.entry(symbol).or_insert(size) == size,
            })
    }

    /// The shape as a person writes it: `[N, 28, 28]`.
    pub fn shape_text(&self) -> String {
        let dims: Vec<_> = self.shape.iter().map(ToString::to_string).collect();
        format!("[{}]", dims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_keep_their_size() {
        let tokens = TensorSpec::new("tokens", DataType::Int64, ["N".into(), "L".into()]);
        let score = TensorSpec::new("score", DataType::Float32, ["N".into()]);
        let mut sizes = BTreeMap::new();
        assert!(tokens.fits(&[3, 40], &mut sizes));
        assert!(score.fits(&[3], &mut sizes));
        assert!(!score.fits(&[4], &mut sizes));
        assert!(!score.fits(&[3, 1], &mut sizes));
        assert_eq!(tokens.shape_text(), "[N, L]");
    }
}
