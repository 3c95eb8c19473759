//! Which models are served.

use std::path::PathBuf;

use crate::app::StartError;
use crate::repository::{Defaults, Repository};

/// The model repository, and the models in it that are special.
#[derive(Debug, Clone, clap::Args)]
pub struct RepositoryOptions {
    /// The model repository: a folder of NAME/VERSION/ bundles.
    #[arg(long, env = "QUINTET_MODELS_DIR", value_name = "DIR")]
    #[arg(default_value = "models")]
    pub models_dir: PathBuf,

    /// The classifier for requests that name no model [default: the first by name that is ready].
    #[arg(long, env = "QUINTET_DEFAULT_CLASSIFIER", value_name = "MODEL")]
    pub default_classifier: Option<String>,

    /// The sentiment model for requests that name no model [default: the first by name that is ready].
    #[arg(long, env = "QUINTET_DEFAULT_SENTIMENT_MODEL", value_name = "MODEL")]
    pub default_sentiment_model: Option<String>,

    /// The generator for requests that name no model [default: the first by name that is ready].
    #[arg(long, env = "QUINTET_DEFAULT_GENERATOR", value_name = "MODEL")]
    pub default_generator: Option<String>,

    /// Models without which the server is not ready, separated by commas [default: all in the repository].
    #[arg(long, env = "QUINTET_REQUIRED_MODELS", value_name = "MODELS")]
    #[arg(value_delimiter = ',')]
    pub required_models: Vec<String>,
}

impl RepositoryOptions {
    /// Finds the models; loads none.
    ///
    /// # Errors
    /// [`StartError::Repository`], and [`StartError::DefaultModel`].
    pub fn find(&self) -> Result<Repository, StartError> {
        let defaults = Defaults {
            classifier: self.default_classifier.clone(),
            sentiment_model: self.default_sentiment_model.clone(),
            generator: self.default_generator.clone(),
        };
        let repository = Repository::find(&self.models_dir, defaults, &self.required_models)?;
        for (option, name) in [
            ("default_classifier", &self.default_classifier),
            ("default_sentiment_model", &self.default_sentiment_model),
            ("default_generator", &self.default_generator),
        ] {
            if let Some(model) = name.clone()
                && !repository.names().any(|known| known == model)
            {
                return Err(StartError::DefaultModel { option, model });
            }
        }
        Ok(repository)
    }
}
