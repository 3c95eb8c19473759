//! Text classification: which models it takes, and what its calls share. Each call has a folder
//! beside this one.

mod output;
mod prepare;

pub(super) use output::Output;
pub(super) use prepare::{Input, read};
pub use prepare::{Reader, Reading};

use std::sync::Arc;

pub use quintet_bundle::task::TEXT_CLASSIFICATION as NAME;
use quintet_bundle::{Bundle, Manifest, Role};

use super::{Opened, Task, classify_text, sentiment};
use crate::grpc::Rpc;
use crate::runtime::{Port, Signature};
use crate::value_parser::at_least_one;

/// The task. It keeps a [`Reader`] of each model.
#[derive(Debug)]
pub struct Text(pub Limits);

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub struct Limits {
    /// The most texts that one request may hold.
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one)]
    pub max_texts_per_request: usize,
    /// The longest text in bytes, together with its pair; all of it is tokenised, though the model
    /// may read its end only.
    #[arg(long, value_name = "BYTES", default_value = "1048576", value_parser = at_least_one)]
    pub max_text_bytes: usize,
}

/// The test accuracy of a model that SentimentScore can be asked of, or 0 where it is not known.
pub(crate) fn sentiment_rank(manifest: &Manifest) -> Option<f64> {
    sentiment::Polarity::of(manifest)?;
    let accuracy = manifest.metrics.get("test_accuracy");
    Some(accuracy.copied().unwrap_or_default())
}

impl Task for Text {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Checks that the model takes tokens and says something of each label.
    fn open(&self, bundle: &Bundle, signature: &mut Signature) -> Opened {
        let reader = Reader::of(bundle)?;
        let tokens = |port: &&mut Port| port.role == Some(Role::Tokens);
        if let Some(port) = signature.inputs.iter_mut().find(tokens) {
            port.values = Some(reader.vocabulary_size());
        }
        Ok(Arc::new(reader))
    }

    fn calls(&self) -> Vec<Rpc> {
        vec![sentiment::call(self.0), classify_text::call(self.0)]
    }
}
