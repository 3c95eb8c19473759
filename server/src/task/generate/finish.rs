//! From frames to pictures.

use bytes::Bytes;

use super::Size;
use crate::blocking::Blocking;
use crate::decode::{INLINE_PIXELS, Picture};
use crate::encode::{self, Format};
use crate::error::ServeError;

/// How the caller wants its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// How a picture is written.
    pub(super) format: Format,
    /// Whether each image is a picture of its own.
    pub(super) layout: Layout,
}

/// How images become pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Each image is a picture.
    Separate,
    /// One picture holds all images.
    Grid,
}

/// Images as the caller wants them.
#[derive(Debug)]
pub(super) enum Pictures {
    /// One per image.
    Separate(Vec<Picture>),
    /// All of them.
    Sheet(Picture),
}

/// Writes frames as pictures: many on a blocking thread.
pub(super) async fn write(
    blocking: &Blocking,
    form: Form,
    size: Size,
    frames: Vec<Bytes>,
) -> Result<Pictures, ServeError> {
    let pixels: usize = frames.iter().map(Bytes::len).sum();
    if form.format == Format::Raw || pixels as u64 <= INLINE_PIXELS {
        return pictures(form, size, frames, || true);
    }
    let work = blocking.run(move |caller| pictures(form, size, frames, || caller.is_waiting()));
    work.await
}

/// Frames as pictures, as long as the caller `is_waiting`.
fn pictures(
    form: Form,
    Size { width, height }: Size,
    frames: Vec<Bytes>,
    is_waiting: impl Fn() -> bool,
) -> Result<Pictures, ServeError> {
    let written = match form.layout {
        Layout::Grid => encode::sheet(form.format, &frames, [width, height]).map(Pictures::Sheet),
        Layout::Separate => {
            let frames = frames.into_iter().take_while(|_| is_waiting());
            let pictures = frames
                .map(|frame| encode::picture(form.format, width as u32, height as u32, frame));
            pictures.collect::<Result<_, _>>().map(Pictures::Separate)
        }
    };
    written.map_err(|error| ServeError::fault("writing an image", &error))
}
