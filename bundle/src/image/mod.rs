//! Pictures: what a model takes of them, any picture to that, and many frames to one picture.

mod card;
mod colour;
mod convolution;
mod digit;
#[cfg(test)]
mod drawing;
mod falloff;
mod find;
mod findings;
mod frame;
mod garment;
mod grey;
mod hull;
mod ink;
mod input;
mod levels;
mod light;
mod noise;
mod patches;
mod pixels;
mod polarity;
mod resample;
mod resize;
mod rules;
mod several;
mod shade;
mod sheet;
mod spec;
mod strokes;
mod writing;

pub use ::image::GrayImage;
pub use findings::{Dropped, Findings, Polarity, Thing};
pub use frame::{Framed, Framing, frame_digit};
pub use grey::{ImageError, to_grey};
pub use input::ImageInput;
pub use pixels::{Colours, Margins, Pixels};
pub use resize::Fitted;
pub use sheet::{sheet, square_columns};
pub use spec::{Channels, Filter, Fit, ImageSpec, WHITE};

/// Width and height of an MNIST frame in pixels.
pub const SIDE: usize = 28;

/// One digit as in MNIST: 28×28 grey levels, row by row, light ink (255) on dark ground (0).
pub type Frame = [u8; SIDE * SIDE];
