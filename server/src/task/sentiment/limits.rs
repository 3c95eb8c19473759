//! What one request for sentiment may ask for.

/// The largest request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Texts in one request.
    pub max_texts: usize,
    /// Bytes of one text.
    pub max_text_bytes: usize,
}
