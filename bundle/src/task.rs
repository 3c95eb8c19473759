//! The tasks that this project's own trainer and server know, by their names in a manifest.
//!
//! A manifest may name any other task: whether one can be served is for the server's tasks to say.

/// Pixels to class probabilities.
pub const IMAGE_CLASSIFICATION: &str = "image_classification";
/// Tokens to a score.
pub const TEXT_CLASSIFICATION: &str = "text_classification";
/// Noise to pixels.
pub const IMAGE_GENERATION: &str = "image_generation";
