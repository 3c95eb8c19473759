//! The options of the tasks: the limits of a request, and the default models.

use std::collections::BTreeMap;

use super::Options;
use super::settings::{ConfigError, at_least_one};
use crate::task::{Limits, classify, generate, sentiment};

impl Options {
    /// These limits, where they say nothing the file's, else the defaults.
    pub(super) fn limits(&self, file: &Self) -> Result<Limits, ConfigError> {
        let limit = |name, own: fn(&Self) -> Option<usize>, default| {
            at_least_one(name, own(self).or(own(file)).unwrap_or(default))
        };
        Ok(Limits {
            classify: classify::Limits {
                max_images: limit(
                    "max_images_per_request",
                    |it| it.max_images_per_request,
                    256,
                )?,
                max_image_pixels: self
                    .max_image_pixels
                    .or(file.max_image_pixels)
                    .unwrap_or(1 << 24),
            },
            sentiment: sentiment::Limits {
                max_texts: limit("max_texts_per_request", |it| it.max_texts_per_request, 256)?,
                max_text_bytes: limit("max_text_bytes", |it| it.max_text_bytes, 1 << 20)?,
            },
            generate: generate::Limits {
                max_images: limit(
                    "max_images_per_generation",
                    |it| it.max_images_per_generation,
                    1024,
                )?,
                max_images_per_stream: limit(
                    "max_images_per_generation_stream",
                    |it| it.max_images_per_generation_stream,
                    100_000,
                )?,
                max_candidates_per_image: limit(
                    "max_candidates_per_image",
                    |it| it.max_candidates_per_image,
                    256,
                )?,
            },
        })
    }
    /// The default models of these options, where they say nothing the file's, by option.
    pub(super) fn default_models(&self, file: &Self) -> BTreeMap<&'static str, String> {
        let model = |option, own: fn(&Self) -> &Option<String>| {
            let name = own(self).as_ref().or(own(file).as_ref())?;
            Some((option, name.clone()))
        };
        let models = [
            model("default_classifier", |it| &it.default_classifier),
            model("default_sentiment_model", |it| &it.default_sentiment_model),
            model("default_generator", |it| &it.default_generator),
        ];
        models.into_iter().flatten().collect()
    }
}
