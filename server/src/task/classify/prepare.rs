//! From pictures to rows.

use bytes::Bytes;
use quintet_bundle::image::{Framing, SIDE, frame_digit};
use smallvec::SmallVec;

use super::Limits;
use crate::blocking::Blocking;
use crate::error::{ServeError, Violation};
use crate::runtime::{Row, Rows};
use crate::task::picture::{BadPicture, Decode as _, INLINE_PIXELS, Picture};

/// The most pixels of a whole request, in images of the largest size.
const IMAGES_OF_FULL_SIZE: u64 = 4;

/// Decodes and frames pictures: large ones on a blocking thread.
pub(super) async fn rows(
    blocking: &Blocking,
    limits: Limits,
    pictures: Vec<Picture>,
    framing: Framing,
) -> Result<Rows, ServeError> {
    let max_pixels = limits.max_image_pixels;
    let sizes = pictures.iter().enumerate();
    let sizes = sizes.map(|(index, picture)| violation(index, picture.pixels(max_pixels)));
    let pixels: u64 = ServeError::collect::<_, SmallVec<[u64; 8]>>(sizes)?
        .iter()
        .sum();
    let limit = max_pixels.saturating_mul(IMAGES_OF_FULL_SIZE);
    if pixels > limit {
        let description = format!("are {pixels} pixels together; at most {limit} are allowed");
        return Err(ServeError::invalid("images", description));
    }
    let is_short = pixels <= INLINE_PIXELS;
    let row = move |index, picture: Picture| violation(index, row(&picture, framing, max_pixels));
    blocking.each(is_short, pictures, row).await
}

/// A picture as the model's input row.
fn row(picture: &Picture, framing: Framing, max_pixels: u64) -> Result<Row, BadPicture> {
    if let Picture::Raw(raw) = picture
        && (raw.width, raw.height, raw.channels) == (SIDE as u32, SIDE as u32, 1)
        && framing == Framing::None
        && raw.data.len() == SIDE * SIDE
    {
        // The model's input already: the bytes go from the wire to the batch in one copy.
        return Ok(std::iter::once(raw.data.clone()).collect());
    }
    let grey = picture.to_grey(max_pixels)?;
    let frame = Bytes::copy_from_slice(&frame_digit(&grey, framing));
    Ok(std::iter::once(frame).collect())
}

fn violation<T>(index: usize, outcome: Result<T, BadPicture>) -> Result<T, Violation> {
    outcome.map_err(|BadPicture { field, description }| {
        Violation::new(format!("images[{index}].{field}"), description)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_frame_is_not_copied() {
        let data = Bytes::from(vec![9; 784]);
        let picture = Picture::Raw(quintet_proto::v1::RawImage {
            width: 28,
            height: 28,
            channels: 1,
            data: data.clone(),
        });
        let row = row(&picture, Framing::None, 1_000).unwrap();
        assert_eq!(row[0].as_ptr(), data.as_ptr());
    }
}
