//! What one row of a model's inputs and outputs is.

use std::fmt;

use quintet_bundle::{DataType, Dim, Manifest, Preprocessing, TensorSpec};

/// A model's inputs and outputs, seen from one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// In the graph's order.
    pub inputs: Vec<Port>,
    /// In the graph's order.
    pub outputs: Vec<Port>,
    /// Set where one of the inputs is a sequence.
    pub sequence: Option<Sequence>,
}

/// How long a row's sequence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// The input that says so, row by row; it is INT32.
    pub lengths: usize,
    /// The most steps that the model reads.
    pub longest: usize,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The value's name in the graph.
    pub name: String,
    /// The elements' type.
    pub datatype: DataType,
    /// Whether a row has a length of its own: the tensor's dimension after `N`. Shorter rows of a batch are padded with
    /// zeros on the right.
    pub is_sequence: bool,
    /// The shape of one row: the tensor's without the leading `N`; of a sequence, the shape of one step.
    pub row_shape: Vec<usize>,
    /// How many values from 0 on an element may have, where not all of the type's are allowed.
    pub values: Option<usize>,
}

/// The signature cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// A tensor's first dimension is not the batch's, or another one is open where it must not be.
    #[error(
        "`{name}` has shape {shape}; only a symbolic first dimension, the batch's, can be batched, and of one input a \
         symbolic second one, with an INT32 input `lengths` [N] beside it"
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
        let mut signature = Self {
            inputs: ports(&manifest.inputs)?,
            outputs: ports(&manifest.outputs)?,
            sequence: None,
        };
        let is_sequence = |port: &Port| port.is_sequence;
        let refuse = |spec: &TensorSpec| Err(refusal(spec));
        if let Some(output) = signature.outputs.iter().position(is_sequence) {
            return refuse(&manifest.outputs[output]);
        }
        let Some(input) = signature.inputs.iter().position(is_sequence) else {
            return Ok(signature);
        };
        let lengths = signature.inputs.iter().position(Port::is_lengths);
        let others = &signature.inputs[input + 1..];
        match (lengths, &manifest.preprocessing) {
            (Some(lengths), Some(Preprocessing::TokenSequence { max_tokens }))
                if !others.iter().any(is_sequence) =>
            {
                signature.sequence = Some(Sequence {
                    lengths,
                    longest: *max_tokens,
                });
                Ok(signature)
            }
            _ => refuse(&manifest.inputs[input]),
        }
    }
}

// === impl Port ===

impl Port {
    fn of(spec: &TensorSpec) -> Result<Self, SignatureError> {
        let Some((Dim::Symbol(_), rest)) = spec.shape.split_first() else {
            return Err(refusal(spec));
        };
        let is_sequence = matches!(rest, [Dim::Symbol(_), ..]);
        let row_shape = rest[usize::from(is_sequence)..]
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(size) => Ok(*size),
                Dim::Symbol(_) => Err(refusal(spec)),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: spec.name.clone(),
            datatype: spec.datatype,
            is_sequence,
            row_shape,
            values: None,
        })
    }

    /// Elements in a row, or in a step of a sequence.
    pub fn row_len(&self) -> usize {
        self.row_shape.iter().product()
    }

    /// Bytes in a row, or in a step of a sequence.
    pub fn row_bytes(&self) -> usize {
        self.row_len() * self.datatype.size()
    }

    /// The shape of one row, -1 for a length of its own.
    pub fn open_row_shape(&self) -> impl Iterator<Item = i64> {
        let length = self.is_sequence.then_some(-1);
        let rest = self.row_shape.iter().map(|size| *size as i64);
        length.into_iter().chain(rest)
    }

    /// The shape of `rows` rows, sequences padded to `steps` steps.
    pub(super) fn batch_shape(&self, rows: usize, steps: usize) -> Vec<i64> {
        let dims = std::iter::once(rows as i64).chain(self.open_row_shape());
        let closed = |dim| if dim < 0 { steps as i64 } else { dim };
        dims.map(closed).collect()
    }

    /// Whether it tells the length of each row's sequence.
    fn is_lengths(&self) -> bool {
        self.name == "lengths"
            && self.datatype == DataType::Int32
            && !self.is_sequence
            && self.row_shape.is_empty()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}[N", self.name, self.datatype)?;
        if self.is_sequence {
            f.write_str(", L")?;
        }
        self.row_shape
            .iter()
            .try_for_each(|size| write!(f, ", {size}"))?;
        f.write_str("]")
    }
}

fn refusal(spec: &TensorSpec) -> SignatureError {
    let dims: Vec<_> = spec.shape.iter().map(ToString::to_string).collect();
    SignatureError::Shape {
        name: spec.name.clone(),
        shape: format!("[{}]", dims.join(", ")),
    }
}
