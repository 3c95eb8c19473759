//! What an input or output of a graph means, whatever its name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DataType, Dim, TensorSpec};

/// What a tensor means. One of each role may be among a model's inputs, and one among its outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Input `[N, L]`: the numbers of a text's tokens, padded on the right.
    Tokens,
    /// Input `[N]`: how many tokens of each row are no padding.
    Lengths,
    /// Input `[N, L]`: 1 for a token, 0 for padding.
    AttentionMask,
    /// Input `[N, L]`: which text of a pair a token belongs to; 0 for a single text.
    TokenTypeIds,
    /// Input or output `[N, height, width]`, or with a dimension of channels: levels from 0 to 255.
    Pixels,
    /// Input `[N, size]`: what a generator makes an image of.
    Noise,
    /// Output `[N, classes]`: the probability of each class; those of a row sum to 1.
    Probabilities,
    /// Output `[N, classes]`: the same before the softmax or sigmoid; of a regression, its numbers.
    Logits,
    /// Output `[N]`: the probability of the second of two labels.
    Score,
}

impl Role {
    /// Whether a model takes tensors of this role.
    pub const fn is_input(self) -> bool {
        !matches!(self, Self::Probabilities | Self::Logits | Self::Score)
    }

    /// Whether a model gives tensors of this role.
    pub const fn is_output(self) -> bool {
        matches!(
            self,
            Self::Pixels | Self::Probabilities | Self::Logits | Self::Score
        )
    }

    /// Whether each row has a length of its own: the tensor's second dimension is symbolic.
    pub const fn is_sequence(self) -> bool {
        matches!(
            self,
            Self::Tokens | Self::AttentionMask | Self::TokenTypeIds
        )
    }

    /// Whether `spec` has a type and shape that this role allows, and which ones those are.
    pub(crate) fn form(self, spec: &TensorSpec) -> (bool, &'static str) {
        use DataType::{Float32, Int32, Int64, Uint8};
        let integer = matches!(spec.datatype, Int32 | Int64);
        let rank = spec.shape.len();
        match self {
            Self::Tokens | Self::AttentionMask | Self::TokenTypeIds => {
                let is_open = matches!(spec.shape[..], [_, Dim::Symbol(_)]);
                let allowed = "INT64 or INT32 [N, L], where L is a symbol";
                (integer && is_open, allowed)
            }
            Self::Lengths => (integer && rank == 1, "INT64 or INT32 [N]"),
            Self::Pixels => (
                matches!(spec.datatype, Uint8 | Float32) && matches!(rank, 3 | 4),
                "UINT8 or FP32 [N, height, width], or with a dimension of channels",
            ),
            Self::Noise | Self::Probabilities | Self::Logits => {
                (spec.datatype == Float32 && rank == 2, "FP32 [N, size]")
            }
            Self::Score => (spec.datatype == Float32 && rank == 1, "FP32 [N]"),
        }
    }
}

/// The role's name in a manifest: `attention_mask`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
