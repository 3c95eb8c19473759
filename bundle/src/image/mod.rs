//! Pictures of digits: any picture to grey, any grey picture to an MNIST frame, and many frames to one picture.

mod frame;
mod grey;
mod ground;
mod resample;
mod sheet;
mod strokes;

pub use ::image::GrayImage;
pub use frame::{Framing, frame_digit};
pub use grey::{ImageError, to_grey};
pub use sheet::{sheet, square_columns};

/// Width and height of a frame in pixels.
pub const SIDE: usize = 28;

/// One digit as in MNIST: 28×28 grey levels, row by row, light ink (255) on dark ground (0).
pub type Frame = [u8; SIDE * SIDE];
