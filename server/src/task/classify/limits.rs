//! What one request for classification may ask for.

/// The largest request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Images in one request.
    pub max_images: usize,
    /// Pixels of one image.
    pub max_image_pixels: u64,
}
