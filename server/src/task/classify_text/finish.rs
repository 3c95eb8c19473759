//! From a row to a classification.

use quintet_proto::v1;

use crate::model::Model;
use crate::runtime::Row;
use crate::task::probabilities::rank;
use crate::task::text::Output;
use crate::task::wire::label;

/// What a request wants to know of each text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) top_k: usize,
    pub(super) logits: bool,
}

impl Wanted {
    /// Completes what is known of a text by its row of outputs. `None`: the row holds a number that
    /// is no answer.
    pub(super) fn answer(
        self,
        model: &Model,
        output: Output,
        row: &Row,
        seen: v1::TextClassification,
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
            ..seen
        })
    }
}
