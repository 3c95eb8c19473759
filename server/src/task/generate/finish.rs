//! From frames to pictures.

use bytes::Bytes;

use super::plan::Plan;
use crate::blocking::Lane;
use crate::error::ServeError;
use crate::task::picture::{INLINE_PIXELS, ImageFormat, Picture, picture, sheet};

/// Writes frames of one size (width, height) as pictures, all on one sheet or each by itself: many
/// on a blocking thread.
pub(super) async fn write(
    blocking: Lane<'_>,
    plan: &Plan,
    size: [usize; 2],
    frames: Vec<Bytes>,
) -> Result<Vec<Picture>, ServeError> {
    let (format, is_sheet) = (plan.format, plan.is_sheet);
    let pixels: usize = frames.iter().map(Bytes::len).sum();
    let write = move |is_waiting: &dyn Fn() -> bool| {
        let written = if is_sheet {
            sheet(format, &frames, size).map(|sheet| vec![sheet])
        } else {
            let frames = frames.into_iter().take_while(|_| is_waiting());
            frames.map(|frame| picture(format, size, frame)).collect()
        };
        written.map_err(|error| ServeError::fault("writing an image", &error))
    };
    if format == ImageFormat::Raw || pixels as u64 <= INLINE_PIXELS {
        return write(&|| true);
    }
    blocking
        .run(move |caller| write(&|| caller.is_waiting()))
        .await
}
