//! Sentiment: texts to tokens, a score to a label.

mod finish;
mod limits;
mod prepare;
mod wire;

pub use finish::Score;
pub use limits::Limits;
pub use prepare::{Reader, Reading};

use std::error::Error;
use std::sync::Arc;

pub use quintet_bundle::task::TEXT_CLASSIFICATION as NAME;
use quintet_bundle::{Bundle, Manifest, Role};

use super::{DefaultModel, Task, TaskState};
use crate::grpc::Rpc;
use crate::runtime::{Port, Signature};

/// The task. It keeps a [`Reader`] of each model.
#[derive(Debug)]
pub struct Sentiment {
    /// The largest request.
    pub limits: Limits,
    /// The model for requests that name none.
    pub default_model: Option<String>,
}

impl Task for Sentiment {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Checks that the model takes tokens and gives the probability of the second of two labels.
    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        prepare::check(manifest)?;
        finish::Output::of(manifest).map(drop)
    }

    fn open(
        &self,
        bundle: &Bundle,
        signature: &mut Signature,
    ) -> Result<TaskState, Box<dyn Error + Send + Sync>> {
        let reader = Reader::of(bundle)?;
        let tokens = |port: &&mut Port| port.role == Some(Role::Tokens);
        if let Some(port) = signature.inputs.iter_mut().find(tokens) {
            port.values = Some(reader.vocabulary_size());
        }
        Ok(Arc::new(reader))
    }

    fn default_model(&self) -> Option<DefaultModel<'_>> {
        let model = self.default_model.as_deref()?;
        Some(DefaultModel {
            model,
            option: "default_sentiment_model",
        })
    }

    fn calls(&self) -> Vec<Rpc> {
        wire::calls(self.limits)
    }
}
