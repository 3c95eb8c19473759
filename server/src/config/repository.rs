//! Which models are served.

use std::path::PathBuf;

use crate::app::StartError;
use crate::repository::Repository;
use crate::task::{classify, generate, text};

/// The model repository, and the models in it that are special.
#[derive(Debug, Clone, clap::Args)]
pub struct RepositoryOptions {
    /// The model repository: a folder of NAME/VERSION/ bundles.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models_dir: PathBuf,
    /// The classifier for requests that name no model [default: of those that can be served, the
    /// first by name that knows the ten digits, else the first by name].
    #[arg(long, value_name = "MODEL")]
    pub default_classifier: Option<String>,
    /// The text classifier for requests that name no model [default: of those that can be served
    /// and have two labels, the one of the highest test accuracy, else the first by name].
    #[arg(long, value_name = "MODEL")]
    pub default_sentiment_model: Option<String>,
    /// The generator for requests that name no model [default: the first by name that can be
    /// served].
    #[arg(long, value_name = "MODEL")]
    pub default_generator: Option<String>,
    /// Models without which the server is not ready, separated by commas [default: all in the
    /// repository].
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    pub required_models: Vec<String>,
}

impl RepositoryOptions {
    /// Finds the models, and the default ones of the tasks; loads none.
    ///
    /// # Errors
    /// [`StartError::Repository`], and [`StartError::DefaultModel`].
    pub fn find(&self) -> Result<Repository, StartError> {
        // An empty list reads as one empty name: of a variable that is set to nothing.
        let required = self.required_models.iter().filter(|name| !name.is_empty());
        let required: Vec<String> = required.cloned().collect();
        let mut repository = Repository::find(&self.models_dir, &required)?;
        for (task, option, model) in [
            (
                classify::NAME,
                "default_classifier",
                &self.default_classifier,
            ),
            (
                text::NAME,
                "default_sentiment_model",
                &self.default_sentiment_model,
            ),
            (generate::NAME, "default_generator", &self.default_generator),
        ] {
            let Some(model) = model.clone() else { continue };
            if !repository.names().any(|known| known == model) {
                return Err(StartError::DefaultModel { option, model });
            }
            repository.set_default(task, model);
        }
        // SentimentScore and ClassifyText share a default, which both should be able to use.
        repository.prefer(text::NAME, text::sentiment_rank);
        // A classifier of other things must not answer callers who send digits, because it was
        // loaded first or the one before it is broken.
        repository.prefer(classify::NAME, |it| {
            classify::digits(&it.labels).map(|_| 0.0)
        });
        Ok(repository)
    }
}
