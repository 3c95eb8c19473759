//! From frames to pictures.

use bytes::Bytes;

use super::Size;
use crate::blocking::Blocking;
use crate::error::ServeError;
use crate::task::picture::{self, Format, INLINE_PIXELS, Picture};

/// Images as the caller wants them.
#[derive(Debug)]
pub(super) enum Pictures {
    /// One per image.
    Separate(Vec<Picture>),
    /// All of them.
    Sheet(Picture),
}

/// Writes frames as pictures, all on one sheet or each by itself: many on a blocking thread.
pub(super) async fn write(
    blocking: &Blocking,
    form: (Format, Size),
    is_sheet: bool,
    frames: Vec<Bytes>,
) -> Result<Pictures, ServeError> {
    let pixels: usize = frames.iter().map(Bytes::len).sum();
    if form.0 == Format::Raw || pixels as u64 <= INLINE_PIXELS {
        return pictures(form, is_sheet, frames, || true);
    }
    let work = blocking.run(move |caller| pictures(form, is_sheet, frames, || caller.is_waiting()));
    work.await
}

/// Frames as pictures, as long as the caller `is_waiting`.
fn pictures(
    (format, Size { width, height }): (Format, Size),
    is_sheet: bool,
    frames: Vec<Bytes>,
    is_waiting: impl Fn() -> bool,
) -> Result<Pictures, ServeError> {
    let written = if is_sheet {
        picture::sheet(format, &frames, [width, height]).map(Pictures::Sheet)
    } else {
        let frames = frames.into_iter().take_while(|_| is_waiting());
        let pictures =
            frames.map(|frame| picture::picture(format, width as u32, height as u32, frame));
        pictures.collect::<Result<_, _>>().map(Pictures::Separate)
    };
    written.map_err(|error| ServeError::fault("writing an image", &error))
}
