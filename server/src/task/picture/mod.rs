//! Pictures of requests and answers.

mod decode;
mod encode;
mod format;
mod header;
mod jpeg;
mod reduced;

pub use decode::{Wanted, decode};
pub use encode::{picture, sheet};
pub use header::pixels;
/// How a response's pictures are written.
pub use quintet_proto::v1::ImageFormat;
/// A picture: a whole PNG, JPEG or WebP file, or pixels.
pub use quintet_proto::v1::image::Source as Picture;

/// Pictures of a request that together have no more pixels than this are decoded, or encoded, on
/// the I/O thread: that takes less time than handing them over.
pub(crate) const INLINE_PIXELS: u64 = 128 * 128;
