//! What one request for images from noise may ask for.

/// The largest request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Images in one answer.
    pub max_images: usize,
    /// Images on one stream.
    pub max_images_per_stream: usize,
    /// Candidates that may be drawn for each image asked for.
    pub max_candidates_per_image: usize,
}
