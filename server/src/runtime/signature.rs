//! What one row of a model's inputs and outputs is.

use std::fmt;

use quintet_bundle::text::TextSpec;
use quintet_bundle::{DataType, Dim, Manifest, Role, TensorSpec};

/// A model's inputs and outputs, seen from one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// In the graph's order.
    pub inputs: Vec<Port>,
    /// In the graph's order.
    pub outputs: Vec<Port>,
    /// Set where inputs are sequences; all of a row have the same length.
    pub sequence: Option<Sequence>,
    /// Whether a run takes one row, so that the graph may fix its batch to that.
    pub is_single: bool,
}

/// How long the sequences of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// The input that says so.
    pub measure: Measure,
    /// The most steps that the model reads.
    pub longest: usize,
}

/// The input that tells the length of each row's sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Role `lengths`: this input holds the number of steps.
    Lengths(usize),
    /// Role `attention_mask`: this input is 1 for each step and 0 for padding.
    Mask(usize),
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The value's name in the graph.
    pub name: String,
    /// What it means.
    pub role: Option<Role>,
    /// The elements' type.
    pub datatype: DataType,
    /// Whether a row has a length of its own: the tensor's dimension after `N`. Shorter rows of a
    /// batch are padded on the right.
    pub is_sequence: bool,
    /// What pads them.
    pub padding: i64,
    /// The shape of one row: the tensor's without the leading `N`; of a sequence, the shape of one
    /// step.
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
        "`{name}` has shape {shape}; only a symbolic first dimension, the batch's, can be batched, \
         and a symbolic second one, the same of all inputs that have one, with an input of role \
         lengths or attention_mask beside them and pre-processing of kind text"
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

impl Signature {
    /// The rows that a manifest describes.
    pub fn of(manifest: &Manifest) -> Result<Self, SignatureError> {
        let ports = |specs: &[TensorSpec]| specs.iter().map(Port::of).collect::<Result<_, _>>();
        let mut signature = Self {
            inputs: ports(&manifest.inputs)?,
            outputs: ports(&manifest.outputs)?,
            sequence: None,
            is_single: manifest.max_batch_size == Some(1),
        };
        let is_sequence = |port: &Port| port.is_sequence;
        if let Some(output) = signature.outputs.iter().position(is_sequence) {
            return Err(refusal(&manifest.outputs[output]));
        }
        let Some(sequence) = signature.inputs.iter().position(is_sequence) else {
            return Ok(signature);
        };
        let length = |spec: &TensorSpec| spec.shape.get(1).cloned();
        let shared = length(&manifest.inputs[sequence]);
        let sequences = signature.inputs.iter().zip(&manifest.inputs);
        for (_, spec) in sequences.filter(|(port, _)| port.is_sequence) {
            if length(spec) != shared {
                return Err(refusal(spec));
            }
        }
        let place = |role| {
            signature
                .inputs
                .iter()
                .position(|port| port.role == Some(role))
        };
        let measure = place(Role::Lengths)
            .map(Measure::Lengths)
            .or_else(|| place(Role::AttentionMask).map(Measure::Mask));
        let (Some(measure), Ok(spec)) = (measure, manifest.spec::<TextSpec>()) else {
            return Err(refusal(&manifest.inputs[sequence]));
        };
        if let Some(tokens) = place(Role::Tokens) {
            signature.inputs[tokens].padding = spec.pad_token_id;
        }
        signature.sequence = Some(Sequence {
            measure,
            longest: spec.max_tokens,
        });
        Ok(signature)
    }
}

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
            role: spec.role,
            datatype: spec.datatype,
            is_sequence,
            padding: 0,
            row_shape,
            values: match spec.role {
                Some(Role::AttentionMask | Role::TokenTypeIds) => Some(2),
                _ => None,
            },
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
    SignatureError::Shape {
        name: spec.name.clone(),
        shape: spec.shape_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../bundle/tests/data/manifest_text_v1.toml");

    #[test]
    fn sequences_share_one_length() {
        let mut manifest = Manifest::from_toml(TEXT).unwrap();
        let signature = Signature::of(&manifest).unwrap();
        assert_eq!(signature.sequence.unwrap().measure, Measure::Lengths(1));

        let mut mask = manifest.inputs[0].clone();
        mask.name = "mask".into();
        mask.role = Some(Role::AttentionMask);
        manifest.inputs[1] = mask;
        let signature = Signature::of(&manifest).unwrap();
        assert_eq!(signature.sequence.unwrap().measure, Measure::Mask(1));

        manifest.inputs[1].shape[1] = Dim::from("M");
        let error = Signature::of(&manifest).unwrap_err();
        assert!(
            error.to_string().starts_with("`mask` has shape [N, M]"),
            "{error}"
        );
    }
}
