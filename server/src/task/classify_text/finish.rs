//! From a row to a classification.

use quintet_proto::v1;

use crate::model::Model;
use crate::runtime::Row;
use crate::task::probabilities::rank;
use crate::task::text::Output;
use crate::task::wire::label;

/// What is known of a text when it has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) tokens: u32,
    pub(super) truncated: bool,
}

/// What a request wants to know of each text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) top_k: usize,
    pub(super) logits: bool,
}

impl Wanted {
    /// What a row of outputs says of a text that was read. `None`: the row holds a number that is no
    /// answer.
    pub(super) fn answer(
        self,
        model: &Model,
        output: Output,
        row: &Row,
        read: Read,
    ) -> Option<v1::TextClassification> {
        let ranked = rank(output.probabilities(row)?, self.top_k);
        let logits = if self.logits || matches!(output, Output::Regression(_)) {
            output.logits(row)?.into_vec()
        } else {
            Vec::new()
        };
        Some(v1::TextClassification {
            labels: ranked.into_iter().map(|it| label(model, it)).collect(),
            logits,
            tokens: read.tokens,
            truncated: read.truncated,
        })
    }
}
