//! Sentiment: texts to tokens, a score to a label.

mod finish;
mod prepare;
mod wire;

pub use finish::{Score, score};
pub use prepare::{Reader, Reading};

use std::error::Error;
use std::sync::Arc;

use quintet_bundle::{Bundle, DataType, Manifest, Preprocessing, TensorSpec};

use super::{Task, TaskState};
use crate::grpc::Rpc;
use crate::runtime::Signature;

/// The task's name in a manifest.
pub const NAME: &str = quintet_bundle::Task::TextClassification.as_str();

/// The task. It keeps a [`Reader`] of each model.
#[derive(Debug)]
pub struct Sentiment(pub Limits);

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Texts in one request.
    pub max_texts: usize,
    /// Bytes of one text.
    pub max_text_bytes: usize,
}

impl Task for Sentiment {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Checks that the model takes tokens and gives the probability of the second of two labels.
    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        let inputs = [
            TensorSpec::new("tokens", DataType::Int64, ["N".into(), "L".into()]),
            TensorSpec::new("lengths", DataType::Int32, ["N".into()]),
        ];
        if manifest.inputs != inputs {
            let needed = "`tokens` INT64 [N, L] and `lengths` INT32 [N]";
            return Err(format!("its inputs are not {needed}"));
        }
        if manifest.outputs != [TensorSpec::new("score", DataType::Float32, ["N".into()])] {
            return Err("its output is not `score` FP32 [N]".to_owned());
        }
        if manifest.labels.len() != 2 {
            let labels = manifest.labels.len();
            return Err(format!(
                "it has {labels} labels; 2 are needed, the negative one first"
            ));
        }
        match manifest.preprocessing {
            Some(Preprocessing::TokenSequence { max_tokens: 1.. }) => Ok(()),
            _ => Err("its pre-processing is not a token sequence".to_owned()),
        }
    }

    fn open(
        &self,
        bundle: &Bundle,
        signature: &mut Signature,
    ) -> Result<TaskState, Box<dyn Error + Send + Sync>> {
        let reader = Reader::of(bundle)?;
        for port in signature.inputs.iter_mut().filter(|port| port.is_sequence) {
            port.values = Some(reader.vocabulary_size());
        }
        Ok(Arc::new(reader))
    }

    fn default_option(&self) -> Option<&'static str> {
        Some("default_sentiment_model")
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.0)
    }
}
