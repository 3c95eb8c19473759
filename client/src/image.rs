//! A picture to classify.

use bytes::Bytes;
use quintet_proto::v1 as wire;

/// A picture, as a file or as pixels. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(pub(crate) wire::Image);

// === impl Image ===

impl Image {
    /// A whole PNG or JPEG file, as it is; the server decodes it.
    pub fn encoded(file: impl Into<Bytes>) -> Self {
        Self::new(wire::image::Source::Encoded(file.into()))
    }

    /// Pixels, row by row from the top left, one byte a channel, channels interleaved: `width × height × channels`
    /// bytes. `channels` is 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha.
    ///
    /// The server checks that the numbers agree, and names the field when they do not.
    pub fn raw(width: u32, height: u32, channels: u32, pixels: impl Into<Bytes>) -> Self {
        let data = pixels.into();
        Self::new(wire::image::Source::Raw(wire::RawImage {
            width,
            height,
            channels,
            data,
        }))
    }

    fn new(source: wire::image::Source) -> Self {
        Self(wire::Image {
            source: Some(source),
        })
    }
}
