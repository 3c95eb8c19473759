//! Pictures of requests and answers.

mod decode;
mod encode;
mod jpeg;

pub use decode::{decode, pixels};
pub use encode::{picture, sheet};
/// How a response's pictures are written.
pub use quintet_proto::v1::ImageFormat;
/// A picture: a whole PNG or JPEG file, or pixels.
pub use quintet_proto::v1::image::Source as Picture;

/// Pictures of a request that together have no more pixels than this are decoded, or encoded, on
/// the I/O thread: that takes less time than handing them over.
pub(crate) const INLINE_PIXELS: u64 = 128 * 128;
