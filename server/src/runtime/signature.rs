//! What one row of a model's inputs and outputs is.

use std::fmt;

use quintet_bundle::{DataType, Dim, Manifest, TensorSpec};

/// A model's inputs and outputs, seen from one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// In the graph's order.
    pub inputs: Vec<Port>,
    /// In the graph's order.
    pub outputs: Vec<Port>,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The value's name in the graph.
    pub name: String,
    /// The elements' type.
    pub datatype: DataType,
    /// The shape of one row: the tensor's without the leading `N`.
    pub row_shape: Vec<usize>,
}

/// The signature cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// A tensor's first dimension is not the batch's.
    #[error(
        "`{name}` has shape {shape}; only a symbolic first dimension, the batch's, can be batched"
    )]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape in the manifest.
        shape: String,
    },
    /// The graph says something else than the manifest.
    #[error("the manifest's {manifest} is {graph} in the graph")]
    Mismatch {
        /// What the manifest says.
        manifest: String,
        /// What the graph says.
        graph: String,
    },
}

// === impl Signature ===

impl Signature {
    /// The rows that a manifest describes.
    pub fn of(manifest: &Manifest) -> Result<Self, SignatureError> {
        let ports = |specs: &[TensorSpec]| specs.iter().map(Port::of).collect::<Result<_, _>>();
        Ok(Self {
            inputs: ports(&manifest.inputs)?,
            outputs: ports(&manifest.outputs)?,
        })
    }
}

// === impl Port ===

impl Port {
    fn of(spec: &TensorSpec) -> Result<Self, SignatureError> {
        let refuse = || SignatureError::Shape {
            name: spec.name.clone(),
            shape: format!("[{}]", join(spec.shape.iter())),
        };
        let Some((Dim::Symbol(_), rest)) = spec.shape.split_first() else {
            return Err(refuse());
        };
        let row_shape = rest
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(size) => Ok(*size),
                Dim::Symbol(_) => Err(refuse()),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: spec.name.clone(),
            datatype: spec.datatype,
            row_shape,
        })
    }

    /// Elements in a row.
    pub fn row_len(&self) -> usize {
        self.row_shape.iter().product()
    }

    /// Bytes in a row.
    pub fn row_bytes(&self) -> usize {
        self.row_len() * self.datatype.size()
    }

    /// The shape of `rows` rows.
    pub(super) fn batch_shape(&self, rows: usize) -> Vec<i64> {
        std::iter::once(rows)
            .chain(self.row_shape.iter().copied())
            .map(|size| size as i64)
            .collect()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}[N", self.name, self.datatype)?;
        self.row_shape
            .iter()
            .try_for_each(|size| write!(f, ", {size}"))?;
        f.write_str("]")
    }
}

fn join(items: impl Iterator<Item = impl fmt::Display>) -> String {
    items
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
