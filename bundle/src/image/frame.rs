//! Placeholder.
use super::{Frame, GrayImage, SIDE};
/// How a picture becomes a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// Find the digit and frame it as MNIST's authors did.
    #[default]
    Auto,
    /// Take the pixels as they are, resized to 28×28 if needed.
    None,
}
/// Makes a frame.
pub fn frame_digit(image: &GrayImage, _framing: Framing) -> Frame {
    let mut f = [0; SIDE * SIDE];
    let r = ::image::imageops::resize(image, 28, 28, ::image::imageops::FilterType::Triangle);
    f.copy_from_slice(r.as_raw());
    f
}
