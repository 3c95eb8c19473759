//! The options that bound what one request may ask for.

use super::value::at_least_one;
use crate::task::{Limits, classify, generate, sentiment};

/// Bounds on requests.
#[derive(Debug, Clone, clap::Args)]
pub struct LimitOptions {
    /// The most images that one request may hold.
    #[arg(long, env = "QUINTET_MAX_IMAGES_PER_REQUEST", value_name = "N")]
    #[arg(default_value = "256", value_parser = at_least_one)]
    pub max_images_per_request: usize,

    /// The most pixels that one image may have.
    #[arg(long, env = "QUINTET_MAX_IMAGE_PIXELS", value_name = "N")]
    #[arg(default_value = "16777216")]
    pub max_image_pixels: u64,

    /// The most texts that one request may hold.
    #[arg(long, env = "QUINTET_MAX_TEXTS_PER_REQUEST", value_name = "N")]
    #[arg(default_value = "256", value_parser = at_least_one)]
    pub max_texts_per_request: usize,

    /// The longest text in bytes; all of it is tokenised, though the model may read its end only.
    #[arg(long, env = "QUINTET_MAX_TEXT_BYTES", value_name = "BYTES")]
    #[arg(default_value = "1048576", value_parser = at_least_one)]
    pub max_text_bytes: usize,

    /// The most images that one GenerateDigits may ask for.
    #[arg(long, env = "QUINTET_MAX_IMAGES_PER_GENERATION", value_name = "N")]
    #[arg(default_value = "1024", value_parser = at_least_one)]
    pub max_images_per_generation: usize,

    /// The most images that one GenerateDigitsStream may ask for.
    #[arg(
        long,
        env = "QUINTET_MAX_IMAGES_PER_GENERATION_STREAM",
        value_name = "N"
    )]
    #[arg(default_value = "100000", value_parser = at_least_one)]
    pub max_images_per_generation_stream: usize,

    /// How many candidates may be drawn for each image asked for, where not every one will do.
    #[arg(long, env = "QUINTET_MAX_CANDIDATES_PER_IMAGE", value_name = "N")]
    #[arg(default_value = "256", value_parser = at_least_one)]
    pub max_candidates_per_image: usize,
}

impl LimitOptions {
    /// The bounds, as the tasks know them.
    pub fn build(&self) -> Limits {
        Limits {
            classify: classify::Limits {
                max_images: self.max_images_per_request,
                max_image_pixels: self.max_image_pixels,
            },
            sentiment: sentiment::Limits {
                max_texts: self.max_texts_per_request,
                max_text_bytes: self.max_text_bytes,
            },
            generate: generate::Limits {
                max_images: self.max_images_per_generation,
                max_images_per_stream: self.max_images_per_generation_stream,
                max_candidates_per_image: self.max_candidates_per_image,
            },
        }
    }
}
