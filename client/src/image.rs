//! A picture, to classify or generated.

use bytes::Bytes;
use quintet_proto::v1 as wire;

/// A picture, as a file or as pixels. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(pub(crate) wire::Image);

/// The pixels of an [`Image`] that is not a file, as [`Image::raw`] takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawPixels<'a> {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes of a pixel.
    pub channels: u32,
    /// Row by row from the top left: `width × height × channels` bytes, if who made the image kept
    /// to it.
    pub data: &'a Bytes,
}

impl Image {
    /// A whole PNG, JPEG or WebP file, as it is; the server decodes it.
    pub fn encoded(file: impl Into<Bytes>) -> Self {
        Self::new(wire::image::Source::Encoded(file.into()))
    }

    /// Pixels, row by row from the top left, one byte a channel, channels interleaved: `width ×
    /// height × channels` bytes. `channels` is 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for
    /// RGB and alpha.
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

    /// The PNG, JPEG or WebP file, if it is one.
    pub fn as_encoded(&self) -> Option<&Bytes> {
        match &self.0.source {
            Some(wire::image::Source::Encoded(file)) => Some(file),
            _ => None,
        }
    }

    /// The pixels, if it is made of such.
    pub fn as_raw(&self) -> Option<RawPixels<'_>> {
        match &self.0.source {
            Some(wire::image::Source::Raw(raw)) => Some(RawPixels {
                width: raw.width,
                height: raw.height,
                channels: raw.channels,
                data: &raw.data,
            }),
            _ => None,
        }
    }

    fn new(source: wire::image::Source) -> Self {
        Self(wire::Image {
            source: Some(source),
        })
    }
}
